"""As much of GraphQL as it takes to be asked by a program: one operation with variables, arguments, aliases and selections.

No fragments, directives or introspection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_TOKEN: Final = re.compile(r'[\s,]+|([{}()\[\]:!$=]|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|\w+)')
Resolve = Callable[[Mapping[str, Any]], Any]
"""Gives what a field of the root is, by its arguments: a mapping, a list of them, a plain value or None."""


class GraphqlError(Exception):
    """A document that cannot be carried out; as the API says it in `errors`."""

    def __init__(self, message: str, code: str = "", **extensions: Any) -> None:
        super().__init__(message)
        self.message, self.extensions = message, ({"code": code} if code else {}) | extensions


@dataclass(slots=True)
class Chosen:
    """A field of a selection.

    Attributes:
        name: what it is called in the answer.
        of: what it is.
        args: with variables filled in.
        fields: what is selected of it; None where it is a plain value.
    """

    name: str
    of: str
    args: dict[str, Any] = field(default_factory=dict)
    fields: list[Chosen] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What a document asks for.

    Attributes:
        kind: ``query`` or ``mutation``.
        variables: names of the types of variables, by their names.
        fields: of the root.
    """

    kind: str
    variables: Mapping[str, str]
    fields: Sequence[Chosen]


def parsed(document: str, values: Mapping[str, Any]) -> Operation:
    """A document with its variables.

    Raises:
        GraphqlError: it is none.
    """
    return _Parser(document, values).operation()


def carried_out(chosen: Sequence[Chosen], root: Mapping[str, Resolve]) -> dict[str, Any]:
    """The answer's `data`.

    Raises:
        GraphqlError: there is no such field.
    """
    found = {}
    for one in chosen:
        if one.of not in root:
            raise _no_field(one.of)
        found[one.name] = _shown(root[one.of](one.args), one)
    return found


def _shown(value: Any, chosen: Chosen) -> Any:
    if value is None or chosen.fields is None:
        return value
    if isinstance(value, list):
        return [_shown(one, chosen) for one in value]
    for one in chosen.fields:
        if one.of not in value:
            raise _no_field(one.of)
    return {one.name: _shown(_resolved(value[one.of], one), one) for one in chosen.fields}


def _resolved(value: Any, chosen: Chosen) -> Any:
    """A value, or what a function of the field's arguments gives."""
    return value(chosen.args) if callable(value) else value


def _no_field(name: str) -> GraphqlError:
    return GraphqlError(f"Field '{name}' doesn't exist", "undefinedField", fieldName=name)


class _Parser:
    def __init__(self, document: str, values: Mapping[str, Any]) -> None:
        if _TOKEN.sub("", document):
            raise GraphqlError(f"Parse error on {_TOKEN.sub('', document)[0]!r}")
        self._tokens = [m[1] for m in _TOKEN.finditer(document) if m[1]]
        self._at = 0
        self._values = values

    def operation(self) -> Operation:
        kind = self._word()
        if self._peek() not in ("(", "{"):
            self._word()
        variables: dict[str, str] = {}
        if self._take("("):
            while not self._take(")"):
                self._need("$")
                name = self._word()
                self._need(":")
                variables[name] = self._type()
        return Operation(kind, variables, self._selection())

    def _selection(self) -> list[Chosen]:
        self._need("{")
        found = []
        while not self._take("}"):
            name = of = self._word()
            if self._take(":"):
                of = self._word()
            args = self._arguments(")") if self._take("(") else {}
            found.append(Chosen(name, of, args, self._selection() if self._peek() == "{" else None))
        return found

    def _arguments(self, end: str) -> dict[str, Any]:
        found = {}
        while not self._take(end):
            name = self._word()
            self._need(":")
            found[name] = self._value()
        return found

    def _value(self) -> Any:
        if self._take("{"):
            return self._arguments("}")
        if self._take("["):
            many = []
            while not self._take("]"):
                many.append(self._value())
            return many
        if self._take("$"):
            return self._values.get(self._word())
        token = self._word()
        if token.startswith('"'):
            return token[1:-1]
        return {"true": True, "false": False, "null": None}.get(token, int(token) if token.isdigit() else token)

    def _type(self) -> str:
        name = f"[{self._type()}" if self._take("[") else self._word()
        return name + "".join(mark for mark in ("]", "!") if self._take(mark))

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, token: str) -> bool:
        there = self._peek() == token
        self._at += there
        return there

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise GraphqlError(f"Parse error on {self._peek()!r}, expected {token!r}")

    def _word(self) -> str:
        token = self._peek()
        if not token:
            raise GraphqlError("Unexpected end of document")
        self._at += 1
        return token
