"""Control totals of fields: what the values of a run come to, against what the definition expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headgate.mapping.sql import connect
from headgate.model.errors import DefinitionError, LimitExceeded
from headgate.model.guards import Total, TotalSpec
from headgate.model.instances import Borrowed
from headgate.model.outcome import Account
from headgate.model.text import text_form
from headgate.model.types import INTEGERS, FieldType
from headgate.model.write import WriteField

# Python rounds to 28 digits by itself; a sum of doubles may have 309 before the point.
_EXACT = Context(prec=1000)
_NUMBERS = (*INTEGERS, "decimal", "double")
_ORDERED = (*_NUMBERS, "text", "date", "time", "timestamp", "timestamptz")


class Totals:
    """What the values of the fields named in `expect.fields` come to, over all records handed over.

    Args:
        expected: by field.
        fields: what is written.

    Raises:
        DefinitionError: a field is not written, or its type has no such total, or what is expected is no value of it.
    """

    def __init__(self, expected: Mapping[str, TotalSpec], fields: Sequence[WriteField]) -> None:
        self._expected = expected
        types = {f.name: f.type for f in fields}
        self._of = {name: _Total(name, total, types.get(name)) for name, total in expected.items()}

    def close(self) -> None:
        """Release what was kept aside. May be called twice."""
        for total in self._of.values():
            total.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the values of some more records."""
        for name, total in self._of.items():
            total.add(batch.column(name))

    def check(self, account: Account, kept: str) -> None:
        """Stop when a total is not what is expected.

        Args:
            account: of the run; what it refused or left out is in no total, which the message says.
            kept: what is at the destination then, for people.

        Raises:
            LimitExceeded: with both values.
        """
        for name, total in self._of.items():
            for what, value, bounds in total.wrong():
                wanted = " to ".join(str(b) for b in bounds)
                raise LimitExceeded(
                    f"the {_WORDS[what]} of {name} is {_shown(value)}, and expect.fields.{name}.{what} is {wanted}; {kept}",
                    hint=_hint(account),
                )


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_PARSED: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat, "time": time.fromisoformat, "timestamp": datetime.fromisoformat, "timestamptz": _instant,
}  # fmt: skip
_WORDS = {
    "sum": "sum", "min": "smallest value", "max": "largest value", "count": "number of values",
    "distinct": "number of different values",
}  # fmt: skip


def _hint(account: Account) -> str:
    out = account.rejects + account.skips["filter"]
    left = (
        f"{account.rejects:,} refused and {account.skips['filter']:,} filtered records are not in it. " if out else ""
    )
    return f"{left}Ask whoever made the source whether it is whole. If it is, change what is expected."


def _shown(value: object) -> str:
    return "nothing" if value is None else str(text_form(value))


class _Total:
    """The totals of one field."""

    def __init__(self, name: str, spec: TotalSpec, type: FieldType | None) -> None:
        where = f"expect.fields.{name}"
        if type is None:
            raise DefinitionError(f"{name!r} is not among the fields that are written", where=where)
        self._type = type
        self._where = where
        self._given = spec.given
        for what, needs in (("sum", _NUMBERS), ("min", _ORDERED), ("max", _ORDERED)):
            if what in self._given and type.kind not in needs:
                raise DefinitionError(f"{name!r} is {type}, which has no {what}", where=f"{where}.{what}")
        self._bounds = {what: [self._value(what, e) for e in given] for what, given in self._given.items()}
        for what, bounds in self._bounds.items():
            if bounds[0] > bounds[-1]:
                raise DefinitionError("the least is more than the most", where=f"{where}.{what}")
        self._count = 0
        self._sum: Decimal = Decimal(0)
        self._parts: list[float] = []
        self._least: Any = None
        self._most: Any = None
        self._seen = _Distinct() if "distinct" in self._given else None

    def _value(self, what: str, expected: Total) -> Any:
        """What is expected, as a value that compares with the field's."""
        if what in ("count", "distinct"):
            return int(expected)
        try:
            if what == "sum" or self._type.kind in _NUMBERS:
                return Decimal(str(expected))
            return _PARSED.get(self._type.kind, str)(str(expected))
        except (ValueError, InvalidOperation):
            raise DefinitionError(f"{expected!r} is no {self._type}", where=f"{self._where}.{what}") from None

    def add(self, values: pa.Array) -> None:
        values = values.drop_null()
        self._count += len(values)
        if not len(values):
            return
        if "sum" in self._given:
            self._add_up(values)
        if "min" in self._given or "max" in self._given:
            ends = pc.min_max(values).as_py()
            self._least = ends["min"] if self._least is None else min(self._least, ends["min"])
            self._most = ends["max"] if self._most is None else max(self._most, ends["max"])
        if self._seen is not None:
            self._seen.add(values)

    def _add_up(self, values: pa.Array) -> None:
        if self._type.kind == "double":
            self._parts.append(math.fsum(values.to_pylist()))
            return
        digits = self._type.scale or 0
        # A batch of the longest numbers comes to more digits than their own type has.
        self._sum = _EXACT.add(self._sum, pc.sum(values.cast(pa.decimal256(60, digits))).as_py())

    def wrong(self) -> list[tuple[str, object, tuple[Total, ...]]]:
        """Totals that are not as expected: which, what it is, what is expected."""
        found: list[tuple[str, object, tuple[Total, ...]]] = []
        for what, bounds in self._bounds.items():
            value = self._found(what)
            compared = self._compared(what, value, bounds)
            if compared is None or not bounds[0] <= compared <= bounds[-1]:
                found.append((what, value, self._given[what]))
        return found

    def _found(self, what: str) -> Any:
        match what:
            case "sum":
                return math.fsum(self._parts) if self._type.kind == "double" else self._sum
            case "min":
                return self._least
            case "max":
                return self._most
            case "distinct":
                return self._seen.count() if self._seen is not None else None
            case _:
                return self._count

    def _compared(self, what: str, value: Any, bounds: list[Any]) -> Any:
        if not isinstance(value, float):
            return value
        if not math.isfinite(value):
            return None
        if what == "sum" and len(bounds) == 1:  # a sum of doubles has more digits than anybody wrote
            return Decimal(value).quantize(Decimal(1).scaleb(min(0, bounds[0].as_tuple().exponent)), context=_EXACT)
        return Decimal(repr(value))

    def close(self) -> None:
        if self._seen is not None:
            self._seen.close()


class _Distinct:
    """Counts different values in little memory: what does not fit goes to the disk."""

    def __init__(self) -> None:
        self._own: Borrowed | None = None

    def add(self, values: pa.Array) -> None:
        batch = pa.table({"v": values})
        into = "INSERT INTO seen"
        if self._own is None:
            self._own, into = connect(), "CREATE TEMP TABLE seen AS"
        self._own.con.register("batch", batch)
        self._own.con.execute(f"{into} SELECT DISTINCT v FROM batch")
        self._own.con.unregister("batch")

    def count(self) -> int:
        if self._own is None:
            return 0
        row = self._own.con.execute("SELECT count(DISTINCT v) FROM seen").fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
