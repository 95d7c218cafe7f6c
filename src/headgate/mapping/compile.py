"""From a definition and the source's columns to a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headgate.model.errors import DefinitionError
from headgate.model.spec import FieldSpec, ImportSpec
from headgate.model.types import FieldType
from headgate.model.write import WriteField

from .expressions import Expression, Name, Scope, check_expression
from .fields import TEXTUAL, FieldDef, FieldSql, SourceColumn, Steps, build, constant
from .layers import Layers
from .lookups import load_lookup, wanted_columns
from .plan import FieldTypes
from .program import Program, Shape
from .query import Queries, Query
from .rules import zone_exists
from .sql import connect, ident, literal
from .suggest import hint
from .transforms import Transform, read_use

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 50
"""Fields in a query: more are no quicker, and take more memory."""


def compile_program(
    spec: ImportSpec,
    fields: Mapping[str, FieldSpec],
    types: Mapping[str, FieldTypes],
    source: pa.Schema,
    lookups: Mapping[str, pa.Table],
    started: datetime,
    absent: Mapping[str, pa.Table] | None = None,
    *,
    collect: bool = False,
) -> Program:
    """Compile a definition against the source's columns.

    Args:
        fields: as `plan_fields` gave them.
        types: as `effective_types` gave them.
        source: names and types of the scan's columns; any other batch is refused by the program.
        lookups: by name, tables of text columns: those that are compared, then the one that is taken.
        started: the run's start, with a zone: what `now()` and `today()` mean in expressions.
        absent: by name, what is known of values without an entry: the columns that are compared, whether the record that
            refers to one waits for it (bool), and why there is none (text).
        collect: make a program that does not refuse records for entries that `missing: create` is to make, and gives
            beside the fields of accepted records which those are (`headgate.mapping.wanted`).

    Raises:
        DefinitionError: an expression, a transform, a format, a default or a zone is wrong.
    """
    own = connect()
    try:
        compiler = _Compiler(own.con, spec, fields, types, source, started, collect)
        compiler.load(lookups, absent or {})
        queries = compiler.queries()
        program = Program(own, compiler.shape(), queries)
        _plan(queries, plain=compiler.plain)
    except BaseException:
        own.close()
        raise
    return program


class _Compiler:
    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        spec: ImportSpec,
        fields: Mapping[str, FieldSpec],
        types: Mapping[str, FieldTypes],
        source: pa.Schema,
        started: datetime,
        collect: bool,
    ) -> None:
        self.con = con
        self.collect = collect
        self.spec = spec
        self.zone = zone_exists(spec.timezone)
        self.columns = {f.name: _column(i, f) for i, f in enumerate(source)}
        self.source = source
        declared = _declared(fields, types)
        names = {n: Name(c.sql, c.type or declared.get(n), c.type is None) for n, c in self.columns.items()}
        self.scope = Scope(names, "columns", started, self.zone)
        self.uses_of = {n: c.sql for n, c in self.columns.items()}
        self.functions: dict[str, Callable[[str], str | None]] = {}
        self.fields = [self._field(i, n, f, types[n]) for i, (n, f) in enumerate(fields.items())]
        self.by_name = {d.name: d for d in self.fields}
        self.constants = {d.name: self._constants(d) for d in self.fields}
        self.guards = {
            word: check_expression(con, text, self.scope, where=word, condition=True)
            for word, text in (("filter", spec.filter), ("delete_when", spec.delete_when))
            if text is not None
        }
        self.checks = self._checks(started)

    def load(self, lookups: Mapping[str, pa.Table], absent: Mapping[str, pa.Table]) -> None:
        """Put the lookups that fields use into tables, one row for each value."""
        for name in {d.spec.lookup for d in self.fields if d.spec.lookup}:
            load_lookup(self.con, _lookup_table(name), self.spec.lookups[name], lookups[name], absent.get(name))

    def shape(self) -> Shape:
        """What the program is made of, for those who run it."""
        return Shape(
            source=self.source,
            columns=tuple(self.columns.values()),
            fields=tuple(WriteField(d.name, d.types.written, _when(d.spec), d.keeps) for d in self.fields),
            definitions=tuple(self.fields),
            functions=self.functions,
            deletes="delete_when" in self.guards,
            keeps=tuple(d.name for d in self.fields if d.keeps),
            unique=tuple(d.index for d in self.fields if d.spec.unique),
            lookups={n: _lookup_table(n) for n in dict.fromkeys(d.spec.lookup for d in self.fields) if n is not None},
            wanted=tuple(c for d in self.fields if d.collects for c in wanted_columns(d)),
        )

    @property
    def plain(self) -> bool:
        """Whether nobody wrote a part of the queries: an expression, a transform, a lookup or a format."""
        specs = [d.spec for d in self.fields]
        written = any(f.expr is not None or f.transform or f.lookup or f.format for f in specs)
        return not (written or self.guards or self.checks)

    def queries(self) -> Queries:
        """The queries, not planned yet."""
        for d in self.fields:
            self._try_formats(d)
        made = [self._group(str(n), self.fields[group]) for n, group in enumerate(_groups(len(self.fields)))]
        return Queries(
            quick=[m.quick[0] for m in made],
            full=[m.full[0] for m in made],
            why=[m.why[0] for m in made],
            inputs={name: query for m in made for name, query in m.inputs.items()},
            texts=self._texts(),
        )

    def _texts(self) -> list[Query]:
        if all(pa.types.is_string(f.type) for f in self.source):
            return []
        columns = list(self.columns.values())
        layers = Layers(c.sql for c in columns)
        return [
            self._query(f"texts{n}", layers, {c.sql: c.as_text for c in columns[group]})
            for n, group in enumerate(_groups(len(columns)))
        ]

    def _try_formats(self, d: FieldDef) -> None:
        import duckdb

        formats = [d.spec.format] if isinstance(d.spec.format, str) else d.spec.format or []
        for f in formats:
            try:
                self.con.sql(f"SELECT try_strptime('x', {literal(f)})").fetchall()
            except duckdb.Error:
                raise DefinitionError(
                    f"{f!r} is not a format of dates",
                    where=f"fields.{d.name}.format",
                    hint="Formats are written like %d/%m/%Y %H:%M:%S.",
                ) from None

    def _field(self, index: int, name: str, spec: FieldSpec, types: FieldTypes) -> FieldDef:
        where = f"fields.{name}"
        expression = None
        if spec.expr is not None:
            expression = check_expression(self.con, spec.expr, self.scope, where=f"{where}.expr")
        column = self.columns.get(spec.column) if spec.column is not None else None
        if spec.format is not None and types.declared.kind not in ("date", "time", "timestamp", "timestamptz"):
            raise DefinitionError(
                f"a format goes with dates and times, and {name} is {types.declared}",
                where=where,
                hint="Declare the type, or use the transform parse_date.",
            )
        return FieldDef(
            name=name,
            index=index,
            spec=spec,
            types=types,
            key=name in self.spec.key,
            zone=zone_exists(spec.timezone or self.spec.timezone),
            column=column,
            expression=expression,
            expression_uses=tuple(self.uses_of[n] for n in expression.names) if expression else (),
            steps=self._steps(spec, f"p{index}", where),
            lookup=(_lookup_table(spec.lookup), self.spec.lookups[spec.lookup].ignore_case) if spec.lookup else None,
            others=tuple(
                (self.columns[c], self._steps(spec, f"p{index}_{n}x", where)) for n, c in enumerate(spec.columns[1:])
            ),
            collects=self.collect and spec.missing == "create",
        )

    def _steps(self, spec: FieldSpec, column: str, where: str) -> Steps:
        return tuple(self._step(use, f"{column}_{n}", f"{where}.transform") for n, use in enumerate(spec.transform))

    def _step(self, use: object, column: str, where: str) -> tuple[Transform, dict[str, Any]]:
        """A transform and its settings; the answers of one in Python lie in `column`."""
        transform, settings = read_use(use, where)  # type: ignore[arg-type]
        if transform.function is not None:
            settings["hg_column"] = column
            self.functions[settings["hg_column"]] = transform.function(settings)
            return transform, settings
        if "columns" in settings:
            for c in settings["columns"]:
                if c not in self.columns:
                    raise DefinitionError(
                        f"there is no column {c!r} in the source", where=where, hint=hint(c, self.columns, "columns")
                    )
            settings["hg_uses"] = [self.columns[c].sql for c in settings["columns"]]
            settings["columns"] = [self.columns[c].as_text for c in settings["columns"]]
        self._try_step(transform, settings, where)
        return transform, settings

    def _try_step(self, transform: Transform, settings: Mapping[str, Any], where: str) -> None:
        """A pattern or a format that is none shows on a first value."""
        import duckdb

        others = "".join(f", NULL::VARCHAR AS {c}" for c in settings.get("hg_uses", ()))
        try:
            self.con.execute(
                f"SELECT {transform.sql('t', settings)} FROM (SELECT unnest(['x', NULL]) AS t{others})"
            ).fetchall()
        except duckdb.Error as e:
            raise DefinitionError(
                f"the settings of {transform.name} cannot be: {str(e).splitlines()[0]}", where=where
            ) from None

    def _constants(self, d: FieldDef) -> dict[str, str]:
        made = {}
        where = f"fields.{d.name}"
        if d.spec.default is not None:
            made["default"] = constant(self.con, d.spec.default, d.types.declared, d.spec, d.zone, f"{where}.default")
        if "value" in d.spec.model_fields_set:
            made["value"] = (
                constant(self.con, d.spec.value, d.types.declared, d.spec, d.zone, f"{where}.value")
                if d.spec.value is not None
                else "NULL"
            )
        return made

    def _checks(self, started: datetime) -> dict[str, tuple[Expression, tuple[str, ...]]]:
        """The checks, over the fields' values, which are in columns named ``f0``, ``f1``, … when they are reached."""
        names = {d.name: Name(f"f{d.index}", d.types.declared, d.textual) for d in self.fields}
        scope = Scope(names, "fields", started, self.zone)
        found = {}
        for d in self.fields:
            if d.spec.check is not None:
                expression = check_expression(
                    self.con, d.spec.check, scope, where=f"fields.{d.name}.check", condition=True
                )
                found[d.name] = (expression, tuple(names[n].sql for n in expression.names))
        return found

    def _group(self, number: str, fields: Sequence[FieldDef]) -> Queries:
        """The queries of some fields."""
        quick, full = self._made(fields, nul=False), self._made(fields, nul=True)
        return Queries(
            quick=[self._query(f"quick{number}", quick.layers, self._values(quick))],
            full=[self._query(f"full{number}", full.layers, self._values(full))],
            why=[self._query(f"why{number}", full.layers, self._reasons(full))],
            inputs={
                column: self._query(f"in_{column}", full.layers, {"text": text})
                for _, m in full.fields
                for column, text in m.inputs.items()
            },
        )

    def _made(self, fields: Sequence[FieldDef], *, nul: bool) -> _Made:
        """Layers with some fields, with those that their checks compare them to, and with the conditions for records."""
        layers = Layers([*(c.sql for c in self.columns.values()), *self.functions])
        guards = {w: layers.add(f"g_{w}", e.sql, [self.uses_of[n] for n in e.names]) for w, e in self.guards.items()}
        hand_on = not nul and "delete_when" not in self.guards
        checks = {d.index: self.checks[d.name] for d in fields if d.name in self.checks}
        compared = dict.fromkeys(n for expression, _ in checks.values() for n in expression.names)
        there = {d.name: d for d in fields} | {n: self.by_name[n] for n in compared}
        made = {d.index: build(d, layers, self.constants[d.name], nul=nul, hand_on=hand_on) for d in there.values()}
        for name in compared:
            index = self.by_name[name].index
            value = made[index].value
            layers.add(f"f{index}", value, [value] if value in layers else [])
        for index, (expression, uses) in checks.items():
            held = layers.add(f"h{index}", expression.sql, uses)
            made[index].flags.append((f"{held} IS NULL", "'EX01'"))
            made[index].flags.append((f"coalesce(NOT {held}.v, FALSE)", "'RU02'"))
        return _Made(layers, guards, [(d, made[d.index]) for d in fields])

    def _values(self, made: _Made) -> dict[str, str]:
        bad = " OR ".join(m.bad for _, m in made.fields if m.flags) or "FALSE"
        state = f"CASE WHEN {bad} THEN 1 ELSE 0 END"
        outputs = {}
        if delete := made.guards.get("delete_when"):
            keys = " OR ".join(m.bad for d, m in made.fields if d.key and m.flags) or "FALSE"
            state = f"CASE WHEN {delete} IS NULL THEN 1 WHEN {delete}.v THEN CASE WHEN {keys} THEN 1 ELSE 0 END ELSE {state} END"
            outputs["_delete"] = f"coalesce({delete}.v, FALSE)"
        if skip := made.guards.get("filter"):
            state = f"CASE WHEN {skip} IS NULL THEN 1 WHEN {skip}.v THEN {state} ELSE 2 END"
        outputs["_state"] = f"CAST({state} AS TINYINT)"
        outputs.update({f"keep{d.index}": m.keep for d, m in made.fields if m.keep})
        outputs.update({f"w{d.index}": m.written for d, m in made.fields if m.written})
        for d, m in made.fields:
            outputs.update(zip(wanted_columns(d), m.wanted, strict=True) if d.collects else ())
        return outputs

    def _reasons(self, made: _Made) -> dict[str, str]:
        outputs = {f"g_{w}": f"{column} IS NULL" for w, column in made.guards.items()}
        if delete := made.guards.get("delete_when"):
            outputs["_delete"] = f"coalesce({delete}.v, FALSE)"
        for d, m in made.fields:
            outputs[f"code{d.index}"] = m.code
            outputs[f"shown{d.index}"] = m.shown
            if d.lookup is not None:
                outputs[f"why{d.index}"] = f"jw{d.index}"
        return outputs or {"one": "1"}

    def _query(self, name: str, layers: Layers, outputs: Mapping[str, str]) -> Query:
        """A query over the columns it needs; those of types no field has become text first."""
        needed = layers.needs(outputs)
        columns = [c for c in self.columns.values() if c.sql in needed] or list(self.columns.values())[:1]
        functions = [f for f in self.functions if f in needed]
        slot = pa.schema(
            [(c.sql, _plain_type(self.source.field(c.name).type)) for c in columns]
            + [(f, pa.string()) for f in functions]
        )
        source = f"batch_{name}"
        if any(c.base != c.sql for c in columns):
            bases = [f"{c.base} AS {c.sql}" for c in columns]
            source = f"(SELECT {', '.join([*bases, *functions])} FROM {source})"
        return Query(self.con, name, layers.select(outputs, source), slot)


