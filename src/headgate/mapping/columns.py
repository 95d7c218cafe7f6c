"""Which columns of a source a definition speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headgate.model.spec import ImportSpec

from .expressions import parse_expression
from .transforms import read_use


def columns_of(spec: ImportSpec) -> list[str]:
    """The columns that fields are made from, and those in expressions, in the order in which they are met.

    Raises:
        DefinitionError: an expression or a transform cannot be read.
    """
    found: dict[str, None] = {}
    for name, field in spec.fields.items():
        if field.expr is None and "value" not in field.model_fields_set:
            found |= dict.fromkeys(field.columns or [name])
        for use in field.transform:
            _, settings = read_use(use, f"fields.{name}.transform")
            found |= dict.fromkeys(settings.get("columns") or ())
    for where, text in _expressions(spec):
        found |= dict.fromkeys(_names(parse_expression(text, where)))
    return list(found)


def _expressions(spec: ImportSpec) -> Iterator[tuple[str, str]]:
    for name, field in spec.fields.items():
        if field.expr is not None:
            yield f"fields.{name}.expr", field.expr
    for where, text in (("filter", spec.filter), ("delete_when", spec.delete_when)):
        if text is not None:
            yield where, text


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
            name = node["column_names"][0]
            if name.lower() not in _MOMENTS:
                yield name
        for value in node.values():
            yield from _names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(value)


_MOMENTS = frozenset({"current_date", "current_timestamp", "localtimestamp"})
"""Names that stand for the moment where the source has no such column."""
