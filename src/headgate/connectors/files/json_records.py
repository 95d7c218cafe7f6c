"""JSON objects into columns of text, every value as it was written.

The quick way decodes many objects at once into a generated struct: floats come as the text they were written as, nested
values as their bytes. What it cannot take (a line that is not JSON, an unknown key, a NUL, an integer of thousands of
digits) is looked at object by object, so that one bad object costs its neighbours time and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from headgate.model.record import Problem
from headgate.spi.nul import nul_fault

from .gather import Decoded, without

SAMPLE_BYTES = 4 << 20
SHOWN = 10_000

_TEXT = pa.string()
_KINDS = (_TEXT, pa.int64(), pa.bool_())
_EXACT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')
_MINUS_ZERO = re.compile(rb"-0\s*[,}]")
_NUL = b"\\u0000"
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


class NotJsonError(Exception):
    """The object at `position` of a piece of a document is not JSON: the document cannot be trusted from there on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.position = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of objects as bytes.

    Attributes:
        data: the objects, with nothing but white space between them.
        split: gives the objects one by one, as (1-based number in the file, bytes); blank ones left out.
        whole: says of the number of objects decoded from `data` whether each was exactly one of `split`.
        offsets: bytes before each item in the file, where that is known without looking.
    """

    data: bytes
    split: Callable[[], list[tuple[int, bytes]]]
    whole: Callable[[int], bool]
    offsets: Sequence[int] = ()


def written(raw: bytes) -> str | None:
    """The text of one JSON value: a string's characters, a number's literal, compact JSON for the rest; None for null."""
    match raw[:1]:
        case b'"':
            return str(msgspec.json.decode(raw))
        case b"n":
            return None
        case b"{" | b"[":
            return msgspec.json.format(raw, indent=-1).decode()
        case _:
            return raw.decode()


def _known(value: object) -> str | None:
    """The text of a value that has been decoded already."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case msgspec.Raw():
            return written(bytes(value))
    raise _NestedError


class _NestedError(Exception):
    """A column that held plain values holds a list or an object."""


def text_array(values: Sequence[object]) -> tuple[pa.Array, bool]:
    """Values of one column, decoded without type, as text; and whether there are numbers or truth values among them."""
    for kind in _KINDS:
        try:
            array = pa.array(values, kind)
        except (pa.ArrowTypeError, pa.ArrowInvalid, OverflowError):
            continue
        return (array, False) if kind is _TEXT else (array.cast(_TEXT), True)
    return pa.array([_known(v) for v in values], _TEXT), True


@dataclass(slots=True)
class Keys:
    """The keys of the first objects, in order of first appearance, and those that hold lists or objects."""

    names: list[str] = field(default_factory=list)
    nested: set[str] = field(default_factory=set)

    @classmethod
    def sample(cls, pieces: Iterator[Piece]) -> Keys:
        """Look at about `SAMPLE_BYTES`."""
        names: dict[str, None] = {}
        nested: set[str] = set()
        seen = 0
        for piece in pieces:
            for _, item in piece.split():
                try:
                    values = _EXACT.decode(item)
                except (ValueError, RecursionError):
                    continue
                names.update(dict.fromkeys(values))
                nested.update(k for k, v in values.items() if bytes(v)[:1] in (b"{", b"["))
            seen += len(piece.data)
            if seen >= SAMPLE_BYTES:
                break
        return cls(list(names), nested)


