"""Templates of paths, queries and bodies.

``{name}`` stands for a value: of a field by its name, ``{id}`` for the API's own id, ``{record}`` for the whole record, ``{key}``
for the value of its key, ``{keys}`` for those of all records of the request, ``{key_name}`` for the name of the key's one field,
``{fields}`` for the names of all fields, ``{columns}`` for those and the name of the API's own id, ``{ids}`` for the API's own ids of all
records of the request, ``{table}`` for what the ``*`` in the resource's name stands for, or its name, ``{where}`` for a condition of
SOQL that records with one of the keys meet (when they are read), ``{index}`` for the record's place in the request, ``{there.owner.id}`` for what stands at
that path in the API's record before the change. A text that is nothing but one of them becomes the value itself, of its type;
otherwise values are put into the text. ``{{`` and ``}}`` are braces. Within a list the entries of ``{keys}`` and ``{fields}`` stand
beside the others. A mapping with the one key ``$each`` becomes a list with an entry for each record of the request; ``{record}`` and
fields are those of that record there. What is under ``$all`` in a mapping is a mapping itself, whose names stand beside the others. An
entry of a list that is a mapping with ``$for`` stands there as often as what is under that has entries, once where it is no list, and not
at all where it has no value; ``{it}`` is the entry, ``{it.name}`` what it has at that path, and of equal ones there is but one. A list of
nothing else is left out where it would be empty. ``{name:quoted}`` puts a text between single quotes, with a backslash before quotes in it (SOQL),
``{name:json}`` writes it as JSON, ``{name:joined}`` makes a list a text with commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

from headgate.connectors.http.client import HEADER_VALUE
from headgate.model.errors import DestinationError

from .paths import at

EACH: Final = "$each"
ALL: Final = "$all"
FOR: Final = "$for"
IT: Final = "it"
THERE: Final = "there."
RECORD: Final = "{record}"
_MARK: Final = re.compile(r"\{\{|\}\}|\{([^{}:]*)(?::(quoted|json|joined))?\}")
_WHOLE: Final = re.compile(r"\{([^{}:]*)(?::(quoted|json|joined))?\}")
ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
GENERAL: Final = frozenset(
    {"id", "ids", "record", "key", "keys", "key_name", "fields", "columns", "table", "where", "index", IT}
)
_LISTS: Final = ("keys", "fields", "columns", "ids")


class UnfitError(DestinationError):
    """A value of a record cannot stand where a template puts it.

    Args:
        field: whose value it is.
    """

    def __init__(self, what: str, field: str) -> None:
        super().__init__(what)
        self.field = field


def nothing_there(_: str) -> None:
    """What stands in the API's record before the change, where there was none."""


class Values(msgspec.Struct, frozen=True):
    """What a template is filled in with.

    Attributes:
        id: the API's own id; None where it is not known.
        record: as it is sent.
        fields: values by the names of fields, as JSON can hold them.
        key: the value of the key, a list of them where it has several fields.
        key_names: the fields of the key.
        there: gives what stands at a path in the API's record before the change.
    """

    id: object
    record: Mapping[str, Any]
    fields: Mapping[str, Any]
    key: Any = None
    key_names: Sequence[str] = ()
    there: Callable[[str], Any] = nothing_there


@dataclass(frozen=True, slots=True)
class Many:
    """The records of one request.

    Attributes:
        each: at least one.
        names: of all fields.
        general: what else may be named, by name.
        place: of the record that is filled in just now.
        it: the entry of a list that is.
    """

    each: Sequence[Values]
    names: Sequence[str] = ()
    general: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0
    it: Any = None

    def value(self, name: str, one: Values | None) -> Any:
        """The value that a name stands for.

        Raises:
            DestinationError: it stands for none, or one record is meant where the request has several.
        """
        if name == "keys":
            return [v.key for v in self.each]
        if name == "ids":
            return [v.id for v in self.each]
        if name == "fields":
            return list(self.names)
        if name == "key_name":
            return self._key_name()
        if name in self.general:
            return self.general[name]
        if self.it is not None and name.partition(".")[0] == IT:
            return at(self.it, name[len(IT) + 1 :])
        if one is None:
            if len(self.each) > 1:
                raise DestinationError(
                    f"{{{name}}} is of one record, and the request has {len(self.each)}",
                    hint=f"Put it under {EACH}, or leave out batch.",
                )
            one = self.each[0]
        return self._of(name, one)

    def _of(self, name: str, one: Values) -> Any:
        if name == "index":
            return self.place
        if name.startswith(THERE):
            return one.there(name.removeprefix(THERE))
        if name == "record":
            return one.record
        if name == "key":
            return one.key
        if name == "id" and (one.id is not None or "id" not in one.fields):
            return one.id
        if name not in one.fields:
            known = ", ".join([*one.fields, *sorted(GENERAL)])
            raise DestinationError(f"a template names {{{name}}}, which is no field", hint=f"There are: {known}.")
        return one.fields[name]

    def _key_name(self) -> str:
        names = self.each[0].key_names
        if len(names) != 1:
            raise DestinationError(
                f"the key here is one field, not {', '.join(names) or 'none'}", hint="Say key: with one field."
            )
        return names[0]


