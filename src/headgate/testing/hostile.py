"""Tests of what destinations stumble over: numbers that are none, NUL, long keys, odd names, very many columns.

What a destination cannot hold it states (`Capabilities.refuses`, `folds_case`, `max_identifier`, `max_columns`), and then
must refuse; everything else comes back as it was written.
"""

from __future__ import annotations

import math
import random
import string
from collections.abc import Sequence
from dataclasses import replace
from decimal import Context, Decimal
from typing import Final

import pytest

from headgate.model.errors import HeadgateError
from headgate.model.types import MAX_PRECISION, FieldType
from headgate.model.write import Operation, WriteField, WriteSpec

from .place import Place
from .runs import Ran, Row, batches, exact_rows, fields
from .undoing import journaled, undo

NAMES: Final = [
    "order", "select", "user", "table", "Mixed", "two words", " lead", 'quo"te', "apos'trophe", "back`tick", "[square]",
    "semi;colon", "per%cent", "per%%s", "%(x)s", "col:on", "quest?ion", "dol$lar", "back\\slash", "d.o.t", "das-h", "1st", "ünïcödé",
    "列", "عمود", "n", "t", "s", "f0", "o", "rowid", "values", "excluded", "old", "new", "action", "line\nbreak", "tab\tbed", "a,b", "{x}",
]  # fmt: skip
TABLES: Final = [
    "order", "Mixed Case", "表", "two;drop", "per%s", "it's", 'quo"te', "back`tick", "d.o.t", "sla/sh", "[square]", "dol$lar", "das-h",
    "1st", " lead", "a,b", "{x}", "x" * 63, "é" * 31 + "y",
]  # fmt: skip
NUMBERS: Final = {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf}
ADDING: Final = (Operation.INSERT, Operation.UPSERT, Operation.MIRROR, Operation.APPEND)
KEY_LENGTHS: Final = (200, 800, 3_000, 10_000, 100_000)
WIDEST: Final = 1_600
WIDE_KINDS: Final = ("integer", "boolean", "smallint")
UPSERT: Final = Operation.UPSERT
_WIDE: Final = Context(prec=MAX_PRECISION)


