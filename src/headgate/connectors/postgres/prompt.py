"""Few records in one statement: matched, written and committed in one round trip.

It decides as the stage does (`headgate.sql`), in common table expressions in the place of temporary tables. What that cannot
express, or what the server refuses, is left to the writer: nothing was written then.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from headgate.model.outcome import Outcome
from headgate.model.write import Operation, WriteSpec
from headgate.spi.destination import COUNTS, Decided
from headgate.sql import STATE, Statements, Target

from .catalog import NEEDS, Relation, check_writable, find, missing
from .connection import Access, PostgresSession, identifier, literal
from .dialect import PostgresDialect
from .errors import refusal
from .literals import literals
from .types import staged

_OPERATIONS: Final = (Operation.UPSERT, Operation.INSERT, Operation.UPDATE, Operation.APPEND)
_NAME: Final = b"headgate"
_INTEGERS: Final = (20, 21, 23)
"""The types of PostgreSQL that are whole numbers."""
_CREATED, _UPDATED, _UNCHANGED, _THERE, _MISSING = range(1, 6)
_OUTCOMES: Final = {
    _CREATED: Outcome.CREATED,
    _UPDATED: Outcome.UPDATED,
    _UNCHANGED: Outcome.UNCHANGED,
    _THERE: Outcome.SKIPPED,
    _MISSING: Outcome.SKIPPED,
}

# A plan is made once and must stay good while the table grows from nothing: records are always looked up by their key.
_SETTINGS: Final = """
set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 1;
set standard_conforming_strings = on; set client_min_messages = warning; set jit = off; set plan_cache_mode = force_generic_plan;
set enable_seqscan = off
"""


def open_prompt(access: Access, spec: WriteSpec) -> PostgresPrompt | None:
    """A prompt way to a table; None where it needs a writer.

    Raises:
        DestinationError: the table is missing, or cannot be written.
    """
    if spec.operation not in _OPERATIONS or spec.create or spec.deletes or spec.added or spec.widened or spec.journal:
        return None
    if any(f.keeps or f.when != "always" for f in spec.fields):
        return None
    session = PostgresSession(access)
    try:
        statement = _prepared(session, access, spec)
        if statement is not None:
            return PostgresPrompt(session, spec, statement)
    except BaseException:
        session.close()
        raise
    session.close()
    return None


def _prepared(session: PostgresSession, access: Access, spec: WriteSpec) -> str | None:
    relation = find(session.rows, spec.table)
    if relation is None:
        raise missing(session.rows, spec.table, access.name)
    check_writable(session.rows, relation, access.name, NEEDS[spec.operation])
    statement = _statement(spec, relation)
    if statement is not None:
        session.run(f"{_SETTINGS}; set lock_timeout = '{access.lock_timeout}s'")
        session.commit()
        session.connection.autocommit = True
    return statement


class PostgresPrompt:
    """See `headgate.spi.destination.Prompt`. It speaks to libpq itself, which need not be waited for.

    Args:
        session: in autocommit.
        statement: takes the numbers, one list a field, and the checkpoint's two halves.
    """

    def __init__(self, session: PostgresSession, spec: WriteSpec, statement: str) -> None:
        self._session = session
        self._pg = session.connection.pgconn
        self._ticketed = spec.ticket is not None
        self._encoders = [literals(f.type) for f in spec.fields]
        self._count = 0
        prepared = self._pg.prepare(_NAME, statement.encode())
        if prepared.status != ExecStatus.COMMAND_OK:
            raise self._failure(prepared)
        self._pg.nonblocking = 1

    def begin(self, rows: Sequence[tuple[Any, ...]], checkpoint: str) -> None:
        """Send; see `headgate.spi.destination.Prompt.begin`."""
        self._count = len(rows)
        columns = [e(c).encode() for e, c in zip(self._encoders, zip(*rows, strict=True), strict=True)]
        numbers = ("{" + ",".join(map(str, range(len(rows)))) + "}").encode()
        halves = [half.encode() for half in checkpoint.split(COUNTS)] if self._ticketed else []
        try:
            self._pg.send_query_prepared(_NAME, [numbers, *columns, *halves])
            while self._pg.flush():  # more than fits into the socket at once
                select.select([self._pg.socket], [self._pg.socket], [])
                self._pg.consume_input()
        except psycopg.Error as e:
            raise self._session.failure(e) from None

    def fileno(self) -> int:
        """The connection's socket."""
        return self._pg.socket

    def ready(self) -> bool:
        """See `headgate.spi.destination.Prompt.ready`."""
        try:
            self._pg.consume_input()
        except psycopg.Error as e:
            raise self._session.failure(e) from None
        return not self._pg.is_busy()

    def finish(self) -> list[Decided] | None:
        """See `headgate.spi.destination.Prompt.finish`."""
        answer, result = None, self._pg.get_result()
        while result is not None:
            answer, result = answer or result, self._pg.get_result()
        if answer is None or answer.status != ExecStatus.TUPLES_OK:
            error = self._error(answer)
            if not self._session.cancelled and (refusal(error) is not None or error.sqlstate in ("40001", "40P01")):
                return None
            raise self._session.failure(error)
        own = int if answer.ftype(2) in _INTEGERS else bytes.decode
        decided: list[Any] = [None] * self._count
        for n in range(answer.ntuples):
            value = answer.get_value(n, 2)
            number, what = int(answer.get_value(n, 0) or 0), int(answer.get_value(n, 1) or 0)
            decided[number] = Decided(_OUTCOMES[what], None if value is None else own(value))
        return decided

    def _error(self, result: PGresult | None) -> psycopg.Error:
        if result is None or not result.error_message:
            return psycopg.OperationalError(self._pg.get_error_message())
        return psycopg.errors.error_from_result(result)

    def _failure(self, result: PGresult) -> Exception:
        return self._session.failure(self._error(result))

    def cancel(self) -> None:
        """Break off what another thread waits for."""
        self._session.cancel()

    def close(self) -> None:
        """Disconnect."""
        self._session.close()


