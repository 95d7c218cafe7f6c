"""Records that come in a request, as a source: columns that follow from the definition, and no records of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from headgate.mapping import columns_of
from headgate.model.errors import DefinitionError
from headgate.model.record import Batch, Origin
from headgate.model.spec import ImportSpec
from headgate.model.table import TableSchema
from headgate.model.text import text_form
from headgate.spi.columns import as_json
from headgate.spi.source import Partition

NAME = "requests"


class Number(str):
    """A number of a JSON document, as it is written there."""

    __slots__ = ()


def read_json(body: bytes) -> Any:
    """A JSON document whose fractions keep the digits they were written with.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _DECODER.decode(body)


_DECODER = msgspec.json.Decoder(float_hook=Number)


def columns(spec: ImportSpec, table: TableSchema | None) -> list[str]:
    """The columns that records may have: those the definition names, or, where it names none, the table's.

    Raises:
        DefinitionError: neither says any.
    """
    if spec.source.columns:
        return list(spec.source.columns)
    if not spec.fields:
        if table is None:
            raise DefinitionError(
                "neither the definition nor a table says which fields there are",
                where="fields",
                hint="Name the fields, or the source's columns.",
            )
        return [c.name for c in table.columns if not c.generated]
    return columns_of(spec)


class Received:
    """A source (`headgate.spi.source.Source`) whose records come later, one request after the other."""

    def __init__(self, names: Sequence[str]) -> None:
        self._schema = pa.schema([(n, pa.string()) for n in names])

    def partitions(self) -> list[Partition]:
        """The one there is."""
        return [Partition(NAME)]

    def open(self, partition: Partition) -> ReceivedScan:
        """Nothing to be opened."""
        del partition
        return ReceivedScan(self._schema)

    def close(self) -> None:
        """Nothing to be closed."""


class ReceivedScan:
    """The columns, and no records."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    @property
    def schema(self) -> pa.Schema:
        """Text for every column."""
        return self._schema

    @property
    def findings(self) -> Mapping[str, object]:
        """What the records are."""
        return {"format": NAME}

    def batches(self) -> Iterator[Batch]:
        """None."""
        return iter(())

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """None has a place of its own."""
        return [Origin() for _ in ordinals]

    def progress(self) -> float:
        """All of nothing."""
        return 1.0

    def close(self) -> None:
        """Nothing to be closed."""


def texts(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, str | None]:
    """The columns of a record as text, by name or, where the record has no such name, by path (``customer.email``)."""
    found = {}
    for name in names:
        value = record.get(name)
        if value is None and "." in name and name not in record:
            value = _within(record, name)
        found[name] = value if type(value) is str or value is None else _text(value)
    return found


def _within(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _text(value: object) -> str | None:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict | list | tuple):
        return msgspec.json.encode(_raw(value)).decode() if _has_number(value) else as_json(value)
    return text_form(value)


def _has_number(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_number, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_number, value))
    return isinstance(value, Number)


def _raw(value: Any) -> Any:
    """The value with its numbers as they are written."""
    if isinstance(value, Number):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, dict):
        return {k: _raw(v) for k, v in value.items()}
    return [_raw(v) for v in value] if isinstance(value, list | tuple) else value


def records_at(document: Any, path: str | None) -> list[Any]:
    """The records of a document: itself, if it is a list; its only record, if it is an object; or what lies at a path.

    Raises:
        LookupError: there is nothing at the path.
    """
    found = document
    for part in path.split(".") if path else ():
        if not isinstance(found, Mapping) or part not in found:
            raise LookupError(part)
        found = found[part]
    return found if isinstance(found, list) else [found]


def exploded(record: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """One record for each entry of a list within a record, with the entry under the list's path."""
    entries = record.get(path) if path in record else _within(record, path)
    if entries is None:
        return []
    return [
        {**record, path: entry, **_beside(path, entry)}
        for entry in (entries if isinstance(entries, list) else [entries])
    ]


def _beside(path: str, entry: Any) -> dict[str, Any]:
    return {f"{path}.{k}": v for k, v in entry.items()} if isinstance(entry, Mapping) else {}