class HostileValueTests:
    """What goes in comes out, or is refused by itself; never is it something else."""

    @pytest.mark.parametrize("operation", ADDING)
    @pytest.mark.parametrize("number", NUMBERS)
    def test_numbers_that_are_none_come_back_or_are_refused(
        self, place: Place, number: str, operation: Operation
    ) -> None:
        _needs_exact(place, "double")
        self._comes_back_or_is_refused(place, "double", 1.5, NUMBERS[number], number.removeprefix("-"), operation)

    @pytest.mark.parametrize("operation", ADDING)
    def test_nul_in_a_text_comes_back_or_is_refused(self, place: Place, operation: Operation) -> None:
        _needs_exact(place, "text")
        self._comes_back_or_is_refused(place, "text", "b", "a\0b", "nul", operation)

    @staticmethod
    def _comes_back_or_is_refused(
        place: Place, kind: str, plain: object, hard: object, name: str, operation: Operation
    ) -> None:
        """Into a table that is there, into one that the run makes, and in a planned update."""
        place.needs(operation)
        refused = name in place.destination.capabilities.refuses
        made = fields(id="integer", v=kind)
        rows: list[Row] = [{"id": 1, "v": plain}, {"id": 2, "v": hard}, {"id": 3, "v": plain}, {"id": 4, "v": hard}]
        there: list[Row] = [{"id": 9, "v": plain}]
        taken = [r for r in rows if not refused or r["v"] == plain]
        key = () if operation is Operation.APPEND else ("id",)
        counts = {"created": len(taken), "rejected": len(rows) - len(taken)}
        for table, before in (("there", there), ("made", [])):
            spec = WriteSpec(table, made, key, operation, create=not before)
            if not before and not place.destination.capabilities.create_table:
                continue
            if before:
                place.make(table, made, there, key=key)
            ran = place.run(spec, rows)
            assert ran.counts == {k: v for k, v in counts.items() if v}
            assert ran.codes == ({1: "DE05", 3: "DE05"} if refused else {})
            # A mirror that has refused a record does not know what is gone.
            kept = before if operation is not Operation.MIRROR or refused else []
            assert exact_rows(place.read(table, made)) == exact_rows([*taken, *kept])
            assert place.destination.inspect(table) is not None

    @pytest.mark.parametrize("number", NUMBERS)
    def test_a_number_that_is_none_is_equal_to_itself(self, place: Place, number: str) -> None:
        _needs_exact(place, "double")
        place.needs(UPSERT)
        refused = number.removeprefix("-") in place.destination.capabilities.refuses
        made, value = fields(id="integer", v="double"), NUMBERS[number]
        place.make("item", made, [{"id": 1, "v": 1.5}, {"id": 2, "v": None}])
        spec = WriteSpec("item", made, ("id",), UPSERT)
        rows: list[Row] = [{"id": 1, "v": value}, {"id": 2, "v": value}]
        plan = place.plan(spec, rows)
        assert plan.counts == {"rejected" if refused else "updated": 2}
        assert exact_rows([{"v": c["v"]} for c in plan.changes]) == ([] if refused else [{"v": repr(value)}] * 2)
        ran = place.run_plan(spec, plan)
        assert ran.counts == ({} if refused else {"updated": 2})
        again = place.plan(spec, rows)
        assert again.counts == {"rejected" if refused else "unchanged": 2}
        back = _taken_back(place, spec, [{"id": 1, "v": 0.25}, {"id": 2, "v": None}, {"id": 3, "v": 1.0}])
        assert back is None or "held" not in back.counts

    def test_zero_keeps_its_sign(self, place: Place) -> None:
        _needs_exact(place, "double")
        place.needs(UPSERT)
        made = fields(id="integer", v="double")
        rows: list[Row] = [{"id": 1, "v": -0.0}, {"id": 2, "v": 0.0}]
        place.make("item", made, rows)
        assert exact_rows(place.read("item", made)) == exact_rows(rows)
        assert place.plan(WriteSpec("item", made, ("id",), UPSERT), rows).counts == {"unchanged": 2}

    def test_decimals_of_every_scale_come_back_as_written(self, place: Place) -> None:
        _needs_exact(place, "decimal")
        place.needs(UPSERT)
        scales = range(MAX_PRECISION + 1)
        made = fields(id="integer", **{f"v{s}": f"decimal({MAX_PRECISION},{s})" for s in scales})
        digits = (
            "9" * MAX_PRECISION,
            "-" + "9" * MAX_PRECISION,
            "1",
            "-1",
            "0",
            "12345678901234567890123456789012345678",
        )
        rows: list[Row] = [{"id": 0, **dict.fromkeys((f"v{s}" for s in scales), None)}]
        rows += [{"id": i, **{f"v{s}": Decimal(d).scaleb(-s, _WIDE) for s in scales}} for i, d in enumerate(digits, 1)]
        place.make("item", made, rows)
        assert place.read("item", made) == rows
        spec = WriteSpec("item", made, ("id",), UPSERT)
        assert place.plan(spec, rows).counts == {"unchanged": len(rows)}
        shifted = [{**later, "id": row["id"]} for row, later in zip(rows, rows[1:] + rows[:1], strict=True)]
        _taken_back(place, spec, shifted)
        assert place.run(spec, shifted).counts == {"updated": len(rows)}
        assert place.read("item", made) == shifted

    @pytest.mark.parametrize("create", (False, True))
    def test_a_very_long_key_is_found_again_or_refused(self, place: Place, create: bool) -> None:
        _needs_exact(place, "text")
        place.needs(UPSERT)
        if create and not place.destination.capabilities.create_table:
            pytest.skip("not stated: create_table")
        made = fields(k="text", v="integer")
        chosen = random.Random(1)  # noqa: S311 - so that nothing makes them shorter
        keys = ["".join(chosen.choices(string.printable, k=n)) for n in KEY_LENGTHS]
        keys += [keys[-1][:-1] + end for end in ("\u00e9", "e\u0301")] + ["", "x" * 10_000, "x" * 10_001]
        rows: list[Row] = [{"k": k, "v": i} for i, k in enumerate(keys)]
        spec = WriteSpec("item", made, ("k",), UPSERT)
        if not create:
            place.make("item", made, key=("k",))
        twice = [*rows, *rows]  # of two with one key the last counts, whatever becomes of it
        ran = place.run(replace(spec, create=create), twice)
        refused = {n - len(rows) for n, code in ran.codes.items() if code == "DE05"}
        assert not refused & {0, keys.index("")}, "a key of ordinary length is refused"
        counts = {"created": len(rows) - len(refused), "rejected": len(refused), "skipped": len(rows)}
        assert ran.counts == {k: v for k, v in counts.items() if v}
        kept = [r for i, r in enumerate(rows) if i not in refused]
        assert place.read("item", made) == sorted(kept, key=lambda r: str(r["k"]))
        again = place.run(spec, [{**r, "v": -1} for r in rows])
        assert again.counts == {k: v for k, v in (("updated", len(kept)), ("rejected", len(refused))) if v}
        assert place.run(replace(spec, operation=Operation.DELETE, missing="skip"), rows).count("deleted") == len(kept)

    def test_no_value_zero_and_empty_text_are_different_keys(self, place: Place) -> None:
        place.needs(UPSERT, Operation.APPEND)
        made = fields(k="text", n="integer", v="integer")
        keys: list[tuple[str | None, int | None]] = [("", 0), (None, 0), ("", None), (None, None), ("0", 0), (" ", 0)]
        there: list[Row] = [{"k": k, "n": n, "v": i} for i, (k, n) in enumerate(keys)]
        place.make("item", made, there, key=())
        spec = WriteSpec("item", made, ("k", "n"), UPSERT)
        ran = place.run(spec, [{"k": "", "n": 0, "v": 10}, {"k": "0", "n": 0, "v": 14}, {"k": "0", "n": 1, "v": 15}])
        assert ran.counts == {"updated": 2, "created": 1}
        values = sorted(r["v"] for r in place.read("item", made))
        assert values == [1, 2, 3, 5, 10, 14, 15], "a record without a value in its key is found by none"


