"""Arrow columns of any kind in the types that scans give: one kind of text, no dictionaries, no nesting."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from uuid import UUID

import pyarrow as pa


def plain(kind: pa.DataType) -> pa.DataType:
    """The type a value has once dictionaries and extensions are taken off."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def scan_type(kind: pa.DataType) -> pa.DataType:
    """The type a column is given in: its own, but with one kind of text and no dictionaries or nesting."""
    kind = plain(kind)
    if pa.types.is_nested(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.string() if pa.types.is_null(kind) else kind


def as_json(value: object) -> str:
    """A list, struct or map as JSON text; numbers keep their digits, times are as ISO 8601 writes them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_scalar)


def _scalar(value: object) -> object:
    match value:
        case decimal.Decimal() | UUID():
            return str(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    return str(value)
