"""When the source's columns, or what is in them, are not what the destination's table was made for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import pyarrow as pa

from headgate.ledger import Ledger
from headgate.mapping.sql import connect, ident
from headgate.model.errors import DefinitionError
from headgate.model.run import Run
from headgate.model.spec import FieldSpec, ImportSpec
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import INTEGERS, MAX_PRECISION, FieldType
from headgate.spi.destination import Alterable, Destination
from headgate.spi.source import Partition, Source

from .earlier import earlier_runs

COLUMNS = "columns"
"""The finding that keeps the names of a source's columns for the next run."""

_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class Evolved:
    """What a run does to its table's columns.

    Attributes:
        table: as it will be, without the columns that are added.
        added: names of fields whose columns are added.
        widened: names of fields whose columns get a larger type.
    """

    table: TableSchema
    added: frozenset[str] = frozenset()
    widened: frozenset[str] = frozenset()


def evolve(
    spec: ImportSpec, fields: Mapping[str, FieldSpec], table: TableSchema, source: Source, partitions: list[Partition]
) -> Evolved:
    """Find out which columns the definition lets the run add, and which it lets it widen.

    Widening reads the whole source once.

    Args:
        fields: as `headgate.mapping.plan_fields` gave them.
        table: as it is.
    """
    added = frozenset[str]()
    if spec.changes.new_columns == "add":
        added = frozenset(n for n in fields if n not in spec.fields and table.column(n) is None)
    if spec.changes.types != "widen":
        return Evolved(table, added)
    wide: dict[str, FieldType] = {}
    for name, needed in _needed(fields, table, source, partitions):
        column = table.column(name)
        larger = column.type.widened(needed) if column is not None else None
        if column is not None and larger is not None and larger != column.type:
            wide[name] = larger
    columns = tuple(replace(c, type=wide.get(c.name, c.type)) for c in table.columns)
    return Evolved(replace(table, columns=columns), added, frozenset(wide))


def propose(destination: Destination, evolved: Evolved, types: Mapping[str, FieldType]) -> list[SchemaChange]:
    """What the run would do to the table.

    Args:
        types: of the fields.

    Raises:
        DefinitionError: the destination cannot do it in the run's own transaction.
    """
    wanted = [("add", evolved.added), ("widen", evolved.widened)]
    can = destination.capabilities.alters
    for what, names in wanted:
        if names and what not in can:
            name = min(names)
            does = "add columns to a table" if what == "add" else "change the type of a column"
            raise DefinitionError(
                f"the destination cannot {does} within a run, and {name!r} would need it ({types[name]})",
                where="schema",
                hint=f"Do it by hand, with the type {destination.native(types[name])}, and run again.",
            )
    added, widened = ([Column(n, t) for n, t in types.items() if n in names] for _, names in wanted)
    if not (added or widened):
        return []
    assert isinstance(destination, Alterable), "stated by its capabilities"
    return destination.propose_columns(evolved.table.name, added, widened)


# What values need


def _needed(
    fields: Mapping[str, FieldSpec], table: TableSchema, source: Source, partitions: list[Partition]
) -> Iterator[tuple[str, FieldType]]:
    """The types that fields need: as declared, else what the values of the source do."""
    looked: dict[str, list[str]] = {}
    for name, field in fields.items():
        column = table.column(name)
        if column is None or column.generated:
            continue
        if field.type is not None:
            yield name, FieldType.parse(field.type)
        elif field.column is not None and _measurable(column.type) and _as_it_is(field):
            looked.setdefault(field.column, []).append(name)
    if looked:
        for column_name, needed in _measured(sorted(looked), source, partitions).items():
            for name in looked[column_name]:
                there = table.column(name)
                of = needed.text if there is not None and there.type.kind == "text" else needed.number
                if of is not None:
                    yield name, of


def _measurable(type: FieldType) -> bool:
    return type.kind in (*INTEGERS, "decimal") or (type.kind == "text" and type.length is not None)


def _as_it_is(field: FieldSpec) -> bool:
    return not (field.transform or field.lookup or field.format)


