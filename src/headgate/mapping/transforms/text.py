"""Transforms of text."""

from __future__ import annotations

from collections.abc import Callable

from ..sql import literal
from .base import Example, Setting, Settings, Transform


def _keep(characters: str) -> str:
    return f"regexp_replace({{t}}, '[^{characters}]', '', 'g')"


def _plain(name: str, summary: str, sql: str, *examples: tuple[str, str | None]) -> Transform:
    """A transform without settings, of SQL with ``{t}`` for the value."""
    return Transform(
        name, summary, lambda t, _: sql.replace("{t}", t), (), tuple(Example(name, a, b) for a, b in examples)
    )


def _pad(function: str) -> Callable[[str, Settings], str]:
    def sql(t: str, s: Settings) -> str:
        n, mark = s["length"], literal(s["with"])
        return f"CASE WHEN length({t}) < {n} THEN {function}({t}, {n}, {mark}) ELSE {t} END"

    return sql


def _extract(t: str, s: Settings) -> str:
    p = literal(s["pattern"])
    return f"CASE WHEN regexp_matches({t}, {p}) THEN regexp_extract({t}, {p}, {s['group']}) {_otherwise(s)} END"


def _split(t: str, s: Settings) -> str:
    parts = f"string_split({t}, {literal(s['by'])})"
    return f"CASE WHEN len({parts}) >= {abs(s['take'])} THEN {parts}[{s['take']}] {_otherwise(s)} END"


def _otherwise(s: Settings) -> str:
    """What stands for a value nothing was found in: an empty text is a blank, NULL is a failure."""
    return "ELSE ''" if s["otherwise"] == "null" else ""


def _map(t: str, s: Settings) -> str:
    arms = " ".join(f"WHEN {literal(a)} THEN {literal(b or '')}" for a, b in s["values"].items())
    rest = {"keep": f"ELSE {t}", "null": "ELSE ''", "reject": ""}[s["otherwise"]]
    return f"CASE {t} {arms} {rest} END"


def _join(t: str, s: Settings) -> str:
    others = ", ".join(f"nullif({c}, '')" for c in s["columns"])
    return f"nullif(concat_ws({literal(s['by'])}, nullif({t}, ''), {others}), '')"


_OTHERWISE = Setting("otherwise", "reject|null", "what a value becomes in which it is not found", "reject")

