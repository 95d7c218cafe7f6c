"""Values on their way to a driver and from it: in which types columns are read, exactly."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa

from headgate.model.errors import SourceError
from headgate.model.text import text_form
from headgate.model.types import MAX_PRECISION, FieldType
from headgate.spi.columns import scan_column, scan_type
from headgate.spi.unreadable import beyond

_TYPE_OF_POSTGRES, _DIGITS_OF_POSTGRES = b"POSTGRESQL:type", b"POSTGRESQL:typmod"
_HEADER_OF_DIGITS = 4
# Of PostgreSQL's money the driver gives cents, without saying so.
_UNTOLD: Final = ("money",)


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is read.

    Attributes:
        name: of the column.
        type: what the scan's schema has.
        declared: what the Arrow type does not tell of it.
        as_text: it can only be read as the text that the database makes of it.
    """

    name: str
    type: pa.DataType
    declared: FieldType | None = None
    as_text: bool = False

    def array(self, values: pa.Array) -> pa.Array:
        """Values of the driver in the type, or as text where some of them have no place in it.

        Raises:
            SourceError: a text is none.
        """
        if isinstance(values, pa.ExtensionArray) and not isinstance(values.type, pa.UuidType):
            values = values.storage
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            try:
                values.validate(full=True)
            except pa.ArrowInvalid:
                raise SourceError(
                    f"column {self.name!r} has texts that are not UTF-8",
                    hint="Leave it out, or have the database convert it.",
                ) from None
        if pa.types.is_decimal(self.type) and not pa.types.is_decimal(values.type):
            return values.cast(pa.string())
        return scan_column(values, self.type)


def column(field: pa.Field) -> Column:
    """How a column of a driver is read."""
    kind, metadata = field.type, field.metadata or {}
    of_postgres = metadata.get(_TYPE_OF_POSTGRES, b"").decode()
    if isinstance(kind, pa.UuidType):
        return Column(field.name, pa.string(), FieldType("uuid"))
    if isinstance(kind, pa.JsonType):
        return Column(field.name, pa.string(), FieldType("json"))
    if isinstance(kind, pa.OpaqueType):
        if not _is_text(kind.storage_type):
            return Column(field.name, pa.string(), as_text=True)
        digits = _digits(metadata.get(_DIGITS_OF_POSTGRES)) if kind.type_name == "numeric" else None
        return Column(field.name, pa.string() if digits is None else pa.decimal128(*digits))
    if of_postgres and (of_postgres in _UNTOLD or pa.types.is_nested(kind) or pa.types.is_interval(kind)):
        return Column(field.name, pa.string(), as_text=True)
    return Column(field.name, scan_type(kind))


def _digits(modifier: bytes | None) -> tuple[int, int] | None:
    """Precision and scale of a numeric column of PostgreSQL, from how its catalog has them; None where it has none, or more
    than a decimal has place for."""
    packed = int(modifier or b"-1") - _HEADER_OF_DIGITS
    precision, scale = packed >> 16 & 0xFFFF, packed & 0x7FF
    return (precision, scale) if packed >= 0 and 1 <= precision <= MAX_PRECISION and scale <= precision else None


def _is_text(kind: pa.DataType) -> bool:
    return any(of(kind) for of in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def array_of(value: object, kind: pa.DataType | None) -> pa.Array:
    """One value of a parameter, in the type the driver wants it in where that is known and can be had."""
    if isinstance(kind, pa.OpaqueType) and kind.type_name == "numeric" and value is not None:
        with suppress(InvalidOperation):
            return pa.array([Decimal(str(value))])
    if isinstance(kind, pa.BaseExtensionType) or kind is None or pa.types.is_null(kind):
        return pa.array([value], pa.string() if value is None else None)
    ways: list[Callable[[], pa.Array]] = [
        lambda: pa.array([value]).cast(kind),
        lambda: pa.array([f"{value}Z"]).cast(kind),
    ]
    for way in ways if value is not None else ():
        with suppress(pa.ArrowException):
            return way()
    return pa.array([value], kind if value is None else None)


def highest(values: pa.Array, of: Column) -> Any:
    """The one value of an array as an incremental source keeps it: a number, or a text that loses nothing; None for none.

    Raises:
        SourceError: it is beyond what its type can say.
    """
    if values.null_count:
        return None
    if beyond(values) is not None:
        raise SourceError(
            f"the highest value of {of.name!r} is beyond the year 9999",
            hint="Read a query that leaves such records out.",
        )
    kind = values.type
    if pa.types.is_timestamp(kind):
        text = str(values.cast(pa.timestamp(kind.unit, "UTC") if kind.tz else kind).cast(pa.string())[0].as_py())
        whole, _, rest = text.replace(" ", "T").removesuffix("Z").partition(".")
        return whole + (f".{rest.rstrip('0')}" if rest.strip("0") else "") + ("Z" if kind.tz else "")
    found = of.array(values)[0].as_py()
    return found if isinstance(found, int | float | str) and not isinstance(found, bool) else text_form(found)
