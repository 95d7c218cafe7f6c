"""How SQLite spells what `headgate.sql` needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from headgate.model.errors import DestinationError
from headgate.model.table import Column
from headgate.model.types import IMAGE, INTEGERS, FieldType
from headgate.model.write import WriteField, WriteSpec
from headgate.sql import STAGE

from .session import BLOB
from .stage import WORK
from .tables import Found, quoted
from .types import affinity, decode, encode

_INFINITE: Final = "9e999"  # a number too large for SQLite is infinite
_TIMES: Final = ("date", "time", "timestamp", "timestamptz")


class SqliteSpelling:
    """What needs no table to be known."""

    schema = "main"
    """Where the destination's own tables are."""

    def literal(self, value: object, column: Column) -> str:
        """A value from a definition as that column stores it.

        Raises:
            DestinationError: it is no value of the column's type.
        """
        if value is None:
            return "null"
        read = decode([value], column.type)
        if read.null_count:
            raise DestinationError(f"{value!r} is not a {column.type}, the type of column {column.name}")
        stored = encode(read, column.type, affinity(column.type.native)).to_pylist()[0]
        if isinstance(stored, bytes):
            return f"x'{stored.hex()}'"
        return repr(stored) if isinstance(stored, (int, float)) else "'" + str(stored).replace("'", "''") + "'"

    def state_table(self, name: str) -> str:
        """A table beside the others; its name begins with an underscore."""
        return f"{self.schema}.{quoted(name)}"

    def state_type(self, of: str) -> str:
        """INTEGER or TEXT."""
        return "INTEGER" if of == "number" else "TEXT"


class SqliteDialect(SqliteSpelling):
    """Statements for one table and one run.

    Staged columns have the affinity of the columns they are for, so that a staged value is what the column would hold,
    comparisons convert nothing, and indexes of either side can be used.

    Args:
        spec: what the engine asked for.
        found: the table.
    """

    overriding = ""

    def __init__(self, spec: WriteSpec, found: Found) -> None:
        self.affinities = {f.name: affinity(found.declared[f.name]) for f in spec.fields}
        self._staged = {f"{side}{i}": self.affinities[f.name] for i, f in enumerate(spec.fields) for side in "fp"}
        self._collations: Mapping[str, str] = found.collations
        self._key = spec.key

    def affinity_of(self, staged: str) -> str:
        """The affinity of a column of the stage."""
        return self._staged.get(staged, "INTEGER")

    def quote(self, name: str) -> str:
        """A name as an identifier."""
        return quoted(name)

    def temp(self, name: str) -> str:
        """A table of the working database."""
        return f"{WORK}.{name}"

    def create_temp(self, name: str, columns: Sequence[tuple[str, str]]) -> str:
        """Make a table of the working database."""
        types = self._staged if name == STAGE else {}
        return f"create table {self.temp(name)} ({', '.join(f'{n} {types.get(n, t)}' for n, t in columns)})"

    def create_temp_as(self, name: str, select: str) -> str:
        """Make a table of the working database from a query."""
        return f"create table {self.temp(name)} as {select}"

    def index_temp(self, name: str, column: str) -> str:
        """Index a column of a table of the working database."""
        return f"create index if not exists {self.temp(f'{name}_{column}')} on {name} ({column})"

    def index_stage(self) -> str:
        """Index the key in the stage: mirror looks every record of the destination up there, and it shows repeated keys;
        finding those without an index is slow unless they come sorted.
        """
        columns = [f"f{i} collate {self._collation(name)}" for name, i in self._key_positions()]
        return f"create index if not exists {self.temp('_hg_stage_key')} on {STAGE} ({', '.join(columns)})"

    def _key_positions(self) -> list[tuple[str, int]]:
        names = list(self.affinities)
        return [(k, names.index(k)) for k in self._key]

    def _collation(self, name: str) -> str:
        return self._collations.get(name, "binary")

    def staged_type(self, of: FieldType) -> str:
        """Affinities stand in for types (`create_temp`); the internal columns hold integers and text."""
        return "integer" if of.kind in INTEGERS or of.kind == "boolean" else "blob" if of.kind == "binary" else "text"

    def distinct(self, a: str, b: str) -> str:
        """Condition: the two differ, byte for byte, whatever collation the column has."""
        return f"{a} collate binary is not {b}"

    def is_true(self, expr: str) -> str:
        """Condition: a staged boolean is true."""
        return f"{expr} is 1"

    def value(self, expr: str, field: WriteField, column: Column) -> str:  # noqa: ARG002 - staged as the column holds it
        """A staged value; a key's with the collation in which it is unique."""
        if field.type == IMAGE:
            expr = _of_image(expr)
        return f"{expr} collate {self._collation(field.name)}" if field.name in self._key else expr

    def can_fail(self, field: WriteField, column: Column) -> bool:  # noqa: ARG002 - `value` converts nothing
        """Whether `value` can fail."""
        return False

    def comparable(self, expr: str, column: Column) -> str:
        """Points in time are compared in the form they are written in, whatever form the column has them in."""
        return _canonical(expr, column.type.kind) if column.type.kind in _TIMES else expr

    def shown(self, expr: str, field: WriteField, column: Column) -> str:
        """A value of that column, NULL where it cannot be one of the field's type."""
        kind = field.type.kind
        if field.type == IMAGE:
            return self.image(expr, column)
        if kind in _TIMES:
            shape = "[0-2][0-9]:[0-5][0-9]*" if kind == "time" else "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]*"
            return f"case when {expr} glob '{shape}' then {_canonical(expr, kind)} end"
        numeric = kind in INTEGERS or kind in ("decimal", "double", "boolean")
        if numeric and affinity(column.type.native) not in ("TEXT", "BLOB"):
            return f"case when typeof({expr}) in ('integer', 'real') then {expr} end"
        return expr

    def image(self, expr: str, column: Column) -> str:  # noqa: ARG002 - any column may hold any kind of value
        """The kind of value in one letter, and the value: SQLite keeps kinds apart whatever a column's type."""
        real = f"case {expr} when {_INFINITE} then 'Inf' when -{_INFINITE} then '-Inf' else quote({expr}) end"
        return (
            f"case typeof({expr}) when 'integer' then 'i' || {expr} when 'real' then 'r' || {real} "
            f"when 'text' then 't' || {expr} when 'blob' then 'x' || hex({expr}) end"
        )

    def all_same(self, left: Sequence[str], right: Sequence[str]) -> str:
        """``IS``, pair by pair."""
        return " and ".join(f"{a} collate binary is {b}" for a, b in zip(left, right, strict=True))

    def update_from(self, target: str, sets: Sequence[tuple[str, str]], source: str, where: str) -> str:
        """UPDATE ... FROM, in which a table's own ON CONFLICT clauses do not count: they would drop or replace records
        without a word.
        """
        return f"update or abort {target} as t set {', '.join(f'{c} = {v}' for c, v in sets)} from {source} s where {where}"

    def delete_using(self, target: str, source: str, locators: Sequence[str], where: str) -> str:
        """DELETE of the rows another table names."""
        names = ", ".join(f"s._l{i}" for i in range(len(locators)))
        return f"delete from {target} where ({', '.join(locators)}) in (select {names} from {source} s where {where})"


