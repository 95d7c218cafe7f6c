"""Everything that is decided before the first record is mapped: the definition against the source and the destination."""

from __future__ import annotations

import difflib
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa

from headgate.mapping import (
    FieldTypes,
    Inference,
    Program,
    compile_program,
    effective_types,
    plan_fields,
    unclaimed,
    without,
)
from headgate.model.errors import DefinitionError, DestinationError, SourceError
from headgate.model.spec import FieldSpec, ImportSpec
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteSpec
from headgate.spi.destination import Destination, Varies
from headgate.spi.source import Declares, Partition, Scan, Source

from .evolve import Evolved, evolve, propose
from .lookups import Absent, Access, check_ids, read_lookups
from .totals import Totals

WORKBOOKS = ("xlsx", "xls", "xlsb", "ods")


@dataclass(slots=True)
class Prepared:
    """An import checked against both sides.

    Attributes:
        fields: every field as it will be made, also where the definition names none.
        write: what the writer is told.
        table: the destination's table as it is; None when this run makes it.
        schema_changes: what the run would change in the destination's schema.
        first: the first partition's scan, open; its findings are shown to people.
        lookups: the entries of the lookups that fields use.
        absent: what is known of values that they have no entry for.
        found: how many entries each lookup has, for people.
        totals: what is expected of fields.
    """

    spec: ImportSpec
    source: Source
    destination: Destination
    partitions: list[Partition]
    first: Scan
    fields: dict[str, FieldSpec]
    write: WriteSpec
    table: TableSchema | None
    schema_changes: list[SchemaChange]
    started: datetime
    lookups: dict[str, pa.Table]
    absent: dict[str, pa.Table]
    found: dict[str, dict[str, int]]
    types: dict[str, FieldTypes]
    totals: Totals
    programs: dict[tuple[pa.Schema, bool], Program] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def program(self, scan: Scan, name: str, *, collect: bool = False) -> Program:
        """The compiled program for a scan's columns; partitions with the same columns share one.

        Args:
            collect: the one that says which entries of lookups are to be made.

        Raises:
            SourceError: this partition lacks a column that the definition uses.
        """
        schema = scan.schema
        if (schema, collect) not in self.programs:
            try:
                self._check_columns(schema.names)
                program = self._compiled(schema, collect=collect)
            except DefinitionError as e:
                raise SourceError(
                    f"{name}: {e.message}", hint=e.hint or "Its columns differ from the first file's."
                ) from None
            others = any(kind == collect for _, kind in self.programs)
            if others and any(f.unique for f in self.fields.values()):
                raise SourceError(
                    f"{name}: its columns differ from the first file's, and a field is declared unique",
                    hint="Import the files apart, or give them the same columns.",
                )
            self.programs[schema, collect] = program
        return self.programs[schema, collect]

    def _compiled(self, schema: pa.Schema, *, collect: bool) -> Program:
        fields = {n: without(self.spec, n, f, schema.names) for n, f in self.fields.items()}
        return compile_program(
            self.spec, fields, self.types, schema, self.lookups, self.started, self.absent, collect=collect
        )

    def _check_columns(self, columns: list[str]) -> None:
        """Refuse columns that the first file did not have, where the definition does not ignore such."""
        policy = self.spec.changes.new_columns
        # Without fields every column is meant to go in, and the first file's are those that do.
        if policy == "ignore" or (policy is None and self.spec.fields):
            return
        if left := unclaimed(self.spec, self.fields, columns):
            raise DefinitionError(
                f"it has the column {left[0]!r}, which no field takes",
                hint=""
                if policy is not None
                else "The first file does not have it: name the fields in the definition, or say schema.new_columns: ignore.",
            )

    def forget_programs(self) -> None:
        """Have programs compiled anew, because the lookups have changed."""
        for program in self.programs.values():
            program.close()
        self.programs.clear()

    def close(self) -> None:
        """Release the programs and both sides."""
        self.forget_programs()
        self.totals.close()
        self.first.close()
        self.source.close()
        self.destination.close()


