"""What a SCHEMA says of a stream's columns: JSON Schema as types of fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from headgate.model.types import MAX_PRECISION, TEXT, FieldType

_FORMATS = {"date-time": "timestamptz", "date": "date", "time": "time", "uuid": "uuid"}
_BIG = 2**63


@dataclass(frozen=True, slots=True)
class Layout:
    """A stream's columns.

    Attributes:
        types: by column, in order.
        required: columns that every record has a value of.
        key: the columns that say which record it is.
    """

    types: Mapping[str, FieldType]
    required: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()

    def joined(self, later: Layout) -> Layout:
        """The columns of both; of a type that changed, one that holds both. The key is the later one's."""
        types = dict(self.types)
        for name, of in later.types.items():
            types[name] = _both(types[name], of) if name in types else of
        return Layout(types, self.required & later.required, later.key)


def _both(one: FieldType, other: FieldType) -> FieldType:
    return one.widened(other) or (other if other.holds(one) else TEXT)


def layout(schema: bytes, key: list[str] | None = None) -> Layout:
    """The columns that a SCHEMA's `schema` names.

    Raises:
        ValueError: it is no schema of an object with properties, or the key is none of them.
    """
    try:
        found: Any = json.loads(schema, parse_float=Decimal)
    except RecursionError:
        raise ValueError("the schema is nested too deep") from None
    properties = found.get("properties") if isinstance(found, dict) else None
    if not isinstance(properties, dict) or not properties:
        raise ValueError("the schema names no properties")
    if blank := [n for n in properties if not n.strip()]:
        raise ValueError(f"the schema has a property without a name ({blank[0]!r})")
    if lost := [k for k in key or () if k not in properties]:
        raise ValueError(f"the key {lost[0]!r} is not among the schema's properties")
    required = found.get("required")
    must = {n for n in required if isinstance(n, str)} if isinstance(required, list) else set()
    types = {name: _type(of) for name, of in properties.items()}
    never_null = {n for n in must & properties.keys() if not _nullable(properties[n])}
    return Layout(types, frozenset(never_null), tuple(key or ()))


def _choices(of: Any) -> list[dict[str, Any]]:
    """The schemas of which a value may be, each with one type at most."""
    if not isinstance(of, dict):
        return [{}]
    for word in ("anyOf", "oneOf"):
        if isinstance(of.get(word), list):
            return [c for one in of[word] for c in _choices(one)]
    names = of.get("type")
    return [of | {"type": n} for n in names] if isinstance(names, list) else [of]


def _nullable(of: Any) -> bool:
    return any(c.get("type") in (None, "null") for c in _choices(of))


def _type(of: Any) -> FieldType:
    """The type of a property; text where the schema leaves it open."""
    kinds = list(dict.fromkeys(_plain(c) for c in _choices(of) if c.get("type") != "null"))
    found = kinds[0] if kinds else TEXT
    for other in kinds[1:]:
        found = _both(found, other)
    return found


def _plain(of: Mapping[str, Any]) -> FieldType:
    match of.get("type"):
        case "integer":
            return FieldType("decimal", precision=MAX_PRECISION, scale=0) if _huge(of) else FieldType("bigint")
        case "number":
            return _number(of)
        case "boolean":
            return FieldType("boolean")
        case "object" | "array":
            return FieldType("json")
        case "string" if of.get("format") == "singer.decimal":
            return FieldType.parse("decimal")
        case "string":
            kind = _FORMATS.get(str(of.get("format")))
            return FieldType(kind) if kind else TEXT
    return TEXT


def _huge(of: Mapping[str, Any]) -> bool:
    bounds = [of.get(k) for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    return any(isinstance(b, int | Decimal) and not -_BIG <= b <= _BIG for b in bounds)


def _number(of: Mapping[str, Any]) -> FieldType:
    """A decimal where the schema says of what its values are multiples, with as many digits as its bounds have."""
    step = of.get("multipleOf")
    if isinstance(step, bool) or not isinstance(step, int | Decimal) or step <= 0:
        return FieldType("double")
    exponent = Decimal(step).normalize().as_tuple().exponent
    scale = max(0, -exponent) if isinstance(exponent, int) else 0
    if scale > MAX_PRECISION:
        return FieldType("double")
    bounds = [of.get(k) for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    known = [abs(Decimal(b)) for b in bounds if isinstance(b, int | Decimal) and not isinstance(b, bool)]
    whole = max((b.adjusted() + 1 for b in known if b), default=0) if len(known) >= 2 else 0
    precision = min(MAX_PRECISION, whole + scale) if whole > 0 else MAX_PRECISION
    return FieldType("decimal", precision=max(precision, scale, 1), scale=scale)