def _of_image(expr: str) -> str:
    """The value of an image. A text is cut as a blob, since as text it would end at the first NUL."""
    rest = f"substr({expr}, 2)"
    real = f"case {rest} when 'Inf' then {_INFINITE} when '-Inf' then -{_INFINITE} else cast({rest} as real) end"
    return (
        f"case substr({expr}, 1, 1) when 'i' then cast({rest} as integer) when 'r' then {real} "
        f"when 't' then cast(substr(cast({expr} as blob), 2) as text) when 'x' then {BLOB}({rest}) end"
    )


def _canonical(expr: str, kind: str) -> str:
    """A point in time as `encode` writes it: a blank between date and time, no fraction that is zero, +00:00 for Z.

    Written out by others it may have a T, a fraction of zeros, no seconds, or no time at all; anything else stays.
    """
    if kind == "date":
        return f"case when {expr} glob '*[0-9][ T]00:00*' then substr({expr}, 1, 10) else {expr} end"
    if kind == "time":
        return _without_zeros(f"case length({expr}) when 5 then {expr} || ':00' else {expr} end")
    end, bare = ("+00:00", _bare_utc(expr)) if kind == "timestamptz" else ("", expr)
    length = 19 + len(end)
    blank = f"replace({bare}, 'T', ' ')"
    full = f"case length({bare}) when 10 then {bare} || ' 00:00:00' when 16 then {blank} || ':00' else {_without_zeros(blank)} end"
    if end:
        elsewhere = f"{expr} glob '*[0-9][+-][0-9][0-9]:[0-9][0-9]' and {expr} not glob '*+00:00'"
        full = f"case when {elsewhere} then {expr} else {full} || '{end}' end"
    return f"case when length({expr}) = {length} and substr({expr}, 11, 1) = ' ' then {expr} else {full} end"


def _bare_utc(expr: str) -> str:
    return f"replace(replace({expr}, '+00:00', ''), 'Z', '')"


def _without_zeros(expr: str) -> str:
    """The fraction with six digits, or left out where it is zero."""
    point = f"instr({expr}, '.')"
    zero = f"rtrim(substr({expr}, {point} + 1), '0') = ''"
    micros = f"substr({expr} || '000000', 1, {point} + 6)"
    return f"case when {point} = 0 then {expr} when {zero} then substr({expr}, 1, {point} - 1) else {micros} end"