def filled(template: Any, many: Many, one: Values | None = None) -> Any:
    """A body, or a part of one, with its values.

    Raises:
        DestinationError: it names what there is not.
    """
    if isinstance(template, str):
        if m := _WHOLE.fullmatch(template):
            found = many.value(m[1], one)
            return _formatted(found, m[2]) if m[2] else found
        return _text(template, many, one, lambda _, value: value)
    if isinstance(template, Mapping):
        if list(template) == [EACH]:
            if template[EACH] == RECORD:
                return [each.record for each in many.each]
            return [filled(template[EACH], replace(many, place=i), each) for i, each in enumerate(many.each)]
        own = {k: filled(v, many, one) for k, v in template.items() if k not in (ALL, FOR)}
        own = {k: v for k, v in own.items() if v != [] or not _is_repeated(template[k])}
        return {**filled(template[ALL], many, one), **own} if ALL in template else own
    if isinstance(template, list):
        return _list(template, many, one)
    return template


def _list(template: list[Any], many: Many, one: Values | None) -> list[Any]:
    made: list[Any] = []
    for part in template:
        if isinstance(part, Mapping) and FOR in part:
            made += _repeated(part, many, one)
            continue
        m = _WHOLE.fullmatch(part) if isinstance(part, str) else None
        found = filled(part, many, one)
        made += [v for v in found if v not in made] if m and not m[2] and m[1] in _LISTS else [found]
    return made


def _repeated(template: Mapping[str, Any], many: Many, one: Values | None) -> list[Any]:
    """A part of a list for each entry of another one."""
    found = filled(template[FOR], many, one)
    entries = found if isinstance(found, list) else [found] if found not in (None, "") else []
    parts = (filled(template, replace(many, it=entry), one) for entry in entries)
    return list({ENCODER.encode(part): part for part in parts}.values())


def _is_repeated(template: Any) -> bool:
    """Whether a template is a list that may be left out."""
    return (
        isinstance(template, list)
        and bool(template)
        and all(isinstance(part, Mapping) and FOR in part for part in template)
    )


def path(template: str, many: Many, one: Values | None = None) -> str:
    """A path, with its values escaped.

    Raises:
        DestinationError: as `filled`.
        UnfitError: a value is empty, or dots only, which would make it another path.
    """

    def escaped(name: str, value: str) -> str:
        if value in ("", ".", ".."):
            raise UnfitError(f"the path {template} cannot have {value!r} for {{{name}}}", name)
        return quote(value, safe="")

    return _text(template, many, one, escaped)


def headers(template: Mapping[str, str], many: Many) -> dict[str, str]:
    """Headers with their values.

    Raises:
        DestinationError: as `filled`.
        UnfitError: a value has a character that no header can have.
    """

    def checked(name: str, value: str) -> str:
        if not HEADER_VALUE.fullmatch(value):
            raise UnfitError(f"a header cannot have {value!r} for {{{name}}}", name)
        return value

    return {name: _text(value, many, None, checked) for name, value in template.items()}


def query(template: Mapping[str, Any], many: Many, one: Values | None = None) -> dict[str, object]:
    """Parameters with their values; None leaves one out, a list gives it several times."""
    return {name: _param(filled(value, many, one)) for name, value in template.items()}


def names(template: Any) -> set[str]:
    """The names that a template uses."""
    if isinstance(template, str):
        return {m[1] for m in _MARK.finditer(template) if m[1] is not None}
    if isinstance(template, Mapping):
        return {n for v in template.values() for n in names(v)}
    if isinstance(template, list):
        return {n for v in template for n in names(v)}
    return set()


def text(value: Any) -> str:
    """A value within a text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(text, value))
    if isinstance(value, Decimal):
        return format(value, "f")  # who reads texts need not know exponents
    return ENCODER.encode(value).decode()


def _param(value: Any) -> object:
    if isinstance(value, list):
        return [text(v) for v in value]
    return None if value is None else text(value)


def _text(template: str, many: Many, one: Values | None, how: Callable[[str, str], str]) -> str:
    def put(m: re.Match[str]) -> str:
        if m[1] is None:
            return m[0][0]
        found = many.value(m[1], one)
        return how(m[1], _formatted(found, m[2]) if m[2] else text(found))

    return _MARK.sub(put, template)


def _formatted(value: Any, how: str) -> str:
    if how == "json":
        return ENCODER.encode(value).decode()
    if how == "joined":
        return text(value)
    if isinstance(value, list):
        return ",".join(_formatted(v, how) for v in value)
    escaped = text(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
