"""Writing records to files: kept in a temporary file, checked, written beside their places, and put there at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from headgate.model.counting import counted
from headgate.model.errors import Cancelled, DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.table import SchemaChange
from headgate.model.types import IMAGE
from headgate.model.write import NUMBER, Images, Matched, Refusal, WriteSpec

from . import formats
from .checks import Checks
from .content import Content, change_batch, remembered
from .folder import HIDDEN, Folder, Publication, Published, Step
from .naming import Naming, numbered
from .open_files import OpenFiles, Planned, Values
from .options import FileOptions
from .sink import digest, settle
from .spool import Spool
from .values import texts, typed

_MOST_FILES: Final = 500
"""Files that are open at the same time, one for each value."""
_LISTED: Final = 20


class FilesWriter:
    """Writes the files of one run.

    Args:
        folder: where.
        spec: what.
        naming: the names of the files, as of the time the run began.
        options: of the connection.
    """

    def __init__(self, folder: Folder, spec: WriteSpec, naming: Naming, options: FileOptions) -> None:
        self._folder, self._spec, self._naming, self._options = folder, spec, naming, options
        self._again = any(f.type == IMAGE for f in spec.fields)  # what an undo took away is written once more
        self._fields = remembered(folder, spec) if self._again else spec.fields
        formats.check(self._fields, naming, options)
        self._written = tuple(f.name for f in spec.fields if f.when != "updated")
        self._checks = Checks(self._fields, naming, options)
        self._spool = Spool()
        self._content = Content()
        self._counts: Counter[Values] = Counter()
        self._refusals: list[Refusal] = []
        self._files: list[Planned] | None = None
        self._token: str | None = None
        self._finished = False
        self._cancelled = threading.Event()
        if naming.single:
            self._target(naming.name())  # to say at once that it may not be replaced

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand over mapped records."""
        self._check_open()
        records = self._records(batch)
        if refused := self._checks.refusals(records):
            self._refusals += [refused[row] for row in sorted(refused)]
            wanted = pa.array([row not in refused for row in range(records.num_rows)])
            records = records.filter(wanted)
        if not records.num_rows:
            return
        self._content.add([records.column(n) for n in self._written])
        self._counts.update(self._groups(records) if self._naming.by else {(): records.num_rows})
        if len(self._counts) > _MOST_FILES:
            raise DestinationError(
                f"{self._naming.pattern}: there would be more than {_MOST_FILES} files", hint="Split by another field."
            )
        self._spool.add(records)

    def _records(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Numbers and values, without what is written to existing records only."""
        given = {f.name: f for f in self._spec.fields if f.name in self._written}
        columns = [batch.column(NUMBER)]
        for field in self._fields:
            if field.name not in given:
                columns.append(pa.nulls(batch.num_rows, field.type.arrow))
            elif given[field.name].type == IMAGE:
                columns.append(typed(batch.column(field.name), field.type))
            else:
                columns.append(batch.column(field.name))
        return pa.RecordBatch.from_arrays(columns, names=[NUMBER, *(f.name for f in self._fields)])

    def _groups(self, batch: pa.RecordBatch) -> list[Values]:
        """The values in the name of each record's file."""
        return list(zip(*(texts(batch.column(n)).to_pylist() for n in self._naming.by), strict=True))

    def match(self, *, deletions: bool = True) -> Matched:  # noqa: ARG002
        """Every record is created; which files they go to is decided."""
        self._check_open()
        if not self._naming.by and not self._again:
            self._counts[()] += 0  # a file without records has its header
        self._files = [
            Planned(name, f"{n:06}", after, count) for n, (name, after, count) in enumerate(self._targets(), 1)
        ]
        return self._account()

    def _account(self) -> Matched:
        account = Account()
        account.add(Outcome.CREATED, self._content.records)
        account.add(Outcome.REJECTED, len(self._refusals))
        account.read = self._content.records + len(self._refusals)
        return Matched(account, list(self._refusals))

    def _targets(self) -> Iterator[tuple[str, str | None, int]]:
        """Every file with the digest of what it is added to, and how many records it gets."""
        most = self._naming.rows
        for values, count in self._counts.items():
            for part in range(1, self._parts(count) + 1):
                records = count if most is None else min(most, count - (part - 1) * most)
                name, after = self._target(self._naming.name(values, part))
                yield name, after, records

    def _target(self, name: str) -> tuple[str, str | None]:
        """Where a file goes, and the digest of what it is added to.

        Raises:
            DestinationError: what is there must not be replaced, or is no file.
        """
        path = self._folder.path / name
        if path.is_dir():
            raise DestinationError(f"{path} is a folder", hint="Name the file otherwise.")
        if not path.exists():
            return name, None
        match self._options.existing:
            case "reject":
                raise DestinationError(
                    f"{path} is there already",
                    hint="Take it away, or say existing: replace (or number) in the connection.",
                )
            case "number":
                free = (numbered(name, n) for n in range(2, 1_000_000))
                return next(n for n in free if not (self._folder.path / n).exists()), None
            case "add":
                return name, digest(path)
            case _:
                return name, None

    def made(self) -> list[SchemaChange]:
        """The files, once the records have been matched."""
        files = self._files or []
        changes = []
        for file in files[:_LISTED]:
            there = (self._folder.path / file.name).exists()
            does = "add to" if file.after else "replace" if there else "make"
            what = f"{does} {file.name}: {counted(file.records, 'record')}"
            changes.append(SchemaChange(what, f"{does} {self._folder.path / file.name}"))
        if len(files) > _LISTED:
            changes.append(SchemaChange(f"and {counted(len(files) - _LISTED, 'file')} more", ""))
        changes += [
            SchemaChange(f"take away {name}, which the last run made", f"remove {self._folder.path / name}")
            for name in self._left_over()[:_LISTED]
        ]
        return changes

    def _left_over(self) -> list[str]:
        """Files that the last run of the table made and this one does not."""
        if self._options.existing != "replace" or (self._again and not self._files):
            return []
        last = self._folder.latest(self._naming.pattern)
        made = {f.name for f in self._files or ()}
        return [f.name for f in last.files if f.digest is not None and f.name not in made] if last else []

    # What the engine asks for

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Every record, as created."""
        names = [f.name for f in self._fields]
        for batch in self._spool.batches():
            values = [batch.column(n) for n in names]
            yield change_batch(batch.column(NUMBER), "created", names, values, None)

    def images(self) -> Images:
        """All fields of what was created."""
        return Images(self._written, self._written, ())

    def before(self) -> Iterator[pa.RecordBatch]:
        """Nothing: no record was there before."""
        return iter(())

    def after(self) -> Iterator[pa.RecordBatch]:
        """Every record, its values as text."""
        for batch in self._spool.batches():
            values = [texts(batch.column(n)) for n in self._written]
            yield change_batch(batch.column(NUMBER), "created", self._written, values, None)

    def drop(self) -> bool:
        """No file is removed."""
        return False

    # Writing

    def apply(self) -> Matched:
        """Write the files beside their places."""
        self._check_open()
        if self._files is None:
            raise DestinationError("nothing was matched")
        self._token = self._folder.begin(self._spec.ticket)
        of = self._files_of(self._files)
        try:
            out = OpenFiles(self._folder, self._token, self._fields, self._naming, self._options)
            with out:
                for values, files in of.items():
                    out.take(values, files)
                for batch in self._spool.batches():
                    self._check_open()
                    for values, records in self._apart(batch):
                        out.write(values, records)
                out.end()
        except OSError as e:
            self._folder.make_room(self._token)
            raise self._folder.failed(e) from e
        return self._account()

    def _files_of(self, files: list[Planned]) -> dict[Values, list[Planned]]:
        """The files by the values in their names."""
        left = iter(files)
        return {values: [next(left) for _ in range(self._parts(count))] for values, count in self._counts.items()}

    def _parts(self, count: int) -> int:
        """How many files so many records take."""
        return 1 if self._naming.rows is None else max(1, -(-count // self._naming.rows))

    def _apart(self, batch: pa.RecordBatch) -> Iterator[tuple[Values, pa.RecordBatch]]:
        """A batch by the values in the names of files."""
        if not self._naming.by:
            yield (), batch
            return
        rows: dict[Values, list[int]] = {}
        for row, values in enumerate(self._groups(batch)):
            rows.setdefault(values, []).append(row)
        for values, at in rows.items():
            yield values, batch.take(pa.array(at))

    def commit(self, checkpoint: str = "") -> None:
        """Put all files in their places."""
        self._check_open()
        if self._files is None or self._token is None:
            raise DestinationError("nothing was applied")
        new, kept = f"{HIDDEN}/new/{self._token}", f"{HIDDEN}/kept/{self._token}"
        files, steps = [], []
        expected: dict[str, str | None] = {}
        for file in self._files:
            keeps = f"{kept}/{file.place}" if (self._folder.path / file.name).exists() else None
            files.append(Published(file.name, self._settle(file), keeps, file.records))
            steps.append(Step("put", file.name, f"{new}/{file.place}", keeps))
            if file.after or self._options.existing != "replace":
                expected[file.name] = file.after
        for n, name in enumerate(self._left_over(), len(files) + 1):
            files.append(Published(name, None, f"{kept}/{n:06}"))
            steps.append(Step("away", name, kept=f"{kept}/{n:06}"))
        what = Publication(
            self._token, self._spec.table, self._naming.pattern, self._content.records, self._content.digest(),
            tuple((f.name, str(f.type)) for f in self._fields), tuple(files),
        )  # fmt: skip
        self._finished = True
        self._folder.publish(self._spec.ticket, checkpoint, what, steps, expected)
        self._token = None

    def _settle(self, file: Planned) -> str:
        assert self._token is not None
        try:
            return settle(self._folder.place(self._token) / file.place)
        except OSError as e:
            raise self._folder.failed(e) from e

    def abort(self) -> None:
        """Forget everything that was not committed."""
        self._finished = True
        self._spool.close()
        if self._token is not None:
            token, self._token = self._token, None
            self._folder.forget(token)

    def cancel(self) -> None:
        """Make `write`, `match` and `apply` raise `Cancelled` from now on."""
        self._cancelled.set()

    def _check_open(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the run was cancelled")
        if self._finished:
            raise DestinationError("the writer has ended", hint="Open a new one.")
