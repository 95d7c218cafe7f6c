"""A folder as a destination."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from headgate.model.errors import DestinationError, UsageError
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import KINDS, FieldType
from headgate.model.write import Operation, Ticket, WriteSpec
from headgate.spi.destination import Capabilities, Writer

from .folder import Folder
from .naming import Naming, naming, table_of
from .options import read
from .removal import FilesRemoval
from .writer import FilesWriter

_SCHEME = "file://"


class FilesDestination:
    """Files in a folder, one or several of them a table: CSV, JSON, JSON Lines, XML, XLSX, Parquet.

    Args:
        options: `options.FileOptions`.
        base: the folder that a relative path starts from.

    Raises:
        UsageError: the URL names no folder, or an option is unknown or wrong.
    """

    schemes = ("file",)
    capabilities = Capabilities(
        operations=frozenset({Operation.APPEND}),
        transactional=True,
        row_rejects=True,
        create_table=True,
        exact_types=frozenset(KINDS) - {"other"},
        checkpoints=True,
        undo=True,
        refuses=frozenset({"nan", "infinity", "nul"}),
        makes=True,
        replaces=True,
    )

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:
        self._options = read(options)
        path = unquote(self._options.url.removeprefix(_SCHEME))
        if not self._options.url.startswith(_SCHEME) or not path:
            raise UsageError(
                f"{self._options.url!r} names no folder", hint="Write file://FOLDER or file:///ABSOLUTE/FOLDER."
            )
        self._folder = Folder(base / path, self._options.keep)
        if self._options.existing in ("add", "number"):
            from dataclasses import replace

            self.capabilities = replace(type(self).capabilities, replaces=False)

    def inspect(self, table: str) -> TableSchema | None:
        """The table as the last run made it; without columns where that is not known. None when there is no file."""
        known = next((p for p in self._folder.published() if p.table == table and not p.undone), None)
        if known is not None and any((self._folder.path / f.name).is_file() for f in known.files):
            return TableSchema(table, tuple(Column(n, FieldType.parse(t)) for n, t in known.fields))
        return TableSchema(table, ()) if table in self.tables() else None

    def tables(self) -> list[str]:
        """Files of formats that are known, as a definition names them."""
        names = (table_of(f, self._options) for f in self._folder.files())
        return sorted(n for n in names if n is not None)

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """What the run will make, as far as it is known before its records are."""
        names = self._naming(wanted.name, [c.name for c in wanted.columns])
        columns = ", ".join(f"{c.name} {c.type}" for c in wanted.columns)
        does = "make"
        if names.single and (self._folder.path / names.name()).exists():
            does = {"replace": "replace", "add": "add to"}.get(self._options.existing, "make")
        return SchemaChange(
            f"{does} {names.pattern} ({columns})", f"{does} {self._folder.path / names.pattern}: {columns}"
        )

    def native(self, type: FieldType) -> str:
        """The type as definitions name it."""
        return str(type)

    def open(self, spec: WriteSpec) -> Writer:
        """Begin a run's writing.

        Raises:
            DestinationError: what is asked for cannot be done with files, a file may not be replaced, or is missing.
        """
        if spec.planned and spec.operation is Operation.DELETE and not spec.key:
            return FilesRemoval(self._folder, spec)
        if spec.operation is not Operation.APPEND:
            raise DestinationError(f"files cannot take {spec.operation}", hint="They can: append.")
        if spec.batched:
            raise DestinationError(
                f"{spec.table}: files are published when they are whole, so they cannot be committed batch by batch",
                hint="Say commit: run. To have them smaller: split: { rows: 100000 } in the connection.",
            )
        names = self._naming(spec.table, [f.name for f in spec.fields])
        if not spec.create and not spec.planned and not (names.single and (self._folder.path / names.name()).is_file()):
            raise DestinationError(f"{self._folder.path}: there is no file {spec.table}", hint="Let the run make it.")
        return FilesWriter(self._folder, spec, names, self._options)

    def absent(self) -> bool:
        """Whether the folder is not there."""
        return not self._folder.path.is_dir()

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope; a folder that is not there yet has no checkpoints, and is not made for it."""
        return self._folder.claim(ticket)

    def readable(self, image: str) -> str:
        """An image is the value's text."""
        return image

    def close(self) -> None:
        """Nothing is held."""

    def _naming(self, table: str, fields: list[str]) -> Naming:
        return naming(table, self._options, fields, datetime.now(UTC))
