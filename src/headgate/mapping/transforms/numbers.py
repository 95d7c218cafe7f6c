"""Transforms of numbers and dates written in other ways. What comes out is how the types read it: 1234.56, 2024-12-31."""

from __future__ import annotations

from ..rules import zone_exists
from ..sql import literal
from .base import Example, Setting, Settings, Transform

_SPACES = " \u00a0\u2009\u202f"


def _texts(values: list[str]) -> str:
    return "[" + ", ".join(literal(v) for v in values) + "]"


def _decimal_comma(t: str, _: Settings) -> str:
    shape = f"[+-]?(?:[0-9]+|[0-9]{{1,3}}(?:[.''{_SPACES}][0-9]{{3}})+)(?:,[0-9]+)?"
    return f"CASE WHEN regexp_full_match(hg_trim({t}), '{shape}') THEN replace(regexp_replace({t}, '[.''{_SPACES}]', '', 'g'), ',', '.') END"


def _thousands(t: str, s: Settings) -> str:
    marks = "".join("\\" + m for m in s["marks"] if m not in _SPACES) + _SPACES
    one = literal(f"[{marks}]")
    shape = literal(f"[+-]?(?:[0-9]+|[0-9]{{1,3}}(?:[{marks}][0-9]{{3}})+)(?:\\.[0-9]+)?")
    return f"CASE WHEN regexp_full_match(hg_trim({t}), {shape}) THEN regexp_replace({t}, {one}, '', 'g') END"


def _percent(t: str, _: Settings) -> str:
    number = f"hg_number(regexp_replace({t}, '[\\s\u00a0]*%[\\s\u00a0]*$', ''))"
    return f"CASE WHEN contains({t}, '%') THEN hg_number({number} || 'e-2') END"


def _currency(t: str, _: Settings) -> str:
    mark = f"(?:\\p{{Sc}}|[A-Z]{{3}})?[{_SPACES}]*"
    shape = f"({mark})([+-]?)({mark})([0-9][0-9.,''\u2019{_SPACES}]*?)[{_SPACES}]*({mark})"
    bare = f"regexp_replace(hg_trim({t}), '^\\((.*)\\)$', '-\\1')"
    return f"CASE WHEN regexp_full_match({bare}, '{shape}') THEN regexp_replace({bare}, '^{shape}$', '\\2\\4') END"


def _number(t: str, s: Settings) -> str:
    bare = f"regexp_replace(hg_trim({t}), '[{_SPACES}]*%$', '')"
    behind = f"regexp_replace(replace({bare}, '\u2212', '-'), '^([^-+()]*[0-9])[{_SPACES}]*-([^-+()0-9]*)$', '-\\1\\2')"
    front = f"regexp_replace({behind}, '^([^-+()0-9]*)\\((.*)\\)([^-+()0-9]*)$', '-\\1\\2\\3')"
    digits = f"replace({_currency(front, s)}, '\u2019', chr(39))"
    read = _decimal_comma(digits, s) if s["decimal"] == "comma" else _thousands(digits, {"marks": ",'"})
    return f"CASE WHEN contains({t}, '%') THEN hg_number(hg_number({read}) || 'e-2') ELSE {read} END"


def _round(t: str, s: Settings) -> str:
    return f"CAST(TRY_CAST(hg_number({t}) AS DECIMAL(38, {min(s['digits'], 30)})) AS VARCHAR)"


def _boolean(t: str, s: Settings) -> str:
    arms = [
        f"WHEN lower(hg_trim({t})) IN ({', '.join(literal(w.lower()) for w in s[b])}) THEN '{b}'"
        for b in ("true", "false")
        if s[b]
    ]
    return f"CASE {' '.join(arms)} END"


def _parse_date(t: str, s: Settings) -> str:
    return f"strftime(try_strptime(hg_trim({t}), {_texts(s['formats'])}), '%Y-%m-%d')"


def _parse_timestamp(t: str, s: Settings) -> str:
    one = [f"try_strptime(hg_trim({t}), {literal(f)})" for f in s["formats"]]
    texts = [
        f"strftime(timezone('UTC', {p}), '%Y-%m-%dT%H:%M:%S.%fZ')"
        if "%z" in f.lower()
        else f"strftime({p}, '%Y-%m-%dT%H:%M:%S.%f')"
        for p, f in zip(one, s["formats"], strict=True)
    ]
    return f"regexp_replace(coalesce({', '.join(texts)}), '\\.000000', '')"


def _timezone(t: str, s: Settings) -> str:
    here, there = (literal(zone_exists(s[k])) for k in ("from", "to"))
    stamp = f"TRY_CAST(hg_trim({t}) AS TIMESTAMP)"
    moment = f"CASE WHEN regexp_matches({t}, '[0-9](?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})$') THEN TRY_CAST({t} AS TIMESTAMPTZ) WHEN timezone({here}, timezone({here}, {stamp})) = {stamp} THEN timezone({here}, {stamp}) END"
    return f"regexp_replace(strftime(timezone({there}, {moment}), '%Y-%m-%dT%H:%M:%S.%f'), '\\.000000', '')"


def _excel_date(t: str, _: Settings) -> str:
    days = f"TRY_CAST(hg_number({t}) AS INTEGER)"
    # Day 60 of the spreadsheet calendar is 29 February 1900, which never was.
    return (
        f"CASE WHEN regexp_full_match(hg_number({t}), '[0-9]{{1,7}}') AND {days} BETWEEN 1 AND 2958465 AND {days} <> 60 "
        f"THEN strftime(DATE '1899-12-30' + {days} + CASE WHEN {days} < 60 THEN 1 ELSE 0 END, '%Y-%m-%d') END"
    )


