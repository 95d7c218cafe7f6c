"""A list that says more of each file than its name does: what names at the destination are made of beside."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import PurePosixPath

from headgate.engine.runner import source_warnings
from headgate.model.counting import counted, verb
from headgate.model.errors import SourceError
from headgate.model.text import text_form
from headgate.model.transfer import NotListedError
from headgate.spi.source import Source

Row = Mapping[str, str | None]


class Manifest:
    """The rows of a list by the files that they name.

    Args:
        rows: the list's.
        file: the column that names them.
        paths: of all files that there are.
        warnings: for people, of the list's source.

    Attributes:
        warnings: those, and of files that are not there.
    """

    def __init__(self, rows: Iterable[Row], file: str, paths: Iterable[str], warnings: Iterable[str] = ()) -> None:
        self._rows: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if name := _as_path(row[file] or ""):
                self._rows[name].append(row)
        paths = list(paths)
        self._paths = frozenset(map(_as_path, paths))
        self._files = Counter(map(self._name, paths))
        unused = sorted(self._rows.keys() - self._files.keys())
        self.warnings = list(warnings)
        if unused:
            self.warnings.append(
                f"{counted(len(unused), 'file')} that the manifest names {verb(len(unused), 'is', 'are')} not there, the first: {unused[0]}"
            )

    def _name(self, path: str) -> str:
        """How the list names a file: by its path, otherwise by its name, unless that is the path of another one."""
        whole, name = _as_path(path), _as_path(PurePosixPath(path).name)
        return whole if whole in self._rows or name in self._paths else name

    def row(self, path: str) -> Row:
        """What the list says of a file.

        Raises:
            NotListedError: it has no row, or several, or one that may as well be about another file.
        """
        name = self._name(path)
        rows = self._rows.get(name, ())
        if not rows:
            raise NotListedError("the manifest has no row for it")
        if len(rows) > 1:
            raise NotListedError(f"the manifest has {counted(len(rows), 'row')} for it")
        if (files := self._files[name]) > 1:
            raise NotListedError(f"the manifest has one row for {name}, and {files} files are called so")
        return rows[0]


def read(source: Source, file: str, columns: Iterable[str], paths: Iterable[str]) -> Manifest:
    """Read the list.

    Args:
        file: the column that names the files.
        columns: those whose values are wanted.
        paths: of all files that there are.

    Raises:
        SourceError: it cannot be read whole, or lacks one of the columns.
    """
    with closing(source):
        rows: list[Row] = []
        warnings: list[str] = []
        for partition in source.partitions():
            with closing(source.open(partition)) as scan:
                names = scan.schema.names
                if lost := [c for c in (file, *columns) if c not in names]:
                    raise SourceError(
                        f"the manifest {partition.name} has no column {lost[0]!r}",
                        hint=f"There are: {', '.join(names)}. Its column of files is transfer.manifest.file.",
                    )
                for batch in scan.batches():
                    if batch.faults:
                        fault = batch.faults[0]
                        (origin,) = scan.locate([fault.ordinal])
                        where = f"line {origin.line}" if origin.line else f"row {origin.row}"
                        raise SourceError(
                            f"the manifest {partition.name} cannot be read whole: {where}: {fault.problem.reason}",
                            hint="Mend it: who has lost a row does not know which files it was about.",
                        )
                    kept = batch.records.select([*dict.fromkeys((file, *columns))])
                    rows += [{n: None if v is None else text_form(v) for n, v in r.items()} for r in kept.to_pylist()]
                warnings += [f"{partition.name}: {words}" for words in source_warnings(dict(scan.findings))]
        return Manifest(rows, file, paths, warnings)


def _as_path(text: str) -> str:
    """A file as its path would have it: without blanks around, with ``/`` between, without empty parts and ``.``, and with letters
    composed, which some systems take apart in names."""
    parts = unicodedata.normalize("NFC", text.strip().replace("\\", "/")).split("/")
    return "/".join(part for part in parts if part not in ("", "."))
