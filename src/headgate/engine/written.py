"""What a writer was told, as JSON, so that a plan or a journal can be carried out later."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteField, WriteSpec

_SETS = ("required", "added", "widened")


def write_json(write: WriteSpec) -> dict[str, Any]:
    """A spec as JSON. Who may commit is not part of it."""
    data = asdict(write)
    del data["ticket"]
    return {**data, **{name: sorted(data[name]) for name in _SETS}}


def write_of(data: dict[str, Any]) -> WriteSpec:
    """The spec that `write_json` made it of."""
    fields = tuple(WriteField(**{**f, **_types(f)}) for f in data["fields"])
    made = {"fields": fields, "key": tuple(data["key"]), **{name: frozenset(data.get(name, ())) for name in _SETS}}
    return WriteSpec(**{**data, **made, "operation": Operation(data["operation"])})


def _types(field: dict[str, Any]) -> dict[str, FieldType]:
    return {name: FieldType(**field[name]) for name in ("type", "was") if field.get(name) is not None}