@dataclass(frozen=True, slots=True)
class _Needed:
    """The smallest types that hold all texts, and all numbers, of a source column."""

    text: FieldType | None
    number: FieldType | None


def _measured(columns: Sequence[str], source: Source, partitions: list[Partition]) -> dict[str, _Needed]:
    with connect() as own:
        con = own.con
        con.execute(
            "CREATE TEMP TABLE seen (c INTEGER, longest BIGINT, whole BIGINT, scale BIGINT, least HUGEINT, most HUGEINT)"
        )
        for partition in partitions:
            with closing(source.open(partition)) as scan:
                there = [c for c in columns if c in scan.schema.names]
                for batch in scan.batches():
                    for c in there:
                        con.register("batch", pa.Table.from_batches([batch.records.select([c])]))
                        con.execute(_MEASURE.format(column=ident(c), index=columns.index(c)))
                        con.unregister("batch")
        rows = con.execute(
            "SELECT c, max(longest), max(whole), max(scale), min(least), max(most) FROM seen GROUP BY c"
        ).fetchall()
        return {columns[c]: _Needed(_text(longest), _number(*number)) for c, longest, *number in rows}


# `hg_number` writes a number plainly, without zeros that say nothing; it is NULL where there is none.
_MEASURE = """
INSERT INTO seen SELECT {index}, max(length(t)), max(length(split_part(d, '.', 1))), max(length(split_part(d, '.', 2))),
  min(TRY_CAST(n AS HUGEINT)), max(TRY_CAST(n AS HUGEINT))
FROM (SELECT t, n, ltrim(n, '-') AS d FROM (SELECT t, hg_number(t) AS n FROM (SELECT CAST({column} AS VARCHAR) AS t FROM batch)))"""


def _text(longest: int | None) -> FieldType | None:
    return FieldType("text", length=longest) if longest else None


def _number(whole: int | None, scale: int | None, least: int | None, most: int | None) -> FieldType | None:
    if whole is None or scale is None:
        return None
    if not scale and least is not None and most is not None:
        for kind, bits in sorted(INTEGERS.items(), key=lambda of: of[1]):
            if -(2 ** (bits - 1)) <= least and most < 2 ** (bits - 1):
                return FieldType(kind)
    return FieldType("decimal", precision=whole + scale, scale=scale) if whole + scale <= MAX_PRECISION else None


# Since the last run


def since_last(ledger: Ledger, run: Run, columns: Sequence[str], unclaimed: Sequence[str]) -> list[str]:
    """How the source's columns differ from those of the import's last run, for people.

    Args:
        run: the one that is to be done.
        columns: of the source.
        unclaimed: those of them that no field takes.
    """
    last = next(earlier_runs(ledger, run, 1, undone=True), None)
    had = last.partitions[0].findings.get(COLUMNS) if last is not None else None
    if last is None or not isinstance(had, list):
        return []
    new = [c for c in columns if c not in had]
    gone = [str(c) for c in had if c not in columns]
    renamed = dict(_renamed(gone, new, had, columns))
    words = [
        f"{old!r} is gone from the source since run {last.id}, and {name!r} is new: if it was renamed, say from: {name!r}"
        for old, name in renamed.items()
    ]
    words += [f"{c!r} is gone from the source since run {last.id}" for c in gone if c not in renamed]
    left = (", and no field takes it" if c in unclaimed else "" for c in new)
    return words + [
        f"{c!r} is new in the source since run {last.id}{note}"
        for c, note in zip(new, left, strict=True)
        if c not in renamed.values()
    ]


def _renamed(
    gone: Sequence[str], new: Sequence[str], before: Sequence[object], now: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Pairs that may be one column: names that are alike, or what is new in the place of what is gone."""
    left = list(new)
    for old in gone:
        place = before.index(old)
        alike = difflib.get_close_matches(old.casefold(), [n.casefold() for n in left], 1, _ALIKE)
        name = next((n for n in left if alike and n.casefold() == alike[0]), None)
        if name is None and len(before) == len(now) and now[place] in left:
            name = now[place]
        if name is not None:
            left.remove(name)
            yield old, name
