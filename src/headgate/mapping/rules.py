"""How text becomes a value of a type: one SQL rule for each type, and nothing is lost or guessed on the way.

A rule goes in steps, so that a batch of well-written values stays cheap: DuckDB's own cast gives a first answer, which is
taken only where it proves itself (it comes back as the very text it was made of, or the text has a shape in which the cast
cannot err); everything else goes through the strict and dearer way. A value that is not of the type is NULL, and `Rule.code`
then says why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from headgate.model.errors import DefinitionError
from headgate.model.types import INTEGERS, FieldType

from .sql import literal

_SQL = {
    "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ", "binary": "BLOB",
}  # fmt: skip
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
_FINE_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_SECOND = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET = r"(?:Z|z|[+-](?:0[0-9]|1[0-8])(?::?[0-5][0-9])?)"
_MIDNIGHT = rf"[T ]00:00(?::00(?:\.0+)?)?{_OFFSET}?"
_UUID = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
# Text in which nothing is inside quotes any more: what DuckDB's parser lets through and JSON does not know.
_NOT_JSON = r"(?i)nan|inf|,\s*[\]}]"
BOOLEAN_WORDS = {
    True: ("true", "t", "yes", "y", "1", "on"),
    False: ("false", "f", "no", "n", "0", "off"),
}


Place = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Rule:
    """SQL of the value, NULL where the text is none, and of the code of a text that is not blank and has no value."""

    value: str
    code: str


def inline(_letter: str, sql: str, *_uses: str) -> str:
    """Steps written into each other, for where there are no columns to put them in."""
    return f"({sql})"


def sql_type(type: FieldType) -> str:
    """DuckDB's name of the type values are held in."""
    if type.kind == "decimal":
        return f"DECIMAL({type.precision},{type.scale})"
    return _SQL.get(type.kind, "VARCHAR")


def zone_exists(zone: str) -> str:
    """The zone's name, after making sure there is one.

    Raises:
        DefinitionError: there is no such zone.
    """
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError) as e:
        raise DefinitionError(
            f"there is no time zone {zone!r}", hint="Zones have names such as Europe/Paris, America/New_York, UTC."
        ) from e
    return zone


def rule(type: FieldType, t: str, place: Place = inline, *, formats: Sequence[str] = (), zone: str = "UTC") -> Rule:
    """The rule of a type over the text `t`.

    Args:
        place: puts a step where it is computed once: ``place(letter, sql, *columns used)`` gives SQL that refers to it.
        formats: how a date, time or timestamp is written, tried in order; ISO 8601 when empty.
        zone: where a timestamptz written without an offset is meant.
    """
    match type.kind:
        case "smallint" | "integer" | "bigint":
            return _integer(sql_type(type), t, place)
        case "decimal":
            return _decimal(type, t, place)
        case "double":
            return _double(t, place)
        case "boolean":
            return _boolean(t)
        case "date" | "time" | "timestamp" | "timestamptz":
            return _formatted(type.kind, t, formats, zone) if formats else _temporal(type.kind, t, place, zone)
        case "uuid":
            quick = place("q", f"TRY_CAST({t} AS UUID)", t)
            shape, cast = f"{_UUID}|\\{{{_UUID}\\}}", f"TRY_CAST(hg_trim({t}) AS UUID)"
            slow = f"CASE WHEN regexp_full_match(hg_trim({t}), '{shape}') THEN CAST({cast} AS VARCHAR) END"
            return Rule(f"CASE WHEN CAST({quick} AS VARCHAR) = {t} THEN {t} ELSE {slow} END", "'TY08'")
        case "json":
            bare = f"""regexp_replace({t}, '"(?:[^"\\\\]|\\\\.)*"', '0', 'g')"""
            return Rule(
                f"CASE WHEN json_valid({t}) AND NOT regexp_matches({bare}, '{_NOT_JSON}') THEN {t} END", "'TY09'"
            )
        case "binary":
            hexed = f"regexp_replace(hg_trim({t}), '^(?:0x|\\\\x)', '')"
            return Rule(
                f"CASE WHEN regexp_full_match({hexed}, '(?:[0-9A-Fa-f]{{2}})*') THEN unhex({hexed}) END", "'TY10'"
            )
        case _:
            return _text(type, t)


def _text(type: FieldType, t: str) -> Rule:
    if not type.length:
        return Rule(t, "'TY13'")
    n = type.length
    return Rule(f"CASE WHEN strlen({t}) <= {n} THEN {t} WHEN length({t}) <= {n} THEN {t} END", "'TY13'")


