"""Values as text: the form in which lookups compare them, which is also what a text column is given of a typed field."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pyarrow as pa

from .values import python_values


def text_form(value: object) -> str | None:
    """A value as text; None stays None.

    Whole numbers have digits only, decimals all digits of their column after the point, booleans are ``true`` and
    ``false``; dates ``2024-12-31``, times ``23:59:59[.ffffff]``, timestamps ``2024-12-31T23:59:59[.ffffff]``, those with a
    zone in UTC and with a ``Z``; bytes are hexadecimal. Fractions of seconds have no zeros at their end.
    """
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return float.__repr__(value).removesuffix(".0")
        case Decimal():
            return f"{value:f}"
        case datetime():
            return _moment(value)
        case date():
            return value.isoformat()
        case time():
            bare = value.replace(tzinfo=None)
            return (
                _short(bare.isoformat(timespec="microseconds"))
                + value.isoformat("microseconds")[len("00:00:00.000000") :]
            )
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _moment(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return _short(value.replace(tzinfo=None).isoformat(timespec="microseconds"))
    try:
        return _short((value.replace(tzinfo=None) - offset).isoformat(timespec="microseconds")) + "Z"
    except OverflowError:  # in UTC it is before the year 1 or after 9999
        return value.isoformat()


def _short(moment: str) -> str:
    return moment.rstrip("0").removesuffix(".") if "." in moment else moment


def text_array(values: pa.Array) -> pa.Array:
    """A column as text."""
    if pa.types.is_string(values.type):
        return values
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    return pa.array([text_form(v) for v in python_values(values)], pa.string())