def prepare(
    spec: ImportSpec,
    source: Source,
    destination: Destination,
    access: Access,
    started: datetime,
    absent: Absent | None = None,
) -> Prepared:
    """Check a definition against its destination, then its source, and compile it.

    Args:
        access: how lookups reach what they read.
        absent: by lookup, what is known of values without an entry (`headgate.mapping.compile_program`).

    Raises:
        DefinitionError: it does not fit one of them.
        DestinationError, SourceError: one of them cannot be used.
    """
    table, open_ = _inspect(spec, destination)
    partitions = source.partitions()
    with ExitStack() as opened:
        first = opened.enter_context(closing(source.open(partitions[0])))
        fields = plan_fields(spec, first.schema.names, table)
        evolved = evolve(spec, fields, table, source, partitions) if table is not None else None
        table = evolved.table if evolved is not None else None
        types = _types(fields, evolved, source, partitions)
        used = {f.lookup: spec.lookups[f.lookup] for f in fields.values() if f.lookup is not None}
        lookups, absent = read_lookups(used, access), dict(absent or {})
        unknown = check_ids(fields, used, lookups)
        program = opened.enter_context(
            closing(compile_program(spec, fields, types, first.schema, lookups, started, absent))
        )
        undo = spec.journal and destination.capabilities.undo and _fits(destination, table, fields)
        write = _write_spec(spec, program, fields, create=table is None and not open_)
        notes = _varying(destination, write, undo=undo)
        write = replace(write, journal=undo and not notes.irreversible)
        if evolved is not None:
            write = replace(write, added=evolved.added, widened=evolved.widened)
        written = {f.name: f.type for f in write.fields}
        changes = _changes(destination, write, fields, evolved, written)
        _check_table(write, table)
        totals = Totals(spec.expect.fields, write.fields)
        opened.pop_all()  # from here on `Prepared.close` closes them
    warnings = [
        f"the source has no column for {name!r}: no record has a value of it"
        for name, field in spec.fields.items()
        if "value" in fields[name].model_fields_set and "value" not in field.model_fields_set
    ]
    warnings += notes.words + unknown
    return Prepared(
        spec, source, destination, partitions, first, fields, write, table, changes, started, lookups, absent,
        program.entries(), types, totals, programs={(first.schema, False): program}, warnings=warnings,
    )  # fmt: skip


def _types(
    fields: dict[str, FieldSpec], evolved: Evolved | None, source: Source, partitions: list[Partition]
) -> dict[str, FieldTypes]:
    """How each field is read and written; where the table has no column for it yet, as the source's values are."""
    new = {n: f for n, f in fields.items() if evolved is None or n in evolved.added}
    inferred = infer(new, source, partitions)
    there = {n: f for n, f in fields.items() if n not in new}
    table = evolved.table if evolved is not None else None
    both = effective_types(there, table, {}) | effective_types(new, None, inferred)
    return {name: both[name] for name in fields}


IRREVERSIBLE = "a run of it cannot be undone"
"""What the warning of a run begins with that leaves nothing for `headgate undo`."""


@dataclass(frozen=True, slots=True)
class _Notes:
    """What cannot be done with a run, for people, where destinations differ in that from table to table."""

    irreversible: str = ""
    uncertain: str = ""

    @property
    def words(self) -> list[str]:
        said = [f"{IRREVERSIBLE}: {self.irreversible}"] if self.irreversible else []
        return said + ([self.uncertain] if self.uncertain else [])


def _varying(destination: Destination, write: WriteSpec, *, undo: bool) -> _Notes:
    if not isinstance(destination, Varies):
        return _Notes()
    destination.check(write)
    return _Notes(destination.irreversible(write) if undo else "", destination.uncertain(write))


def _changes(
    destination: Destination,
    write: WriteSpec,
    fields: dict[str, FieldSpec],
    evolved: Evolved | None,
    written: dict[str, FieldType],
) -> list[SchemaChange]:
    if evolved is not None:
        return propose(destination, evolved, written)
    return [destination.propose(wanted(write, fields))] if write.create else []


