"""What the database says about its tables."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from headgate.model.errors import DestinationError, UsageError
from headgate.model.table import Column, TableSchema
from headgate.model.write import Operation

from .connection import identifier, literal
from .types import field_type

Rows = Callable[[str], list[tuple[Any, ...]]]

_NAME: Final = re.compile(r'(?:(?:"((?:[^"]|"")+)"|([^".]+))\.)?(?:"((?:[^"]|"")+)"|([^".]+))')
_NO_TEMP: Final = (
    "n.nspname !~ '^pg_(toast|temp)' and n.nspname not in ('pg_catalog', 'information_schema', '_headgate')"
)
_TABLE, _PARTITIONED, _VIEW, _FOREIGN, _MATERIALIZED = "r", "p", "v", "f", "m"
_WAYS: Final = {"update": 4, "insert": 8, "delete": 16}  # bits of pg_relation_is_updatable


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or foreign table as the database knows it.

    Attributes:
        schema, name: exact.
        kind: ``r`` table, ``p`` partitioned, ``v`` view, ``f`` foreign table, ``m`` materialized view.
        copies: whether COPY may write to it.
        simple: whether it is a table of its own, and what is written to it is written as it is.
        inherited: whether other tables are part of it.
        incomparable: columns whose type has no equality.
    """

    oid: int
    schema: str
    name: str
    kind: str
    copies: bool
    simple: bool
    inherited: bool
    table: TableSchema
    incomparable: frozenset[str]

    @property
    def sql(self) -> str:
        """The name for statements."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    @property
    def locators(self) -> tuple[str, ...] | None:
        """What finds a row again; None where only the key does."""
        if self.kind in (_VIEW, _FOREIGN):
            return None
        return ("tableoid", "ctid") if self.inherited else ("ctid",)


def split(name: str) -> tuple[str | None, str]:
    """The schema, if there is one, and the table of a name as a user writes it (``orders``, ``sales.orders``,
    ``"odd.name"``).

    Raises:
        UsageError: it is no name.
    """
    m = _NAME.fullmatch(name)
    if m is None:
        raise UsageError(f"{name!r} is no name of a table", hint='It looks like orders, sales.orders or "odd.name".')
    quoted_schema, schema, quoted_table, table = (part.replace('""', '"') if part else None for part in m.groups())
    return quoted_schema or schema, quoted_table or table or ""


def find(rows: Rows, name: str) -> Relation | None:
    """Look a table up: exactly as written first, then in lower case, along the search path where no schema is given."""
    schema, table = split(name)
    where = (
        f"n.nspname in ({literal(schema)}, {literal(schema.lower())})"
        if schema
        else "n.nspname = any(current_schemas(false))"
    )
    found = rows(
        "select c.oid::bigint, n.nspname, c.relname, c.relkind, c.relkind in ('r', 'p') and not c.relrowsecurity and not c.relhasrules, "
        "c.relkind = 'r' and not c.relrowsecurity and not c.relhasrules and not c.relhassubclass and not exists "
        "(select from pg_trigger g where g.tgrelid = c.oid and not g.tgisinternal), c.relkind = 'p' or c.relhassubclass "
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        f"where c.relname in ({literal(table)}, {literal(table.lower())}) and {where} and c.relkind in ('r', 'p', 'v', 'f', 'm') "
        f"order by c.relname = {literal(table)} desc, array_position(current_schemas(false), n.nspname) nulls last limit 1"
    )
    if not found:
        return None
    oid, nspname, relname, kind, copies, simple, inherited = found[0]
    columns, incomparable = _columns(rows, oid)
    key, unique = _keys(rows, oid)
    return Relation(
        oid, nspname, relname, kind, copies, simple, inherited, TableSchema(name, columns, key, unique), incomparable
    )


def _columns(rows: Rows, oid: int) -> tuple[tuple[Column, ...], frozenset[str]]:
    """Columns with domains resolved to what they are made of."""
    found = rows(
        f"""
        select a.attname, coalesce(case when bt.typnamespace = 'pg_catalog'::regnamespace then bt.typname end, ''), b.mod,
               format_type(b.oid, b.mod), not (a.attnotnull or b.required),
               a.atthasdef or a.attidentity <> '' or b.filled, a.attgenerated <> '',
               bt.typcategory = 'G' or coalesce(et.typcategory = 'G' or et.typname in ('json', 'xml'), false) or bt.typname in ('json', 'xml')
          from pg_attribute a
          cross join lateral (
            with recursive d (oid, mod, required, filled, depth) as (
              select a.atttypid, a.atttypmod, false, false, 0
              union all
              select t.typbasetype, case when t.typtypmod >= 0 then t.typtypmod else d.mod end, d.required or t.typnotnull,
                     d.filled or t.typdefault is not null, depth + 1
                from d join pg_type t on t.oid = d.oid where t.typtype = 'd'
            ) select * from d order by depth desc limit 1) b
          join pg_type bt on bt.oid = b.oid
          left join pg_type et on et.oid = bt.typelem and bt.typcategory = 'A'
         where a.attrelid = {oid} and a.attnum > 0 and not a.attisdropped
         order by a.attnum
        """
    )
    columns = tuple(
        Column(name, field_type(base, mod, spelled), nullable=nullable, default=default, generated=generated)
        for name, base, mod, spelled, nullable, default, generated, _ in found
    )
    return columns, frozenset(row[0] for row in found if row[7])


def _keys(rows: Rows, oid: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    found = rows(
        f"""
        select i.indisprimary, array(
                 select a.attname::text from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) with ordinality k (num, pos)
                   join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.num order by k.pos)
          from pg_index i
         where i.indrelid = {oid} and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
         order by i.indexrelid
        """
    )
    primary = next((tuple(names) for first, names in found if first), ())
    return primary, tuple(tuple(names) for first, names in found if not first)


def names(rows: Rows) -> list[str]:
    """All tables, views and foreign tables, with their schema where the search path does not find them."""
    found = rows(
        "select case when pg_table_is_visible(c.oid) then null else n.nspname end, c.relname "
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        f"where c.relkind in ('r', 'p', 'v', 'f', 'm') and not c.relispartition and {_NO_TEMP} order by 1 nulls first, 2"
    )
    return [".".join(_written(part) for part in row if part is not None) for row in found]


def missing(rows: Rows, name: str, what: str, *, create: bool = True) -> DestinationError:
    """What to raise when there is no table of that name; names those it may have meant, and that it could be made."""
    there = names(rows)
    near = difflib.get_close_matches(name, there, n=3)
    hint = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else f"There are: {', '.join(there[:20])}."
        if there
        else "There are no tables."
    )
    return DestinationError(
        f"{what}: there is no table {name!r}", hint=f"{hint} To make it, say create: true." if create else hint
    )


def _written(part: str) -> str:
    return identifier(part) if "." in part or '"' in part else part


def check_writable(rows: Rows, relation: Relation, what: str, needs: frozenset[str]) -> None:
    """Refuse a relation that cannot be written, or not by this login.

    Args:
        rows: runs a query.
        relation: the relation.
        what: the server, for messages.
        needs: of ``select``, ``insert``, ``update``, ``delete``.

    Raises:
        DestinationError: it is of the wrong kind, or rights are missing; the message names them.
    """
    kinds = {_MATERIALIZED: "a materialized view", _VIEW: "a view", _FOREIGN: "a foreign table"}
    name = relation.table.name
    if relation.kind == _MATERIALIZED:
        raise DestinationError(
            f"{what}: {name} is a materialized view, which cannot be written", hint="Write to its tables."
        )
    if relation.kind in kinds:
        can = int(rows(f"select pg_relation_is_updatable({relation.oid}, true)")[0][0])
        if lacking := [way for way, bit in _WAYS.items() if way in needs and not can & bit]:
            raise DestinationError(
                f"{what}: {name} is {kinds[relation.kind]} that cannot {' or '.join(lacking)}",
                hint="Write to its tables.",
            )
    held = {
        right: held
        for right in sorted(needs)
        for (held,) in rows(
            f"select has_table_privilege({relation.oid}, '{right}')"
            + ("" if right == "delete" else f" or has_any_column_privilege({relation.oid}, '{right}')")
        )
    }
    if lacking := [right for right, has in held.items() if not has]:
        user = rows("select current_user")[0][0]
        raise DestinationError(
            f"{what}: {user} lacks the right to {', '.join(lacking)} on {name}",
            hint=f"Ask its owner: grant {', '.join(lacking)} on {relation.sql} to {identifier(user)}",
        )


def lock_mode(rows: Rows, relation: Relation) -> str | None:
    """The strongest lock that keeps writers away and readers in, as far as the login may take it."""
    if relation.kind == _FOREIGN:
        return None
    strong = rows(f"select has_table_privilege({relation.oid}, 'update, delete, truncate')")[0][0]
    return "share row exclusive" if strong else None


NEEDS: Final = {
    Operation.APPEND: frozenset({"insert"}),
    Operation.INSERT: frozenset({"select", "insert"}),
    Operation.UPDATE: frozenset({"select", "update"}),
    Operation.UPSERT: frozenset({"select", "insert", "update"}),
    Operation.DELETE: frozenset({"select", "delete"}),
    Operation.MIRROR: frozenset({"select", "insert", "update"}),
}
