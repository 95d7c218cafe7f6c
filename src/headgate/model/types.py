"""Field types: what a destination value may be, and how it is named, held in Arrow and widened.

Names accepted in definitions (aliases in brackets): text [string, varchar], text(n) [varchar(n)], smallint, integer
[int], bigint, decimal(p,s) [numeric(p,s)], decimal [numeric] (38 digits, 10 of them after the point), double [float, real],
boolean [bool], date, time, timestamp [datetime], timestamptz, uuid, json, binary [bytes, blob].
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

KINDS: Final = (
    "text", "smallint", "integer", "bigint", "decimal", "double", "boolean",
    "date", "time", "timestamp", "timestamptz", "uuid", "json", "binary", "other",
)  # fmt: skip
_ALIASES: Final = {
    "string": "text", "varchar": "text", "char": "text", "str": "text", "int": "integer", "long": "bigint",
    "numeric": "decimal", "float": "double", "real": "double", "bool": "boolean", "datetime": "timestamp",
    "bytes": "binary", "blob": "binary",
}  # fmt: skip
_SHAPE: Final = re.compile(r"\s*([A-Za-z]+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")
INTEGERS: Final = {"smallint": 16, "integer": 32, "bigint": 64}
MAX_PRECISION: Final = 38


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type of a destination value.

    Attributes:
        kind: one of `KINDS`; ``other`` is a destination's own type, written as text (`native` names it). Beside those
            there is ``image``: a value of any column in its destination's own words, which give it back exactly there.
        length: most characters of a text; None when unbounded.
        precision, scale: digits of a decimal in all and after the point.
        native: the destination's own name of the type, where it was read from a table.
    """

    kind: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    native: str = ""

    @classmethod
    def parse(cls, text: str) -> FieldType:
        """Read a type as written in a definition.

        Raises:
            ValueError: not a type; the message names the types there are.
        """
        m = _SHAPE.fullmatch(text)
        kind = _ALIASES.get(m[1].lower(), m[1].lower()) if m else ""
        if not m or kind not in KINDS or kind == "other":
            raise ValueError(f"{text!r} is not a type; types are {', '.join(k for k in KINDS if k != 'other')}")
        first, second = (int(g) if g is not None else None for g in (m[2], m[3]))
        if kind == "decimal":
            precision, scale = (MAX_PRECISION, 10) if first is None else (first, second or 0)
            if not 1 <= precision <= MAX_PRECISION or scale > precision:
                raise ValueError(
                    f"{text!r}: a decimal has 1 to {MAX_PRECISION} digits, and no more after the point than in all"
                )
            return cls(kind, precision=precision, scale=scale)
        if first is not None and (kind != "text" or second is not None or first == 0):
            raise ValueError(f"{text!r}: only text(n), n at least 1, and decimal(p,s) take numbers")
        return cls(kind, length=first)

    def __str__(self) -> str:
        if self.kind == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.kind == "other":
            return self.native
        return f"text({self.length})" if self.length else self.kind

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type mapped batches hold this in. uuid, json and other are text in canonical form."""
        match self.kind:
            case "smallint" | "integer" | "bigint":
                return {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[INTEGERS[self.kind]]
            case "decimal":
                return pa.decimal128(self.precision or MAX_PRECISION, self.scale or 0)
            case "double":
                return pa.float64()
            case "boolean":
                return pa.bool_()
            case "date":
                return pa.date32()
            case "time":
                return pa.time64("us")
            case "timestamp":
                return pa.timestamp("us")
            case "timestamptz":
                return pa.timestamp("us", tz="UTC")
            case "binary":
                return pa.binary()
            case _:
                return pa.string()

    def holds(self, other: FieldType) -> bool:
        """Whether every value of `other` can be stored here without loss."""
        if self.kind in ("text", "other") and not self.length:
            return other.kind != "binary"
        if self.kind == "text":
            return other.kind == "text" and other.length is not None and other.length <= (self.length or 0)
        if self.kind in INTEGERS:
            return other.kind in INTEGERS and INTEGERS[other.kind] <= INTEGERS[self.kind]
        if self.kind == "decimal":
            whole = (self.precision or 0) - (self.scale or 0)
            if other.kind in INTEGERS:
                return whole >= other._digits[0]
            return (
                other.kind == "decimal"
                and (other.scale or 0) <= (self.scale or 0)
                and ((other.precision or 0) - (other.scale or 0) <= whole)
            )
        if self.kind == "double":
            return other.kind == "double" or (other.kind in INTEGERS and INTEGERS[other.kind] <= 32)
        return self.kind == other.kind

    def widened(self, to: FieldType) -> FieldType | None:
        """The smallest type that holds all that this one does and all that `to` does; None where that would be another
        kind of value. Whole numbers and decimals are one kind."""
        if self.holds(to):
            return self
        if self.kind == to.kind == "text":
            return TEXT if to.length is None else FieldType("text", length=to.length)
        numbers = (*INTEGERS, "decimal")
        if self.kind not in numbers or to.kind not in numbers:
            return None
        if to.kind in INTEGERS and self.kind in INTEGERS:
            return FieldType(to.kind)
        (whole, scale), (more, finer) = self._digits, to._digits
        if max(whole, more) + max(scale, finer) > MAX_PRECISION:
            return None
        return FieldType("decimal", precision=max(whole, more) + max(scale, finer), scale=max(scale, finer))

    @property
    def _digits(self) -> tuple[int, int]:
        """Of a number: digits before the point and after it."""
        if self.kind in INTEGERS:
            return {16: 5, 32: 10, 64: 19}[INTEGERS[self.kind]], 0
        return (self.precision or MAX_PRECISION) - (self.scale or 0), self.scale or 0


TEXT: Final = FieldType("text")
IMAGE: Final = FieldType("image")
