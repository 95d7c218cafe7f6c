"""Making the entries that lookups lack (`missing: create`), before the first record is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from headgate.mapping import Program, compile_program, effective_types, plan_fields, wanted
from headgate.model.errors import DefinitionError, DestinationError
from headgate.model.reading import REFUSED, TAKEN, Parents
from headgate.model.record import Batch
from headgate.model.spec import FieldSpec, ImportSpec, LookupSpec
from headgate.model.write import NUMBER
from headgate.spi.destination import AddsParents, Destination, Writer

from .prepare import Prepared

Keys = tuple[str, ...]


@dataclass(slots=True)
class _Entries:
    """The entries to be made in one lookup: how each will look, and those that cannot be."""

    texts: list[Keys]
    taken: list[str | None]
    refused: list[str | None]


def making(fields: Mapping[str, FieldSpec]) -> set[str]:
    """The lookups in which entries are to be made."""
    return {f.lookup for f in fields.values() if f.lookup is not None and f.missing == "create"}


def check_making(spec: ImportSpec, destination: Destination, started: datetime) -> None:
    """Check that entries can be made in the lookups that want them.

    Raises:
        DefinitionError: the destination cannot, or the table needs other values.
    """
    for name in making(spec.fields):
        if not destination.capabilities.lookups:
            raise DefinitionError("the destination cannot make entries of lookups", where=f"lookups.{name}")
        _program(name, spec.lookups[name], destination, started).close()


def make_entries(prepared: Prepared, writer: Writer) -> None:
    """Find out which entries the records lack, make them, and have them found from now on.

    This is a pass over the whole source. The entries are part of the writer's transaction.
    """
    names = making(prepared.fields)
    if not names:
        return
    lacking = _lacking(prepared, names)
    for name, texts in lacking.items():
        if texts:
            made = _make(prepared, writer, name, list(texts.values()))
            _take_in(prepared, name, made)
    prepared.forget_programs()


def _lacking(prepared: Prepared, names: set[str]) -> dict[str, dict[Keys, Keys]]:
    """By lookup, the values without an entry in records that would be accepted: as compared, and as first written."""
    found: dict[str, dict[Keys, Keys]] = {name: {} for name in sorted(names)}
    fields = [(i, f.lookup) for i, f in enumerate(prepared.fields.values()) if f.lookup and f.missing == "create"]
    for index, partition in enumerate(prepared.partitions):
        scan = prepared.source.open(partition) if index else prepared.first
        try:
            program = prepared.program(scan, partition.name, collect=True)
            for batch in scan.batches():
                accepted = program.map(batch, index).accepted
                for i, name in fields:
                    for key, texts in wanted(accepted, i):
                        found[name].setdefault(key, texts)
        finally:
            if index:
                scan.close()
    return found


def _make(prepared: Prepared, writer: Writer, name: str, texts: list[Keys]) -> _Entries:
    if not isinstance(writer, AddsParents):
        raise DestinationError("the destination cannot make entries of lookups")
    lookup = prepared.spec.lookups[name]
    entries = _Entries(texts, [None] * len(texts), [None] * len(texts))
    columns = [pa.array(c, pa.string()) for c in zip(*texts, strict=True)]
    records = pa.RecordBatch.from_arrays(columns, names=_columns(lookup))
    with closing(_program(name, lookup, prepared.destination, prepared.started)) as program:
        mapped = program.map(Batch(records, range(len(texts))), 0)
        parents = Parents(str(lookup.table), program.fields, str(lookup.take))
        made = writer.add_parents(parents, mapped.accepted)
    for place, taken, why in zip(
        mapped.accepted.column(NUMBER).to_pylist(), made[TAKEN].to_pylist(), made[REFUSED].to_pylist(), strict=True
    ):
        entries.taken[place], entries.refused[place] = taken, why
    for place, problems in zip(mapped.rejects.ordinals, mapped.rejects.problems, strict=True):
        entries.refused[place] = "; ".join(p.reason for p in problems)
    return entries


def _take_in(prepared: Prepared, name: str, made: _Entries) -> None:
    """Have the programs that are compiled from now on find the new entries, and why others are not there."""
    old = prepared.lookups[name]
    there = [i for i, why in enumerate(made.refused) if why is None]
    not_there = [i for i, why in enumerate(made.refused) if why is not None]
    columns = [*_texts(made, there), pa.array([made.taken[i] for i in there], pa.string())]
    prepared.lookups[name] = pa.concat_tables([old, pa.table(columns, old.column_names)])
    if not_there:
        whys = pa.array([made.refused[i] for i in not_there], pa.string())
        columns = [*_texts(made, not_there), pa.array([False] * len(not_there)), whys]
        absent = pa.table(columns, [*old.column_names[:-1], "waits", "why"])
        known = prepared.absent.get(name)
        if known is not None:
            absent = pa.concat_tables([known.rename_columns(absent.column_names), absent])
        prepared.absent[name] = absent
    prepared.found[name]["created"] = len(there)


def _texts(made: _Entries, places: list[int]) -> list[pa.Array]:
    return [pa.array([made.texts[i][k] for i in places], pa.string()) for k in range(len(made.texts[0]))]


def _columns(lookup: LookupSpec) -> list[str]:
    return [f"c{k}" for k in range(len(lookup.match or ()))]


def _program(name: str, lookup: LookupSpec, destination: Destination, started: datetime) -> Program:
    """What makes records of the lookup's table out of the texts that are compared."""
    where = f"lookups.{name}"
    table = destination.inspect(str(lookup.table))
    if table is None:
        raise DestinationError(f"there is no table {lookup.table!r} to make entries in", hint="Make it first.")
    fields: dict[str, object] = {c: {"value": v} for c, v in {**lookup.where, **lookup.create}.items()}
    fields |= {c: {"from": source} for c, source in zip(lookup.match or (), _columns(lookup), strict=True)}
    lacking = [
        c.name
        for c in table.columns
        if not (c.nullable or c.default or c.generated or c.name in fields) and c.name != lookup.take
    ]
    if lacking:
        raise DefinitionError(
            f"{lookup.table} needs a value for {', '.join(lacking)}",
            where=f"{where}.create",
            hint=f"Write create: {{ {lacking[0]}: … }} in the lookup.",
        )
    spec = ImportSpec.model_validate({
        "source": "-", "operation": "append", "fields": fields,
        "destination": {"connection": lookup.connection, "table": lookup.table},
    })  # fmt: skip
    source = pa.schema([(c, pa.string()) for c in _columns(lookup)])
    try:
        bound = plan_fields(spec, source.names, table)
        return compile_program(spec, bound, effective_types(bound, table, {}), source, {}, started)
    except DefinitionError as e:
        raise DefinitionError(e.message, where=f"{where}.create", hint=e.hint) from None


def made_in(prepared: Prepared, say: Callable[[str], str]) -> list[str]:
    """What was made, a line a table, for people; `say` puts it in a sentence."""
    counts: dict[str, int] = {}
    for name, found in prepared.found.items():
        if count := found.get("created"):
            table = str(prepared.spec.lookups[name].table)
            counts[table] = counts.get(table, 0) + count
    return [say(f"{n:,} {'record' if n == 1 else 'records'} in {table}") for table, n in counts.items()]
