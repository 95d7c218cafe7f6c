"""The statements of the method, compiled once for a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from headgate.model.types import INTEGERS, FieldType
from headgate.model.write import ACTION, DELETE, KEEP, NUMBER, OLD, Operation, WriteField, WriteSpec

from .dialect import Dialect, Target

STAGE, DECIDED, GONE, KEPT, EXTRA = "_hg_stage", "_hg_decided", "_hg_gone", "_hg_kept", "_hg_extra"
TEMPORARY = (STAGE, DECIDED, GONE, KEPT, EXTRA)
_BIGINT, _TEXT, _BOOLEAN = FieldType("bigint"), FieldType("text"), FieldType("boolean")

# What is decided for a record, as the column _o of DECIDED holds it.
CREATE, UPDATE, SAME, REMOVE, EXISTS, MISSING, HELD, MARKED = "I", "U", "N", "D", "X", "M", "H", "G"


# Conditions in a row. One beside the other is one inside the other for a database, and SQLite has had enough at 1,000.
_IN_A_ROW = 40


@dataclass(frozen=True, slots=True)
class StageColumn:
    """A column of the stage.

    Attributes:
        source: the column of the batches it is loaded from.
        name: its name in the stage, which needs no quoting.
        type: what the batches hold.
        sql: its type in the stage.
    """

    source: str
    name: str
    type: FieldType
    sql: str


def changes_schema(spec: WriteSpec) -> pa.Schema:
    """Names and types of what `Writer.changes` gives."""
    return pa.schema(
        [(NUMBER, pa.int64()), (ACTION, pa.string())]
        + [(f.name, f.type.arrow) for f in spec.fields]
        + [(OLD + f.name, f.type.arrow) for f in spec.fields]
    )


class Statements:
    """SQL for one run against one table.

    Args:
        dialect: how the database spells things.
        spec: what the engine asked for.
        target: the table it is asked for.
    """

    def __init__(self, dialect: Dialect, spec: WriteSpec, target: Target) -> None:
        self._d = dialect
        self._spec = spec
        self._t = target
        self._index = {f.name: i for i, f in enumerate(spec.fields)}
        self._keys = tuple(spec.field(k) for k in spec.key)
        self._locs = tuple(f"_l{i}" for i in range(len(target.locators)))

    # The stage

    def stage_columns(self) -> list[StageColumn]:
        """Columns of the stage, in the order of the batches."""
        return [StageColumn(s, n, t, self._d.staged_type(t)) for s, n, t in self._staged()]

    def _staged(self) -> Iterator[tuple[str, str, FieldType]]:
        spec = self._spec
        yield NUMBER, "_n", _BIGINT
        if spec.planned:
            yield ACTION, "_action", _TEXT
        elif spec.deletes:
            yield DELETE, "_delete", _BOOLEAN
        fields = list(enumerate(spec.fields))
        yield from ((KEEP + f.name, f"k{i}", _BOOLEAN) for i, f in fields if f.keeps)
        yield from ((f.name, f"f{i}", f.type) for i, f in fields)
        if spec.planned:
            yield from ((OLD + f.name, f"p{i}", f.type) for i, f in fields)

    def create_stage(self) -> str:
        """Make the stage."""
        return self._d.create_temp(STAGE, [(c.name, c.sql) for c in self.stage_columns()])

    def drops(self) -> list[str]:
        """Remove every temporary table there may be."""
        return [f"drop table if exists {self._d.temp(n)}" for n in TEMPORARY]

    def castable(self) -> list[tuple[WriteField, Callable[[int, int], str]]]:
        """Fields whose values may not be values of their columns, each with a query over a range of ``_n`` that fails
        if one is not.
        """
        stage = self._d.temp(STAGE)

        def probe(field: WriteField) -> Callable[[int, int], str]:
            value = self.value(field)
            return lambda low, high: f"select count({value}) from {stage} s where s._n between {low} and {high}"

        fields = (f for f in self._spec.fields if self._d.can_fail(f, self._t.columns[f.name]))
        return [(f, probe(f)) for f in fields]

    def span(self, table: str, where: str = "") -> str:
        """First and last ``_n`` and the number of records of a temporary table."""
        condition = f" where {where}" if where else ""
        return f"select min(_n), max(_n), count(_n) from {self._d.temp(table)} s{condition}"

    def median(self, table: str, low: int, high: int, count: int, where: str = "") -> str:
        """The ``_n`` with which the second half of a range begins."""
        condition = f"_n between {low} and {high}" + (f" and {where}" if where else "")
        return f"select _n from {self._d.temp(table)} s where {condition} order by _n limit 1 offset {count // 2}"

    def unstage(self, numbers: Sequence[int], table: str = STAGE) -> str:
        """Take records out of a temporary table."""
        return f"delete from {self._d.temp(table)} where _n in ({', '.join(map(str, numbers))})"

    # Several records with one key

    def count_repeated(self) -> str:
        """Zero when no two records have the same key."""
        if len(self._keys) == 1 and self._keys[0].type.kind in INTEGERS:  # sorting numbers is quicker than hashing them
            value = self.value(self._keys[0])
            return f"select count({value}) - count(distinct {value}) from {self._d.temp(STAGE)} s"
        keys = ", ".join(self.value(k) for k in self._keys)
        return (
            f"select count(*) from (select 1 as one from {self._d.temp(STAGE)} s group by {keys} having count(*) > 1) d"
        )

    def create_kept(self) -> str:
        """List of every key the record that counts.

        Grouped, because MySQL and MariaDB would sort long keys by their beginnings; and in a table of its own, because MySQL reads
        a temporary table only once in a statement.
        """
        counts = "max" if self._spec.duplicates == "last" else "min"
        keys = ", ".join(self.value(k) for k in self._keys)
        return self._d.create_temp_as(KEPT, f"select {counts}(s._n) as _n from {self._d.temp(STAGE)} s group by {keys}")

    def create_extra(self) -> str:
        """List the other ones. The plus makes both numbers of no column's type, so that SQLite finds one by an index of its own
        instead of looking through all of them for each.
        """
        return self._d.create_temp_as(
            EXTRA,
            f"select s._n as _n from {self._d.temp(STAGE)} s left join {self._d.temp(KEPT)} k on k._n = +s._n where k._n is null",
        )

    def drop_extra(self) -> str:
        """Take those records out of the stage."""
        return f"delete from {self._d.temp(STAGE)} where _n in (select _n from {self._d.temp(EXTRA)})"

    def extra_numbers(self, limit: int | None) -> str:
        """Their numbers."""
        return f"select _n from {self._d.temp(EXTRA)} order by _n" + ("" if limit is None else f" limit {limit}")

    # Match

    def create_decided(self) -> str:
        """Decide what becomes of every staged record: `DECIDED` has ``_n``, where the record was found, the decision
        ``_o`` and the fields' new values in the types of their columns.

        It is in the order of the key, so that applying it walks the table and its index from end to end instead of
        jumping about in them.
        """
        spec = self._spec
        carried = self._keys if self._only_keys() else spec.fields
        if self.pairs:
            return self._d.create_temp_as(DECIDED, self._paired())
        items = ["s._n as _n"]
        items += [
            f"{f't.{loc}' if self._joins() else 'null'} as {name}"
            for loc, name in zip(self._t.locators, self._locs, strict=True)
        ]
        items.append(f"{self._decision()} as _o")
        items += [f"{self._new(f)} as f{self._index[f.name]}" for f in carried]
        source = f"{self._d.temp(STAGE)} s"
        if self._joins():
            keys = ", ".join(f"s.f{self._index[k.name]}" for k in self._keys)
            source += f" left join {self._t.name} t on {self.on_key()} order by {keys}"
        return self._d.create_temp_as(DECIDED, f"select {', '.join(items)} from {source}")

    @property
    def pairs(self) -> bool:
        """Whether records are found by all of their old values (`WriteSpec.planned` without a key)."""
        return self._spec.planned and not self._spec.key and self._spec.operation is Operation.DELETE

    def _paired(self) -> str:
        """Of equal records each finds a row of its own, the youngest first."""
        fields = list(enumerate(self._spec.fields))
        left = [f"s.p{i}" for i, _ in fields]
        now = [self._d.shown(self._old(f), f, self._t.columns[f.name]) for _, f in fields]
        right = [f"t.c{i}" for i, _ in fields]
        locators = [f"t.{loc} as {name}" for loc, name in zip(self._t.locators, self._locs, strict=True)]
        shown = [f"{value} as c{i}" for (i, _), value in zip(fields, now, strict=True)]
        youngest = ", ".join(f"t.{loc} desc" for loc in self._t.locators)
        rows = (
            f"select {', '.join([*locators, *shown])}, row_number() over (partition by {', '.join(now)} order by {youngest}) as _r "
            f"from {self._t.name} t"
        )
        staged = f"select s.*, row_number() over (partition by {', '.join(left)} order by s._n) as _r from {self._d.temp(STAGE)} s"
        items = ["s._n as _n", *(f"t.{name} as {name}" for name in self._locs)]
        items.append(f"case when t.{self._locs[0]} is null then '{HELD}' else '{REMOVE}' end as _o")
        items += [f"{self.value(f)} as f{i}" for i, f in fields]
        on = f"t._r = s._r and {self._d.all_same(left, right)}"
        return f"select {', '.join(items)} from ({staged}) s left join ({rows}) t on {on}"

    def _only_keys(self) -> bool:
        return self._spec.operation is Operation.DELETE and not self._spec.planned

    @property
    def _inserts(self) -> bool:
        return self._spec.operation is Operation.INSERT and not self._spec.planned

    def _joins(self) -> bool:
        """Whether records are joined with the rows they match. An insert only asks whether there are any."""
        return bool(self._keys) and (self._t.unique or not self._inserts)

    def on_key(self) -> str:
        """Condition: the row ``t`` is the one of the record ``s``."""
        return " and ".join(f"{self._old(k)} = {self.value(k)}" for k in self._keys)

    def _old(self, field: WriteField) -> str:
        return f"t.{self._d.quote(field.name)}"

    def value(self, field: WriteField) -> str:
        """A staged value as its column holds it."""
        return self._d.value(f"s.f{self._index[field.name]}", field, self._t.columns[field.name])

    @property
    def _found(self) -> str:
        if self._joins():
            return f"t.{self._t.locators[0]} is not null"
        return f"exists (select 1 from {self._t.name} t where {self.on_key()})"

    def _new(self, field: WriteField) -> str:
        """What the destination will hold: its own value where the field is not written to an existing record."""
        value = self.value(field)
        if not self._joins() and field.when == "updated":
            return f"case when 1 = 0 then {value} end"
        planned = self._spec.planned and not field.keeps
        if not self._joins() or field.name in self._spec.key or planned:
            return value
        if field.when == "created":
            return f"case when {self._found} then {self._old(field)} else {value} end"
        if field.keeps:
            value = f"case when {self._found} and {self._kept(field)} then {self._old(field)} else {value} end"
        if field.when == "updated":
            return f"case when {self._found} then {value} end"
        return value

    def _kept(self, field: WriteField) -> str:
        return self._d.is_true(f"s.k{self._index[field.name]}")

    def _decision(self) -> str:
        spec = self._spec
        if spec.planned:
            return self._planned()
        new = f"when not ({self._found}) then "
        change = f"when {self.differs()} then '{UPDATE}' else '{SAME}' end"
        match spec.operation:
            case Operation.APPEND:
                return f"'{CREATE}'"
            case Operation.INSERT:
                return f"case {new}'{CREATE}' else '{EXISTS}' end"
            case Operation.UPDATE:
                return f"case {new}'{MISSING}' {change}"
            case Operation.DELETE:
                return f"case {new}'{MISSING}' else '{REMOVE}' end"
            case _:
                deletion = self._d.is_true("s._delete")
                first = (
                    f"when {deletion} and {self._found} then '{REMOVE}' when {deletion} then '{MISSING}' "
                    if spec.deletes
                    else ""
                )
                return f"case {first}{new}'{CREATE}' {change}"

    def differs(self) -> str:
        """Condition: the record would change the row it was found to be."""
        conditions = []
        for f in self._spec.fields:
            if f.name in self._spec.key or f.when != "always":
                continue
            column = self._t.columns[f.name]
            one = self._d.distinct(self._d.comparable(self._old(f), column), self._d.comparable(self.value(f), column))
            conditions.append(f"(not {self._kept(f)} and {one})" if f.keeps else one)
        return _any(conditions) or "1 = 0"

    def _planned(self) -> str:
        if not self._joins():
            return f"'{CREATE}'"
        forced = self._spec.forced
        there = UPDATE if forced else HELD
        left_alone = f"not ({self._found})" if forced else f"not ({self._found}) or {self._drifted()}"
        return (
            f"case when s._action = 'created' then case when {self._found} then '{there}' else '{CREATE}' end "
            f"when {left_alone} then '{HELD}' when s._n is null then '{MARKED}' "
            f"when s._action = 'updated' then '{UPDATE}' else '{REMOVE}' end"
        )

    def _drifted(self) -> str:
        conditions = []
        for i, f in enumerate(self._spec.fields):
            one = self._d.distinct(self._d.shown(self._old(f), f, self._t.columns[f.name]), f"s.p{i}")
            conditions.append(f"(not {self._kept(f)} and {one})" if f.keeps else one)
        return _any(conditions)

    def ambiguous(self) -> str:
        """Records for which the destination has several rows."""
        return (
            f"select _n from {self._d.temp(DECIDED)} where _n is not null group by _n having count(*) > 1 order by _n"
        )

    def counts(self) -> str:
        """How many records each decision has."""
        return f"select _o, count(*) from {self._d.temp(DECIDED)} group by _o"

    def decided_as(self, decision: str, limit: int | None) -> str:
        """Numbers of the records with a decision."""
        return f"select _n from {self._d.temp(DECIDED)} where _o = '{decision}' and _n is not null order by _n" + (
            "" if limit is None else f" limit {limit}"
        )

    def index_decided(self) -> str:
        """Make finding ranges of `DECIDED` quick; worth it only when the destination refuses something."""
        return self._d.index_temp(DECIDED, "_n")

    # Mirror

    def count_in_scope(self) -> str:
        """How many records of the destination are in the import's charge."""
        return f"select count(*) from {self._t.name} t where {self._scope()}"

    def create_gone(self, *, deletions: bool) -> str:
        """List the destination's records in scope that the source has no more; none without `deletions`."""
        locators = [f"t.{loc} as {name}" for loc, name in zip(self._t.locators, self._locs, strict=True)]
        marks = [
            self._d.distinct(self._d.comparable(f"t.{self._d.quote(c)}", self._t.columns[c]), v)
            for c, v in self._marks()
        ]
        marked = f" and ({' or '.join(marks)})" if marks else ""
        marked += "" if deletions else " and 1 = 0"
        return self._d.create_temp_as(
            GONE,
            f"select {', '.join(locators)} from {self._t.name} t where {self._scope()}{marked} "
            f"and not exists (select 1 from {self._d.temp(STAGE)} s where {self.on_key()})",
        )

    def _lists_gone(self) -> bool:
        """Whether `GONE` may hold records: of a table that the run makes none is gone."""
        return self._spec.operation is Operation.MIRROR and not self._spec.planned and not self._spec.create

    def count_gone(self) -> str:
        """How many those are."""
        return f"select count(*) from {self._d.temp(GONE)}"

    def _scope(self) -> str:
        parts = []
        for name, value in self._spec.scope.items():
            column, quoted = self._t.columns[name], f"t.{self._d.quote(name)}"
            values = list(value) if isinstance(value, list | tuple) else [value]
            literals = ", ".join(self._d.literal(v, column) for v in values if v is not None)
            either = [f"{quoted} in ({literals})"] if literals else []
            either += [f"{quoted} is null"] if None in values else []
            parts.append(f"({' or '.join(either) or '1 = 0'})")
        return " and ".join(parts) or "1 = 1"

    def _marks(self) -> list[tuple[str, str]]:
        return [(c, self._d.literal(v, self._t.columns[c])) for c, v in self._spec.mark.items()]

    def apply_gone(self) -> str:
        """Delete or mark the records of `GONE`; for a plan, those of `DECIDED` that stand for them."""
        source, where = (
            (self._d.temp(DECIDED), f"s._o = '{MARKED}'") if self._spec.planned else (self._d.temp(GONE), "1 = 1")
        )
        if not self._spec.mark:
            return self._d.delete_using(self._t.name, source, self._t.locators, where)
        sets = [(self._d.quote(c), v) for c, v in self._marks()]
        return self._d.update_from(self._t.name, sets, source, f"{self._on_row()} and {where}")

    # Apply

    def _on_row(self) -> str:
        return " and ".join(f"t.{loc} = s.{name}" for loc, name in zip(self._t.locators, self._locs, strict=True))

    def apply(self, decision: str, low: int | None = None, high: int | None = None) -> str:
        """Carry out a decision (`CREATE`, `UPDATE` or `REMOVE`), for all of its records or a range of them."""
        where = f"s._o = '{decision}'" + ("" if low is None else f" and s._n between {low} and {high}")
        source = self._d.temp(DECIDED)
        if decision == REMOVE:
            return self._d.delete_using(self._t.name, source, self._t.locators, where)
        written = [f for f in self._spec.fields if not self._t.columns[f.name].generated]
        if decision == UPDATE:
            sets = [
                (self._d.quote(f.name), f"s.f{self._index[f.name]}")
                for f in written
                if f.name not in self._spec.key and f.when != "created"
            ]
            return self._d.update_from(self._t.name, sets, source, f"{self._on_row()} and {where}")
        created = [f for f in written if f.when != "updated"]
        names = ", ".join(self._d.quote(f.name) for f in created)
        values = ", ".join(f"s.f{self._index[f.name]}" for f in created)
        # Numbers that the destination gives are given in the order of the source.
        left_out = self._t.columns.keys() - {f.name for f in created}
        order = " order by s._n" if not self._joins() or any(self._t.columns[c].default for c in left_out) else ""
        return f"insert into {self._t.name} ({names}) {self._d.overriding} select {values} from {source} s where {where}{order}"

    def any_record(self) -> str:
        """A row if the table holds one."""
        return f"select 1 from {self._t.name} limit 1"

    # Changes

    def changes(self) -> str:
        """What is decided, field by field, in the order and with the columns of `changes_schema`."""
        spec = self._spec
        names = (
            ["_n", "_action"] + [f"f{i}" for i in range(len(spec.fields))] + [f"p{i}" for i in range(len(spec.fields))]
        )
        old = (
            [self._d.shown(self._old(f), f, self._t.columns[f.name]) for f in spec.fields]
            if self._joins()
            else ["null"] * len(spec.fields)
        )
        action = f"case s._o when '{CREATE}' then 'created' when '{UPDATE}' then 'updated' else 'deleted' end"
        new = [self._changed(f) for f in spec.fields]
        source = f"{self._d.temp(DECIDED)} s" + (
            f" left join {self._t.name} t on {self._on_row()}" if self._joins() else ""
        )
        chosen = f"'{CREATE}', '{UPDATE}', '{REMOVE}', '{MARKED}'"
        parts = [self._named(["s._n", action, *new, *old], names) + f" from {source} where s._o in ({chosen})"]
        if self._lists_gone():
            keys = [shown if f.name in spec.key else "null" for f, shown in zip(spec.fields, old, strict=True)]
            gone = f" from {self._d.temp(GONE)} s join {self._t.name} t on {self._on_row()}"
            parts.append(self._named(["null", "'deleted'", *keys, *old], names) + gone)
        return f"select {', '.join(names)} from ({' union all '.join(parts)}) q order by _n is null, _n"

    def _changed(self, field: WriteField) -> str:
        if field.name not in self._spec.key and self._only_keys():
            return "null"
        shown = self._d.shown(f"s.f{self._index[field.name]}", field, self._t.columns[field.name])
        if field.name in self._spec.key:
            return shown
        return f"case when s._o in ('{CREATE}', '{UPDATE}') then {shown} end"

    def _named(self, expressions: Sequence[str], names: Sequence[str]) -> str:
        return "select " + ", ".join(f"{e} as {n}" for e, n in zip(expressions, names, strict=True))


def _any(conditions: Sequence[str]) -> str:
    """Whether one of the conditions holds, as an expression that is not deep."""
    if len(conditions) <= _IN_A_ROW:
        return " or ".join(conditions)
    groups = (conditions[i : i + _IN_A_ROW] for i in range(0, len(conditions), _IN_A_ROW))
    return " or ".join(f"({' or '.join(g)})" for g in groups)
