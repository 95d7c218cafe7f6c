"""Taking a publication back: its files are removed, and those they replaced come back, if nobody has changed them since."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pyarrow as pa

from headgate.model.codes import CODES
from headgate.model.errors import Cancelled, DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.write import NUMBER, OLD, Images, Matched, Refusal, WriteSpec

from .content import Content, change_batch
from .folder import Folder, Publication, Step, as_left
from .spool import Spool
from .values import texts


class FilesRemoval:
    """Takes back what one run published: all of it, or nothing.

    The records that are to go are those of one publication, which is known by them. Files are not taken apart.

    Args:
        folder: where.
        spec: planned deletions without a key.
    """

    def __init__(self, folder: Folder, spec: WriteSpec) -> None:
        self._folder, self._spec = folder, spec
        self._names = [f.name for f in spec.fields]
        self._spool = Spool()
        self._content = Content()
        self._found: Publication | None = None
        self._matched: Matched | None = None
        self._finished = False
        self._cancelled = threading.Event()

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand over records that are to go."""
        self._check_open()
        values = [texts(batch.column(OLD + n)) for n in self._names]
        self._content.add(values)
        self._spool.add(pa.RecordBatch.from_arrays([batch.column(NUMBER), *values], names=[NUMBER, *self._names]))

    def match(self, *, deletions: bool = True) -> Matched:  # noqa: ARG002
        """Find the publication; its records are deleted if its files are as it left them, and held otherwise."""
        self._check_open()
        self._found = self._find()
        account = Account()
        account.read = self._content.records
        refusals: list[Refusal] = []
        if self._found is not None:
            account.add(Outcome.DELETED, account.read)
        else:
            account.add(Outcome.HELD, account.read)
            why = CODES["HE01"].meaning
            for batch in self._spool.batches():
                refusals += [Refusal(n, Outcome.HELD, "HE01", why) for n in batch.column(NUMBER).to_pylist()]
        self._matched = Matched(account, refusals)
        return self._matched

    def _find(self) -> Publication | None:
        known = [
            p
            for p in self._folder.published()
            if p.table == self._spec.table
            and not p.undone
            and (p.records, p.content) == (self._content.records, self._content.digest())
        ]
        left = [p for p in known if as_left(self._folder.path, p)]
        return next(iter(left or (known if self._spec.forced else [])), None)

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Every record that goes."""
        return self.before()

    def images(self) -> Images:
        """All fields."""
        names = tuple(self._names)
        return Images(names, (), ())

    def before(self) -> Iterator[pa.RecordBatch]:
        """Every record that goes, its values as text."""
        if self._found is None:
            return
        for batch in self._spool.batches():
            old = [batch.column(n) for n in self._names]
            new = [pa.nulls(batch.num_rows, pa.string())] * len(old)
            yield change_batch(batch.column(NUMBER), "deleted", self._names, new, old)

    def after(self) -> Iterator[pa.RecordBatch]:
        """Nothing is created."""
        return iter(())

    def apply(self) -> Matched:
        """As matched: the files are as they were until the commit."""
        self._check_open()
        if self._matched is None:
            raise DestinationError("nothing was matched")
        return self._matched

    def drop(self) -> bool:
        """Whether no file of the table is left."""
        return self._found is not None and all(f.kept is None for f in self._found.files)

    def commit(self, checkpoint: str = "") -> None:
        """Remove and put back."""
        self._check_open()
        self._finished = True
        files = self._found.files if self._found is not None else ()
        steps = [Step("back" if f.kept else "remove", f.name, kept=f.kept) for f in files]
        self._folder.take_back(self._spec.ticket, checkpoint, self._found, steps)

    def abort(self) -> None:
        """Forget everything."""
        self._finished = True
        self._spool.close()

    def cancel(self) -> None:
        """Make `write`, `match` and `apply` raise `Cancelled` from now on."""
        self._cancelled.set()

    def _check_open(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the run was cancelled")
        if self._finished:
            raise DestinationError("the writer has ended", hint="Open a new one.")
