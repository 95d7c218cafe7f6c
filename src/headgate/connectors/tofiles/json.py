"""JSON, and JSON one record a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.types import INTEGERS, FieldType
from headgate.model.write import WriteField

from .lines import Text, changed, joined, pieces
from .naming import Naming
from .options import FileOptions
from .sink import Sink, unpacked
from .tree import Tree, tree
from .values import texts

_BARE: Final = (*INTEGERS, "decimal", "double", "boolean")
"""Kinds whose text is a JSON value: every digit is kept."""


class JsonFile:
    """A list of objects."""

    _before, _between, _after = "[\n", ",\n", "\n]\n"

    def __init__(self, path: Path, fields: Sequence[WriteField], naming: Naming) -> None:
        self._tree = tree(fields)
        self._sink = Sink(path, naming.compression)
        self._text = Text(self._sink, "utf-8")
        self._begun = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records."""
        for piece in pieces(batch):
            if piece.num_rows:
                objects = _objects(piece, self._tree)
                first = self._between if self._begun else self._before
                self._text.write(first)
                self._text.write_column(joined([objects.slice(0, len(objects) - 1), pa.scalar(self._between)]))
                self._text.write(objects[-1].as_py())
                self._begun = True

    def close(self, *, whole: bool = True) -> None:
        """End the list."""
        try:
            if whole:
                self._text.write(self._after if self._begun else "[]\n")
        finally:
            self._sink.close()


class JsonLinesFile:
    """An object a line."""

    def __init__(
        self, path: Path, fields: Sequence[WriteField], naming: Naming, options: FileOptions, after: Path | None
    ) -> None:
        self._tree = tree(fields)
        self._end = "\r\n" if options.line_end == "crlf" else "\n"
        unended = after is not None and _unended(after, naming.compression)
        self._sink = Sink(path, naming.compression, after)
        self._text = Text(self._sink, "utf-8")
        self._text.write(self._end if unended else "")

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records."""
        for piece in pieces(batch):
            self._text.write_column(joined([_objects(piece, self._tree), pa.scalar(self._end)]))

    def close(self, *, whole: bool = True) -> None:  # noqa: ARG002
        """End the file."""
        self._sink.close()


def _unended(path: Path, compression: str) -> bool:
    last = b"\n"
    with unpacked(path, compression) as file:
        while data := file.read(1 << 20):
            last = data
    return not last.endswith(b"\n")


def _objects(batch: pa.RecordBatch, of: Tree) -> pa.Array:
    parts: list[object] = []
    for name, inner in of.items():
        parts.append(f"{', ' if parts else '{'}{json.dumps(name, ensure_ascii=False)}: ")
        value = (
            _values(batch.column(inner.name), inner.type) if isinstance(inner, WriteField) else _objects(batch, inner)
        )
        parts.append(value)
    return joined([*parts, "}"])


def _values(column: pa.Array, of: FieldType) -> pa.Array:
    values = texts(column)
    if of.kind == "json":  # a line end can only stand between its values
        values = changed(values, r"[\r\n]", lambda v: v.replace("\r", " ").replace("\n", " "))
    elif of.kind not in _BARE:
        values = joined(['"', changed(pc.fill_null(values, ""), r'[\x00-\x1f"\\]', _escaped), '"'])
    return pc.if_else(pc.is_null(column), "null", values)


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
