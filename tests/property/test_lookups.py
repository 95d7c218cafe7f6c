"""Lookups of several values against a reference in Python, through batches, single records and collecting programs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import product

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.mapping import compile_program, effective_types, plan_fields, wanted
from headgate.model.record import Batch, Mapped
from headgate.model.spec import ImportSpec

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "15"))
WORDS = st.sampled_from(["a", "A", " a", "b", "", 'a", "b', "ä"])
PARTS = st.one_of(st.none(), WORDS)
ENTRIES = st.lists(st.tuples(PARTS, PARTS, PARTS), max_size=8)
ABSENT = st.lists(st.tuples(WORDS, WORDS, st.booleans()), max_size=3)
RECORDS = st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=12)
SCHEMA = pa.schema([("a", pa.string()), ("b", pa.string())])


def _key(parts: tuple[str | None, ...], fold: bool) -> tuple[str | None, ...]:
    return tuple(None if p is None else p.strip(" ").lower() if fold else p for p in parts)


class Reference:
    """What a field with `missing: MISSING` has to be for a record: a value, a code, or a wanted entry."""

    def __init__(self, entries: list[tuple[str | None, ...]], absent: list[tuple[str, str, bool]], fold: bool) -> None:
        self.fold = fold
        self.entries: dict[tuple[str | None, ...], set[str | None]] = {}
        for *match, take in entries:
            if None not in match:
                self.entries.setdefault(_key(tuple(match), fold), set()).add(take)
        self.absent = {}
        for a, b, waits in reversed(absent):
            self.absent[_key((a, b), fold)] = waits

    def answer(self, record: tuple[str | None, ...], missing: str) -> object:
        key = _key(record, self.fold)
        found = self.entries.get(key) if None not in key else None
        if found is not None:
            return ["LK02"] if len(found) > 1 else next(iter(found)) or None
        if not any(key):
            return "n" if missing == "default" else None
        if missing == "null":
            return None
        if missing == "default":
            return "n"
        return ["HE02" if self.absent.get(key) else "LK01"]


def _answers(mapped: Mapped) -> dict[int, object]:
    found: dict[int, object] = {row["_n"]: row["x"] for row in mapped.accepted.to_pylist()}
    for ordinal, problems in zip(mapped.rejects.ordinals, mapped.rejects.problems, strict=True):
        found[ordinal] = [p.code for p in problems]
    assert mapped.rejects.held == sum(answer == ["HE02"] for answer in found.values())
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(ENTRIES, ABSENT, RECORDS)
def test_lookups_answer_as_the_reference(
    entries: list[tuple[str | None, ...]], absent: list[tuple[str, str, bool]], records: list[tuple[str | None, ...]]
) -> None:
    table = pa.table([pa.array([e[k] for e in entries], pa.string()) for k in range(3)], ["m", "n", "t"])
    # Of several reasons for one value any may be given, so there is one of each.
    for fold, missing in product((False, True), ("reject", "null", "default", "create")):
        once = list({_key((a, b), fold): (a, b, waits) for a, b, waits in absent}.values())
        reference = Reference(entries, once, fold)
        columns = [pa.array([a[k] for a in once], pa.string()) for k in range(2)]
        whys = pa.table(
            [*columns, pa.array([a[2] for a in once], pa.bool_()), pa.array(["why"] * len(once), pa.string())],
            list("mnw_"),
        )
        spec = ImportSpec.model_validate({
            "source": "x.csv", "operation": "append", "destination": {"connection": "shop", "table": "t"},
            "lookups": {"l": {"connection": "shop", "table": "l", "match": ["m", "n"], "take": "t", "ignore_case": fold}},
            "fields": {"x": {"from": ["a", "b"], "lookup": "l", "missing": missing} | ({"default": "n"} if missing == "default" else {})},
        })  # fmt: skip
        fields = plan_fields(spec, SCHEMA.names, None)
        made = [
            compile_program(spec, fields, effective_types(fields, None, {}), SCHEMA, {"l": table}, datetime.now(UTC), {"l": whys}, collect=collect)
            for collect in (False, True)
        ]  # fmt: skip
        try:
            batch = pa.RecordBatch.from_arrays(
                [pa.array([r[k] for r in records], pa.string()) for k in range(2)], schema=SCHEMA
            )
            together = _answers(made[0].map(Batch(batch, range(len(records))), 0))
            single: dict[int, object] = {}
            for n, (a, b) in enumerate(records):
                single |= _answers(made[0].map_one({"a": a, "b": b}, n))
            assert together == single == {n: reference.answer(r, missing) for n, r in enumerate(records)}
            if missing == "create":
                _check_collected(made[1].map(Batch(batch, range(len(records))), 0), records, reference)
        finally:
            for program in made:
                program.close()


def _check_collected(mapped: Mapped, records: list[tuple[str | None, ...]], reference: Reference) -> None:
    """Exactly the records that lack an entry which can be made are let through, and say which."""
    lacking = {
        n: _key(r, reference.fold)
        for n, r in enumerate(records)
        if reference.answer(r, "create") == ["LK01"] and all(_key(r, reference.fold))
    }
    assert dict(wanted(mapped.accepted, 0)) == {key: _of(records, key, reference.fold) for key in lacking.values()}
    plain = {n: a for n, a in _answers(mapped).items() if n not in lacking}
    assert plain == {n: reference.answer(r, "create") for n, r in enumerate(records) if n not in lacking}


def _of(records: list[tuple[str | None, ...]], key: tuple[str | None, ...], fold: bool) -> tuple[str | None, ...]:
    """The last record with that key, as a dict made of pairs keeps it."""
    return next(r for r in reversed(records) if _key(r, fold) == key)
