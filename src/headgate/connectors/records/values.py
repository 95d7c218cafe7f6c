"""Values of a program's records as text."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from headgate.model.text import text_form
from headgate.model.types import TEXT, FieldType
from headgate.spi.columns import as_json

_PLAIN = frozenset({
    type(None), str, int, float, bool, Decimal, dt.datetime, dt.date, dt.time, bytes
})  # fmt: skip

_BYTES = (bytes, bytearray, memoryview)


def declared(values: Iterable[object]) -> FieldType | None:
    """The type of a column whose values as text could be taken for something else: texts, bytes (``1234`` in hexadecimal) and
    numbers of which some are none (``nan``); None for all others.
    """
    some = [v for v in values if v is not None]
    if not some:
        return None
    if all(isinstance(v, str) for v in some):
        return TEXT
    if all(isinstance(v, _BYTES) for v in some):
        return FieldType("binary")
    odd = any(isinstance(v, float) and not math.isfinite(v) for v in some)
    return FieldType("double") if odd and all(isinstance(v, int | float) for v in some) else None


def as_text(value: object) -> str | None:
    """A value as it would be written. Those of numpy and pandas are what they stand for; their missing values are none."""
    if type(value) in _PLAIN:
        return text_form(value)
    if isinstance(value, dict | list | tuple):
        return as_json(value)
    if isinstance(value, _BYTES):
        return bytes(value).hex()
    library = type(value).__module__.partition(".")[0]
    if library == "numpy":
        return _of_numpy(value)
    if library == "pandas":
        return _of_pandas(value)
    return text_form(value)


def _of_numpy(value: Any) -> str | None:
    if value.ndim:
        return as_json(value.tolist())
    if value.dtype.kind in "mM":  # as Python's objects they would lose their nanoseconds
        return None if value != value else str(value)  # NaT differs from itself
    if value.dtype.kind == "f":  # the shortest text, which for the narrow ones is not that of Python's wide one
        return str(value).removesuffix(".0")
    return text_form(value.item())


def _of_pandas(value: Any) -> str | None:
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return value.isoformat() if getattr(value, "nanosecond", 0) else text_form(value)
