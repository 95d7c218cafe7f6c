"""What Python's models and values are in Markdown."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from headgate.model.spec import ConnectionSpec, ImportSpec, ProjectSpec
from headgate.model.write import Operation

TITLES = {
    ImportSpec: "Import (imports/*.yaml)",
    ProjectSpec: "Project (headgate.yaml)",
    ConnectionSpec: "connections: NAME",
}
PLURALS = {"field": "fields: NAME", "lookup": "lookups: NAME", "reject": "rejects", "limit": "limits"}
WORDS = {str: "text", int: "number", bool: "true, false", float: "number", type(None): ""}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(list(head)), *(list(r) for r in rows)]
    return "".join("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in line) + " |\n" for line in lines)


def code(text: object) -> str:
    """Text as code, control characters written out; nothing when there is none."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    return f"`{shown}`" if shown else ""


def nested(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models a model's keys hold, in order, without repetition."""
    found: dict[type[BaseModel], None] = {}
    for f in model.model_fields.values():
        for part in parts(f.annotation):
            found[part] = None
            found.update(dict.fromkeys(nested(part)))
    return list(found)


def parts(annotation: object) -> list[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in typing.get_args(annotation) for m in parts(a)]


def title(model: type[BaseModel]) -> str:
    """What a model is called in a definition."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__.removesuffix("Spec")).lower()
    return TITLES.get(model) or PLURALS.get(name, name)


def kind(annotation: object) -> str:
    """What a key may hold, in words."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(code(a) for a in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(w for a in args if (w := kind(a))))
    if origin is typing.Annotated:
        return kind(args[0])
    if origin is list:
        return f"list of {kind(args[0])}"
    if origin is tuple:
        return f"[{', '.join(map(kind, args))}]"
    if origin is dict:
        return f"mapping of {kind(args[1])}"
    if annotation is typing.Any:
        return "anything"
    if isinstance(annotation, type) and issubclass(annotation, Operation):
        return ", ".join(code(o.value) for o in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        name = title(annotation)
        return f"[{name}](#{anchor(name)})"
    return WORDS[typing.cast("type", annotation)]


def anchor(heading: str) -> str:
    """The fragment a heading gets."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def default(f: FieldInfo) -> str:
    """A key's default, as it would be written."""
    if f.is_required():
        return "**required**"
    value = f.default
    if value is None or value in ([], {}, "") or isinstance(value, BaseModel):
        return ""
    return code({True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value)