def _email(t: str, _: Settings) -> str:
    shape = '[^@\\s"(),:;<>\\[\\]\\\\]+@(?:[\\p{L}\\p{N}](?:[\\p{L}\\p{N}-]*[\\p{L}\\p{N}])?\\.)+[\\p{L}\\p{N}-]{2,}'
    parts = f"string_split(hg_trim({t}), '@')"
    return (
        f"CASE WHEN regexp_full_match(hg_trim({t}), {literal(shape)}) THEN {parts}[1] || '@' || lower({parts}[2]) END"
    )


_FORMATS = Setting("formats", "formats", "how it is written (`%d/%m/%Y`), or several to try in order")

NUMBERS = (
    Transform("decimal_comma", "Reads 1.234,56 as 1234.56; thousands may be marked by dots, blanks or apostrophes.", _decimal_comma, (), (Example("decimal_comma", "1.234,56", "1234.56"), Example("decimal_comma", "12.50", "TR01")), fails=True),
    Transform("thousands", "Takes the marks between thousands away: 1,234.56 becomes 1234.56.", _thousands, (Setting("marks", "text", "what may stand there, besides blanks", ",'_"),), (Example("thousands", "1,234.56", "1234.56"), Example("thousands", "1,23.4", "TR01")), fails=True),
    Transform("percent", "Reads 12% as 0.12.", _percent, (), (Example("percent", "12.5 %", "0.125"), Example("percent", "12", "TR01")), fails=True),
    Transform("currency", "Takes a currency's sign or code away; (12.50) is -12.50.", _currency, (), (Example("currency", "EUR 12.50", "12.50"), Example("currency", "12 apples", "TR01")), fails=True),
    Transform("number", "Reads a number as people write it, by its decimal mark: with marks between thousands, a currency, a minus behind or parentheses for it; 12 % is 0.12.", _number, (Setting("decimal", "comma|point", "what stands before the decimals"),), (Example({"number": "comma"}, "(1.234,50 €)", "-1234.50"), Example({"number": "point"}, "1'234.50-", "-1234.50"), Example({"number": "point"}, "1,23", "TR01")), fails=True),
    Transform("round", "Rounds a number, halves away from zero.", _round, (Setting("digits", "number", "digits kept after the point", 0),), (Example({"round": 2}, "12.345", "12.35"), Example({"round": 2}, "x", "TR01")), fails=True),
    Transform("abs", "Takes a number's sign away.", lambda t, _: f"ltrim(hg_number({t}), '+-')", (), (Example("abs", "-5", "5"), Example("abs", "x", "TR01")), fails=True),
    Transform("negate", "Turns a number's sign around.", lambda t, _: f"CASE WHEN starts_with(hg_number({t}), '-') THEN substr(hg_number({t}), 2) ELSE '-' || ltrim(hg_number({t}), '+') END", (), (Example("negate", "5", "-5"), Example("negate", "x", "TR01")), fails=True),
    Transform("boolean", "Names the words for true and false, without regard to case.", _boolean, (Setting("true", "texts", "words that mean true"), Setting("false", "texts", "words that mean false", ())), (Example({"boolean": {"true": ["ja"], "false": ["nein"]}}, "Ja", "true"), Example({"boolean": {"true": ["ja"], "false": ["nein"]}}, "yes", "TR01")), fails=True),
    Transform("parse_date", "Reads a date written in a given way.", _parse_date, (_FORMATS,), (Example({"parse_date": "%d/%m/%Y"}, "31/12/2024", "2024-12-31"), Example({"parse_date": "%d/%m/%Y"}, "31/02/2024", "TR01")), fails=True),
    Transform("parse_timestamp", "Reads a date and time written in a given way; with %z it becomes a moment in UTC.", _parse_timestamp, (_FORMATS,), (Example({"parse_timestamp": "%d.%m.%Y %H:%M"}, "31.12.2024 23:59", "2024-12-31T23:59:00"), Example({"parse_timestamp": "%d.%m.%Y %H:%M"}, "31.12.2024", "TR01")), fails=True),
    Transform("timezone", "Turns the time of one zone into that of another.", _timezone, (Setting("from", "text", "zone of a time written without one"), Setting("to", "text", "zone wanted")), (Example({"timezone": ["Europe/Paris", "UTC"]}, "2024-07-01 12:00:00", "2024-07-01T10:00:00"), Example({"timezone": ["Europe/Paris", "UTC"]}, "noon", "TR01")), fails=True),
    Transform("excel_date", "Reads a spreadsheet's day number as a date.", _excel_date, (), (Example("excel_date", "45658", "2025-01-01"), Example("excel_date", "60", "TR01")), fails=True),
    Transform("email", "Checks the shape of an e-mail address and writes its domain in small letters.", _email, (), (Example("email", " Ann@Example.COM", "Ann@example.com"), Example("email", "ann at example.com", "TR01")), fails=True),
    Transform("base64_decode", "Decodes Base64 into text.", lambda t, _: f"TRY(decode(from_base64(hg_trim({t}))))", (), (Example("base64_decode", "aGk=", "hi"), Example("base64_decode", "%", "TR01")), fails=True),
    Transform("base64_to_hex", "Turns Base64 into hexadecimal, as the type binary takes it.", lambda t, _: f"TRY(hex(from_base64(hg_trim({t}))))", (), (Example("base64_to_hex", "aGk=", "6869"), Example("base64_to_hex", "%", "TR01")), fails=True),
)  # fmt: skip
