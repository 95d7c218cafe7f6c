"""MariaDB's and MySQL's errors in Headgate's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, HeadgateError
from headgate.sql import Refused

if TYPE_CHECKING:
    import pymysql

STOPPED: Final = "cancelled; nothing that was not committed is kept"
_REFUSALS: Final = {
    1216: "DE01", 1217: "DE01", 1451: "DE01", 1452: "DE01", 1022: "DE02", 1062: "DE02", 1586: "DE02",
    3819: "DE03", 4025: "DE03", 1369: "DE03", 1048: "DE04", 1364: "DE04", 1644: "DE06",
    1264: "DE05", 1265: "DE05", 1292: "DE05", 1366: "DE05", 1406: "DE05", 1411: "DE05", 1416: "DE05", 1690: "DE05",
    3140: "DE05", 3141: "DE05", 1365: "DE05",
}  # fmt: skip
_HINTS: Final = {
    1020: "Another session was writing to the same records; run again.",
    1205: "Wait until it is done, or end it; the connection's lock_timeout says how long to wait.",
    1213: "Another session was writing to the same records; run again.",
    1114: "Free space on the server, then run again; nothing uncommitted was kept.",
    1021: "Free space on the server, then run again; nothing uncommitted was kept.",
    1153: "Raise the server's max_allowed_packet, or set local_infile on at the server.",
    1290: "The server is read only, or forbids the statement by an option.",
    1425: "Give the field a type with fewer digits after the point.",
    1118: "A table of InnoDB holds fewer columns of such types: give texts a length, or map fewer fields.",
}
_LOGIN: Final = {
    1045: ("the server refuses the login: wrong password or user", "Check user and password of the connection."),
    1698: ("the server refuses the login: wrong password or user", "Check user and password of the connection."),
    1044: ("the login may not use the database", "Grant it the right, or correct the last part of the URL."),
    1049: ("there is no such database", "Check the last part of the URL; it names the database."),
    1040: ("the server has no connection free", "Close others, or raise max_connections."),
    1203: ("the login has no connection free", "Close others, or raise max_user_connections."),
    1130: ("the server does not let anybody in from here", "Ask for a login that may come from this machine."),
}
_LOST: Final = (0, 1053, 1927, 2006, 2013, 2014, 2055)
_DENIED: Final = (1142, 1143, 1227, 1370)
_COLUMN: Final = re.compile(r"[Cc]olumn '([^']*)'|Field '([^']*)'")


def number(e: pymysql.Error) -> int:
    """The error's number; 0 where the driver gave none."""
    return e.args[0] if e.args and isinstance(e.args[0], int) else 0


def is_login(e: pymysql.Error) -> bool:
    """Whether the server has answered, and let nobody in."""
    return number(e) in _LOGIN


def words(e: pymysql.Error) -> str:
    """The server's own message."""
    return str(e.args[1] if len(e.args) > 1 else e).strip() or type(e).__name__


def refusal(e: pymysql.Error) -> Refused | None:
    """The refusal of a record, if that is what the error is."""
    code = _REFUSALS.get(number(e))
    if code is None:
        return None
    said = words(e)
    named = _COLUMN.search(said)
    field = (named[1] or named[2] or "").split(".")[-1].strip("`") if named else ""
    return Refused(code, said, field)


def explain(e: pymysql.Error, what: str, *, cancelled: bool = False) -> HeadgateError:
    """What to raise for an error outside the records.

    Args:
        e: the error.
        what: the server and database, for the message.
        cancelled: whether somebody called `Writer.cancel`.
    """
    if cancelled:
        return Cancelled(STOPPED)
    code = number(e)
    if code in _LOGIN:
        message, hint = _LOGIN[code]
        return ConnectionFailed(f"{what}: {message}", hint=hint)
    if code in _LOST:
        return ConnectionFailed(
            f"{what}: the connection was lost ({words(e)})",
            hint="Run again when the server is back; nothing uncommitted was kept.",
        )
    if code in _DENIED:
        return DestinationError(f"{what}: {words(e)}", hint="Grant the login the right it lacks.")
    return DestinationError(f"{what}: {words(e)} [{code}]", hint=_HINTS.get(code, ""))
