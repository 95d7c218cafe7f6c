"""PostgreSQL's errors in Headgate's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, HeadgateError
from headgate.sql import Refused

if TYPE_CHECKING:
    import psycopg

_REFUSALS: Final = {
    "2BP01": "DE01",  # other objects depend on what is to be dropped
    "23503": "DE01", "23505": "DE02", "23P01": "DE02", "23514": "DE03", "44000": "DE03", "23502": "DE04", "23001": "DE01",
    "54000": "DE05",  # a key too long for its index, a row too wide for its page
}  # fmt: skip
_HINTS: Final = {
    "54000": "A row must fit into a page of 8 kB, but for its long texts; import some of the columns into another table.",
    "53100": "Free space on the server, then run again; nothing uncommitted was kept.",
    "53200": "The server is short of memory; run again when it is less busy.",
    "25006": "The server is a read-only replica, or the login may only read.",
    "40P01": "Another session was writing to the same tables; run again.",
    "40001": "Another session was writing to the same tables; run again.",
    "3F000": "Make the schema first: create schema ...",
    "57014": "The server broke the statement off; look at its statement_timeout.",
    "42P07": "It was made in the meantime; run again.",
}
_LOGIN: Final = {
    "28P01": ("the server refuses the login: wrong password or user", "Check user and password of the connection."),
    "28000": ("the server refuses the login", "Check the user, and the server's pg_hba.conf."),
    "3D000": ("there is no such database", "Check the last part of the URL; it names the database."),
    "53300": ("the server has no connection free", "Close others, or raise max_connections."),
    "57P03": ("the server is starting up or shutting down", "Try again in a moment."),
}


def words(e: psycopg.Error) -> str:
    """The server's own message, with its detail."""
    d = e.diag
    primary = d.message_primary or str(e).strip().split("\n")[0]
    return f"{primary} ({d.message_detail.rstrip('.')})" if d.message_detail else primary


def refusal(e: psycopg.Error) -> Refused | None:
    """The refusal of a record, if that is what the error is."""
    import psycopg

    state = e.sqlstate or ""
    if not state and isinstance(e, psycopg.DataError):  # a value that the driver could not even send: a text with NUL
        return Refused("DE05", words(e))
    code = _REFUSALS.get(state) or {"22": "DE05", "23": "DE06", "P0": "DE06"}.get(state[:2])
    if state == "42501" and "row-level security" in str(e):
        code = "DE06"
    return Refused(code, words(e), e.diag.column_name or "") if code else None


def explain(e: psycopg.Error, what: str, *, cancelled: bool = False) -> HeadgateError:
    """What to raise for an error outside the records.

    Args:
        e: the error.
        what: the server and database, for the message.
        cancelled: whether somebody called `Writer.cancel`.
    """
    state = e.sqlstate or ""
    if cancelled:
        return Cancelled("cancelled; nothing that was not committed is kept")
    if state in _LOGIN:
        message, hint = _LOGIN[state]
        return ConnectionFailed(f"{what}: {message}", hint=hint)
    if not state or state[:2] == "08" or state in ("57P01", "57P02"):
        return ConnectionFailed(
            f"{what}: the connection was lost ({words(e)})",
            hint="Run again when the server is back; nothing uncommitted was kept.",
        )
    if (
        state == "23505" and e.diag.schema_name == "pg_catalog"
    ):  # two transactions that make one table at the same moment
        return DestinationError(f"{what}: another session made the same table at this moment", hint="Run again.")
    if state == "42501":
        return DestinationError(f"{what}: {words(e)}", hint="Grant the login the right it lacks.")
    return DestinationError(f"{what}: {words(e)} [{state}]", hint=_HINTS.get(state, ""))
