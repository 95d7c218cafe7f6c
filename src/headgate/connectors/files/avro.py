"""Avro files as scans. Columns keep their own types, logical ones too; nested ones become JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any, cast

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.record import Batch, Origin
from headgate.spi.source import BATCH_ROWS, Scan

from .avro_blocks import MAGIC, Block, ContainerError, Header, as_long, blocks, header
from .avro_types import Column, ValueOutOfRangeError, column
from .base import Input
from .gather import BATCH_BYTES
from .typed import WRITE_AGAIN, TypedColumns, first_line

_AT_ONCE = 2048


def open_avro(given: Input, sheet: str | None = None) -> Scan:
    """Open an Avro file.

    Raises:
        SourceError: it is none, its records are no records, it lacks a column named in `source.columns`, or the library
            that reads it is not installed.
    """
    del sheet
    return AvroScan(given)


class AvroScan:
    """A scan of one Avro file, block by block."""

    def __init__(self, given: Input) -> None:
        try:
            import fastavro.schema
        except ModuleNotFoundError:
            raise SourceError(
                "Avro files need the package fastavro", hint="Install it: pip install 'headgate[avro]'."
            ) from None
        self._given = given
        self._size = max(1, given.path.stat().st_size)
        self._share = 0.0
        try:
            with given.path.open("rb") as file:
                self._header = header(file)
        except ContainerError as e:
            raise SourceError(f"{given.name} is not a whole Avro file: {e}", hint=WRITE_AGAIN) from None
        named: dict[str, Any] = {}
        try:
            schema = fastavro.schema.parse_schema(json.loads(self._header.schema), named)
        except (
            ValueError,
            TypeError,
            KeyError,
            LookupError,
            RecursionError,
            fastavro.schema.SchemaParseException,
        ) as e:
            raise SourceError(f"{given.name} has a schema that is none: {first_line(e)}", hint=WRITE_AGAIN) from None
        if not isinstance(schema, dict) or schema.get("type") != "record" or not schema.get("fields"):
            raise SourceError(
                f"{given.name} holds values that are no records with fields",
                hint="Have it written with a record as its schema.",
            )
        self._fields: list[Column] = [column(f["name"], f["type"], named) for f in schema["fields"]]
        self._schema = _restated(self._fields, named)
        self._columns = TypedColumns(given, pa.schema([(f.name, f.type) for f in self._fields]))
        self._read = {f.name: f for f in self._fields}

    @property
    def schema(self) -> pa.Schema:
        """The fields of the records with their own types; nested ones as text."""
        return self._columns.schema

    @property
    def findings(self) -> Mapping[str, object]:
        """Format, codec, and which columns become JSON text."""
        found: dict[str, object] = {"format": "avro", "codec": self._header.codec}
        nested = [n for n in self._columns.names if self._read[n].nested]
        return found | ({"notes": [f"nested values become JSON text: {', '.join(nested)}"]} if nested else {})

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._share = 0.0
        done, size = 0, 0
        parts: list[pa.RecordBatch] = []
        records = self._records()
        while some := list(islice(records, _AT_ONCE)):
            first = done + sum(p.num_rows for p in parts)
            part = self._part(some, first)
            if first + part.num_rows - done > BATCH_ROWS or size > BATCH_BYTES:
                yield self._columns.batch(_joined(parts), done)
                done, parts, size = first, [], 0
            parts.append(part)
            size += part.nbytes
        if parts:
            yield self._columns.batch(_joined(parts), done)
        self._share = 1.0

    def _part(self, records: list[Any], first: int) -> pa.RecordBatch:
        arrays = []
        for name in self._columns.names:
            try:
                arrays.append(self._read[name].array([r[name] for r in records]))
            except (ValueOutOfRangeError, pa.ArrowException, ValueError, OverflowError) as e:
                raise SourceError(
                    f"{self._given.name} is damaged in records {first + 1:,} to {first + len(records):,}, column {name}: {first_line(e)}",
                    hint=WRITE_AGAIN,
                ) from None
        return pa.RecordBatch.from_arrays(arrays, self._columns.names)

    def _records(self) -> Iterator[Any]:
        """All records, single values as they are stored."""
        import fastavro

        done = 0
        try:
            with self._given.path.open("rb") as file:
                file.seek(self._header.end)
                feed = _Feed(self._schema, self._header, self._counted(blocks(file, self._header)))
                for record in fastavro.reader(cast("IO[bytes]", feed)):
                    yield record
                    done += 1
        except (
            ContainerError,
            ValueError,
            TypeError,
            LookupError,
            EOFError,
            OverflowError,
            OSError,
            ArithmeticError,
            RecursionError,
        ) as e:
            raise SourceError(
                f"{self._given.name} is damaged after record {done:,}: {first_line(e)}", hint=WRITE_AGAIN
            ) from None

    def _counted(self, found: Iterator[Block]) -> Iterator[Block]:
        for block in found:
            self._share = min(1.0, block.end / self._size)
            yield block

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`; the row is the record's number."""
        return self._columns.locate(ordinals)

    def progress(self) -> float:
        """See `Scan`."""
        return self._share

    def close(self) -> None:
        """Nothing is held."""


class _Feed:
    """The file as its reader gets it: blocks unpacked, and a schema that leaves single values as they are stored."""

    def __init__(self, schema: bytes, head: Header, found: Iterator[Block]) -> None:
        entry = b"avro.schema"
        self._buffer = (
            MAGIC + as_long(1) + as_long(len(entry)) + entry + as_long(len(schema)) + schema + as_long(0) + head.sync
        )
        self._at = 0
        self._sync, self._found = head.sync, found

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end."""
        while len(self._buffer) - self._at < size and (block := next(self._found, None)) is not None:
            start = as_long(block.count) + as_long(len(block.data))
            self._buffer = self._buffer[self._at :] + start + block.data + self._sync
            self._at = 0
        data = self._buffer[self._at : self._at + size]
        self._at += len(data)
        return data


def _restated(fields: Sequence[Column], named: Mapping[str, Any]) -> bytes:
    """The schema with single values as they are stored, and nested ones as they are meant.

    Both may use one name, so those of single values, and of the record itself, are other ones here. A name is defined where
    it comes first, and only named afterwards.
    """
    defined: set[str] = set()
    stored = [
        {
            "name": f.name,
            "type": _once(f.stored, defined, named) if f.nested else _renamed(_once(f.stored, set(), named), f"_{n}"),
        }
        for n, f in enumerate(fields)
    ]
    return json.dumps({"type": "record", "name": "headgate_record", "fields": stored}).encode()


def _renamed(schema: Any, ending: str) -> Any:
    if isinstance(schema, list):
        return [_renamed(s, ending) for s in schema]
    if isinstance(schema, dict) and "name" in schema:
        return {**schema, "name": f"{schema['name']}{ending}"}
    return schema


def _once(schema: Any, defined: set[str], named: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_once(s, defined, named) for s in schema]
    if isinstance(schema, str) and schema in named and schema not in defined:
        schema = named[schema]
    if not isinstance(schema, dict):
        return schema
    if (name := schema.get("name")) and schema.get("type") in ("record", "enum", "fixed", "error"):
        if name in defined:
            return name
        defined.add(name)
    kept = {
        k: v
        for k, v in schema.items()
        if k in ("type", "name", "items", "values", "symbols", "size", "logicalType", "precision", "scale")
    }
    for key in ("type", "items", "values"):
        if key in kept:
            kept[key] = _once(kept[key], defined, named)
    if "fields" in schema:
        kept["fields"] = [{"name": f["name"], "type": _once(f["type"], defined, named)} for f in schema["fields"]]
    return kept


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
