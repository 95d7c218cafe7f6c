"""How the records of a resource and the fields of a run fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa

from headgate.connectors.http.resource import ResourceSpec
from headgate.model.errors import DefinitionError
from headgate.model.types import IMAGE, FieldType
from headgate.model.write import OLD, WriteSpec
from headgate.spi.deciding import Row

from .entries import Entries, EntriesText
from .paths import at, drop, is_path, put
from .template import ENCODER, Values, nothing_there
from .values import DECODER, Foreign, JsonText, give, giver, image, plain, take

Fields = dict[str, Any]
"""Values by the names of fields, as JSON has them."""


class Shape:
    """Turns records of an API into rows and back.

    Args:
        resource: where they are.
        spec: what is written.
    """

    def __init__(self, resource: ResourceSpec, spec: WriteSpec) -> None:
        self.resource, self.spec = resource, spec
        self.types = {f.name: f.type for f in spec.fields}
        declared = {n: FieldType.parse(t) for n, t in resource.fields.items()}
        told = {n: _told_type(v) for n, v in {**spec.scope, **spec.mark}.items()}
        self.columns: dict[str, FieldType] = {**told, **declared, **self.types}
        self._extra: list[str] = []
        self._numbers = {n: of for n, of in declared.items() if of.kind == "decimal"}
        self._own = bool(
            resource.texts or resource.blanks or resource.lowercase or resource.unordered or resource.entries
        )
        self._entries = {n: Entries(n, of) for n, of in resource.entries.items()}
        self._apart_names = resource.named_only
        self._givers = {n: giver(of) for n, of in self.columns.items()}
        self._flat = not any("." in n for n in self.columns)

    @property
    def images(self) -> tuple[str, ...]:
        """The columns that undo knows: the resource's, and whatever else records have that will be deleted."""
        return (*(n for n in self.columns if n not in self.resource.write_only), *self._extra)

    def also(self, records: Iterable[Any], names: Iterable[str] = ()) -> None:
        """Know whatever these records have; where the resource says what its fields are, it is known already.

        Args:
            names: of more, which an earlier process knew.
        """
        self._extra = []
        if self.resource.fields:
            return
        own = {name.partition(".")[0] for name in self.columns}
        more: dict[str, None] = dict.fromkeys(n for n in names if n not in self.columns)
        for record in records:
            inner = at(record, self.resource.nested)
            more.update(dict.fromkeys(inner if isinstance(inner, Mapping) else ()))
        never = {*own, *self.resource.read_only, self.resource.id}
        self._extra = [name for name in more if name not in never]

    def of(self, record: Any, name: str) -> Any:
        """A column's value as the API has it. What is not among the nested values may stand beside them."""
        path = self.resource.reads.get(name, name)
        found = at(at(record, self.resource.nested), path) if self.resource.nested else None
        found = at(record, path) if found is None else found
        if name in self._entries:
            return self._entries[name].read(found)
        return self._kept(name, found) if self._own else found

    @property
    def settles(self) -> bool:
        """Whether the API keeps values in a form of its own, so that `settle` has something to do."""
        return self._own

    def settle(self, row: Row) -> None:
        """Put the values of a row into the form that the API keeps them in."""
        if not self._own:
            return
        for name, entries in self._entries.items():
            if self.types.get(name) == IMAGE:
                wires = {n: DECODER.decode(v) for n in (name, OLD + name) if (v := row.get(n)) is not None}
                if name in wires:
                    wires[name] = entries.back(wires[name], wires.get(OLD + name))
                row |= {n: entries.text(wire, as_image=True) for n, wire in wires.items()}
        for name, value in row.items():
            if isinstance(value, EntriesText):
                continue
            if name in self.resource.lowercase and isinstance(value, str) and self.types.get(name) != IMAGE:
                row[name] = value.lower()
            elif isinstance(value, JsonText) and (known := self._entries.get(name.removeprefix(OLD))) is not None:
                row[name] = known.text(known.given(DECODER.decode(str(value))))
            elif isinstance(value, JsonText) and name.removeprefix(OLD) in self.resource.unordered:
                of = self.columns[name.removeprefix(OLD)]
                row[name] = take(self._kept(name.removeprefix(OLD), give(value, of)), of)
            elif isinstance(value, str) and value in ("", self._blank(name)) and _is_of(name, self.resource.blanks):
                row[name] = None

    def typed(self, name: str, values: Sequence[object]) -> list[object]:
        """Values as definitions have them, as rows hold those of a column.

        Raises:
            DefinitionError: one is none of the column's type.
        """
        of = self.columns[name]
        try:
            found = pa.array(values).cast(of.arrow).to_pylist()
        except pa.ArrowException:
            shown = ", ".join(map(str, values))
            raise DefinitionError(f"scope and delete.set: {name} is {of}, and {shown} is not") from None
        rows: list[Row] = [{name: JsonText(v) if of.kind == "json" and v is not None else v} for v in found]
        for row in rows:
            self.settle(row)
        return [row[name] for row in rows]

    def key_of(self, images: Mapping[str, str | None]) -> Row:
        """The key's fields of a record of which undo keeps this; those without a value that are not among it."""
        wires = {k: DECODER.decode(text) for k in self.spec.key if (text := images.get(k)) is not None}
        return {k: take(wires.get(k), self.columns[k]) for k in self.spec.key}

    def wire(self, name: str, value: Any) -> Any:
        """A column's value as the API keeps it; None where there is none.

        Raises:
            ValueError: JSON has no way to write it.
        """
        if name in self._entries:
            return None if value is None else self._entries[name].given(DECODER.decode(str(value)))
        given = give(value, self.columns[name])
        if given is not None and self._is_json_text(name):
            return ENCODER.encode(given).decode()
        return self._kept(name, given) if self._own else given

    def _is_json_text(self, name: str) -> bool:
        return self.columns[name].kind == "json" and _is_of(name, self.resource.texts)

    def _kept(self, name: str, wire: Any) -> Any:
        """One of the forms in which the API may have a value, the same for the same value."""
        if _is_of(name, self.resource.texts):
            wire = plain(wire)
        if isinstance(wire, str) and wire in ("", self._blank(name)) and _is_of(name, self.resource.blanks):
            return None
        if name in self._numbers and isinstance(wire, str):
            return _number(wire)
        if name in self.resource.lowercase and isinstance(wire, str):
            return wire.lower()
        if name in self.resource.unordered and isinstance(wire, list):
            return sorted(wire, key=lambda v: image(v) or "") or None
        return wire

    def _sent(self, name: str, wire: Any) -> Any:
        """The form in which it is sent."""
        if wire is None and name in self.resource.unordered:
            return []
        if wire is None and _is_of(name, self.resource.blanks):
            return self._blank(name)
        if not _is_of(name, self.resource.texts):
            return wire
        of = self._numbers.get(name)
        return plain(wire if of is None or wire is None else _scaled(wire, of))

    def _blank(self, name: str) -> str:
        """What stands there where a field has no value."""
        return self.resource.blanks.get(name, "") if isinstance(self.resource.blanks, dict) else ""

    def row(self, record: Any) -> Row:
        """The columns of a record as rows have them."""
        return {name: self._taken(record, name) for name in self.columns}

    def key(self, record: Any) -> tuple[object, ...]:
        """Its key."""
        return tuple(self._taken(record, k) for k in self.spec.key)

    def _taken(self, record: Any, name: str) -> Any:
        found, of = self.of(record, name), self.columns[name]
        if name in self._entries and found is not None and (of == IMAGE or of.kind == "json"):
            return self._entries[name].text(found, as_image=of == IMAGE)
        if isinstance(found, str) and self._is_json_text(name):
            try:
                found = DECODER.decode(found)
            except ValueError:
                return Foreign()
        return take(found, of)

    def imaged(self, record: Any) -> dict[str, str | None]:
        """Its columns as undo keeps them."""
        return {name: image(self.of(record, name)) for name in self.images}

    def together(self, values: Row, sent: Iterable[str], old: Row) -> tuple[Row, list[str]]:
        """Values and names of what is sent of a record that is there, with the run's other fields in the same objects: many APIs
        replace an object as a whole, and what it had beside a part of it would be lost.

        Args:
            values: what is written.
            sent: names of what differs.
            old: the record as it is.
        """
        chosen = list(sent)
        objects = {_object(n) for n in chosen} - {""}
        if not objects:
            return values, chosen
        beside = [n for n in self.types if n not in chosen and _object(n) in objects]
        values = {**{n: old[n] for n in beside}, **values}
        # What has no value is not there either when it is not sent.
        chosen += [n for n in beside if values[n] is not None and n not in self.resource.read_only]
        return values, chosen

    def whole(self, record: Any, more: Row, *, nulls: bool = True) -> dict[str, Any]:
        """All of a record, with some columns set, as it is sent to an endpoint that replaces what it had.

        Args:
            nulls: whether columns that are set to no value are sent.
        """
        made: dict[str, Any] = {}
        inner = at(record, self.resource.nested)
        if not self.resource.fields and isinstance(inner, Mapping):
            made = deepcopy(dict(inner))
            for path in (self.resource.id, *self.resource.read_only, *self.resource.reads.values()):
                drop(made, path)
        for name in (n for n in self.columns if n not in self._apart_names):
            if name in more and not isinstance(more[name], Foreign):
                wire = self.wire(name, more[name])
                if wire is None and not nulls:
                    drop(made, name)
                else:
                    put(made, name, self._sent(name, wire))
            elif name not in self.resource.read_only and (wire := self.of(record, name)) is not None:
                put(made, name, self._sent(name, wire))
        return made

    def given(self, name: str, values: Sequence[Any]) -> Sequence[Any]:
        """A column's values as JSON has them, where the API keeps all as they are sent.

        Raises:
            ValueError: JSON has no way to write one.
        """
        way = self._givers[name]
        return values if way is None else [None if v is None else way(v) for v in values]

    def values(
        self, row: Row, sent: Iterable[str], id_: Any, *, nulls: bool, there: Any = None, fields: Fields | None = None
    ) -> Values:
        """What templates are filled in with.

        Args:
            row: values as rows have them.
            sent: names of those that are sent.
            id_: the API's own id of the record.
            nulls: whether fields without a value are sent.
            there: the API's record before the change.
            fields: the row's values as `given` makes them, where they are made already.

        Raises:
            ValueError: two fields have no room beside each other, or JSON has no way to write a value.
        """
        fields = self._wired(row) if fields is None else fields
        if apart := self._apart_names:
            sent = [n for n in sent if n not in apart]
        if sent is row and self._flat and not self._own:
            record = fields if nulls else {n: v for n, v in fields.items() if v is not None}
        elif self._flat and not self._own:
            record = {n: v for n in sent if (v := fields.get(n)) is not None or (nulls and n in fields)}
        else:
            record = {}
            for name in sent:
                if name in fields and (nulls or fields[name] is not None):
                    put(record, name, self._sent(name, fields[name]))
        if self._own:
            fields = {n: v if v is None and n not in apart else self._sent(n, v) for n, v in fields.items()}
        if apart:
            fields |= self._apart(row, fields, there)
        key = [fields.get(k) for k in self.spec.key]
        there_ = nothing_there if there is None else partial(at, there)
        return Values(id_, record, fields, key[0] if len(key) == 1 else key, self.spec.key, there_)

    def _apart(self, row: Row, fields: Row, there: Any) -> Row:
        """What templates have of the fields that are no part of the record, also of those that are not written."""
        made = {n: fields[n] if n in fields else self._sent(n, None) for n in self.resource.apart}
        made |= {
            n: give(v, self.columns[n]) if (v := row.get(n)) is not None else None for n in self.resource.write_only
        }
        for name, entries in self._entries.items():
            given = self.wire(name, row[name]) if row.get(name) is not None else None
            had = at(there, self.resource.reads.get(name, name))
            made[name] = None if given is None else entries.sent(given, had)
        return made

    def _wired(self, row: Row) -> Fields:
        if self._own:
            return {n: self.wire(n, v) for n, v in row.items() if v.__class__ is not Foreign}
        givers = self._givers
        return {
            n: v if v is None or (way := givers[n]) is None else way(v)
            for n, v in row.items()
            if v.__class__ is not Foreign
        }


def _told_type(value: object) -> FieldType:
    """The type of a column of which only values are known that a definition has."""
    values = value if isinstance(value, list) else [value]
    kinds = {type(v) for v in values if v is not None}
    kind = {bool: "boolean", int: "bigint", float: "double"}.get(kinds.pop() if len(kinds) == 1 else str, "text")
    return FieldType.parse(kind)


def _object(name: str) -> str:
    """The outermost object in which a field is sent; empty where it is in none."""
    outer, dot, _ = name.partition(".")
    return outer if dot and is_path(name) else ""


def _is_of(name: str, some: bool | list[str] | dict[str, str]) -> bool:
    return some if isinstance(some, bool) else name in some


def _scaled(wire: Any, of: FieldType) -> Any:
    """A number with as many decimals as its field has."""
    number = take(wire, of)
    return wire if isinstance(number, Foreign) else number


def _number(text: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text
