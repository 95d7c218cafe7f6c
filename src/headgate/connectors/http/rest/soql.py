"""Conditions of SOQL, the query language of Salesforce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from headgate.model.types import FieldType

from .template import Values, text

BARE: Final = ("date", "timestamp", "timestamptz")
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)


def condition(each: Sequence[Values], types: Mapping[str, FieldType]) -> str:
    """What records meet that have one of the keys; empty without a key.

    Args:
        types: of fields by name, as dates are written otherwise than texts.
    """
    names = each[0].key_names
    if not names:
        return ""
    if len(names) == 1:
        (name,) = names
        return f"{name} IN ({','.join(literal(v.fields.get(name), types.get(name)) for v in each)})"
    return " OR ".join(
        f"({' AND '.join(f'{n} = {literal(v.fields.get(n), types.get(n))}' for n in names)})" for v in each
    )


def literal(value: Any, of: FieldType | None = None) -> str:
    """A value as it stands in a query."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        return text(value)
    if of is not None and of.kind in BARE:
        return f"{value}Z" if of.kind == "timestamp" else value
    return f"'{value.translate(_ESCAPES)}'"