def _statement(spec: WriteSpec, relation: Relation) -> str | None:
    """The statement for a table; None where there is none that decides as the stage would."""
    keys = (relation.table.key, *relation.table.unique)
    keyed = spec.operation is not Operation.APPEND
    key = next((k for k in keys if k and set(k) == set(spec.key)), None)
    dialect = PostgresDialect(relation.incomparable)
    columns = {c.name: c for c in relation.table.columns}
    if not relation.simple or (keyed and key is None) or any(f.name not in columns for f in spec.fields):
        return None
    # A value that is no value of its column would be refused by a cast, and then no record would be to blame.
    if any(dialect.can_fail(f, columns[f.name]) or f.type.kind == "binary" for f in spec.fields):
        return None
    target = Target(relation.sql, columns, ("ctid",), unique=True)
    return _Composer(spec, target, Statements(dialect, spec, target), relation.table.key).statement()


class _Composer:
    """Composes the statement: ``m`` is every record with what was found of it, ``u`` and ``c`` do what follows from that, ``k`` keeps
    the checkpoint. Where they do not do just what ``m`` says, because somebody else was at a record or has claimed the scope, a
    division by zero ends the statement, and with it all that it did."""

    def __init__(self, spec: WriteSpec, target: Target, statements: Statements, primary: tuple[str, ...]) -> None:
        self.spec, self.target, self.of = spec, target, statements
        names = [f.name for f in spec.fields]
        self.names = ", ".join(identifier(n) for n in names)
        self.own = identifier(primary[0]) if len(primary) == 1 and primary[0] not in names else None

    def statement(self) -> str:
        operation = self.spec.operation
        parts = [f"m as materialized ({self._matched()})"]
        checks, answer, joined = (
            [],
            f"m._n, {_CREATED}" if operation is Operation.APPEND else f"m._n, {self._what()}",
            "",
        )
        found = "null::text" if self.own is None or operation is Operation.APPEND else "m.id"
        if operation in (Operation.UPSERT, Operation.UPDATE):
            parts.append(f"u as ({self._update()})")
            checks.append(_same("u", "found and changed"))
        if operation is not Operation.UPDATE:
            parts.append(f"c as ({self._insert()})")
            checks.append(_same("c", "not found"))
            if self.own is not None:
                found, joined = self._made(found)
        if self.spec.ticket is not None:
            parts.append(f"k as ({self._keep()})")
            checks.append("(select count(*) from k) = 1")
        refused = self._refused()
        checks += [f"not exists (select from m where {refused})"] if refused else []
        whole = f"1 / (case when {' and '.join(checks)} then 1 else 0 end) = 1"
        return f"with {', '.join(parts)} select {answer}, {found} from m{joined} where {whole}"

    def _matched(self) -> str:
        fields = list(enumerate(self.spec.fields))
        arrays = ", ".join(["$1::int[]", *(f"${i + 2}::{staged(f.type)}[]" for i, f in fields)])
        names = ", ".join(["_n", *(f"f{i}" for i, _ in fields)])
        columns = ", ".join(["s._n", *(f"{self.of.value(f)} as f{i}" for i, f in fields)])
        given = f"unnest({arrays}) as s ({names})"
        if self.spec.operation is Operation.APPEND:
            return f"select {columns}, false as found, false as changed from {given}"
        changed = "false" if self.spec.operation is Operation.INSERT else self.of.differs()
        own = f"t.{self.own}" if self.own is not None else "null::text"
        return (
            f"select {columns}, t.ctid is not null as found, {changed} as changed, {own} as id "
            f"from {given} left join {self.target.name} t on {self.of.on_key()}"
        )

    def _update(self) -> str:
        fields = enumerate(self.spec.fields)
        sets = [f"{identifier(f.name)} = m.f{i}" for i, f in fields if f.name not in self.spec.key]
        if not sets:
            return "select from m where false"
        return f"update {self.target.name} t set {', '.join(sets)} from m where m.changed and m.found and {self._on('m')} returning 1"

    def _on(self, alias: str) -> str:
        numbers = {f.name: i for i, f in enumerate(self.spec.fields)}
        return " and ".join(f"t.{identifier(k)} = {alias}.f{numbers[k]}" for k in self.spec.key)

    def _insert(self) -> str:
        values = ", ".join(f"m.f{i}" for i in range(len(self.spec.fields)))
        insert = f"insert into {self.target.name} ({self.names}) select {values} from m where not m.found order by m._n"
        if self.spec.operation is Operation.APPEND:
            return f"{insert} returning {self.own or '1'}"
        keys = ", ".join(identifier(k) for k in self.spec.key)
        returned = f"{keys}, {self.own} as own" if self.own is not None else "1"
        return f"{insert} on conflict ({keys}) do nothing returning {returned}"

    def _made(self, found: str) -> tuple[str, str]:
        """The destination's own keys of what was created, and how they are joined to the records."""
        if (
            self.spec.operation is Operation.APPEND
        ):  # what a plain table gives back is in the order of what was given to it
            return (
                "made.own",
                f" join (select (row_number() over ())::int - 1 as _n, {self.own} as own from c) made on made._n = m._n",
            )
        numbers = {f.name: i for i, f in enumerate(self.spec.fields)}
        on = " and ".join(f"c.{identifier(k)} = m.f{numbers[k]}" for k in self.spec.key)
        return f"coalesce({found}, c.own)", f" left join c on {on}"

    def _what(self) -> str:
        match self.spec.operation:
            case Operation.INSERT:
                return f"case when found then {_THERE} else {_CREATED} end"
            case Operation.UPDATE:
                return f"case when not found then {_MISSING} when changed then {_UPDATED} else {_UNCHANGED} end"
            case _:
                return f"case when not found then {_CREATED} when changed then {_UPDATED} else {_UNCHANGED} end"

    def _refused(self) -> str:
        """Condition: the record is to be rejected."""
        if self.spec.operation is Operation.INSERT and self.spec.existing != "skip":
            return "found"
        return "not found" if self.spec.operation is Operation.UPDATE and self.spec.missing != "skip" else ""

    def _keep(self) -> str:
        ticket = self.spec.ticket
        assert ticket is not None
        conditions = {"created": "not found", "updated": "found and changed", "unchanged": "found and not changed"}
        if self.spec.operation is Operation.INSERT:
            conditions = {"created": "not found", "existing": "found"}
        elif self.spec.operation is Operation.UPDATE:
            conditions = conditions | {"created": "false", "missing": "not found"}
        counts = [f"'\"{name}\":' || count(*) filter (where {when})" for name, when in conditions.items()]
        first = len(self.spec.fields) + 2
        text = (
            f"${first}::text || (select '{{' || "
            + " || ',' || ".join(counts)
            + f" || '}}' from m) || ${first + 1}::text"
        )
        return (
            f"update {PostgresDialect().state_table(STATE)} set checkpoint = {text} "
            f"where scope = {literal(ticket.scope)} and fence = {ticket.fence} returning 1"
        )


def _same(done: str, what: str) -> str:
    return f"(select count(*) from {done}) = (select count(*) from m where {what})"