class HostileNameTests:
    """Names are what they are, and belong to what they name."""

    def test_columns_may_have_any_name(self, place: Place) -> None:
        most = place.destination.capabilities.max_identifier or 128
        longest = ["x" * (most - 1) + end for end in ("a", "b")] + ["é" * ((most - 2) // 2) + "yz"[: most % 2 + 1]]
        _full_life(place, "item", _texts(NAMES + longest))

    def test_columns_may_have_emoji_in_their_names(self, place: Place) -> None:
        _full_life(place, "item", _texts(["👩", "👨", "👩‍🚀", "\U00020000", "a👍🏽"]))

    def test_columns_may_have_a_blank_at_the_end_of_their_names(self, place: Place) -> None:
        _full_life(place, "item", _texts(["trail", "trail "]))

    def test_columns_may_differ_in_case_alone_or_are_refused(self, place: Place) -> None:
        made = _texts(["name", "Name", "NAME"])
        if not place.destination.capabilities.folds_case:
            _full_life(place, "item", made)
            return
        with pytest.raises(HeadgateError):
            place.make("item", made)
        assert place.destination.inspect("item") is None

    @pytest.mark.parametrize("table", TABLES)
    def test_tables_may_have_any_name(self, place: Place, table: str) -> None:
        self._may_be_a_table(place, table)

    def test_tables_may_have_emoji_in_their_names(self, place: Place) -> None:
        self._may_be_a_table(place, "👩‍🚀")

    @staticmethod
    def _may_be_a_table(place: Place, table: str) -> None:
        name = place.name(table)
        _full_life(place, name, fields(id="integer", v="text"))
        assert place.destination.tables() == [name]
        assert place.destination.inspect(name) is not None

    def test_names_that_are_too_long_are_refused(self, place: Place) -> None:
        """Two long names must not become one that is shorter."""
        most = place.destination.capabilities.max_identifier
        names = ["x" * most + end for end in ("", "y")] if most else []
        for n in names[1:]:
            with pytest.raises(HeadgateError):
                place.make("item", _texts([n]))
            with pytest.raises(HeadgateError):
                place.make(n, _texts(["v"]))
        for n in names[:1] or ["x" * 1_000]:
            _full_life(place, "item", _texts([n]))

    def test_a_table_may_have_300_columns_of_text(self, place: Place) -> None:
        """Written, whether or not that can be undone."""
        _full_life(place, "wide", _texts([f"column_{i}" for i in range(299)]), undone=False)

    def test_a_table_may_have_as_many_columns_as_stated(self, place: Place) -> None:
        """Written, planned, changed as planned, and taken back."""
        count = min(place.destination.capabilities.max_columns or WIDEST, WIDEST)
        names = [f"column_{i}" for i in range(count - 2)]
        kinds = {n: FieldType(WIDE_KINDS[i % len(WIDE_KINDS)]) for i, n in enumerate(names)}
        made = (*fields(id="integer", note="text"), *(WriteField(n, kinds[n]) for n in names))

        def row(number: int, note: str) -> Row:
            values = {
                n: (i + number) % 2 == 0 if kinds[n].kind == "boolean" else i + number for i, n in enumerate(names)
            }
            return {"id": number, "note": note, **values}

        rows = [row(n, f"note {n}") for n in range(3)]
        place.make("wide", made, rows)
        spec = WriteSpec("wide", made, ("id",), UPSERT)
        changed = [rows[0], {**rows[1], names[-1]: None}, {**row(7, "moved"), "id": 2}, row(3, "new")]
        plan = place.plan(spec, changed)
        assert plan.counts == {"unchanged": 1, "updated": 2, "created": 1}
        assert place.run_plan(spec, plan).counts == {"updated": 2, "created": 1}
        assert place.read("wide", made) == changed
        _taken_back(place, spec, rows)
        assert place.read("wide", made) == changed


def _needs_exact(place: Place, kind: str) -> None:
    if kind not in place.destination.capabilities.exact_types:
        pytest.skip(f"not stated: exact type {kind}")


def _texts(names: Sequence[str]) -> tuple[WriteField, ...]:
    return (WriteField("id", FieldType("integer")), *(WriteField(n, FieldType("text")) for n in names))


def _full_life(place: Place, table: str, made: tuple[WriteField, ...], *, undone: bool = True) -> None:
    """Create, update, take back, delete and read with these names; each value says which column it belongs to."""
    texts = [f.name for f in made[1:]]
    rows: list[Row] = [{"id": i, **{t: f"{i} {t}" for t in texts}} for i in range(3)]
    place.make(table, made, rows)
    rows[1][texts[-1]] = None
    upsert = WriteSpec(table, made, ("id",), UPSERT)
    if undone:
        _taken_back(place, upsert, [*rows, {**rows[0], "id": 3}])
    ran = place.run(upsert, [*rows, {**rows[0], "id": 3}])
    assert ran.counts == {"unchanged": 2, "updated": 1, "created": 1}
    mirror = WriteSpec(table, made, ("id", texts[0]), Operation.MIRROR, scope={texts[0]: "0 " + texts[0]})
    ran = place.run(mirror, rows[:1])
    assert ran.applied.account.mirror_deleted == 1
    assert place.read(table, made) == rows


def _taken_back(place: Place, spec: WriteSpec, rows: Sequence[Row]) -> Ran | None:
    """Run and undo, where the destination states undo: the table must be as it was. What the undo came to."""
    if not place.destination.capabilities.undo:
        return None
    before = place.read(spec.table, spec.fields)
    done = journaled(place, spec, batches(spec, rows))
    assert exact_rows(place.read(spec.table, spec.fields)) != exact_rows(before)
    back = undo(place, done)
    assert exact_rows(place.read(spec.table, spec.fields)) == exact_rows(before)
    return back.ran