class Decoder:
    """Decodes pieces into the columns `keys.names`.

    Args:
        closed: a key that is not among them makes its object a fault, unless its value is null; otherwise it is left out.
        nulls: words that mean no value.
        longest: most bytes of an object.
        lines: the objects are lines of their own, so that one which is not JSON says nothing about the next.
    """

    def __init__(self, keys: Keys, *, closed: bool, nulls: Sequence[str], longest: int, lines: bool) -> None:
        self.names = keys.names
        self._closed = closed
        self._nulls = nulls
        self._longest = longest
        self._lines = lines
        self._slots = {name: f"c{i}" for i, name in enumerate(keys.names)}
        self._raw = {self._slots[n] for n in keys.nested if n in self._slots}
        self._compile()

    def _compile(self) -> None:
        types = [(slot, msgspec.Raw if slot in self._raw else Any, None) for slot in self._slots.values()]
        odd = any(_UNNAMEABLE.search(n) for n in self.names)
        self._row: Any = msgspec.defstruct(
            "Row",
            types,
            rename=None if odd else {slot: name for name, slot in self._slots.items()},
            forbid_unknown_fields=self._closed,
            gc=False,
        )
        self._quick = None if odd else msgspec.json.Decoder(self._row, float_hook=str)

    def decode(self, piece: Piece) -> Decoded:
        """Decode one piece.

        Raises:
            NotJsonError: an object is not JSON, and `lines` is false.
        """
        rows = self._all(piece)
        count = len(rows) if rows is not None else 0
        kept: range | list[int] = range(count)
        faults: list[tuple[int, Problem, dict[str, str | None]]] = []
        if rows is None:
            rows, kept, faults, count = self._each(piece)
        try:
            columns = self._columns(rows, piece.data)
        except _NestedError:
            return self.decode(piece)
        except (ValueError, RecursionError):
            # Bytes that were set aside as nested values turn out to be no text.
            rows, kept, faults, count = self._each(piece, quick=False)
            columns = self._columns(rows, piece.data)
        return Decoded(count, columns, kept, faults)

    def _all(self, piece: Piece) -> list[Any] | None:
        """All objects at once, or None if they need looking at."""
        if self._quick is None or len(piece.data) > self._longest or (b"\\" in piece.data and _NUL in piece.data):
            return None
        try:
            rows = self._quick.decode_lines(piece.data)
        except (ValueError, RecursionError):
            return None
        return rows if piece.whole(len(rows)) else None

    def _each(
        self, piece: Piece, *, quick: bool = True
    ) -> tuple[list[Any], list[int], list[tuple[int, Problem, dict[str, str | None]]], int]:
        """The objects one by one; without `quick` every value of theirs is made text at once."""
        rows, kept, faults = [], [], []
        items = piece.split()
        for position, (_, item) in enumerate(items):
            try:
                row = (
                    self._one(item, quick) if len(item) <= self._longest else Problem("RD08", _too_long(self._longest))
                )
            except NotJsonError as e:
                e.position = position
                raise
            if isinstance(row, tuple):
                faults.append((position, *row))
            elif isinstance(row, Problem):
                faults.append((position, row, {}))
            else:
                rows.append(row)
                kept.append(position)
        return rows, kept, faults, len(items)

    def _one(self, item: bytes, quick: bool) -> Any | Problem | tuple[Problem, dict[str, str | None]]:
        """One object as a row, or what is wrong with it."""
        if quick and self._quick is not None and _NUL not in item:
            try:
                return self._quick.decode(item)
            except (ValueError, RecursionError):
                pass
        try:
            texts = {k: written(bytes(v)) for k, v in _EXACT.decode(item).items()}
        except (ValueError, RecursionError) as e:
            return self._broken(item, e)
        unknown = [k for k, v in texts.items() if v is not None and k not in self._slots] if self._closed else []
        if unknown:
            reason = f"the record has the key {unknown[0]!r}, which is not among those of the first records"
            return Problem("RD02", reason, column=unknown[0], value=texts[unknown[0]]), texts
        if any(v and "\0" in v for k, v in texts.items() if k in self._slots):
            return nul_fault({k: v for k, v in texts.items() if k in self._slots})
        return self._row(*(texts.get(n) for n in self.names))

    def _broken(self, item: bytes, e: ValueError | RecursionError) -> Problem:
        what = "line" if self._lines else "element"
        shown = item[:SHOWN].decode(errors="replace")
        if isinstance(e, RecursionError):
            return Problem("RD05", f"the {what} is nested too deeply", value=shown)
        if isinstance(e, UnicodeDecodeError):
            return Problem("RD04", f"the {what} is not UTF-8", value=shown)
        if isinstance(e, msgspec.ValidationError):
            return Problem("RD05", f"the {what} is not a JSON object", value=shown)
        if _HALF.search(item) and ("surrogate" in str(e) or "truncated" in str(e)):
            return Problem("RD04", f"the {what} holds half of a surrogate pair, which is no character", value=shown)
        if not self._lines and not _only_nan(item):
            raise NotJsonError(str(e)) from None
        return Problem("RD05", f"the {what} is not JSON: {str(e).removeprefix('JSON is malformed: ')}", value=shown)

    def _columns(self, rows: list[Any], data: bytes) -> list[pa.Array]:
        columns = []
        again = False
        for slot in self._slots.values():
            values = list(map(attrgetter(slot), rows))
            if slot in self._raw:
                columns.append(pa.array([_known(v) for v in values], _TEXT))
                continue
            try:
                array, numbers = text_array(values)
            except _NestedError:
                again = True
                self._raw.add(slot)
                continue
            if numbers and 0 in values and _MINUS_ZERO.search(data):
                # -0 decodes to the integer 0; as bytes it keeps its sign.
                again = True
                self._raw.add(slot)
            columns.append(array)
        if again:
            self._compile()
            raise _NestedError
        return [without(c, self._nulls) for c in columns]


def _too_long(longest: int) -> str:
    return f"the record is longer than source.max_record, {longest:,} bytes"


def _only_nan(item: bytes) -> bool:
    """Whether the object is JSON but for NaN and Infinity, which several writers put there."""
    import json

    try:
        json.loads(item)
    except (ValueError, RecursionError):
        return False
    return True
