"""Lists within records whose entries are records themselves: the variants of a product, which are made and changed with it.

A row has such a list as JSON with the names that the resource says, however the API has its entries when it gives them and when it takes
them. Entries are told apart by their key, and their order means nothing. What is compared are the fields that both sides name: a list of
a source leaves alone what it does not mention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from headgate.connectors.http.resource import EntriesSpec
from headgate.model.types import FieldType

from .paths import at, put
from .template import ENCODER
from .values import Foreign, JsonText, give, image, plain, take

Entry = dict[str, Any]


class EntriesText(JsonText):
    """Such a list as it was written; equal to one with the same entries, by what both name of them."""

    __slots__ = ("_by",)

    def __new__(cls, text: str, by: Mapping[Any, Entry]) -> Self:
        """A text with its entries by their keys."""
        del by
        return super().__new__(cls, text)

    def __init__(self, text: str, by: Mapping[Any, Entry]) -> None:
        super().__init__(text)
        self._by = by

    def __hash__(self) -> int:
        return hash(frozenset(self._by))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EntriesText):
            return super().__eq__(other)
        return self._by.keys() == other._by.keys() and all(_alike(one, other._by[k]) for k, one in self._by.items())

    def __ne__(self, other: object) -> bool:
        return not self == other


def _alike(one: Entry, other: Entry) -> bool:
    return all(one[name] == other[name] for name in one.keys() & other.keys())


class Entries:
    """Turns one such list into what rows have, and back.

    Args:
        name: of the field.
        spec: what the resource says of it.
    """

    def __init__(self, name: str, spec: EntriesSpec) -> None:
        self._name, self._spec = name, spec
        self._types = {n: FieldType.parse(of) for n, of in spec.fields.items()}

    def read(self, wire: Any) -> Any:
        """The API's list as rows have it."""
        if not _is_list(wire):
            return wire
        return [{n: self._kept(n, at(one, self._spec.reads.get(n, n))) for n in self._types} for one in wire]

    def given(self, wire: Any) -> Any:
        """A list of a source in the same form."""
        return [{n: self._kept(n, v) for n, v in one.items()} for one in wire] if _is_list(wire) else wire

    def text(self, wire: Any, *, as_image: bool = False) -> JsonText:
        """A list in this form as rows hold it.

        Args:
            as_image: whether undo has it so.
        """
        written = (image(wire) or "") if as_image else ENCODER.encode(wire).decode()
        if not _is_list(wire) or len(by := {self._key(one): one for one in wire}) < len(wire):
            return JsonText(written)
        return EntriesText(written, by)

    def back(self, was: Any, written: Any) -> Any:
        """What is to be put back, of a list that was so before what was written took its place: of entries that stayed only what was
        written of them, as the rest may be somebody else's by now."""
        if not (_is_list(was) and _is_list(written)):
            return was
        now = {self._key(one): one for one in written}
        return [{n: v for n, v in one.items() if n in now.get(self._key(one), one)} for one in was]

    def sent(self, given: Any, there: Any) -> list[Entry]:
        """What templates have of each entry: its fields, and `record`, those of them that are no part of it aside, as it is sent.

        Args:
            given: the list in the form of rows.
            there: the API's list before the change; entries that it has are sent with its own ids.

        Raises:
            ValueError: it is no such list.
        """
        if not _is_list(given):
            raise ValueError(f"{self._name} is no list of objects")
        if self._spec.most is not None and len(given) > self._spec.most:
            raise ValueError(
                f"{self._name} has {len(given):,} entries, and more than {self._spec.most:,} cannot be read"
            )
        known = (
            {self._key(flat): at(one, self._spec.id) for flat, one in zip(self.read(there), there, strict=True)}
            if _is_list(there)
            else {}
        )
        made: dict[Any, Entry] = {}
        for one in given:
            key = self._key(one)
            self._check(one, twice=key in made)
            record: Entry = {}
            for name, value in one.items():
                if name not in self._spec.apart:
                    put(record, name, self._wire(name, value))
            if known.get(key) is not None:
                record[self._spec.id] = known[key]
            made[key] = {**{n: self._wire(n, one.get(n)) for n in self._types}, "record": record}
        return list(made.values())

    def _check(self, one: Entry, *, twice: bool) -> None:
        if unknown := sorted(one.keys() - self._types.keys()):
            there = ", ".join(self._types)
            raise ValueError(f"entries of {self._name} have no field {unknown[0]!r}; there are: {there}")
        if twice:
            which = (
                ", ".join(f"{n} {one[n]}" for n in self._spec.key if one.get(n) is not None)
                or "nothing to tell them by"
            )
            raise ValueError(f"{self._name} has two entries with {which}")

    def _key(self, one: Entry) -> tuple[object, ...]:
        return tuple(str(one.get(n)) for n in self._spec.key)

    def _kept(self, name: str, wire: Any) -> Any:
        if wire is None or wire in ("", self._spec.blanks.get(name)):
            return None
        found = take(wire, self._types[name]) if name in self._types else wire
        return wire if isinstance(found, Foreign) else found

    def _wire(self, name: str, value: Any) -> Any:
        if value is None:
            return self._spec.blanks.get(name)
        of = self._types[name]
        taken = take(value, of)
        wire = value if isinstance(taken, Foreign) else give(taken, of)
        return plain(wire) if name in self._spec.texts else wire


def _is_list(wire: Any) -> bool:
    return isinstance(wire, list) and all(isinstance(one, dict) for one in wire)
