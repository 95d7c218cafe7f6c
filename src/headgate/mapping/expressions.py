"""Expressions of a definition: parsed, checked against what is allowed, and written anew.

Nothing a person wrote reaches the engine as text: DuckDB's parser gives a tree, this module knows every kind of node it lets
through, and writes its own SQL for it with names bound to columns.

Source columns are text, and people write ``(ListPrice - StandardCost) / nullif(ListPrice, 0)``. So a text column is read as

* a number beside numbers, in arithmetic and in numeric functions: as the declared type of a field made from that column where
  that is a number, else as decimal(28,8), exactly: 20 digits before the point and 8 after it;
* a date or timestamp beside those, and in functions of dates;
* true or false where a condition is wanted.

A blank is NULL there. A text that cannot be read so has no answer, and the record is a reject [EX01].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from headgate.model.errors import DefinitionError
from headgate.model.types import INTEGERS, FieldType

from .functions import FUNCTIONS, INSTEAD, OPERATORS, TYPES
from .rules import rule, sql_type
from .sql import connect, ident, literal
from .suggest import hint, nearest

if TYPE_CHECKING:
    import duckdb

NUMBER = FieldType("decimal", precision=28, scale=8)
_WANTED = {"n": NUMBER, "k": FieldType("bigint"), "d": FieldType("timestamp"), "b": FieldType("boolean")}
_COMPARISONS = {
    "COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<", "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=", "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM", "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}  # fmt: skip
_ORDERING = ("<", ">", "<=", ">=")
_REFUSED = {
    "SUBQUERY": "a query",
    "WINDOW": "a window function",
    "STAR": "*",
    "LAMBDA": "a lambda",
    "PARAMETER": "a parameter",
    "COLLATE": "a collation",
}


@dataclass(frozen=True, slots=True)
class Name:
    """What a name in an expression stands for.

    Attributes:
        sql: the column it is bound to.
        type: its declared type; None where nothing is declared.
        text: whether the column holds text, whatever the declared type.
    """

    sql: str
    type: FieldType | None
    text: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The names an expression may use.

    Attributes:
        names: by the name a person writes.
        what: what they are, for messages (``columns``, ``fields``).
        started: the run's start: `now()` and, in `zone`, `today()`.
    """

    names: Mapping[str, Name]
    what: str
    started: datetime
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that may be run.

    Attributes:
        sql: SQL of a struct ``{v: answer}``, NULL where there is no answer.
        type: DuckDB's name of the answer's type.
        names: the names it uses.
    """

    sql: str
    type: str
    names: tuple[str, ...]

    def no_answer(self, value: str) -> str:
        """The condition of a value being none that a person could write, and so no answer: infinite, not a number, before
        Christ, after the year 9999. Empty where the type has no such values."""
        if self.type in ("DOUBLE", "FLOAT"):
            return f"NOT isfinite({value})"
        zone = "+00" if self.type == "TIMESTAMP WITH TIME ZONE" else ""
        if self.type == "DATE":
            return f"{value} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
        if self.type in ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"):
            ends = (f"{self.type} '{end}{zone}'" for end in ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"))
            return f"{value} NOT BETWEEN {' AND '.join(ends)}"
        return ""


def check_expression(
    con: duckdb.DuckDBPyConnection, text: str, scope: Scope, *, where: str, condition: bool = False
) -> Expression:
    """Parse, check and bind an expression.

    Args:
        where: the key of the definition, for messages.
        condition: it must be true or false.

    Raises:
        DefinitionError: it is not SQL, uses what is not allowed, or names what is not there.
    """
    writer = _Writer(scope, where)
    piece = writer.piece(_parse(con, text, where))
    sql = writer.as_kind(piece, "b") if condition else piece.sql
    columns = ", ".join(
        f"NULL::{'VARCHAR' if n.text or n.type is None else sql_type(n.type)} AS {n.sql}"
        for n in (scope.names[used] for used in writer.used)
    )
    struct = f"TRY({{'v': {sql}}})"
    found = _bind(con, f"SELECT s.v FROM (SELECT {struct} AS s FROM (SELECT {columns or '1 AS one'}))", where)
    if condition and found not in ("BOOLEAN", '"NULL"'):
        raise DefinitionError(f"{text!r} is not a condition, its answer is {found.lower()}", where=where)
    return Expression(struct, found, tuple(writer.used))


def parse_expression(text: str, where: str) -> dict[str, Any]:
    """The tree of an expression, unchecked.

    Raises:
        DefinitionError: it is no single SQL expression.
    """
    with connect() as own:
        return _parse(own.con, text, where)


def _bind(con: duckdb.DuckDBPyConnection, query: str, where: str) -> str:
    import duckdb

    try:
        return str(con.sql(query).types[0])
    except duckdb.Error as e:
        message = str(e).split("\n")[0].split(": ", 1)[-1]
        raise DefinitionError(
            f"the expression cannot be: {message}",
            where=where,
            hint="Cast a value with ::decimal, ::date or ::text where its type is not clear.",
        ) from None


def _parse(con: duckdb.DuckDBPyConnection, text: str, where: str) -> dict[str, Any]:
    row = con.execute("SELECT json_serialize_sql(?)", ["SELECT " + text]).fetchall()[0]
    tree = json.loads(row[0])
    if tree["error"]:
        raise DefinitionError(f"{text!r} is not an SQL expression: {tree['error_message']}", where=where)
    node = tree["statements"][0]["node"]
    extra = [
        node.get(k)
        for k in ("modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify")
    ]
    plain = (
        node["type"] == "SELECT_NODE"
        and node["from_table"]["type"] == "EMPTY"
        and not node["cte_map"]["map"]
        and not any(extra)
    )
    if (
        not plain
        or len(tree["statements"]) != 1
        or len(node["select_list"]) != 1
        or node["select_list"][0].get("alias")
    ):
        raise DefinitionError(
            f"{text!r} is not one SQL expression", where=where, hint="Write what would stand in one column of a SELECT."
        )
    root: dict[str, Any] = node["select_list"][0]
    return root


@dataclass(frozen=True, slots=True)
class _Piece:
    """SQL and the kind of its value: a letter of `functions`."""

    sql: str
    kind: str
    name: Name | None = None
    constant: bool = False

    @property
    def convertible(self) -> bool:
        return self.kind == "t" and not self.constant


@dataclass(slots=True)
class _Writer:
    scope: Scope
    where: str
    used: dict[str, None] = field(default_factory=dict)

    def piece(self, node: Mapping[str, Any]) -> _Piece:
        match node["class"]:
            case "CONSTANT":
                return self._constant(node["literal"])
            case "COLUMN_REF":
                return self._column(node["column_names"])
            case "FUNCTION":
                return self._function(node)
            case "COMPARISON":
                return self._comparison(_COMPARISONS[node["type"]], self.piece(node["left"]), self.piece(node["right"]))
            case "BETWEEN":
                value, low, high = self._alike(
                    [self.piece(node[k]) for k in ("input", "lower", "upper")], ordering=True
                )
                return _Piece(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", "b")
            case "CONJUNCTION":
                word = " AND " if node["type"] == "CONJUNCTION_AND" else " OR "
                return _Piece(f"({word.join(self.as_kind(self.piece(c), 'b') for c in node['children'])})", "b")
            case "OPERATOR":
                return self._operator(node["type"], [self.piece(c) for c in node["children"]])
            case "CASE":
                return self._case(node)
            case "CAST":
                return self._cast(node)
            case other:
                raise self._refuse(_REFUSED.get(other, other.lower().replace("_", " ")))

    def as_kind(self, piece: _Piece, kind: str) -> str:
        """The piece's SQL, read as the kind where it is text that is no constant."""
        if not piece.convertible or kind not in _WANTED:
            return piece.sql
        declared = piece.name.type if piece.name else None
        wanted = declared if declared is not None and _kind(declared) == kind else _WANTED[kind]
        if piece.name:
            return _read(wanted, piece.sql)
        return f"list_transform([{piece.sql}], lambda hg_v: {_read(wanted, 'hg_v')})[1]"

    def _refuse(self, what: str, hint: str = "") -> DefinitionError:
        return DefinitionError(f"{what} cannot be used in an expression", where=self.where, hint=hint)

    def _constant(self, value: Mapping[str, Any]) -> _Piece:
        match value["kind"]:
            case "STRING":
                return _Piece(literal(value["text"]), "t", constant=True)
            case "INTEGER" | "NUMERIC":
                return _Piece(
                    f"({float(value['text'])!r})" if "e" in value["text"].lower() else f"({value['text']})",
                    "n",
                    constant=True,
                )
            case "BOOLEAN":
                return _Piece(value["text"].upper(), "b", constant=True)
            case "NULL_LITERAL":
                return _Piece("NULL", ".", constant=True)
            case other:
                raise self._refuse(f"a constant of the kind {other.lower()}")

    def _column(self, path: Sequence[str]) -> _Piece:
        if len(path) != 1:
            raise self._refuse(".".join(path), 'Write a name that holds dots or blanks in double quotes: "List.Price".')
        name = path[0]
        found = self.scope.names.get(name)
        if found is None:
            near = [n for n in self.scope.names if n.casefold() == name.casefold()]
            if len(near) != 1:
                if now := self._now(name):
                    return now
                raise DefinitionError(
                    f"there is no {self.scope.what[:-1]} {name!r}",
                    where=self.where,
                    hint=hint(name, self.scope.names, self.scope.what),
                )
            name = near[0]
            found = self.scope.names[name]
        self.used[name] = None
        return _Piece(found.sql, "t" if found.text else _kind(found.type), found)

    def _now(self, name: str) -> _Piece | None:
        local = self.scope.started.astimezone(ZoneInfo(self.scope.zone))
        match name.lower():
            case "now" | "current_timestamp" | "get_current_timestamp":
                return _Piece(f"TIMESTAMPTZ '{self.scope.started.isoformat(sep=' ')}'", "d", constant=True)
            case "today" | "current_date":
                return _Piece(f"DATE '{local.date().isoformat()}'", "d", constant=True)
            case _:
                return None

    def _function(self, node: Mapping[str, Any]) -> _Piece:
        name = node["function_name"].lower()
        if not node["arguments"] and (now := self._now(name)):
            return now
        if name == "if" and len(node["arguments"]) == 3:
            when, then, other = (a["expression"] for a in node["arguments"])
            return self._case({"case_checks": [{"when_expr": when, "then_expr": then}], "else_expr": other})
        if (
            name not in FUNCTIONS
            or node["distinct"]
            or node["filter"]
            or node["order_bys"]["orders"]
            or node["schema"]
            or node["catalog"]
        ):
            known = [f for f in FUNCTIONS if f not in OPERATORS]
            shown = name.removesuffix("_star")
            near = nearest(name, known)
            raise self._refuse(
                f"the function {shown}", INSTEAD.get(shown) or (f"Did you mean {near!r}?" if near else "")
            )
        result, letters = FUNCTIONS[name]
        pieces = [self.piece(a["expression"]) for a in node["arguments"]]
        if name == "nullif":
            pieces = self._alike(pieces)
        elif name in ("+", "-") and any(p.kind in "di" for p in pieces):
            pieces = [self._dated(p) for p in pieces]
            result = "."
        elif letters == "=":
            pieces = self._alike(pieces)
        else:
            pieces = [_Piece(self.as_kind(p, letters[min(i, len(letters) - 1)]), p.kind) for i, p in enumerate(pieces)]
        if result == "=":
            result = next((p.kind for p in pieces if p.kind != "."), ".")
        if name in OPERATORS:
            if len(pieces) == 1:
                return _Piece(f"({name}{pieces[0].sql})", result)
            return _Piece(f"({pieces[0].sql} {name} {pieces[1].sql})", result)
        names = [f"{ident(a['name'])} := " if a["name"] else "" for a in node["arguments"]]
        return _Piece(f"{ident(name)}({', '.join(n + p.sql for n, p in zip(names, pieces, strict=True))})", result)

    def _dated(self, piece: _Piece) -> _Piece:
        """A text column beside a date or an interval."""
        if not piece.convertible:
            return piece
        return _Piece(self.as_kind(piece, "d"), "d")

    def _alike(self, pieces: Sequence[_Piece], *, ordering: bool = False) -> list[_Piece]:
        """Pieces that are compared, or of which one is taken: text among numbers, dates or truths is read as those."""
        kind = next((p.kind for p in pieces if p.kind in "ndb"), None)
        columns = [p for p in pieces if p.name is not None and p.kind == "t"]
        if kind is None:
            declared = {_kind(p.name.type) for p in columns if p.name and p.name.type is not None} & {"n", "d", "b"}
            others_text = any(p.constant and p.kind == "t" for p in pieces)
            if len(declared) == 1 and (ordering or not others_text):
                kind = declared.pop()
            elif ordering and len(columns) > 1 and all(p.name and p.name.type is None for p in columns):
                raise DefinitionError(
                    f"columns are compared here of which nothing says whether they are numbers, dates or text: {', '.join(self.used)}",
                    where=self.where,
                    hint="Say it with a cast, for example price::decimal > cost::decimal, or give the fields a type.",
                )
        if kind is None:
            return list(pieces)
        return [_Piece(self.as_kind(p, kind), kind if p.convertible else p.kind, constant=p.constant) for p in pieces]

    def _comparison(self, word: str, left: _Piece, right: _Piece) -> _Piece:
        a, b = self._alike([left, right], ordering=word in _ORDERING)
        return _Piece(f"({a.sql} {word} {b.sql})", "b")

    def _operator(self, kind: str, pieces: list[_Piece]) -> _Piece:
        match kind:
            case "OPERATOR_NOT":
                return _Piece(f"(NOT {self.as_kind(pieces[0], 'b')})", "b")
            case "OPERATOR_IS_NULL" | "OPERATOR_IS_NOT_NULL":
                return _Piece(f"({pieces[0].sql} IS {'NOT ' if 'NOT' in kind else ''}NULL)", "b")
            case "COMPARE_IN" | "COMPARE_NOT_IN":
                value, *among = self._alike(pieces)
                word = "NOT IN" if "NOT" in kind else "IN"
                return _Piece(f"({value.sql} {word} ({', '.join(p.sql for p in among)}))", "b")
            case "OPERATOR_COALESCE":
                alike = self._alike(pieces)
                return _Piece(
                    f"coalesce({', '.join(p.sql for p in alike)})", next((p.kind for p in alike if p.kind != "."), ".")
                )
            case "OPERATOR_TRY":
                return _Piece(f"TRY({pieces[0].sql})", pieces[0].kind)
            case "ARRAY_EXTRACT":
                return _Piece(
                    f"({pieces[0].sql})[{self.as_kind(pieces[1], 'k')}]", "t" if pieces[0].kind in "t." else "."
                )
            case "ARRAY_SLICE" if len(pieces) == 3:
                return _Piece(
                    f"({pieces[0].sql})[{self.as_kind(pieces[1], 'k')}:{self.as_kind(pieces[2], 'k')}]", pieces[0].kind
                )
            case "STRUCT_EXTRACT":
                return _Piece(f"struct_extract({pieces[0].sql}, {pieces[1].sql})", ".")
            case _:
                raise self._refuse(kind.lower().replace("_", " "))

    def _case(self, node: Mapping[str, Any]) -> _Piece:
        whens = [self.as_kind(self.piece(c["when_expr"]), "b") for c in node["case_checks"]]
        *thens, last = self._alike(
            [*(self.piece(c["then_expr"]) for c in node["case_checks"]), self.piece(node["else_expr"])]
        )
        arms = " ".join(f"WHEN {w} THEN {t.sql}" for w, t in zip(whens, thens, strict=True))
        return _Piece(
            f"(CASE {arms} ELSE {last.sql} END)", next((p.kind for p in [*thens, last] if p.kind != "."), ".")
        )

    def _cast(self, node: Mapping[str, Any]) -> _Piece:
        wanted = node["type_expr"]
        name = wanted["type_name"].upper()
        numbers = [str(c.get("literal", {}).get("text", "")) for c in wanted["children"]]
        if name not in TYPES or wanted["schema"] or wanted["catalog"] or not all(n.isdigit() for n in numbers):
            raise self._refuse(f"the type {wanted['type_name']}", f"Types are {', '.join(t.lower() for t in TYPES)}.")
        child = self.piece(node["child"])
        kind = TYPES[name]
        sql = f"nullif(hg_trim({child.sql}), '')" if child.convertible and kind != "t" else child.sql
        size = f"({', '.join(numbers)})" if numbers else ""
        return _Piece(f"{'TRY_' if node['try_cast'] else ''}CAST({sql} AS {name}{size})", kind)


def _kind(type: FieldType | None) -> str:
    if type is None:
        return "."
    if type.kind in INTEGERS or type.kind in ("decimal", "double"):
        return "n"
    if type.kind in ("date", "timestamp", "timestamptz"):
        return "d"
    return {"boolean": "b", "text": "t", "uuid": "t", "json": "t", "other": "t"}.get(type.kind, ".")


def _read(type: FieldType, t: str) -> str:
    """The text `t` as the type; blank is NULL; anything else raises inside the engine, where TRY takes it up."""
    sql = sql_type(type)
    value = rule(type, t).value
    return f"coalesce({value}, CASE WHEN hg_trim({t}) <> '' THEN CAST(concat('no {type.kind}: ', {t}) AS {sql}) END)"
