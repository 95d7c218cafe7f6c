"""One field of a definition as SQL: its value, whether the record is bad because of it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headgate.model.errors import DefinitionError
from headgate.model.spec import FieldSpec
from headgate.model.types import INTEGERS, FieldType

from .expressions import Expression
from .layers import Layers
from .plan import FieldTypes
from .rules import canonical, rule, sql_type
from .sql import literal
from .transforms import Transform

if TYPE_CHECKING:
    import duckdb

TEXTUAL = frozenset({"text", "uuid", "json", "other"})
ABSENT, WAITING = 0, -1
"""What the number of a lookup's answers says of a value whose absence has a reason: none could be made; it was refused."""
Steps = tuple[tuple[Transform, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of the source.

    Attributes:
        sql: its name inside the program.
        base: SQL that makes it of the source's own column of that name; the name itself where it is taken as it is.
        type: its type inside the program; None for text.
        as_text: SQL of its text form inside the program.
    """

    name: str
    sql: str
    base: str
    type: FieldType | None
    as_text: str


@dataclass(frozen=True, slots=True)
class FieldDef:
    """Everything a field is compiled from.

    Attributes:
        index: its place among the fields, for names inside the program.
        column: the source column it comes from, if it does; the first of several.
        others: the further columns that its lookup compares, each with the transforms for it.
        expression: its `expr`, checked.
        steps: its transforms with their settings, names of columns in them bound.
        lookup: the table inside the program its lookup reads, and whether that ignores case.
        collects: instead of being refused, records without an entry say which entry they need.
    """

    name: str
    index: int
    spec: FieldSpec
    types: FieldTypes
    key: bool
    zone: str
    column: SourceColumn | None
    expression: Expression | None
    expression_uses: tuple[str, ...]
    steps: Steps
    lookup: tuple[str, bool] | None
    others: tuple[tuple[SourceColumn, Steps], ...] = ()
    collects: bool = False

    @property
    def textual(self) -> bool:
        """Whether its value is text, of which only '' is blank; of any other type blanks are blank too."""
        return self.types.declared.kind in TEXTUAL

    @property
    def untouched(self) -> bool:
        """Whether its value is the source's text as it is, so that the source's own column can be handed on."""
        spec = self.spec
        return (
            self.column is not None
            and self.column.type is None
            and self.column.base == self.column.sql
            and self.types.declared.kind in ("text", "other")
            and not (self.steps or self.lookup or self.keeps)
            and spec.default is None
        )

    @property
    def keeps(self) -> bool:
        """Whether a blank leaves what is at the destination."""
        return self.spec.blank == "keep" or self.spec.when == "present"


@dataclass(slots=True)
class FieldSql:
    """A field inside a select.

    Attributes:
        value: its typed value, default included; NULL where it is blank or bad.
        written: the same as the destination takes it; empty for fields that are handed on untouched.
        flags: (condition, code) in the order in which a record is told; a condition is never NULL.
        before, after: the text that messages of a lookup, and all others, are about.
        inputs: what each transform in Python is to work on, by the column its answers will be in.
        keep: condition of a blank that leaves the destination's value; empty where there is none.
        wanted: of a field that collects: the condition of an entry being needed, then what it is compared by, each as
            written and as compared; empty otherwise.
    """

    value: str
    written: str
    before: str
    after: str
    flags: list[tuple[str, str]] = field(default_factory=list)
    keep: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()

    @property
    def bad(self) -> str:
        """Whether the field spoils the record."""
        return " OR ".join(f"({condition})" for condition, _ in self.flags) or "FALSE"

    @property
    def code(self) -> str:
        """The first thing that is wrong, as a code; NULL when nothing is."""
        arms = " ".join(f"WHEN {condition} THEN {code}" for condition, code in self.flags)
        return f"CASE {arms} END" if arms else "NULL"

    @property
    def shown(self) -> str:
        """The text that the message for `code` is about."""
        return f"CASE WHEN left({self.code}, 2) IN ('LK', 'HE') THEN {self.before} ELSE {self.after} END"


def build(definition: FieldDef, layers: Layers, constants: Mapping[str, str], *, nul: bool, hand_on: bool) -> FieldSql:
    """Add a field's columns to `layers`.

    Args:
        constants: SQL of the default and the constant value (``default``, ``value``) where there are any.
        nul: look for NUL characters, which are known not to be in the source otherwise.
        hand_on: fields that can be handed on untouched are.
    """
    return _Builder(definition, layers, constants, nul, hand_on).build()


@dataclass(slots=True)
class _Builder:
    d: FieldDef
    layers: Layers
    constants: Mapping[str, str]
    nul: bool
    hand_on: bool
    flags: list[tuple[str, str]] = field(default_factory=list)
    before: str = "NULL"
    after: str = "NULL"
    missed: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()

    def build(self) -> FieldSql:
        d = self.d
        if "value" in d.spec.model_fields_set:
            value = self.constants["value"]
            keep = ("TRUE" if value == "NULL" else "FALSE") if d.keeps else ""
            out = FieldSql(value, self._written(value), "NULL", "NULL", keep=keep)
            if value == "NULL" and (d.key or d.spec.required):
                out.flags = [("TRUE", "'KY01'" if d.key else "'RU01'")]
            return out
        value, given = self._value()
        if self._default_for_blank:
            blank = self.constants["default"]
            if self.missed:
                blank = f"CASE WHEN NOT {self.missed} THEN {blank} END"
            value = self._column("o", f"coalesce({value}, {blank})", value, self.missed)
        keep = ""
        if d.keeps:
            keep = f"NOT coalesce({given}, FALSE)" + (f" AND NOT {self.missed}" if self.missed else "")
        self._absent(value, given)
        written = "" if self.hand_on and d.untouched else self._written(value)
        return FieldSql(value, written, self.before, self.after, self.flags, keep, self.inputs, self.wanted)

    @property
    def _default_for_blank(self) -> bool:
        return "default" in self.constants and self.d.spec.blank in (None, "default", "keep")

    def _column(self, letter: str, sql: str, *uses: str) -> str:
        """Place a column of this field; of what it uses, what is no column needs no place."""
        return self.layers.add(f"{letter}{self.d.index}", sql, [u for u in uses if u in self.layers])

    def _value(self) -> tuple[str, str]:
        """Place the typed value without default; gives its column and the condition of a value being there at all."""
        d = self.d
        if d.expression is not None:
            answer = self._column("x", d.expression.sql, *d.expression_uses)
            lost = f"{answer} IS NULL"
            if none := d.expression.no_answer(f"{answer}.v"):
                lost = f"coalesce({lost} OR {none}, FALSE)"
            self.flags.append((lost, "'EX01'"))
            if (
                not d.steps
                and d.lookup is None
                and (direct := _direct(d.expression.type, d.types.declared, f"{answer}.v"))
            ):
                return self._direct_value(answer, *direct)
            text = self._column("t", f"CASE WHEN NOT ({lost}) THEN CAST({answer}.v AS VARCHAR) END", answer)
        else:
            column = d.column
            if column is None:
                raise DefinitionError(f"the field {d.name} comes from nowhere", where=f"fields.{d.name}")
            if (
                column.type is not None
                and not d.steps
                and d.lookup is None
                and _lossless(column.type, d.types.declared)
            ):
                value = self._column("v", f"CAST({column.sql} AS {sql_type(d.types.declared)})", column.sql)
                self.after = column.as_text
                if d.types.declared.kind == "double":
                    self.flags.append((f"coalesce(NOT isfinite({value}), FALSE)", "'TY03'"))
                return value, f"({value} IS NOT NULL)"
            text = self._text(column)
        text, self.before = self._transformed(text, d.steps)
        self.after = self.before
        return self._parsed(text if d.lookup is None else self._looked_up(text, *d.lookup))

    def _direct_value(self, answer: str, sql: str, code: str) -> tuple[str, str]:
        value = self._column("v", sql, answer)
        self.after = f"CAST({answer}.v AS VARCHAR)"
        self.flags.append((f"{value} IS NULL AND coalesce({answer}.v IS NOT NULL, FALSE)", code))
        return value, f"({value} IS NOT NULL)"

    def _transformed(self, text: str, steps: Steps, part: str = "") -> tuple[str, str]:
        """Place the steps; gives the answer, and the text that messages are about.

        A step that fails gives NULL, and so do all after it: the last that is there is what it failed on.

        Args:
            part: tells the columns of one source column from those of another.
        """
        texts = [text]
        for number, (transform, settings) in enumerate(steps):
            if transform.function is not None:
                after = settings["hg_column"]
                self.inputs[after] = text
            else:
                sql = transform.sql(text, settings)
                sql = sql if transform.blanks else f"CASE WHEN {text} <> '' THEN {sql} END"
                after = self._column(f"t{part}{number}_", sql, text, *settings.get("hg_uses", ()))
            if transform.fails:
                self.flags.append((f"{after} IS NULL AND coalesce(hg_trim({text}) <> '', FALSE)", "'TR01'"))
            text = after
            texts.insert(0, text)
        return text, f"coalesce({', '.join(texts)})"

    def _looked_up(self, first: str, table: str, fold: bool) -> str:
        """Place what the lookup gives for the text, and for those of the other columns that it compares."""
        i, texts = self.d.index, [first]
        for k, (column, steps) in enumerate(self.d.others):
            text, shown = self._transformed(self._text(column, f"a{k}_"), steps, f"{k}_")
            texts.append(text)
            self.before = f"""concat(coalesce({self.before}, ''), '", "', coalesce({shown}, ''))"""
        keys = [self._column(f"k{k}_", f"lower(hg_trim({t}))", t) for k, t in enumerate(texts)] if fold else texts
        names = {f"jm{i}_{k}": f"m{k}" for k in range(len(keys))}
        on = " AND ".join(f"{name} = {key}" for name, key in zip(names, keys, strict=True))
        self.layers.join(table, on, names | {f"jt{i}": "t", f"jn{i}": "n", f"jw{i}": "w"}, keys)
        exact = self.d.textual and not fold
        given = [f"coalesce({t if exact else f'hg_trim({t})'} <> '', FALSE)" for t in texts]
        missed = f"(({' OR '.join(given)}) AND coalesce(jn{i} <= 0, TRUE))"
        taken = self._taken(missed, " AND ".join(given), texts, keys)
        self.flags.append((f"coalesce(jn{i} > 1, FALSE)", "'LK02'"))
        found = self._column("l", taken, *texts, f"jn{i}")
        self.after = f"coalesce({found}, {self.before})"
        return found

    def _taken(self, missed: str, whole: str, texts: list[str], keys: list[str]) -> str:
        """What is taken, with whatever follows from there being no entry.

        Args:
            missed, whole: conditions: there is none; no part of what is compared is blank.
        """
        i, missing = self.d.index, self.d.spec.missing
        waits = f"coalesce(jn{i} = {WAITING}, FALSE)"
        if missing == "default":
            return f"CASE WHEN {missed} THEN {literal(_plain(self.d.spec.default))} ELSE jt{i} END"
        if missing == "null":
            self.missed = self._column("m", missed, *texts, f"jn{i}")
        elif missing == "create" and self.d.collects:
            makes = f"NOT {waits} AND {whole}"
            self.flags.append((f"{missed} AND NOT ({makes})", f"CASE WHEN {waits} THEN 'HE02' ELSE 'LK01' END"))
            self.missed = self._column("m", f"{missed} AND {makes}", *texts, f"jn{i}")
            self.wanted = (self.missed, *(c for pair in zip(texts, keys, strict=True) for c in pair))
        else:
            self.flags.append((missed, f"CASE WHEN {waits} THEN 'HE02' ELSE 'LK01' END"))
        return f"jt{i}"

    def _text(self, column: SourceColumn, letter: str = "t") -> str:
        return column.sql if column.as_text == column.sql else self._column(letter, column.as_text, column.sql)

    def _parsed(self, text: str) -> tuple[str, str]:
        d = self.d
        own = rule(d.types.declared, text, self._column, formats=_formats(d.spec), zone=d.zone)
        given = f"{text} <> ''" if d.textual else f"hg_trim({text}) <> ''"
        made = bool(d.steps or d.expression or d.lookup)
        value = own.value
        if d.textual:
            value = f"CASE WHEN {text} <> '' THEN {value} END"
            if self.nul or made:
                has_nul = f"coalesce(contains({text}, chr(0)), FALSE)"
                self.flags.append((has_nul, "'RD07'"))
                value = f"CASE WHEN NOT {has_nul} THEN {value} END"
        value = self._column("v", value, text, *(f"{letter}{d.index}" for letter in "qsn"))
        if not (d.types.declared.kind in ("text", "other") and not d.types.declared.length):
            self.flags.append((f"CASE WHEN {value} IS NULL THEN coalesce({given}, FALSE) ELSE FALSE END", own.code))
        return value, given

    def _absent(self, value: str, given: str) -> None:
        d = self.d
        wanted = f" AND NOT {self.missed}" if self.wanted else ""
        blank = f"{value} IS NULL{wanted}"
        if d.spec.blank == "reject":
            self.flags.append((f"NOT coalesce({given}, FALSE){wanted}", "'RU04'"))
        if d.key:
            self.flags.append((blank, "'KY01'"))
        elif d.spec.required:
            self.flags.append((blank, "'RU01'"))

    def _written(self, value: str) -> str:
        declared, written = self.d.types.declared, self.d.types.written
        if sql_type(declared) == sql_type(written):
            return value
        if written.kind in TEXTUAL:
            return canonical(declared, value)
        return f"CAST({value} AS {sql_type(written)})"


def _formats(spec: FieldSpec) -> list[str]:
    return [spec.format] if isinstance(spec.format, str) else list(spec.format or [])


def _plain(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _lossless(source: FieldType, wanted: FieldType) -> bool:
    """Whether values of a typed source column become the wanted type by a mere cast."""
    return wanted.kind not in TEXTUAL and wanted.holds(source)


def _direct(answer: str, wanted: FieldType, value: str) -> tuple[str, str] | None:
    """SQL that turns an expression's answer into the type without going through text, and the code of failing.

    Decimals are rounded: an answer that was computed was never written in some number of digits.
    """
    numeric = answer.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or answer.endswith("INT") or answer == "INTEGER"
    if numeric and wanted.kind == "decimal":
        return f"TRY_CAST({value} AS {sql_type(wanted)})", "'TY11'"
    if numeric and wanted.kind == "double":
        return f"TRY_CAST({value} AS DOUBLE)", "'TY11'"
    if numeric and wanted.kind in INTEGERS:
        whole = f"{value} = trunc({value})"
        return (
            f"CASE WHEN {whole} THEN TRY_CAST({value} AS {sql_type(wanted)}) END",
            f"CASE WHEN {whole} THEN 'TY11' ELSE 'TY12' END",
        )
    same = {
        "BOOLEAN": "boolean",
        "DATE": "date",
        "TIMESTAMP": "timestamp",
        "TIMESTAMP WITH TIME ZONE": "timestamptz",
        "TIME": "time",
    }
    if same.get(answer) == wanted.kind:
        return value, "'EX01'"
    return None


def constant(
    con: duckdb.DuckDBPyConnection, value: object, type: FieldType, spec: FieldSpec, zone: str, where: str
) -> str:
    """SQL of a constant of a definition, read by the type's own rule.

    Raises:
        DefinitionError: it is not of the type.
    """
    if value is None:
        return f"CAST(NULL AS {sql_type(type)})"
    text = _plain(value)
    for formats in (_formats(spec), []):
        own = rule(type, "t", formats=formats, zone=zone)
        found = con.execute(
            f"SELECT CAST({own.value} AS VARCHAR) FROM (SELECT unnest([?::VARCHAR]) AS t)", [text]
        ).fetchall()[0][0]
        if found is not None:
            return f"CAST({literal(found)} AS {sql_type(type)})"
    raise DefinitionError(f"{text!r} is no {type}", where=where)