TEXT = (
    _plain("trim", "Takes blanks away at both ends.", "hg_trim({t})", (" A-1 ", "A-1")),
    _plain("collapse_spaces", "Takes blanks away at both ends and makes one of several in between.", "trim(regexp_replace({t}, '[\\s\u00a0]+', ' ', 'g'))", ("a   b ", "a b")),
    _plain("upper", "Makes capitals.", "upper({t})", ("ab-1", "AB-1")),
    _plain("lower", "Makes small letters.", "lower({t})", ("AB-1", "ab-1")),
    _plain("title", "Makes the first letter of every word a capital and the others small.", "array_to_string(list_transform(string_split(lower({t}), ' '), lambda w: upper(left(w, 1)) || substr(w, 2)), ' ')", ("road BIKES", "Road Bikes")),
    _plain("capitalize", "Makes the first letter a capital and the others small.", "upper(left({t}, 1)) || lower(substr({t}, 2))", ("road BIKES", "Road bikes")),
    _plain("empty_to_null", "Makes a text of nothing but blanks no value.", "CASE WHEN hg_trim({t}) <> '' THEN {t} END", ("  ", None), ("a", "a")),
    _plain("slugify", "Makes a name fit for addresses: small letters and digits with hyphens between.", "trim(regexp_replace(lower(strip_accents({t})), '[^a-z0-9]+', '-', 'g'), '-')", ("Café  Noir!", "cafe-noir")),
    _plain("digits", "Keeps only digits.", _keep("0-9"), ("+49 (0) 30", "49030")),
    _plain("letters", "Keeps only letters.", _keep("\\p{L}"), ("a1-b2", "ab")),
    _plain("alphanumeric", "Keeps only letters and digits.", _keep("\\p{L}\\p{N}"), ("a1-b2", "a1b2")),
    _plain("strip_accents", "Takes accents off letters.", "strip_accents({t})", ("Ærø café", "Ærø cafe")),
    _plain("strip_controls", "Takes control characters out, except tabs and line ends.", "regexp_replace({t}, '[^\\P{Cc}\\t\\n\\r]', '', 'g')", ("a\u0007b", "ab")),
    _plain("normalize_unicode", "Composes letters and their marks (NFC).", "nfc_normalize({t})", ("e\u0301", "\u00e9")),
    _plain("unquote", "Takes a pair of quotes away from around the text.", "regexp_replace(regexp_replace({t}, '^\"(.*)\"$', '\\1', 's'), '^''(.*)''$', '\\1', 's')", ('"a"', "a")),
    _plain("url_decode", "Decodes %20 and the like.", "url_decode({t})", ("a%20b", "a b")),
    Transform("nulls", "Makes the given words no value.", lambda t, s: f"CASE WHEN {t} NOT IN ({', '.join(map(literal, s['words']))}) THEN {t} END", (Setting("words", "texts", "the words, exactly as written"),), (Example({"nulls": ["n/a", "-"]}, "n/a", None),)),
    Transform("truncate", "Cuts the text to its first characters.", lambda t, s: f"left({t}, {s['length']})", (Setting("length", "number", "how many characters are kept"),), (Example({"truncate": 3}, "abcdef", "abc"),)),
    Transform("pad_left", "Fills the text up on the left; a longer one stays.", _pad("lpad"), (Setting("length", "number", "how many characters it shall have"), Setting("with", "text", "what it is filled with", "0")), (Example({"pad_left": 5}, "501", "00501"),)),
    Transform("pad_right", "Fills the text up on the right; a longer one stays.", _pad("rpad"), (Setting("length", "number", "how many characters it shall have"), Setting("with", "text", "what it is filled with", " ")), (Example({"pad_right": [4, "x"]}, "ab", "abxx"),)),
    Transform("prefix", "Puts a text before.", lambda t, s: f"{literal(s['text'])} || {t}", (Setting("text", "text", "what is put before"),), (Example({"prefix": "SKU-"}, "1", "SKU-1"),)),
    Transform("suffix", "Puts a text after.", lambda t, s: f"{t} || {literal(s['text'])}", (Setting("text", "text", "what is put after"),), (Example({"suffix": " kg"}, "1", "1 kg"),)),
    Transform("replace", "Replaces a text everywhere.", lambda t, s: f"replace({t}, {literal(s['old'])}, {literal(s['new'])})", (Setting("old", "text", "what is replaced"), Setting("new", "text", "what comes instead", "")), (Example({"replace": ["-", "/"]}, "a-b-c", "a/b/c"),)),
    Transform("regex_replace", "Replaces what a regular expression (RE2) finds, everywhere; \\1 is its first group.", lambda t, s: f"regexp_replace({t}, {literal(s['pattern'])}, {literal(s['with'])}, 'g')", (Setting("pattern", "text", "regular expression"), Setting("with", "text", "what comes instead", "")), (Example({"regex_replace": ["([0-9]+)x", "\\1 pcs"]}, "12x", "12 pcs"),)),
    Transform("regex_extract", "Takes what a regular expression (RE2) finds.", _extract, (Setting("pattern", "text", "regular expression"), Setting("group", "number", "which group is taken; 0 is all that was found", 0), _OTHERWISE), (Example({"regex_extract": "[0-9]+"}, "Lot 12b", "12"), Example({"regex_extract": "[0-9]+"}, "none", "TR01")), fails=True),
    Transform("split", "Splits the text and takes one part.", _split, (Setting("by", "text", "what stands between the parts"), Setting("take", "number", "which part, from 1; -1 is the last", 1, signed=True), _OTHERWISE), (Example({"split": [" ", -1]}, "Anna Maria Lee", "Lee"), Example({"split": [",", 2]}, "one", "TR01")), fails=True),
    Transform("join", "Joins the values of other source columns to this one; blanks are left out.", _join, (Setting("columns", "texts", "the other source columns"), Setting("by", "text", "what stands in between", " ")), blanks=True),
    Transform("map", "Turns values into others.", _map, (Setting("values", "pairs", "what becomes what"), Setting("otherwise", "reject|keep|null", "what becomes of any other value", "reject")), (Example({"map": {"Y": "yes", "N": "no"}}, "Y", "yes"), Example({"map": {"Y": "yes"}}, "Q", "TR01")), fails=True),
    Transform("hash", "Makes a fingerprint of the text, in hexadecimal.", lambda t, s: f"{s['by']}({t})", (Setting("by", "sha256|sha1|md5", "the algorithm", "sha256"),), (Example({"hash": "md5"}, "a", "0cc175b9c0f1b6a831c399e269772661"),)),
)  # fmt: skip
