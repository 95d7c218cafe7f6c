"""YAML with the place of every key and value, so that a mistake can be pointed at.

Booleans are YAML 1.2's: only `true` and `false` (`country: NO` stays text), and digits that begin with a zero stay text
(`00501`), as do numbers with a point (`12.50`) and dates, which become exact values by a field's type. A key written twice is a mistake, not the last one winning.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from headgate.model.errors import DefinitionError

Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
_DEEPEST, _MOST = 200, 2_000_000
"""A file that is nested deeper, or has more places once its aliases are followed, is no file that a person wrote."""


class _Loader(yaml.CSafeLoader):
    """Safe loader with YAML 1.2's plain scalars."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag not in _REPLACED]
    for _REPLACED in [{f"tag:yaml.org,2002:{t}" for t in ("bool", "int", "float", "timestamp")}]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _resolve(tag: str, pattern: str, first: str) -> None:
    import re

    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


_resolve("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_resolve("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file, read.

    Attributes:
        name: the file as shown in messages.
        data: what it says, in plain Python values.
        places: line and column (1-based) of every value by its path; under ``(*path, "")`` a key's own.
        text: the file as it is.
    """

    name: str
    data: Any
    places: dict[Path_, tuple[int, int]]
    text: str

    def where(self, path: Path_, *, key: bool = False) -> str:
        """``file:line:column`` of the deepest part of `path` that is in the file; of the key rather than its value."""
        for n in range(len(path), -1, -1):
            found = (key and self.places.get((*path[:n], ""))) or self.places.get(path[:n])
            if found:
                return f"{self.name}:{found[0]}:{found[1]}"
        return self.name


def read(file: Path, name: str = "") -> Document:
    """Read a YAML file.

    Raises:
        DefinitionError: not there, not readable, not YAML, or a key is written twice.
    """
    name = name or str(file)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DefinitionError("there is no such file", where=name) from None
    except (OSError, UnicodeDecodeError) as e:
        raise DefinitionError(f"cannot be read: {e}", where=name) from None
    return document(text, name)


def document(text: str, name: str) -> Document:
    """YAML as a document.

    Raises:
        DefinitionError: not YAML, a key is written twice, or it has no bounds.
    """
    data, places = _parse(text, name)
    return Document(name, {} if data is None else data, places, text)


def read_text(text: str, name: str) -> Any:
    """The value a piece of YAML stands for.

    Raises:
        DefinitionError: it is not YAML.
    """
    return _parse(text, name)[0]


def _parse(text: str, name: str) -> tuple[Any, dict[Path_, tuple[int, int]]]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        places: dict[Path_, tuple[int, int]] = {}
        return (_value(loader, node, (), places, name) if node is not None else None), places
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise DefinitionError(f"not YAML: {getattr(e, 'problem', None) or e}", where=where) from None
    except RecursionError:
        raise DefinitionError(f"nested deeper than {_DEEPEST} levels", where=name) from None
    finally:
        loader.dispose()


def _value(loader: Any, node: yaml.Node, path: Path_, places: dict[Path_, tuple[int, int]], name: str) -> Any:
    here = places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if len(path) > _DEEPEST or len(places) > _MOST:
        what = f"nested deeper than {_DEEPEST} levels" if len(path) > _DEEPEST else f"more than {_MOST:,} places"
        raise DefinitionError(
            f"{what}, its aliases followed",
            where=f"{name}:{here[0]}:{here[1]}",
            hint="Write it without aliases (*name).",
        )
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                mark = key_node.start_mark
                raise DefinitionError(f"{key!r} is written twice", where=f"{name}:{mark.line + 1}:{mark.column + 1}")
            places[(*path, key, "")] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = _value(loader, value_node, (*path, key), places, name)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, n, (*path, i), places, name) for i, n in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def parse(document: Document, model: type[M]) -> M:
    """The file's data as `model`.

    Raises:
        DefinitionError: the first mistake, with its place and, for an unknown key, the key probably meant.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as e:
        # An unknown key first: it tells why another is missing.
        errors = sorted(
            e.errors(include_url=False),
            key=lambda x: (x["type"] != "extra_forbidden", document.places.get(_in_file(document, x["loc"]), (0, 0))),
        )
        raise _mistake(document, model, dict(errors[0])) from None


def _in_file(document: Document, loc: tuple[str | int, ...]) -> Path_:
    """The part of pydantic's location that is a path of the file (unions and validators add names of their own)."""
    path: Path_ = ()
    at = document.data
    for part in loc:
        inside = dict(enumerate(at)) if isinstance(at, list) else at
        if isinstance(inside, dict) and part in inside:
            path, at = (*path, part), inside[part]
    return path


def _mistake(document: Document, model: type[BaseModel], error: dict[str, Any]) -> DefinitionError:
    loc, kind = tuple(error["loc"]), error["type"]
    path = _in_file(document, loc)
    if kind == "extra_forbidden":
        known = _keys(model, loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        return DefinitionError(
            f"unknown key {str(loc[-1])!r}{hint}",
            where=document.where(path, key=True),
            hint=f"Known here: {', '.join(known)}." if known and not near else "",
        )
    name = ".".join(str(p) for p in path)
    if kind == "missing":
        return DefinitionError(f"{'.'.join(str(p) for p in loc)} is missing", where=document.where(path))
    message = str(error["msg"]).removeprefix("Value error, ")
    return DefinitionError(f"{name}: {message}" if name else message, where=document.where(path))


def _keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys known at a location of a model."""
    current: Any = model
    for part in loc:
        info = (
            current.model_fields.get(str(part))
            if isinstance(current, type) and issubclass(current, BaseModel)
            else None
        )
        if info is None and isinstance(current, type) and issubclass(current, BaseModel):
            info = next((f for f in current.model_fields.values() if f.alias == part), None)
        if info is not None:
            current = _model_in(info.annotation)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [f.alias or n for n, f in current.model_fields.items()]
    return []


def _model_in(annotation: Any) -> Any:
    """The model inside an annotation such as `dict[str, Model]` or `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _model_in(part):
            return found
    return None
