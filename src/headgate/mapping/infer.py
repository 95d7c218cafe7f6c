"""Types where nothing declares them: only those from which every value comes back exactly as it was written."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from headgate.model.record import Batch
from headgate.model.types import MAX_PRECISION, TEXT, FieldType

from .compile import source_type
from .sql import connect

# What every value of a column must be. In the order in which types are preferred; `{c}` is the value, never blank.
_CANDIDATES: Final = {
    "boolean": "{c} IN ('true', 'false')",
    "bigint": "CAST(TRY_CAST({c} AS BIGINT) AS VARCHAR) = {c}",
    "decimal": "regexp_full_match({c}, '-?(?:0|[1-9][0-9]*)\\.[0-9]+') AND NOT regexp_full_match({c}, '-[0.]+')",
    "date": "strlen({c}) = 10 AND CAST(TRY_CAST({c} AS DATE) AS VARCHAR) = {c}",
    "time": "strlen({c}) = 8 AND NOT starts_with({c}, '24') AND CAST(TRY_CAST({c} AS TIME) AS VARCHAR) = {c}",
    "blank_stamp": "strlen({c}) = 19 AND CAST(TRY_CAST({c} AS TIMESTAMP) AS VARCHAR) = {c}",
    "t_stamp": "strlen({c}) = 19 AND replace(CAST(TRY_CAST({c} AS TIMESTAMP) AS VARCHAR), ' ', 'T') = {c}",
    "utc_stamp": "strlen({c}) = 20 AND replace(CAST(TRY_CAST({c} AS TIMESTAMP) AS VARCHAR), ' ', 'T') || 'Z' = {c}",
    "uuid": "CAST(TRY_CAST({c} AS UUID) AS VARCHAR) = {c}",
}
_NUMBER: Final = "regexp_full_match({c}, '-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?')"
_KINDS: Final = {"blank_stamp": "timestamp", "t_stamp": "timestamp", "utc_stamp": "timestamptz"}
_USUAL_DIGITS = 18
_AT_ONCE = 50


class Inference:
    """Reads all batches of a source and then tells each column's type. Used by one thread at a time.

    Args:
        schema: the source's columns.
        written: numbers are text that somebody wrote. Workbooks hold numbers that nobody wrote in so many digits: there
            `12.5` and `133.34` are decimals of one column.
    """

    def __init__(self, schema: pa.Schema, *, written: bool = True) -> None:
        self.schema = schema
        self._written = written
        self._candidates = _CANDIDATES if written else _CANDIDATES | {"decimal": _NUMBER}
        self._own = connect()
        self._con = self._own.con
        self._open = {i: set(_CANDIDATES) for i, f in enumerate(schema) if _is_text(f.type)}
        self._some = dict.fromkeys(self._open, False)
        self._scale: dict[int, tuple[int, int]] = {}
        self._digits = dict.fromkeys(self._open, 0)

    def add(self, batch: Batch) -> None:
        """Look at some more records."""
        live = {i: kinds for i, kinds in self._open.items() if kinds}
        if not batch.records.num_rows:
            return
        # One query over a thousand columns takes more memory than there is.
        for start in range(0, len(live), _AT_ONCE):
            self._look(dict(list(live.items())[start : start + _AT_ONCE]), batch)

    def _look(self, live: dict[int, set[str]], batch: Batch) -> None:
        self._con.register(
            "batch", pa.Table.from_arrays([batch.records.column(i) for i in live], names=[f"c{i}" for i in live])
        )
        asked = {
            f"{kind}{i}": f"coalesce(bool_and(coalesce({self._candidates[kind].format(c=f'c{i}')}, FALSE)) FILTER (c{i} <> ''), TRUE)"
            for i, kinds in live.items()
            for kind in sorted(kinds)
        }
        for i, kinds in live.items():
            asked[f"some{i}"] = f"coalesce(bool_or(c{i} <> ''), FALSE)"
            if "decimal" in kinds:
                point = f"nullif(instr(c{i}, '.'), 0)"
                after = f"coalesce(strlen(c{i}) - {point}, 0)"
                asked |= {
                    f"low{i}": f"min({after})",
                    f"high{i}": f"max({after})",
                    f"whole{i}": f"max(coalesce({point} - 1, strlen(c{i})))",
                }
                asked |= {n: f"{asked[n]} FILTER (c{i} <> '')" for n in (f"low{i}", f"high{i}", f"whole{i}")}
        query = f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in asked.items())} FROM batch"
        try:
            row = self._con.sql(query).to_arrow_table().to_pylist()[0]
        finally:
            self._con.unregister("batch")
        for i, kinds in live.items():
            kinds &= {kind for kind in kinds if row[f"{kind}{i}"]}
            self._some[i] |= row[f"some{i}"]
            if "decimal" in kinds and row[f"low{i}"] is not None:
                low, high = self._scale.get(i, (row[f"low{i}"], row[f"high{i}"]))
                self._scale[i] = (min(low, row[f"low{i}"]), max(high, row[f"high{i}"]))
                self._digits[i] = max(self._digits[i], row[f"whole{i}"])

    def types(self) -> dict[str, FieldType]:
        """The type of every source column, by name; text where no other is certain."""
        return {f.name: self._type(i, f.type) for i, f in enumerate(self.schema)}

    def close(self) -> None:
        """Release memory. May be called twice."""
        self._own.close()

    def _type(self, i: int, arrow: pa.DataType) -> FieldType:
        if i not in self._open:
            return _of_arrow(arrow)
        kind = next((k for k in _CANDIDATES if k in self._open[i]), "text") if self._some[i] else "text"
        if kind == "decimal":
            low, high = self._scale[i]
            whole = self._digits[i]
            if (self._written and low != high) or whole + high > MAX_PRECISION:
                return TEXT
            return FieldType("decimal", precision=max(min(_USUAL_DIGITS, MAX_PRECISION), whole + high), scale=high)
        return FieldType(_KINDS.get(kind, kind))


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type))


def _of_arrow(type: pa.DataType) -> FieldType:
    """The narrowest field type that holds every value of an Arrow type."""
    if found := source_type(type):
        return found
    if pa.types.is_integer(type):
        return FieldType("decimal", precision=20, scale=0) if type == pa.uint64() else FieldType("bigint")
    if pa.types.is_floating(type):
        return FieldType("double")
    if pa.types.is_timestamp(type):
        return FieldType("timestamptz" if type.tz else "timestamp")
    if pa.types.is_date(type):
        return FieldType("date")
    if pa.types.is_time(type):
        return FieldType("time")
    if pa.types.is_nested(type):
        return FieldType("json")
    return FieldType("binary") if pa.types.is_large_binary(type) or pa.types.is_fixed_size_binary(type) else TEXT
