"""What a schema says of values: through references, `allOf`, `oneOf` and `anyOf`, and bounded whatever it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from headgate.model.types import TEXT, FieldType

from .document import Api, Node, Unreachable, listed, mapping

MOST_FIELDS = 200
_DEEPEST = 3
_MOST_STEPS = 50_000
_LONGEST = 4_000
_JSON = FieldType("json")
_BIGINT, _DOUBLE = FieldType("bigint"), FieldType("double")
_STRINGS = {
    "date": FieldType("date"), "date-time": FieldType("timestamptz"), "uuid": FieldType("uuid"),
    "decimal": FieldType.parse("decimal"), "int64": _BIGINT, "int32": FieldType("integer"),
}  # fmt: skip
_EXACT = frozenset({"decimal", "bigdecimal", "money", "currency", "decimal128"})
Kind = Literal["object", "list", "value", "null", "any"]


@dataclass(frozen=True, slots=True)
class Part:
    """A schema, and the references that led to it."""

    node: Node
    above: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schema says.

    Attributes:
        kind: ``any`` where it says nothing.
        type: of a value.
        members: of an object.
        required: members that are always there.
        entries: of a list.
        is_url: whether a text is a URL.
    """

    kind: Kind
    type: FieldType = TEXT
    members: Mapping[str, Part] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    entries: Part | None = None
    is_url: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value in an object.

    Attributes:
        path: keys joined by dots.
        keys: the same, one by one.
        always: whether it and all above it are always there.
    """

    path: str
    keys: tuple[str, ...]
    shape: Shape
    always: bool

    @property
    def type(self) -> FieldType:
        """The type of a field for it."""
        return _JSON if self.shape.kind in ("object", "list") else self.shape.type


class Shapes:
    """Reads schemas of a document.

    Attributes:
        left_out: what could not be followed, in words.
    """

    def __init__(self, api: Api) -> None:
        self._api, self._steps = api, 0
        self.left_out: list[str] = []

    def of(self, part: Part) -> Shape:
        """What a schema says.

        Raises:
            Unreachable: a reference cannot be followed.
            DefinitionError: it is too involved to be gone through.
        """
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise self._api.mistake(
                (), f"its schemas lead to more than {_MOST_STEPS:,} others", "Write the definition by hand."
            )
        node, above = part.node, part.above
        while isinstance(ref := node.get("$ref"), str):
            if ref in above:
                return Shape("object")  # a circle goes through objects or lists, which are JSON
            above |= {ref}
            node = mapping(self._api.at(ref))
        found = [self._own(node, above)]
        found += [self.of(Part(mapping(one), above)) for one in listed(node.get("allOf"))]
        for word in ("oneOf", "anyOf"):
            if options := [self.of(Part(mapping(one), above)) for one in listed(node.get(word))]:
                found.append(_either(options))
        return _all(found)

    def leaves(self, shape: Shape, keys: tuple[str, ...] = (), *, always: bool = True) -> Iterator[Leaf]:
        """The values in an object, those of objects in it too; lists, and objects that are nested deeper, as one.

        What cannot be followed is left out, and noted.
        """
        for name, part in shape.members.items():
            here = (*keys, name)
            if not name or not name.isprintable() or mapping(part.node).get("writeOnly") is True:
                continue
            try:
                inner = self.of(part)
            except Unreachable as e:
                self.left_out.append(f"{'.'.join(here)}: {e}")
                continue
            there = always and name in shape.required
            if inner.kind == "null":
                continue
            if inner.kind == "object" and inner.members and len(here) < _DEEPEST:
                yield from self.leaves(inner, here, always=there)
            else:
                yield Leaf(".".join(here), here, inner, there)

    def _own(self, node: Node, above: frozenset[str]) -> Shape:
        """What a schema says itself."""
        types = [str(t) for t in listed(node.get("type")) or [node.get("type")] if t is not None]
        kinds = [t for t in types if t != "null"]
        if types and not kinds:
            return Shape("null")
        members = {str(k): Part(mapping(v), above) for k, v in mapping(node.get("properties")).items()}
        if kinds == ["object"] or (not kinds and (members or "additionalProperties" in node)):
            required = frozenset(str(r) for r in listed(node.get("required")))
            return Shape("object", members=members, required=required)
        if kinds == ["array"] or (not kinds and "items" in node):
            return Shape("list", entries=Part(mapping(node.get("items")), above))
        if len(kinds) == 1:
            return Shape("value", _type(kinds[0], node), is_url=node.get("format") in ("uri", "url", "uri-reference"))
        if len(kinds) > 1:
            return _either([self._own({**node, "type": k}, above) for k in kinds])
        required = frozenset(str(r) for r in listed(node.get("required")))
        given = listed(node.get("enum")) or ([node["const"]] if "const" in node else [])
        if given:
            return Shape("value", _of_values(given))
        return Shape("any", required=required)


def _all(found: list[Shape]) -> Shape:
    """What holds where all of these do."""
    told = [s for s in found if s.kind != "any"]
    if not told:
        return Shape("any", required=frozenset().union(*(s.required for s in found)))
    first = next((s for s in told if s.kind != "null"), told[0])
    if first.kind != "object":
        return first
    some = [s for s in told if s.members]
    members = dict(some[0].members) if some else {}
    for shape in some[1:]:
        for name, part in shape.members.items():
            both = name in members and members[name].node != part.node
            members[name] = _joined("allOf", [members[name], part]) if both else part
    return Shape("object", members=members, required=frozenset().union(*(s.required for s in found)))


def _either(found: list[Shape]) -> Shape:
    """What holds where one of these does."""
    told = [s for s in found if s.kind != "null"]
    if not told:
        return Shape("null")
    kinds = {s.kind for s in told}
    if kinds == {"object"}:
        members: dict[str, Part] = {}
        for name in dict.fromkeys(n for s in told for n in s.members):
            parts = [s.members[name] for s in told if name in s.members]
            same = all(p.node == parts[0].node for p in parts)
            members[name] = parts[0] if same else _joined("anyOf", parts)
        return Shape("object", members=members, required=frozenset.intersection(*(s.required for s in told)))
    if kinds == {"list"}:
        entries = [s.entries for s in told if s.entries is not None]
        return Shape("list", entries=entries[0] if len(entries) == 1 else _joined("anyOf", entries))
    if kinds == {"value"}:
        return Shape("value", _widest([s.type for s in told]), is_url=all(s.is_url for s in told))
    return Shape("any") if len(told) > 1 else told[0]


def _joined(word: str, parts: list[Part]) -> Part:
    return Part({word: [p.node for p in parts]}, frozenset().union(*(p.above for p in parts)))


def _widest(types: list[FieldType]) -> FieldType:
    found = types[0]
    for other in types[1:]:
        numbers = {found.kind, other.kind} <= {"integer", "bigint", "double"}
        found = _DOUBLE if numbers and "double" in (found.kind, other.kind) else found.widened(other) or TEXT
    return found


def _of_values(values: list[Any]) -> FieldType:
    if all(isinstance(v, bool) for v in values):
        return FieldType("boolean")
    return _BIGINT if all(isinstance(v, int) and not isinstance(v, bool) for v in values) else TEXT


def _type(kind: str, node: Node) -> FieldType:
    form = str(node.get("format") or "").lower()
    match kind:
        case "integer":
            return FieldType("integer") if form == "int32" else _BIGINT
        case "number":
            return _number(form, node.get("multipleOf"))
        case "boolean":
            return FieldType("boolean")
        case "string":
            if form in _STRINGS or form in _EXACT:
                return _STRINGS.get(form, _STRINGS["decimal"])
            most = node.get("maxLength")
            sized = isinstance(most, int) and not form and 0 < most <= _LONGEST
            return FieldType("text", length=most) if sized else TEXT
    return TEXT


def _number(form: str, step: object) -> FieldType:
    if form in _EXACT:
        return _STRINGS["decimal"]
    try:
        places = -int(Decimal(str(step)).normalize().as_tuple().exponent) if step is not None else 0
    except (InvalidOperation, ValueError):
        places = 0
    return FieldType("decimal", precision=18, scale=places) if 0 < places <= 10 else _DOUBLE