def _number(t: str, certain: str, place: Place) -> str:
    """The number written plainly, where it is not certain already."""
    if place is inline:
        return f"(CASE WHEN NOT {certain} THEN hg_number({t}) END)"
    parts = place("r", f"CASE WHEN NOT {certain} THEN hg_parts({t}) END", certain, t)
    return place("n", f"CASE WHEN NOT {certain} THEN hg_plain({parts}) END", certain, parts)


def _certain(t: str, quick: str, proof: str, sure: str, place: Place) -> str:
    """Whether the quick answer is right: by a proof, or where there is none, by the text's shape."""
    return place("s", f"CASE WHEN {proof} THEN TRUE WHEN {sure} THEN TRUE ELSE FALSE END", quick, t)


def _integer(sql: str, t: str, place: Place) -> Rule:
    quick = place("q", f"TRY_CAST({t} AS {sql})", t)
    shape = f"regexp_full_match({t}, '[+-]?[0-9]+(?:\\.0+)?')"
    certain = _certain(t, quick, f"CAST({quick} AS VARCHAR) = {t}", f"{quick} IS NOT NULL AND {shape}", place)
    number = _number(t, certain, place)
    return Rule(
        f"CASE WHEN {certain} THEN {quick} WHEN NOT contains({number}, '.') THEN TRY_CAST({number} AS {sql}) END",
        f"CASE WHEN {number} IS NULL THEN 'TY01' WHEN contains({number}, '.') THEN 'TY12' ELSE 'TY11' END",
    )


def _decimal(type: FieldType, t: str, place: Place) -> Rule:
    sql = sql_type(type)
    quick = place("q", f"TRY_CAST({t} AS {sql})", t)
    part = f"(?:\\.[0-9]{{1,{type.scale}}}0*)?" if type.scale else "(?:\\.0+)?"
    shape = f"regexp_full_match({t}, '[+-]?[0-9]+{part}')"
    certain = _certain(t, quick, f"CAST({quick} AS VARCHAR) = {t}", f"{quick} IS NOT NULL AND {shape}", place)
    number = _number(t, certain, place)
    fits = f"(NOT contains({number}, '.') OR strlen({number}) - instr({number}, '.') <= {type.scale})"
    return Rule(
        f"CASE WHEN {certain} THEN {quick} WHEN {fits} THEN TRY_CAST({number} AS {sql}) END",
        f"CASE WHEN {number} IS NULL THEN 'TY02' WHEN NOT {fits} THEN 'TY12' ELSE 'TY11' END",
    )


def _double(t: str, place: Place) -> Rule:
    quick = place("q", f"TRY_CAST({t} AS DOUBLE)", t)
    # Not NULL, not infinite, and not so small that nothing is left.
    sure = f"isfinite({quick}) AND {quick} <> 0 AND regexp_full_match({t}, '[+-]?[0-9]+(?:\\.[0-9]+)?')"
    finite = f"CASE WHEN CAST({quick} AS VARCHAR) = {t} THEN isfinite({quick}) END"
    certain = _certain(t, quick, finite, sure, place)
    number = _number(t, certain, place)
    far = f"TRY_CAST({number} AS DOUBLE)"
    vanishes = f"{far} = 0 AND {number} <> '0'"
    return Rule(
        f"CASE WHEN {certain} THEN {quick} WHEN isfinite({far}) AND NOT ({vanishes}) THEN {far} END",
        f"CASE WHEN {number} IS NULL THEN 'TY03' WHEN {vanishes} THEN 'TY12' ELSE 'TY11' END",
    )


def _boolean(t: str) -> Rule:
    words = {b: ", ".join(literal(w) for w in ws) for b, ws in BOOLEAN_WORDS.items()}
    word = f"lower(hg_trim({t}))"
    slow = f"CASE WHEN {word} IN ({words[True]}) THEN TRUE WHEN {word} IN ({words[False]}) THEN FALSE END"
    return Rule(f"CASE WHEN {t} = 'true' THEN TRUE WHEN {t} = 'false' THEN FALSE ELSE {slow} END", "'TY04'")


def _real_year(t: str) -> str:
    """There is no year 0; DuckDB and ISO 8601 would count it as 1 BC, most destinations refuse it."""
    return f"NOT starts_with(hg_trim({t}), '0000')"