@dataclass(frozen=True, slots=True)
class _Made:
    """Fields with the layers they were built in, and the columns there of `filter` and `delete_when`."""

    layers: Layers
    guards: Mapping[str, str]
    fields: Sequence[tuple[FieldDef, FieldSql]]


def _groups(count: int) -> list[slice]:
    """How so many go into groups; there is one group at least."""
    return [slice(i, i + _AT_ONCE) for i in range(0, max(count, 1), _AT_ONCE)]


def _plan(queries: Queries, *, plain: bool) -> None:
    import duckdb

    try:
        queries.plan(plain=plain)
    except duckdb.Error as e:
        raise DefinitionError(f"the definition cannot be carried out: {str(e).splitlines()[0]}") from None


def _lookup_table(name: str) -> str:
    return ident(f"lookup {name}")


def _plain_type(type: pa.DataType) -> pa.DataType:
    return type.value_type if pa.types.is_dictionary(type) else type


def _when(spec: FieldSpec) -> str:
    return spec.when if spec.when in ("created", "updated") else "always"


def _declared(fields: Mapping[str, FieldSpec], types: Mapping[str, FieldTypes]) -> dict[str, FieldType]:
    """What the fields say about the types of source columns, for expressions; text says nothing."""
    found: dict[str, FieldType] = {}
    for name, spec in fields.items():
        plain = spec.column is not None and not (spec.transform or spec.lookup or spec.format)
        if plain and spec.column is not None and types[name].declared.kind not in TEXTUAL:
            found.setdefault(spec.column, types[name].declared)
    return found


