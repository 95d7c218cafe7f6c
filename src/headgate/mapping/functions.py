"""The functions an expression may use: their results, and what their arguments are taken for.

Source columns are text. An argument's letter says what a text column in its place is read as: ``n`` a number, ``k`` a whole number, ``t`` text,
``d`` a date and time, ``b`` true or false, ``=`` the same as its neighbours marked so (a number if one of them is one),
``.`` as it is. The last letter goes for all further arguments. The result's letter is one of those, or ``i`` an interval;
``=`` there means the kind of the arguments marked so.
"""

from __future__ import annotations

from typing import Final

_TABLE = """
n n   + - * / % // ^ ** @ abs sign sqrt cbrt exp ln log log2 log10 power pow mod ceil ceiling floor trunc round even pi degrees radians
n n   sin cos tan asin acos atan atan2 gcd lcm factorial fdiv fmod xor bit_count
b n   isnan isinf isfinite
n t   length len strlen char_length character_length instr strpos position levenshtein damerau_levenshtein hamming editdist3
n t   jaccard jaro_similarity jaro_winkler_similarity ascii unicode ord
t t   || lower lcase upper ucase trim ltrim rtrim reverse strip_accents nfc_normalize replace translate concat md5 sha1 sha256
t t   regexp_replace regexp_extract hex url_encode url_decode
t tk  left right substring substr substring_grapheme left_grapheme right_grapheme
t tkt lpad rpad
t ttk split_part
t t   concat_ws printf format
t k   chr to_base bin
b t   ~~ !~~ ~~* !~~* ~~~ regexp_matches regexp_full_match contains starts_with ends_with prefix suffix like_escape not_like_escape
b t   ilike_escape not_ilike_escape json_valid
= =   greatest least nullif
n d   year month day hour minute second quarter week dayofweek weekday isodow dayofyear yearweek isoyear weekofyear decade century
n d   millennium epoch epoch_ms epoch_us julian microsecond millisecond era timezone_hour
n td  date_part datepart date_diff datediff date_sub datesub
d td  date_trunc datetrunc timezone
d d.  last_day date_add
d t   strptime try_strptime
t dt  strftime
t d   dayname monthname
d k   make_date
d kkkkkn make_timestamp
d n   to_timestamp
i k   to_days to_months to_years to_hours to_minutes to_seconds to_weeks to_milliseconds to_microseconds to_quarters
. .   list_value list_extract list_element array_extract list_contains array_contains list_position list_concat list_sort list_distinct
. .   list_reverse list_slice array_slice array_length struct_pack row struct_extract typeof map
. t   string_split str_split split regexp_extract_all regexp_split_to_array string_to_array json_extract json_extract_string
t .   array_to_string to_json json_array json_object
t t   json_type
"""

# Words for other functions that say more than a refusal.
INSTEAD: Final = {
    "sum": "a record knows nothing of the others; totals of the run go under expect",
    "count": "a record knows nothing of the others",
    "random": "an expression must give the same answer every time",
    "uuid": "an expression must give the same answer every time",
    "gen_random_uuid": "an expression must give the same answer every time",
}


def _functions() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for line in _TABLE.strip().splitlines():
        result, arguments, *names = line.split()
        found.update(dict.fromkeys(names, (result, arguments)))
    return found


FUNCTIONS: Final = _functions()
OPERATORS: Final = frozenset({"+", "-", "*", "/", "%", "//", "^", "**", "@", "||", "~~", "!~~", "~~*", "!~~*", "~~~"})
TYPES: Final = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT", "DECIMAL", "NUMERIC", "DOUBLE", "FLOAT", "REAL", "LONG", "SHORT", "UBIGINT", "UINTEGER"), "n"),
    **dict.fromkeys(("VARCHAR", "TEXT", "STRING", "CHAR", "UUID", "BLOB", "JSON"), "t"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "DATETIME", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"), "d"),
    **dict.fromkeys(("BOOLEAN", "BOOL", "LOGICAL"), "b"),
    "TIME": ".",
    "INTERVAL": "i",
}  # fmt: skip
