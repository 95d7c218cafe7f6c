"""Tests of values: every type comes back as it was written, under every name."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any, Final

import pytest

from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteSpec

from .place import Place
from .runs import Row, fields, run

_UTC: Final = dt.UTC
LONG_TEXT: Final = "0123456789abcdeé" * 65_536  # 1 MiB of characters
TEXTS: Final = [
    "", " ", "a", " a ", "NULL", "\\N", "\\", "\\\\", "a\\", "'", "''", '"', '""', "`", "$1", "%s", "%(x)s", "{}", "?", ":a",
    "a,b", "a\tb", "a\nb", "a\r\nb", "\n", "\x01\x7f", "--", "/* */", ";", "\\.", "00501", "1E5", "NA", "NaN", "true",
    "é", "e\u0301", "ß", "İ", "日本語", "العربية", "👩‍🚀🏳️‍🌈", "\U0010ffff", "\ufeffa", "\u200b", "\u2028", LONG_TEXT,
]  # fmt: skip
VALUES: Final[dict[str, list[Any]]] = {
    "text": TEXTS,
    "text(5)": ["", "abcde", "日本語👩é"],
    "smallint": [0, 1, -1, 2**15 - 1, -(2**15)],
    "integer": [0, 1, -1, 2**31 - 1, -(2**31)],
    "bigint": [0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
    "decimal(12,2)": [Decimal(v) for v in ("0.00", "0.01", "-0.01", "1.10", "9999999999.99", "-9999999999.99", "0.10")],
    "decimal(38,10)": [Decimal(v) for v in ("0E-10", "0.0000000001", "9" * 28 + "." + "9" * 10, "-" + "9" * 28 + ".0000000001")],
    "decimal(38,0)": [Decimal(v) for v in ("0", "9" * 38, "-" + "9" * 38, "9007199254740993")],
    "decimal(5,5)": [Decimal(v) for v in ("0.00000", "0.99999", "-0.00001", "0.10000")],
    "double": [0.0, 0.1, 1 / 3, -1.5, 1e22, 123456789.123456789, 1.7976931348623157e308, 2.2250738585072014e-308, 5e-324],
    "boolean": [True, False],
    "date": [dt.date(1, 1, 1), dt.date(1582, 10, 10), dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(9999, 12, 31)],
    "time": [dt.time(0, 0), dt.time(23, 59, 59, 999_999), dt.time(12, 30), dt.time(1, 2, 3, 4)],
    "timestamp": [
        dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(2024, 3, 31, 2, 30),  # noqa: DTZ001
        dt.datetime(2024, 1, 1, 0, 0, 0, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
        dt.datetime(2024, 10, 27, 2, 30, 0, 1), dt.datetime(1911, 3, 10, 23, 51, 0, 999_999),  # noqa: DTZ001
    ],
    "timestamptz": [
        dt.datetime(1, 1, 1, tzinfo=_UTC), dt.datetime(2024, 3, 31, 1, 0, tzinfo=_UTC), dt.datetime(1970, 1, 1, tzinfo=_UTC),
        dt.datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=_UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=_UTC),
        # Before, at and after the clocks of Europe and America change; of two an hour apart both read 2:30 in Paris.
        dt.datetime(2024, 3, 31, 0, 59, 59, 999_999, tzinfo=_UTC), dt.datetime(2024, 3, 31, 1, 0, 0, 1, tzinfo=_UTC),
        dt.datetime(2024, 10, 27, 0, 30, 0, 1, tzinfo=_UTC), dt.datetime(2024, 10, 27, 1, 30, 0, 1, tzinfo=_UTC),
        dt.datetime(2024, 11, 3, 5, 59, 59, 999_999, tzinfo=_UTC), dt.datetime(2024, 11, 3, 6, 0, tzinfo=_UTC),
    ],
    "uuid": ["00000000-0000-0000-0000-000000000000", "0a5e8f0e-5d0c-4d1e-9a55-1f1f5b7f2a10", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "json": ["null", "true", "1.10", '""', '"é\\n\\""', "[]", "{}", '{"a":[1,2.50,null,{"b":"x"}],"c":12345678901234567890}'],
    "binary": [b"", b"\x00", bytes(range(256)), b"\\x41", bytes(100_000)],
}  # fmt: skip
KEYS: Final = {k: v for k, v in VALUES.items() if k not in ("json", "double", "binary", "text(5)")}


def as_compared(kind: str, value: Any) -> Any:
    """A value in a form in which equal is equal; JSON by what it says, with every digit."""
    return (
        json.dumps(json.loads(value, parse_float=Decimal), default=str, sort_keys=True)
        if kind == "json" and value is not None
        else value
    )


def _values(place: Place, type_name: str) -> list[Any]:
    """Those that the destination tells from none."""
    lost = [] if place.destination.capabilities.json_null else ["null"]
    return [v for v in VALUES[type_name] if type_name != "json" or v not in lost]


class ValueTests:
    """What goes in comes out."""

    @pytest.mark.parametrize("type_name", VALUES)
    def test_values_come_back_as_written(self, place: Place, type_name: str) -> None:
        kind = self._exact(place, type_name)
        place.needs(Operation.UPSERT)
        made = fields(id="integer", v=type_name)
        rows: list[Row] = [{"id": i, "v": v} for i, v in enumerate([None, *_values(place, type_name)])]
        place.make("value", made)
        upsert = WriteSpec("value", made, ("id",), Operation.UPSERT)
        if kind == "json":  # how it is spelled may change, so the checks of `Place.run` do not fit
            assert run(place.open(upsert), upsert, rows).counts == {"created": len(rows)}
        else:
            assert place.run(upsert, rows).counts == {"created": len(rows)}
        back = place.read("value", made)
        assert [as_compared(kind, r["v"]) for r in back] == [as_compared(kind, r["v"]) for r in rows]
        again = place.plan(upsert, rows)
        assert again.counts == {"unchanged": len(rows)}, f"taken for different: {again.changes}"

    @pytest.mark.parametrize("type_name", VALUES)
    def test_a_change_of_value_is_seen_and_shown(self, place: Place, type_name: str) -> None:
        kind = self._exact(place, type_name)
        made = fields(id="integer", v=type_name)
        values = [None, *_values(place, type_name)]
        place.make("value", made, [{"id": i, "v": v} for i, v in enumerate(values)])
        shifted = [{"id": i, "v": v} for i, v in enumerate(values[1:] + values[:1])]
        plan = place.plan(WriteSpec("value", made, ("id",), Operation.UPSERT), shifted)
        assert plan.counts == {"updated": len(values)}
        shown = [(as_compared(kind, c["_old_v"]), as_compared(kind, c["v"])) for c in plan.changes]
        assert shown == [
            (as_compared(kind, old), as_compared(kind, new["v"])) for old, new in zip(values, shifted, strict=True)
        ]

    @pytest.mark.parametrize("type_name", KEYS)
    def test_values_of_every_type_can_be_a_key(self, place: Place, type_name: str) -> None:
        self._exact(place, type_name)
        made = fields(k=type_name, v="integer")
        values = [v for v in KEYS[type_name] if v != LONG_TEXT]
        place.make("value", made, [{"k": v, "v": 0} for v in values], key=("k",))
        rows = [{"k": v, "v": i % 2} for i, v in enumerate(values)]
        ran = place.run(WriteSpec("value", made, ("k",), Operation.UPSERT), rows)
        assert ran.counts == {"unchanged": (len(values) + 1) // 2, "updated": len(values) // 2}
        ran = place.run(WriteSpec("value", made, ("k",), Operation.DELETE), rows)
        assert ran.counts == {"deleted": len(values)}

    def test_a_key_may_be_of_several_fields_of_different_types(self, place: Place) -> None:
        made = fields(part="text", no="integer", day="date", price="decimal(10,2)", qty="integer")
        key = ("day", "part", "price", "no")
        days, prices = (dt.date(2024, 2, 29), dt.date(9999, 12, 31)), (Decimal("1.10"), Decimal("-0.01"))
        rows: list[Row] = [
            {"part": p, "no": n, "day": d, "price": c, "qty": 0}
            for p in ("a", "")
            for n in (0, 1)
            for d in days
            for c in prices
        ]
        place.make("part", made, rows[::2], key=key)
        ran = place.run(
            WriteSpec("part", made, key, Operation.UPSERT), [{**r, "qty": n % 3} for n, r in enumerate(rows)]
        )
        assert ran.counts == {"created": 8, "updated": 5, "unchanged": 3}
        ran = place.run(WriteSpec("part", made, key, Operation.MIRROR), rows[:3])
        assert ran.applied.account.mirror_deleted == 13

    @staticmethod
    def _exact(place: Place, type_name: str) -> str:
        kind = FieldType.parse(type_name).kind
        if (
            kind != "json" and kind not in place.destination.capabilities.exact_types
        ):  # JSON is compared by what it says
            pytest.skip(f"not stated: exact type {kind}")
        return kind