_EXACT = {
    pa.int16(): FieldType("smallint"), pa.int32(): FieldType("integer"), pa.int64(): FieldType("bigint"),
    pa.float64(): FieldType("double"), pa.bool_(): FieldType("boolean"), pa.date32(): FieldType("date"),
    pa.time64("us"): FieldType("time"), pa.timestamp("us"): FieldType("timestamp"),
    pa.timestamp("us", "UTC"): FieldType("timestamptz"), pa.binary(): FieldType("binary"),
}  # fmt: skip


def source_type(type: pa.DataType) -> FieldType | None:
    """The field type that holds an Arrow type as it is; None for text and for types that are taken by their text form."""
    if pa.types.is_decimal128(type) and type.scale >= 0:
        return FieldType("decimal", precision=type.precision, scale=type.scale)
    if pa.types.is_timestamp(type) and type.unit == "us" and type.tz is not None:
        return FieldType("timestamptz")
    return _EXACT.get(type)


def _column(index: int, arrow: pa.Field) -> SourceColumn:
    sql = f"c{index}"
    kind = arrow.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return SourceColumn(arrow.name, sql, sql, None, sql)
    if pa.types.is_nested(kind):
        return SourceColumn(arrow.name, sql, f"CAST(to_json({sql}) AS VARCHAR)", None, sql)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return SourceColumn(arrow.name, sql, sql, FieldType("binary"), f"lower(hex({sql}))")
    found = source_type(kind)
    if found is None:
        return SourceColumn(arrow.name, sql, f"CAST({sql} AS VARCHAR)", None, sql)
    return SourceColumn(arrow.name, sql, sql, found, f"CAST({sql} AS VARCHAR)")