def _temporal(kind: str, t: str, place: Place, zone: str) -> Rule:
    trimmed = f"hg_trim({t})"
    if kind == "time":
        value = f"CASE WHEN regexp_full_match({trimmed}, '{_CLOCK}') THEN TRY_CAST({trimmed} AS TIME) END"
        return Rule(value, f"CASE WHEN regexp_full_match({trimmed}, '{_FINE_CLOCK}') THEN 'TY12' ELSE 'TY06' END")
    quick = place("q", f"TRY_CAST({t} AS {_SQL[kind]})", t)
    if kind == "date":
        day = f"TRY_CAST(left({trimmed}, 10) AS DATE)"
        slow = f"CASE WHEN regexp_full_match({trimmed}, '{_DAY}(?:{_MIDNIGHT})?') AND {_real_year(t)} THEN {day} END"
        with_time = f"regexp_full_match({trimmed}, '{_DAY}[T ]{_FINE_CLOCK}{_OFFSET}?') AND {day} IS NOT NULL"
        return Rule(
            f"CASE WHEN CAST({quick} AS VARCHAR) = {t} AND strlen({t}) = 10 THEN {quick} ELSE {slow} END",
            f"CASE WHEN {with_time} THEN 'TY12' ELSE 'TY05' END",
        )
    # In these shapes every character is looked at, as the cast passes over blanks: 'T 1:21:00', and a minute of ' 1' as none.
    first = f"{_SQL[kind]} '0001-01-01 00:00:00{'+00' if kind == 'timestamptz' else ''}'"
    offset = "" if kind == "timestamp" else f"{_OFFSET}?"
    shape, fine = f"{_DAY}(?:[T ]{_CLOCK}{offset})?", f"{_DAY}[T ]{_FINE_CLOCK}{offset}"
    if kind == "timestamp":
        ends = ""
        slow = f"TRY_CAST({trimmed} AS TIMESTAMP)"
    else:
        ends = r"(?:Z|\+0[0-9]:[0-5][0-9])" + ("?" if zone == "UTC" else "")
        slow = f"TRY_CAST(replace({trimmed}, 'z', 'Z') AS TIMESTAMPTZ)"
        if zone != "UTC":
            local = _local(f"TRY_CAST({trimmed} AS TIMESTAMP)", zone)
            slow = f"CASE WHEN regexp_full_match({trimmed}, '.{{11,}}{_OFFSET}') THEN {slow} ELSE {local} END"
    sure = f"regexp_full_match({t}, '{_DAY}[T ]{_SECOND}{ends}') AND {quick} >= {first}"
    return Rule(
        f"CASE WHEN {sure} THEN {quick} WHEN regexp_full_match({trimmed}, '{shape}') AND {_real_year(t)} THEN {slow} END",
        f"CASE WHEN regexp_full_match({trimmed}, '{fine}') AND NOT regexp_full_match({trimmed}, '{shape}') THEN 'TY12' ELSE 'TY07' END",
    )


def _local(stamp: str, zone: str) -> str:
    """A local time as the moment it means: NULL where the clocks skip it; where they repeat it, the later (standard) one."""
    moment = f"timezone({literal(zone)}, {stamp})"
    return f"CASE WHEN timezone({literal(zone)}, {moment}) = {stamp} THEN {moment} END"


def _formatted(kind: str, t: str, formats: Sequence[str], zone: str) -> Rule:
    """By the formats given. A date, time or timestamp that would leave something out is TY12."""
    trimmed = f"hg_trim({t})"
    zoned = [f for f in formats if "%z" in f or "%Z" in f]
    plain = [f for f in formats if f not in zoned]
    local = f"try_strptime({trimmed}, [{', '.join(literal(f) for f in plain)}])" if plain else "NULL::TIMESTAMP"
    moments = [f"try_strptime({trimmed}, {literal(f)})" for f in zoned]
    codes = {"date": "TY05", "time": "TY06", "timestamp": "TY07", "timestamptz": "TY07"}
    if kind == "timestamptz":
        own = local if zone == "UTC" else _local(local, zone)
        own = f"timezone('UTC', {local})" if zone == "UTC" else own
        value = f"coalesce({', '.join([own, *moments])})"
        return Rule(value, "'TY07'")
    if kind == "timestamp":
        return Rule(local, "'TY07'")
    if kind == "time":
        return Rule(f"CAST({local} AS TIME)", "'TY06'")
    value = f"CASE WHEN {local} = date_trunc('day', {local}) THEN CAST({local} AS DATE) END"
    return Rule(value, f"CASE WHEN {local} IS NOT NULL THEN 'TY12' ELSE '{codes[kind]}' END")


def canonical(type: FieldType, value: str) -> str:
    """A typed value as the text a text column gets."""
    if type.kind == "timestamptz":
        return f"replace(replace(CAST({value} AS VARCHAR), ' ', 'T'), '+00', 'Z')"
    if type.kind == "timestamp":
        return f"replace(CAST({value} AS VARCHAR), ' ', 'T')"
    return f"CAST({value} AS VARCHAR)"


def is_integer(type: FieldType) -> bool:
    """Whether it is one of the whole-number types."""
    return type.kind in INTEGERS
