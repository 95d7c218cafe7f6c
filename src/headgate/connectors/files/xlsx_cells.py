"""Cells of a spreadsheet into columns of text, as a person would write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_TEXT: Final = pa.string()
_SHOWN_DIGITS: Final = 15


def _number(value: float) -> str:
    """The number with the 15 digits that spreadsheets show, without exponent unless it is very large or very small.

    A workbook's numbers are binary; the digits after the 15th are noise of the conversion (0.1 + 0.2 is stored as
    0.30000000000000004 and shown as 0.3). Source: Excel's
    specifications and limits, number precision: 15 digits.
    """
    value = float(f"{value:.15g}")
    if value == int(value) and abs(value) < 2**53:
        return str(int(value))
    if 1e-20 < abs(value) < 1e20:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return repr(value)


def _span(value: dt.timedelta) -> str:
    """Hours, minutes and seconds; the hours go past 24."""
    micros = value // dt.timedelta(microseconds=1)
    seconds, fraction = divmod(abs(micros), 1_000_000)
    text = f"{'-' if micros < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}" if fraction else text


_ONE: Final[dict[type, Callable[[Any], str | None]]] = {
    str: lambda v: v or None,
    float: _number,
    int: str,
    bool: lambda v: "true" if v else "false",
    dt.datetime: lambda v: str(v.isoformat(" ")),
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: _span,
    type(None): lambda _: None,
}


def text(value: object) -> str | None:
    """One cell as text; None for an empty one."""
    return _ONE[type(value)](value)


def _numbers(values: Sequence[object]) -> pa.Array:
    numbers = pa.array(values, pa.float64())
    texts = numbers.cast(_TEXT)
    # Arrow writes 1e+15, -0 and 0.30000000000000004 where a person writes 1000000000000000, 0 and 0.3.
    odd = pc.or_(pc.match_substring(texts, "e"), pc.equal(numbers, 0.0))
    odd = pc.or_(odd, pc.greater(pc.binary_length(texts), _SHOWN_DIGITS))
    if not pc.any(odd).as_py():
        return texts
    return pc.replace_with_mask(
        texts, pc.fill_null(odd, False), pa.array(map(text, numbers.filter(odd).to_pylist()), _TEXT)
    )


def _datetimes(values: Sequence[object]) -> pa.Array:
    stamps = pa.array(values, pa.timestamp("us"))
    try:
        return stamps.cast(pa.timestamp("s")).cast(_TEXT)
    except pa.ArrowInvalid:
        return pa.array(map(text, values), _TEXT)


_ALL: Final[dict[type, Callable[[Sequence[object]], pa.Array]]] = {
    str: lambda v: pa.array(v, _TEXT),
    float: _numbers,
    bool: lambda v: pa.array(v, pa.bool_()).cast(_TEXT),
    dt.datetime: _datetimes,
    dt.date: lambda v: pa.array(v, pa.date32()).cast(_TEXT),
}


def text_column(values: Sequence[object]) -> pa.Array:
    """Cells of one column as text; quick where they are all of one kind, or empty."""
    kinds = set(map(type, values))
    if kinds & {str} and "" in values:
        values = [None if v == "" else v for v in values] if len(kinds) > 1 else [v or None for v in values]
        kinds = set(map(type, values)) - {type(None)}
    quick = _ALL.get(kinds.pop()) if len(kinds) == 1 else None
    return quick(values) if quick else pa.array(map(text, values), _TEXT)
