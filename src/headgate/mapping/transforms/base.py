"""What a transform is, and how its settings are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.model.errors import DefinitionError

from ..suggest import hint

Settings = Mapping[str, Any]
NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a transform.

    Attributes:
        kind: ``text``, ``number`` (whole, not negative unless `signed`), ``texts`` (a list; one text will do),
            ``pairs`` (a mapping), ``formats`` (as texts, each a date format), or a choice ``a|b``.
        default: `NOTHING` where it must be given.
    """

    name: str
    kind: str
    summary: str
    default: Any = NOTHING
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """What a transform makes of a value: `after` is a text, or the reject code it gets; `use` as in a definition."""

    use: Any
    before: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Transform:
    """One transform: text in, text out; blank stays blank.

    Attributes:
        name: as written in definitions.
        summary: one sentence, for docs.
        sql: SQL of the result for SQL of the value and the settings. NULL of a value that is not blank means failure
            where `fails`, and a blank where not.
        settings: in the order in which a bare value or a list gives them.
        examples: good ones, and a bad one where it can fail.
        fails: whether there are values it cannot make anything of [TR01].
        blanks: whether it is asked about blanks too; all others leave them blank.
        function: for what SQL cannot: gives the Python function to use instead, for values that are not blank, None being
            what NULL is in SQL; raises DefinitionError where a package is missing.
    """

    name: str
    summary: str
    sql: Callable[[str, Settings], str]
    settings: tuple[Setting, ...] = ()
    examples: tuple[Example, ...] = ()
    fails: bool = False
    blanks: bool = False
    function: Callable[[Settings], Callable[[str], str | None]] | None = None

    def read(self, given: Any, where: str) -> dict[str, Any]:
        """The settings as given in a definition, checked and completed.

        Raises:
            DefinitionError: a setting is unknown, missing, or not what it should be.
        """
        named = self._named(given, where)
        names = [s.name for s in self.settings]
        if lost := next((n for n in named if n not in names), None):
            raise DefinitionError(
                f"the transform {self.name} has no setting {lost!r}", where=where, hint=hint(lost, names, "settings")
            )
        read = {}
        for s in self.settings:
            value = named.get(s.name, s.default)
            if value is NOTHING:
                raise DefinitionError(f"the transform {self.name} needs {s.name}: {s.summary}", where=where)
            read[s.name] = value if s.name not in named else _checked(s, value, f"{where}: {self.name}.{s.name}")
        return read

    def _named(self, given: Any, where: str) -> dict[str, Any]:
        if given is None:
            return {}
        if not self.settings:
            raise DefinitionError(
                f"the transform {self.name} has no settings", where=where, hint=f"Write just {self.name}."
            )
        first = self.settings[0]
        if isinstance(given, dict):
            named = {str(k).lower() if isinstance(k, bool) else str(k): v for k, v in given.items()}
            return (
                {first.name: given} if first.kind == "pairs" and not isinstance(named.get(first.name), dict) else named
            )
        if isinstance(given, list) and first.kind not in ("texts", "formats"):
            if len(given) > len(self.settings):
                raise DefinitionError(
                    f"the transform {self.name} takes at most {len(self.settings)} values", where=where
                )
            return {s.name: v for s, v in zip(self.settings, given, strict=False)}
        return {first.name: given}


def in_python(_text: str, _settings: Settings) -> str:
    """The SQL of a transform that has none."""
    raise NotImplementedError


def _checked(setting: Setting, value: Any, where: str) -> Any:
    kind = setting.kind
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int) or (value < 0 and not setting.signed):
            raise DefinitionError(
                f"{value!r} is not a whole number{'' if setting.signed else ' from 0 up'}", where=where
            )
        return value
    if kind in ("texts", "formats"):
        values = value if isinstance(value, list) else [value]
        return [_text(v, where) for v in values]
    if kind == "pairs":
        if not isinstance(value, dict) or not value:
            raise DefinitionError(f"{value!r} is not a mapping such as {{a: b}}", where=where)
        return {_text(k, where): None if v is None else _text(v, where) for k, v in value.items()}
    text = _text(value, where)
    if "|" in kind and text not in kind.split("|"):
        raise DefinitionError(f"{text!r} is not one of {kind.replace('|', ', ')}", where=where)
    return text


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise DefinitionError(f"{value!r} is not a text", where=where)
