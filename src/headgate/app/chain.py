"""Imports that start each other: that those they wait for are there, and that none waits for itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from headgate.model.errors import DefinitionError
from headgate.model.spec import ImportSpec

from . import yaml_file
from .yaml_file import Document


def check_after(name: str, spec: ImportSpec, document: Document, files: Mapping[str, Path]) -> None:
    """See that an import's `after` can be.

    Args:
        files: the definitions of the project by name.

    Raises:
        DefinitionError: it names an import that is not there, or comes back to itself.
    """
    for n, other in enumerate(spec.after.imports if spec.after else ()):
        path: tuple[str | int, ...] = ("after", n) if ("after", n) in document.places else ("after", "imports", n)
        where = document.where(path)
        if other not in files:
            near = difflib.get_close_matches(other, files, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(files) or 'none'}."
            raise DefinitionError(f"after: there is no import {other!r}", where=where, hint=hint)
        if way := _way(other, name, files, {name}):
            circle = " -> ".join([*reversed(way), name])
            raise DefinitionError(
                f"after: these imports would start each other without end: {circle}",
                where=where,
                hint="Take one of them out of an after.",
            )


def _way(at: str, to: str, files: Mapping[str, Path], passed: set[str]) -> list[str]:
    """The imports from one to another by what they wait for; none where there is no way."""
    if at == to:
        return [at]
    if at in passed or at not in files:
        return []
    passed.add(at)
    for other in _waits_for(files[at]):
        if way := _way(other, to, files, passed):
            return [at, *way]
    return []


def _waits_for(file: Path) -> list[str]:
    """What a definition waits for, whatever else is wrong with it."""
    try:
        data = yaml_file.read(file).data
    except DefinitionError:
        return []
    after = data.get("after") if isinstance(data, dict) else None
    if isinstance(after, dict):
        after = after.get("imports")
    names = [after] if isinstance(after, str) else after
    return [n for n in names if isinstance(n, str)] if isinstance(names, list) else []
