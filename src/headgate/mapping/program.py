"""A compiled definition at work: batches in, accepted records and rejects out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.errors import UsageError
from headgate.model.instances import Borrowed
from headgate.model.record import Batch, Fault, Mapped, Problem, RejectSet, record_number
from headgate.model.write import DELETE, KEEP, NUMBER, WriteField

from .fields import FieldDef, SourceColumn
from .problems import quoted, reason
from .query import Queries, Query, Slot, side_by_side
from .rules import sql_type
from .sql import ident

_GOOD, _BAD, _SKIPPED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Shape:
    """What a program takes and gives.

    Attributes:
        source, columns: what is read.
        fields, definitions: what is written, for others and as compiled.
        functions: the transforms in Python, by the column of the slot their answers lie in.
        deletes: there is a `delete_when`.
        keeps: fields with a ``_keep_`` column.
        unique: fields of which no value may come twice.
        lookups: their tables inside the program, by name.
        wanted: of a collecting program: further columns of accepted records (`headgate.mapping.lookups`).
    """

    source: pa.Schema
    columns: tuple[SourceColumn, ...]
    fields: tuple[WriteField, ...]
    definitions: tuple[FieldDef, ...]
    functions: Mapping[str, Callable[[str], str | None]]
    deletes: bool
    keeps: tuple[str, ...]
    unique: tuple[int, ...]
    lookups: Mapping[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()


class Program:
    """A definition compiled against a source's columns. Used by one thread at a time.

    Attributes:
        fields: what is written, in the order of the batches' columns.
        schema: of accepted records.
    """

    def __init__(self, own: Borrowed, shape: Shape, queries: Queries) -> None:
        self.fields = shape.fields
        self._own, self._con = own, own.con
        self._shape = shape
        self._queries = queries
        self._names = [c.sql for c in shape.columns]
        self.schema = _accepted_schema(shape)
        self._counting = _count(65_536)
        for i in shape.unique:
            own.con.execute(f"CREATE TEMP TABLE seen{i} (v {sql_type(shape.fields[i].type)})")
        self._good = Slot(self.schema.empty_table())
        own.con.register("good", self._good)

    def map(self, batch: Batch, partition: int) -> Mapped:
        """Map a batch.

        Every record of it, faults included, is in exactly one place of the answer; no value makes this raise.

        Raises:
            UsageError: the batch has other columns than the program was compiled for.
        """
        records = batch.records
        if not records.schema.equals(self._shape.source):
            raise UsageError(
                f"the batch has the columns {', '.join(records.schema.names)}, which is not what was compiled for"
            )
        return self._map(records, batch.ordinals, batch.faults, partition)

    def map_one(self, record: Mapping[str, str | None], number: int) -> Mapped:
        """Map one record, by the same queries as batches; the answer has its one record in exactly one place.

        Args:
            record: source column to text; columns that are not there are blank, columns the program does not know are left out.
            number: the record's number within the run; it comes back in ``_n``, or as the reject's ordinal.

        Raises:
            UsageError: the program was compiled for columns that are not text.
        """
        if any(not pa.types.is_string(f.type) for f in self._shape.source):
            raise UsageError("single records are text, and this import was compiled for typed columns")
        arrays = [pa.array([record.get(f.name)], pa.string()) for f in self._shape.source]
        records = pa.RecordBatch.from_arrays(arrays, schema=self._shape.source)
        return self._map(records, [number], (), 0)

    def entries(self) -> dict[str, dict[str, int]]:
        """For each lookup, how many values have an entry (``entries``), and how many of them several (``ambiguous``)."""
        found = {}
        for name, table in self._shape.lookups.items():
            query = f"SELECT count(*), count(*) FILTER (n > 1) FROM {table} WHERE n > 0"
            found[name] = dict(zip(("entries", "ambiguous"), self._con.execute(query).fetchall()[0], strict=True))
        return found

    def close(self) -> None:
        """Release memory and the folder it spills to. May be called twice."""
        self._own.close()

    def _map(
        self,
        records: pa.RecordBatch,
        ordinals: Sequence[int],
        faults: Sequence[Fault],
        partition: int,
    ) -> Mapped:
        values = self._run(self._queries.full if _has_nul(records) else self._queries.quick, records)
        state = values.column("_state").combine_chunks() if len(records) else pa.array([], pa.int8())
        accepted = self._accepted(values, records, self._numbers(ordinals, partition))
        if len(state) == 0 or pc.max(state).as_py() == _GOOD:
            bad, skipped = pa.array([], pa.int64()), 0
        else:
            bad = pc.indices_nonzero(pc.equal(state, _BAD))
            skipped = pc.sum(pc.equal(state, _SKIPPED)).as_py()
            accepted = accepted.take(pc.indices_nonzero(pc.equal(state, _GOOD)))  # quicker than filter on text
        problems = self._problems(records.take(bad)) if len(bad) else []
        if self._shape.unique and accepted.num_rows:
            accepted, again = self._unique(accepted, records, partition, ordinals)
            bad, problems = _merged(bad, problems, again)
        rejects = self._rejects(records, ordinals, faults, bad, problems)
        return Mapped(accepted, skipped, rejects)

    def _run(self, queries: Sequence[Query], records: pa.RecordBatch) -> pa.Table:
        table = self._table(records)
        for name, function in self._shape.functions.items():
            texts = self._queries.inputs[name].run(table).column("text").to_pylist()
            table = table.append_column(name, pa.array([function(t) if t else None for t in texts], pa.string()))
        return side_by_side(queries, table)

    def _table(self, records: pa.RecordBatch) -> pa.Table:
        arrays = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in records.columns]
        return pa.Table.from_arrays(arrays, names=self._names)

    def _numbers(self, ordinals: Sequence[int], partition: int) -> pa.Array:
        base = record_number(partition, 0)
        if isinstance(ordinals, range) and ordinals.step == 1:
            if len(ordinals) > len(self._counting):
                self._counting = _count(len(ordinals))
            return pc.add(self._counting[: len(ordinals)], base + ordinals.start)
        return pc.add(pa.array(ordinals, pa.int64()), base)

    def _accepted(self, values: pa.Table, records: pa.RecordBatch, numbers: pa.Array) -> pa.RecordBatch:
        """All records as if they were good, in the shape of the accepted ones."""
        arrays = [numbers]
        if self._shape.deletes:
            arrays.append(_one_chunk(values.column(DELETE)))
        written = set(values.column_names)
        arrays += [_one_chunk(values.column(f"keep{d.index}")) for d in self._shape.definitions if d.keeps]
        for d in self._shape.definitions:
            name = f"w{d.index}"
            column = _one_chunk(values.column(name)) if name in written else self._handed_on(d, records)
            arrays.append(column if column.type == d.types.written.arrow else column.cast(d.types.written.arrow))
        arrays += [_one_chunk(values.column(name)) for name in self._shape.wanted]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _handed_on(self, d: FieldDef, records: pa.RecordBatch) -> pa.Array:
        """The source's own column, its empty texts made blank."""
        assert d.column is not None
        column = records.column(self._names.index(d.column.sql))
        empty = pc.equal(column, "")
        if pc.any(empty).as_py():
            column = pc.if_else(pc.fill_null(empty, True), pa.scalar(None, column.type), column)
        return column

    def _problems(self, records: pa.RecordBatch) -> list[tuple[Problem, ...]]:
        """What is wrong with each of these records, all of them bad."""
        why = self._run(self._queries.why, records)
        texts = self._texts(records)
        found: list[list[Problem]] = [[] for _ in range(records.num_rows)]
        for d in self._shape.definitions:
            for place, problem in self._problems_of(d, why, texts):
                found[place].append(problem)
        for word in ("delete_when", "filter"):
            if f"g_{word}" in why.column_names:
                for place in pc.indices_nonzero(why.column(f"g_{word}")).to_pylist():
                    found[place] = [Problem("EX01", f"{word} has no answer for this record")]
        return [tuple(problems) for problems in found]

    def _problems_of(self, d: FieldDef, why: pa.Table, texts: pa.RecordBatch) -> Iterator[tuple[int, Problem]]:
        """The records a field is to blame for, by their places, and what is wrong with it there."""
        blamed = pc.is_valid(why.column(f"code{d.index}"))
        if not d.key and DELETE in why.column_names:
            blamed = pc.and_(blamed, pc.invert(why.column(DELETE)))
        places = pc.indices_nonzero(blamed)
        if not len(places):
            return
        names = [f"{part}{d.index}" for part in ("code", "shown", "why")]
        rows = why.select([n for n in names if n in why.column_names]).take(places).to_pylist()
        column = d.column.name if d.column is not None else ""
        raw = texts.column(column).take(places).to_pylist() if d.column is not None else [None] * len(rows)
        for place, row, value in zip(places.to_pylist(), rows, raw, strict=True):
            told = reason(row[names[0]], d, row[names[1]], row.get(names[2]))
            yield place, Problem(row[names[0]], told, d.name, column, value)

    def _unique(
        self, accepted: pa.RecordBatch, records: pa.RecordBatch, partition: int, ordinals: Sequence[int]
    ) -> tuple[pa.RecordBatch, dict[int, tuple[Problem, ...]]]:
        """Take out records that have a value again; gives the rest, and by place in the batch what is wrong with those."""
        place = {number: i for i, number in enumerate(self._numbers(ordinals, partition).to_pylist())}
        again: dict[int, list[Problem]] = {}
        for i in self._shape.unique:
            d = self._shape.definitions[i]
            for number in self._seen_before(accepted, i):
                raw = (
                    self._texts(records.slice(place[number], 1)).column(d.column.name)[0].as_py() if d.column else None
                )
                text = f"{quoted(raw)}: " if raw is not None else ""
                problem = Problem("RU03", text + reason("RU03", d, raw), d.name, d.column.name if d.column else "", raw)
                again.setdefault(place[number], []).append(problem)
            lost = pa.array([n for n, p in place.items() if p in again], pa.int64())
            accepted = accepted.filter(pc.invert(pc.is_in(accepted.column(NUMBER), lost)))
        self._good.table = pa.Table.from_batches([accepted])
        for i in self._shape.unique:
            name = ident(self._shape.fields[i].name)
            live = f" AND NOT {DELETE}" if self._shape.deletes else ""
            self._con.execute(f"INSERT INTO seen{i} SELECT {name} FROM good WHERE {name} IS NOT NULL{live}")
        return accepted, {p: tuple(problems) for p, problems in again.items()}

    def _seen_before(self, accepted: pa.RecordBatch, i: int) -> list[int]:
        name = ident(self._shape.fields[i].name)
        live = f" AND NOT {DELETE}" if self._shape.deletes else ""
        self._good.table = pa.Table.from_batches([accepted])
        query = (
            f"SELECT {NUMBER} FROM (SELECT {NUMBER}, {name} AS v, row_number() OVER (PARTITION BY {name} ORDER BY {NUMBER}) AS nth "
            f"FROM good WHERE {name} IS NOT NULL{live}) WHERE nth > 1 OR v IN (SELECT v FROM seen{i})"
        )
        return [row[0] for row in self._con.execute(query).fetchall()]

    def _texts(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """The records with every column as text."""
        if not self._queries.texts:
            return records
        table = side_by_side(self._queries.texts, self._table(records))
        arrays = [_one_chunk(c).cast(pa.string()) for c in table.columns]
        return pa.RecordBatch.from_arrays(arrays, names=records.schema.names)

    def _rejects(
        self,
        records: pa.RecordBatch,
        ordinals: Sequence[int],
        faults: Sequence[Fault],
        bad: pa.Array,
        problems: list[tuple[Problem, ...]],
    ) -> RejectSet:
        numbers = [ordinals[i] for i in bad.to_pylist()]
        raw = self._texts(records.take(bad))
        if not faults:
            return RejectSet(numbers, raw, problems)
        names = list(dict.fromkeys([*records.schema.names, *(k for f in faults for k in f.raw)]))
        rows = [
            *zip(numbers, raw.to_pylist(), problems, strict=True),
            *((f.ordinal, f.raw, (f.problem,)) for f in faults),
        ]
        rows.sort(key=lambda row: row[0])
        schema = pa.schema([(n, pa.string()) for n in names])
        table = pa.RecordBatch.from_pylist([row[1] for row in rows], schema=schema)
        extra = frozenset(names) - set(records.schema.names)
        return RejectSet([row[0] for row in rows], table, [row[2] for row in rows], extra)


def _accepted_schema(shape: Shape) -> pa.Schema:
    fields = [(NUMBER, pa.int64())]
    if shape.deletes:
        fields.append((DELETE, pa.bool_()))
    fields += [(f"{KEEP}{name}", pa.bool_()) for name in shape.keeps]
    wanted = [(name, pa.string() if name.endswith(("text", "key")) else pa.bool_()) for name in shape.wanted]
    return pa.schema([*fields, *((f.name, f.type.arrow) for f in shape.fields), *wanted])


def _count(n: int) -> pa.Array:
    """The numbers from 0 up to n."""
    return pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), n)), 1)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _merged(
    bad: pa.Array, problems: list[tuple[Problem, ...]], again: Mapping[int, tuple[Problem, ...]]
) -> tuple[pa.Array, list[tuple[Problem, ...]]]:
    both = sorted([*zip(bad.to_pylist(), problems, strict=True), *again.items()])
    return pa.array([place for place, _ in both], pa.int64()), [p for _, p in both]


def _has_nul(records: pa.RecordBatch) -> bool:
    """Whether any text may hold a NUL character: a look at the bytes, all of a column at once."""
    for column in records.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            data = column.buffers()[2]
            if data is not None and b"\0" in data.to_pybytes():
                return True
        elif not pa.types.is_primitive(column.type):
            return True
    return False
