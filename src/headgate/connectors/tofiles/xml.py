"""XML: an element a record, an element a field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import DestinationError
from headgate.model.write import WriteField

from .lines import Text, changed, joined, pieces
from .naming import Naming
from .options import FileOptions
from .sink import Sink
from .tree import Tree, tree
from .values import texts

_NAME: Final = re.compile(r"(?!xml)[^\W\d][\w-]*", re.IGNORECASE)
_SIGNS: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


class XmlFile:
    """A document. A field without a value has no element."""

    def __init__(self, path: Path, fields: Sequence[WriteField], naming: Naming, options: FileOptions) -> None:
        self._tree = tree(fields)
        self._first = next(iter(self._tree))
        self._options = options
        self._sink = Sink(path, naming.compression)
        self._text = Text(self._sink, options.encoding, "xmlcharrefreplace")
        self._text.write(f'<?xml version="1.0" encoding="{options.encoding.upper()}"?>\n<{options.root}>\n')

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records."""
        name = self._options.record
        for piece in pieces(batch):
            # An element with nothing in it is no record to many readers.
            inner = pc.fill_null(_elements(piece, self._tree), f"<{self._first}></{self._first}>")
            self._text.write_column(joined([pa.scalar(f"  <{name}>"), inner, pa.scalar(f"</{name}>\n")]))

    def close(self, *, whole: bool = True) -> None:
        """End the document."""
        try:
            if whole:
                self._text.write(f"</{self._options.root}>\n")
        finally:
            self._sink.close()


def _elements(batch: pa.RecordBatch, of: Tree) -> pa.Array:
    """The elements of every record, null where it has none."""
    parts = []
    for name, inner in of.items():
        content = (
            _escaped(texts(batch.column(inner.name))) if isinstance(inner, WriteField) else _elements(batch, inner)
        )
        # Null where a part of it is.
        element = pc.binary_join_element_wise(f"<{name}>", content, f"</{name}>", "", null_handling="emit_null")
        parts.append(pc.fill_null(element, ""))
    every = joined(parts)
    return pc.if_else(pc.equal(every, ""), pa.scalar(None, pa.string()), every)


def _escaped(values: pa.Array) -> pa.Array:
    return changed(values, r"[&<>\r]", lambda v: re.sub(r"[&<>\r]", lambda m: _SIGNS[m[0]], v))


def check_names(fields: Sequence[WriteField], options: FileOptions) -> None:
    """Refuse what is no name in XML.

    Raises:
        DestinationError: with the name.
    """
    names = [part for f in fields for part in f.name.split(".")]
    for name in (options.root, options.record, *names):
        try:
            name.encode(options.encoding)
            fits = _NAME.fullmatch(name) is not None
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise DestinationError(
                f"{name!r} cannot be the name of an element in XML",
                hint="Name the field otherwise, with letters, digits, - and _ (fields: { list_price: List Price }).",
            )
