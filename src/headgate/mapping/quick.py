"""The short way for single records that are plainly good.

Running a program costs DuckDB about a millisecond, whether for one record or for a thousand. A record that comes by itself
is therefore looked at here first. What is taken is only what needs no judgement: a value in the one form in which it would be
written back. Everything else (a blank that must not be, a number with a comma, anything that a rule might refuse) is not
decided here but goes the whole way, so there is one place for every rule. The law that keeps the two equal is a property test:
what `Quick.map` gives is what `Program.map` would have accepted, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from headgate.model.spec import FieldSpec, ImportSpec
from headgate.model.types import INTEGERS, FieldType

from .plan import FieldTypes
from .rules import sql_type

Row = tuple[Any, ...]
_Parse = Callable[[str], Any]


class Unsure(Exception):
    """A value that needs judgement."""


class Quick:
    """A definition as functions from text to values.

    Attributes:
        names: of the fields, in the order of a row.
    """

    def __init__(self, names: tuple[str, ...], steps: Sequence[tuple[str | None, _Parse, bool, Any]]) -> None:
        self.names = names
        self._steps = steps

    def map(self, record: Mapping[str, str | None]) -> Row | None:
        """The record's fields as Python values of their types; None when it has to go the whole way.

        Args:
            record: source column to text; columns that are not there are blank.
        """
        get = record.get
        row = []
        try:
            for column, parse, may_be_blank, constant in self._steps:
                if column is None:
                    row.append(constant)
                    continue
                text = get(column)
                if text:
                    row.append(parse(text))
                elif may_be_blank:
                    row.append(None)
                else:
                    return None
        except (Unsure, ValueError, OverflowError):
            return None
        return tuple(row)


def quick(spec: ImportSpec, fields: Mapping[str, FieldSpec], types: Mapping[str, FieldTypes]) -> Quick | None:
    """The short way of a definition; None where it has none, because a rule of it concerns more than a single value."""
    if spec.filter is not None or spec.delete_when is not None:
        return None
    steps = []
    for name, field in fields.items():
        step = _step(field, types[name], key=name in spec.key)
        if step is None:
            return None
        steps.append(step)
    return Quick(tuple(fields), steps)


def _step(field: FieldSpec, types: FieldTypes, *, key: bool) -> tuple[str | None, _Parse, bool, Any] | None:
    of = types.declared
    if sql_type(of) != sql_type(types.written) or of.kind == "other":
        return None
    if "value" in field.model_fields_set:
        plain = of.kind == "text" and not of.length and isinstance(field.value, str) and field.value
        return (None, str, False, field.value) if plain and "\0" not in str(field.value) else None
    if field.expr is not None or field.lookup is not None or field.check is not None or field.format is not None:
        return None
    if field.unique or field.when == "present" or field.blank == "keep" or field.column is None:
        return None
    parse = _parser(of)
    if parse is None:
        return None
    if field.transform:
        before = [_TRANSFORMS.get(t) if isinstance(t, str) else None for t in field.transform]
        if not all(before):
            return None
        parse = _after([b for b in before if b is not None], parse)
    may_be_blank = not (key or field.required or field.blank == "reject" or field.default is not None)
    return field.column, parse, may_be_blank, None


def _plain(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise Unsure
    return text


_TRANSFORMS: Final[dict[str, Callable[[str], str]]] = {"trim": str.strip, "upper": str.upper, "lower": str.lower}
"""Transforms that Python does to printable ASCII just as DuckDB does."""


def _after(transforms: Sequence[Callable[[str], str]], parse: _Parse) -> _Parse:
    def transformed(text: str) -> Any:
        _plain(text)
        for transform in transforms:
            text = transform(text)
        if not text:
            raise Unsure
        return parse(text)

    return transformed


def _parser(of: FieldType) -> _Parse | None:
    match of.kind:
        case "text":
            return _text(of.length)
        case "smallint" | "integer" | "bigint":
            return _integer(INTEGERS[of.kind])
        case "decimal":
            return _decimal((of.precision or 0) - (of.scale or 0), of.scale or 0)
        case "boolean":
            return _BOOLEANS.__getitem__
        case "date":
            return _date
        case "timestamp":
            return _timestamp
        case "timestamptz":
            return _timestamptz
        case "uuid":
            return _uuid
    return None


class _Words(dict[str, bool]):
    def __missing__(self, key: str) -> bool:
        raise Unsure


_BOOLEANS: Final = _Words(true=True, false=False)
_INTEGER: Final = re.compile("0|-?[1-9][0-9]{0,17}").fullmatch
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_CLOCK: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_TIMESTAMP: Final = re.compile(_CLOCK).fullmatch
_TIMESTAMPTZ: Final = re.compile(rf"{_CLOCK}(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])").fullmatch
_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def _text(length: int | None) -> _Parse:
    def parse(text: str) -> str:
        if "\0" in text or (length is not None and len(text) > length):
            raise Unsure
        return text

    return parse


def _integer(bits: int) -> _Parse:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def parse(text: str) -> int:
        if not _INTEGER(text):
            raise Unsure
        value = int(text)
        if not low <= value <= high:
            raise Unsure
        return value

    return parse


def _decimal(whole: int, scale: int) -> _Parse:
    if whole < 1:
        return _unsure
    digits = f"(0|[1-9][0-9]{{0,{whole - 1}}})"
    fits = re.compile(rf"-?{digits}(?:\.([0-9]{{1,{scale}}}))?" if scale else f"-?{digits}").fullmatch
    filled = [("" if n else ".") + "0" * (scale - n) if scale else "" for n in range(scale + 1)]

    def parse(text: str) -> Decimal:
        found = fits(text)
        if not found:
            raise Unsure
        after = found[2] if scale else None
        value = Decimal(text + filled[len(after) if after else 0])
        if not value and text[0] == "-":  # nobody writes minus nothing back
            raise Unsure
        return value

    return parse


def _unsure(text: str) -> Any:
    del text
    raise Unsure


def _date(text: str) -> date:
    if not _DATE(text):
        raise Unsure
    return date.fromisoformat(text)


def _timestamp(text: str) -> datetime:
    if not _TIMESTAMP(text):
        raise Unsure
    return datetime.fromisoformat(text)


def _timestamptz(text: str) -> datetime:
    if not _TIMESTAMPTZ(text):
        raise Unsure
    return datetime.fromisoformat(text).astimezone(UTC)


def _uuid(text: str) -> str:
    if not _UUID(text):
        raise Unsure
    return text
