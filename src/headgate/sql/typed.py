"""Values that a database gave as text, in the types of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.record import Problem
from headgate.model.text import text_form
from headgate.model.values import python_values
from headgate.spi.kept import Page
from headgate.spi.nul import nul_fault, with_nul
from headgate.spi.unreadable import beyond_fault, rows_beyond

_TRUE = ("t", "1", "true")
_NAMES = {
    "int": "whole number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "date": "date",
    "time": "time",
}


def page(arrays: Sequence[pa.Array], schema: pa.Schema) -> Page:
    """Columns as text, or in their type already, as a page; records with a value that its column's type has no place for
    are faults.
    """
    made: list[pa.Array] = []
    bad: dict[int, tuple[Problem, dict[str, str | None]]] = {}
    for array, field in zip(arrays, schema, strict=True):
        values, lost = (array, []) if array.type == field.type else _cast(array, field.type)
        for row in lost:
            value = array[row].as_py()
            problem = Problem("RD09", f"{value!r} is no {_word(field.type)} that can be read", "", field.name, value)
            bad.setdefault(row, (problem, _raw(arrays, schema, row)))
        made.append(values)
    for row, at in rows_beyond(made).items():
        field = schema.field(at)
        bad.setdefault(row, beyond_fault(_raw(arrays, schema, row), field.name, field.type))
    for row in with_nul(made):
        bad.setdefault(row, nul_fault(_raw(arrays, schema, row)))
    records = pa.RecordBatch.from_arrays(made, schema=schema)
    if not bad:
        return Page(records)
    kept = [n for n in range(records.num_rows) if n not in bad]
    faults = [(row, *bad[row]) for row in sorted(bad)]
    return Page(records.take(pa.array(kept, pa.int64())), kept, faults)


def _raw(arrays: Sequence[pa.Array], schema: pa.Schema, row: int) -> dict[str, str | None]:
    values = ((name, python_values(array.slice(row, 1))[0]) for name, array in zip(schema.names, arrays, strict=True))
    return {name: text_form(v) for name, v in values}


def _cast(array: pa.Array, wanted: pa.DataType) -> tuple[pa.Array, list[int]]:
    """The values in the type, null where that is not possible; and where."""
    try:
        return _whole(array, wanted), []
    except (pa.ArrowException, ValueError, OverflowError):
        if len(array) == 1:
            return pa.nulls(1, wanted), [0]
    half = len(array) // 2
    first, lost = _cast(array.slice(0, half), wanted)
    second, more = _cast(array.slice(half), wanted)
    return pa.concat_arrays([first, second]), [*lost, *(half + n for n in more)]


def _whole(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(wanted):
        known = pc.is_in(array, pa.array([*_TRUE, "f", "0", "false", None]))
        if not pc.all(known).as_py():
            raise ValueError("not all are booleans")
        return pc.if_else(pc.is_null(array), pa.scalar(None, pa.bool_()), pc.is_in(array, pa.array(_TRUE)))
    if pa.types.is_time(wanted):
        return pa.array([None if v is None else time.fromisoformat(v) for v in array.to_pylist()], wanted)
    if pa.types.is_binary(wanted):
        return pa.array([None if v is None else bytes.fromhex(v) for v in array.to_pylist()], pa.binary())
    return array.cast(wanted)


def _word(of: pa.DataType) -> str:
    return next((word for start, word in _NAMES.items() if str(of).startswith(start)), str(of))