def _inspect(spec: ImportSpec, destination: Destination) -> tuple[TableSchema | None, bool]:
    """The destination's table, None where it is to be made or has no columns of its own; and whether it has none."""
    can = destination.capabilities
    if spec.operation not in can.operations:
        have = ", ".join(sorted(o.value for o in can.operations))
        raise DefinitionError(f"the destination cannot {spec.operation}", hint=f"It can: {have}.")
    if can.makes:
        return None, False
    name = spec.destination.table
    table = destination.inspect(name)
    if table is not None:
        open_ = can.schemaless and not table.columns
        return (None, True) if open_ else (table, False)
    if not spec.destination.create:
        there = destination.tables()
        near = difflib.get_close_matches(name, there, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else f"There are: {', '.join(there[:20])}. " if there else ""
        more = "To make it, say create: true (--create)." if can.create_table else ""
        raise DestinationError(f"there is no table {name!r}", hint=f"{hint}{more}".strip())
    if not can.create_table:
        raise DefinitionError("the destination cannot make tables")
    if spec.operation in (Operation.UPDATE, Operation.DELETE):
        raise DefinitionError(f"{spec.operation} needs a table that is there; {name!r} is not")
    return None, False


def _fits(destination: Destination, table: TableSchema | None, fields: dict[str, FieldSpec]) -> bool:
    """Whether the table has no more columns than the destination can take back."""
    most = destination.capabilities.max_columns
    return most is None or len(table.columns if table is not None else fields) <= most


def infer(fields: dict[str, FieldSpec], source: Source, partitions: list[Partition]) -> dict[str, FieldType]:
    """Types of the source columns of fields without a declared type: as the source declares them, otherwise by a pass over
    the whole input.

    A type is inferred only if every value comes back from it exactly as it was written.
    """
    wanted = {f.column or name for name, f in fields.items() if f.type is None and f.expr is None and not _made(f)}
    declared = _declared(source, partitions, wanted)
    return declared | _inferred(wanted - declared.keys(), source, partitions)


def _declared(source: Source, partitions: list[Partition], wanted: set[str]) -> dict[str, FieldType]:
    if not wanted or len(partitions) > 1:
        return {}
    with closing(source.open(partitions[0])) as scan:
        return {n: of for n, of in scan.declared.items() if n in wanted} if isinstance(scan, Declares) else {}


def _inferred(wanted: set[str], source: Source, partitions: list[Partition]) -> dict[str, FieldType]:
    if not wanted:
        return {}
    inference: Inference | None = None
    try:
        for partition in partitions:
            with closing(source.open(partition)) as scan:
                columns = [name for name in scan.schema.names if name in wanted]
                schema = pa.schema([scan.schema.field(name) for name in columns])
                written = scan.findings.get("format") not in WORKBOOKS
                inference = inference or Inference(schema, written=written)
                for batch in scan.batches():
                    inference.add(replace(batch, records=_like(batch.records, inference.schema)))
        return inference.types() if inference is not None else {}
    finally:
        if inference is not None:
            inference.close()


def _like(records: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns of `schema`, those that this file does not have as nulls."""
    there = set(records.schema.names)
    columns = [
        records.column(f.name).cast(f.type) if f.name in there else pa.nulls(records.num_rows, f.type) for f in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _made(field: FieldSpec) -> bool:
    return "value" in field.model_fields_set or field.lookup is not None or bool(field.transform)


def _write_spec(spec: ImportSpec, program: Program, fields: dict[str, FieldSpec], *, create: bool) -> WriteSpec:
    missing = spec.missing or ("reject" if spec.operation is Operation.UPDATE else "skip")
    return WriteSpec(
        table=spec.destination.table,
        fields=program.fields,
        key=tuple(spec.key),
        operation=spec.operation,
        create=create,
        required=frozenset(name for name, f in fields.items() if f.required),
        duplicates=spec.duplicates,
        existing=spec.existing,
        missing=missing,
        deletes=spec.delete_when is not None,
        scope=dict(spec.scope),
        mark=dict(spec.delete.set) if spec.delete else {},
        batched=spec.commit == "batch",
    )


def wanted(write: WriteSpec, fields: dict[str, FieldSpec]) -> TableSchema:
    """The table a run would make for what it writes."""
    columns = tuple(
        Column(f.name, f.type, nullable=f.name not in write.required and f.name not in write.key) for f in write.fields
    )
    unique = tuple((name,) for name, f in fields.items() if f.unique and (name,) != write.key)
    return TableSchema(write.table, columns, write.key, unique)


def _check_table(write: WriteSpec, table: TableSchema | None) -> None:
    """Refuse what the table would refuse for every record."""
    if table is None:
        return
    for name in (*write.scope, *write.mark):
        if table.column(name) is None:
            raise DefinitionError(f"scope and delete.set name columns of {table.name}; {name!r} is none")
    if write.operation in (Operation.INSERT, Operation.UPSERT, Operation.MIRROR, Operation.APPEND):
        given = {f.name for f in write.fields if f.when != "updated"}
        lacking = [
            c.name
            for c in table.columns
            if not c.nullable and not c.default and not c.generated and c.name not in given
        ]
        if lacking:
            raise DefinitionError(
                f"{table.name} needs a value for {', '.join(lacking)}, and no field gives one",
                hint=f"Add a field for {lacking[0]}, or use operation: update.",
            )
