"""Looking into a JSON answer, every value staying as it was written.

A path is keys joined by dots, numbers for elements of lists (from 0; -1 is the last), and ``*`` for every element of a list.
A key may have dots in it itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NUMBER = re.compile(r"-?\d+")
_SHOWN = 12
EVERY = "*"
# One escape; the group is a half of a surrogate pair without its other half, as is left where a text was cut inside a character.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


class NoSuchPath(LookupError):
    """There is nothing at a path; the message says what there is."""


class Document:
    """One JSON document.

    Args:
        halves: what stands in the document for texts that are no characters, which records get back.

    Raises:
        ValueError: it is not JSON.
    """

    def __init__(self, data: bytes, halves: Mapping[bytes, bytes] | None = None) -> None:
        self._data = data.strip()
        self._halves = halves or {}
        self._members: dict[str, msgspec.Raw] | None = None
        if self._data[:1] == b"{":
            self._members = _OBJECT.decode(self._data)
        else:
            msgspec.json.decode(self._data, type=msgspec.Raw)

    def at(self, path: str) -> bytes:
        """What stands at a path without ``*``; the document itself for an empty one.

        Raises:
            NoSuchPath: nothing does.
        """
        (found,) = self._walk(self._data, path, path, many=False)
        return found

    def get(self, path: str) -> bytes:
        """The same, ``null`` where there is nothing."""
        try:
            return self.at(path)
        except NoSuchPath:
            return b"null"

    def records(self, path: str) -> list[bytes]:
        """The elements of the list at a path, or what ``*`` in it stands for; an object is the only record.

        Raises:
            NoSuchPath: there is neither list nor object.
        """
        return [self._restored(record) for record in self._records(path)]

    def _records(self, path: str) -> list[bytes]:
        if EVERY in path.split("."):
            return list(self._walk(self._data, path, path, many=True))
        found = self.at(path)
        if found[:1] == b"[":
            return elements(found)
        if found[:1] == b"{":
            return [found]
        if found == b"null":
            return []
        raise NoSuchPath(f"{repr(path) if path else 'the answer'} is {what(found)}, not a list of records")

    def _restored(self, record: bytes) -> bytes:
        for stand_in, half in self._halves.items():
            record = record.replace(stand_in, half)
        return record

    @property
    def is_list(self) -> bool:
        """Whether the document itself is a list."""
        return self._data[:1] == b"["

    def lists(self) -> list[str]:
        """Keys of the document that hold lists whose first element, if there is one, is an object."""
        held = ((name, bytes(raw)) for name, raw in (self._members or {}).items())
        return [name for name, raw in held if raw[:1] == b"[" and raw[1:].lstrip()[:1] in (b"{", b"]")]

    def _walk(self, data: bytes, rest: str, path: str, *, many: bool) -> Iterator[bytes]:
        while rest:
            step, _, after = rest.partition(".")
            if data[:1] == b"[":
                found = elements(data)
                if step == EVERY and many:
                    for element in found:
                        yield from self._walk(element, after, path, many=True)
                    return
                if not _NUMBER.fullmatch(step) or not -len(found) <= int(step) < len(found):
                    raise NoSuchPath(f"there is no {path!r}: {step!r} is asked of a list of {len(found)}")
                data, rest = found[int(step)], after
                continue
            if data[:1] != b"{":
                raise NoSuchPath(f"there is no {path!r}: {step!r} is asked of {what(data)}")
            members = self._members if data is self._data and self._members is not None else _OBJECT.decode(data)
            fits = [k for k in members if rest == k or rest.startswith(f"{k}.")]
            if not fits:
                raise NoSuchPath(f"there is no {path!r}: in the place of {step!r} there is {_names(list(members))}")
            key = max(fits, key=len)
            data, rest = bytes(members[key]), rest[len(key) + 1 :]
        yield data


def parse(data: bytes) -> Document:
    """A document in which halves of surrogate pairs, that are no characters, spoil their own record and no other.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return Document(data)
    except ValueError:
        if b"\\u" not in data:
            raise
        lower = data.lower()
        free = (code for code in map(b"\\u%04x".__mod__, range(0xE000, 0xF8FF)) if code not in lower)
        stand_ins: dict[bytes, bytes] = {}

        def put(m: re.Match[bytes]) -> bytes:
            if m[1] is None:
                return m[0]
            if m[0] not in stand_ins:
                stand_ins[m[0]] = next(free)
            return stand_ins[m[0]]

        whole = _ESCAPE.sub(put, data)
        if not stand_ins:
            raise
        return Document(whole, {stand_in: half for half, stand_in in stand_ins.items()})


def elements(data: bytes) -> list[bytes]:
    """The elements of a JSON list, as written."""
    return [bytes(raw) for raw in _LIST.decode(data)]


def members(data: bytes) -> dict[str, bytes]:
    """The members of a JSON object, as written; none of anything else."""
    return {k: bytes(v) for k, v in _OBJECT.decode(data).items()} if data[:1] == b"{" else {}


def text(data: bytes) -> str | None:
    """A JSON value as text: a text's characters, a number's literal, compact JSON for lists and objects; None for null."""
    match data[:1]:
        case b'"':
            return str(msgspec.json.decode(data))
        case b"n":
            return None
        case b"{" | b"[":
            return msgspec.json.format(data, indent=-1).decode()
        case _:
            return data.decode()


def is_true(data: bytes) -> bool:
    """Whether a JSON value is something: not null, false, 0, or empty."""
    return data not in (b"null", b"false", b"0", b'""') and bool(
        data[1:-1].strip() if data[:1] in (b"[", b"{") else data
    )


def what(data: bytes) -> str:
    """A JSON value in words."""
    match data[:1]:
        case b"{":
            return f"an object with {_names(list(_OBJECT.decode(data)))}"
        case b"[":
            return f"a list of {len(elements(data))}"
        case b'"':
            return "a text"
        case b"t" | b"f" | b"n":
            return data.decode()
        case _:
            return "a number"


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "nothing"
