"""The DuckDB a program runs in, and the only two ways names and values get into its SQL."""

from __future__ import annotations

from headgate.model.instances import Borrowed, Instances

BLANKS = " \t\r\n\u00a0"
# A number written plainly, without exponent, plus sign, blanks and zeros that say nothing; NULL when it is no number. Of its
# parts, `n` is all before the exponent, empty when the text has another shape; `w` and `f` are the digits before and after the
# point without the outer zeros, `e` is the exponent. With an exponent the point moves, and there may be outer zeros again.
_PARTS = r"""
CREATE MACRO hg_parts(t) AS
  regexp_extract(hg_trim(t), '^(([+-]?)0*([0-9]*)(?:\.([0-9]*?)0*)?)(?:[eE]([+-]?[0-9]{1,4}))?$', ['n', 's', 'w', 'f', 'e'])"""
_PLAIN = """
CREATE MACRO hg_plain(m) AS CASE
  WHEN m.w = '' AND m.f = '' THEN CASE WHEN contains(m.n, '0') THEN '0' END
  ELSE CASE WHEN m.s = '-' THEN '-' ELSE '' END || CASE
    WHEN m.e = '' THEN CASE WHEN m.w = '' THEN '0' ELSE m.w END || CASE WHEN m.f = '' THEN '' ELSE '.' || m.f END
    ELSE hg_shifted(m.w, m.f, CAST(m.e AS INTEGER)) END END"""
_NUMBER = "CREATE MACRO hg_number(t) AS list_transform([hg_parts(t)], lambda m: hg_plain(m))[1]"
_SHIFTED = """
CREATE MACRO hg_shifted(w, f, e) AS CASE
  WHEN e >= strlen(f) THEN ltrim(w || f, '0') || repeat('0', e - strlen(f))
  WHEN strlen(w) + e <= 0 THEN '0.' || repeat('0', -e - strlen(w)) || rtrim(w || f, '0')
  ELSE coalesce(nullif(ltrim(left(w || f, strlen(w) + e), '0'), ''), '0')
    || rtrim('.' || rtrim(substr(w || f, strlen(w) + e + 1), '0'), '.') END"""


def ident(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A constant as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if "\0" in text:
        return "(" + " || chr(0) || ".join(literal(part) for part in text.split("\0")) + ")"
    return "'" + text.replace("'", "''") + "'"


# The order of records is the order of the source: a lookup may not turn the join around. A part that an expression has twice may
# not be moved out of the TRY that guards it, nor a list of words out of the CASE that rarely reaches it. And a prepared query
# that the optimizer goes over is planned again at each execution, for longer than a batch takes to map.
_instances = Instances(
    {
        "threads": 1,
        "memory_limit": "300MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    },
    (
        "SET GLOBAL TimeZone = 'UTC'",
        "SET GLOBAL enable_optimizer = false",
        f"CREATE MACRO hg_trim(t) AS trim(t, {literal(BLANKS)})",
        *(_PARTS, _SHIFTED, _PLAIN, _NUMBER),
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ),
    spills=True,
)


def soon() -> None:
    """Say that `connect` is about to be called."""
    _instances.soon()


def connect() -> Borrowed:
    """A DuckDB of one thread and little memory, without files, network or extensions, whose settings cannot be changed.

    The caller closes it; all tables made in it are temporary ones.
    """
    return _instances.borrow()
