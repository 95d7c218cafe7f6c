"""Random small scenarios, in which a destination must do exactly what the reference does. Needs the package hypothesis.

Usage::

    @given(scenarios())
    def test_it_does_what_the_reference_does(scenario):
        assert observe(mine, "t1", scenario) == observe(reference, "t1", scenario)
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from headgate.model.table import Column, TableSchema
from headgate.model.write import DELETE, KEEP, RECORD_OPERATIONS, Matched, Operation, WriteField, WriteSpec
from headgate.spi.destination import Destination

from .place import make_by_create, read_by_mirror
from .runs import Ran, Row, batches, fields, listed, run

COLUMNS: Final = fields(
    id="integer", part="text", name="text", price="decimal(8,2)", day="date", flag="boolean", at="timestamp"
)
DOMAINS: Final[dict[str, Sequence[Any]]] = {
    "id": range(4),
    "part": ("", "a", "A"),
    "name": (None, "", "a", "A ", "ü'\\"),
    "price": (None, Decimal("0.00"), Decimal("1.10"), Decimal("-999999.99")),
    "day": (None, datetime.date(2024, 2, 29), datetime.date(1, 1, 1)),
    "flag": (None, True, False),
    "at": (None, datetime.datetime(2024, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001
}
KEYS: Final = (("id",), ("id", "part"))
SCOPES: Final[tuple[dict[str, object], ...]] = (
    {},
    {"flag": True},
    {"name": ["a", None]},
    {"price": "1.10", "day": None},
)
Reader = Callable[[Destination, str, Sequence[WriteField]], list[Row]]


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a scenario.

    Attributes:
        spec: what is to be done; its table is filled in when it is run.
        rows: the records.
        planned: whether to plan first, and run the plan.
        meanwhile: records somebody else upserts between plan and run.
        commit: whether the run ends with commit, or with abort.
    """

    spec: WriteSpec
    rows: tuple[Row, ...]
    planned: bool = False
    meanwhile: tuple[Row, ...] = ()
    commit: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """A table, and what is done to it.

    Attributes:
        key: its primary key; empty for none.
        required: columns that need a value.
        rows: what is in it at first.
        steps: what is done, one after the other.
    """

    key: tuple[str, ...]
    required: frozenset[str]
    rows: tuple[Row, ...]
    steps: tuple[Step, ...] = field(default=())


def _records(names: Iterable[str], most: int) -> st.SearchStrategy[tuple[Row, ...]]:
    row = st.fixed_dictionaries({n: st.sampled_from(DOMAINS[n]) for n in names})
    return st.lists(row, max_size=most).map(tuple)


@st.composite
def _specs(draw: st.DrawFn) -> WriteSpec:
    operation = draw(st.sampled_from(sorted(RECORD_OPERATIONS)))
    key = () if operation is Operation.APPEND else draw(st.sampled_from(KEYS))
    chosen = draw(st.lists(st.sampled_from([c for c in COLUMNS if c.name not in KEYS[1]]), unique=True))
    made = [
        replace(c, when=draw(st.sampled_from(("always", "always", "created", "updated"))), keeps=draw(st.booleans()))
        for c in chosen
    ]
    first = [c for c in COLUMNS if c.name in KEYS[1]]  # always there, so that keys are never empty
    spec = WriteSpec(
        "",
        (*first, *made),
        key,
        operation,
        duplicates=draw(st.sampled_from(("last", "first", "reject"))),
        existing=draw(st.sampled_from(("reject", "skip"))),
        missing=draw(st.sampled_from(("reject", "skip"))),
        deletes=operation is Operation.UPSERT and draw(st.booleans()),
    )
    if operation is Operation.MIRROR:
        return replace(spec, scope=draw(st.sampled_from(SCOPES)), mark=draw(st.sampled_from(({}, {"flag": True}))))
    return spec


@st.composite
def _steps(draw: st.DrawFn) -> Step:
    spec = draw(_specs())
    flags = [DELETE] * spec.deletes + [KEEP + f.name for f in spec.fields if f.keeps]
    rows = draw(_records([f.name for f in spec.fields], 8))
    rows = tuple(row | {flag: draw(st.booleans()) for flag in flags} for row in rows)
    planned = draw(st.booleans())
    meanwhile = draw(_records(DOMAINS, 2)) if planned else ()
    return Step(spec, rows, planned, meanwhile, commit=draw(st.integers(0, 4)) > 0)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Scenarios of up to three runs on a table of up to eight rows."""
    key = draw(st.sampled_from(((), *KEYS)))
    required = frozenset({"name"}) if draw(st.booleans()) else frozenset[str]()
    rows = [r for r in draw(_records(DOMAINS, 8)) if not required or r["name"] is not None]
    if key:
        rows = list({tuple(r[k] for k in key): r for r in rows}.values())
    steps = draw(st.lists(_steps(), min_size=1, max_size=3))
    return Scenario(key, required, tuple(rows), tuple(steps))


def observe(
    destination: Destination, table: str, scenario: Scenario, read: Reader = read_by_mirror
) -> list[dict[str, object]]:
    """Play a scenario on a table of that name, which must not be there; what was seen after each step."""
    needed = {*scenario.key, *scenario.required}
    columns = tuple(Column(c.name, c.type, nullable=c.name not in needed) for c in COLUMNS)
    make_by_create(destination, TableSchema(table, columns, scenario.key))
    append = WriteSpec(table, COLUMNS, (), Operation.APPEND)
    run(destination.open(append), append, scenario.rows)
    return [_played(destination, table, step, read) for step in scenario.steps]


def _played(destination: Destination, table: str, step: Step, read: Reader) -> dict[str, object]:
    spec, rows = replace(step.spec, table=table), step.rows
    seen: dict[str, object] = {}
    if step.planned:
        plan = _run(destination, spec, rows, commit=False)
        seen["plan"] = _shown(plan)
        edit = WriteSpec(table, COLUMNS, ("id", "part"), Operation.UPSERT)
        seen["meanwhile"] = _shown(_run(destination, edit, step.meanwhile, commit=True))
        spec = replace(spec, planned=True, deletes=False, fields=tuple(replace(f, keeps=False) for f in spec.fields))
        rows = tuple(plan.changes)
    seen["run"] = _shown(_run(destination, spec, rows, commit=step.commit))
    seen["table"] = sorted(read(destination, table, COLUMNS), key=repr)
    return seen


def _run(destination: Destination, spec: WriteSpec, rows: Sequence[Row], *, commit: bool) -> Ran:
    if commit:
        return run(destination.open(spec), spec, rows)
    writer = destination.open(spec)
    try:
        for b in batches(spec, rows):
            writer.write(b)
        matched = writer.match()
        return Ran(matched, listed(writer, spec), matched)
    finally:
        writer.abort()


def _shown(ran: Ran) -> dict[str, object]:
    return {
        "matched": _account(ran.matched),
        "changes": sorted(ran.changes, key=repr),
        "applied": _account(ran.applied),
    }


def _account(matched: Matched) -> dict[str, object]:
    refusals = sorted((r.number, r.outcome, r.code) for r in matched.refusals)
    return {**matched.account.as_dict(), "in_scope": matched.in_scope, "refusals": refusals}
