"""Transforms: small changes to a value's text, in a row, before its type is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headgate.model.errors import DefinitionError

from ..suggest import hint
from .base import Example, Setting, Transform
from .functions import PYTHON
from .numbers import NUMBERS
from .text import TEXT

__all__ = ["TRANSFORMS", "Example", "Setting", "Transform", "read_use"]

TRANSFORMS: Final[Mapping[str, Transform]] = {
    t.name: t for t in sorted((*TEXT, *NUMBERS, *PYTHON), key=lambda t: t.name)
}


def read_use(use: str | Mapping[str, Any], where: str) -> tuple[Transform, dict[str, Any]]:
    """One entry of a field's `transform`: the transform and its settings.

    Raises:
        DefinitionError: there is no such transform, or its settings are wrong.
    """
    if not isinstance(use, str) and len(use) != 1:
        raise DefinitionError(
            "a transform is a name, or one name with its settings", where=where, hint="For several, write a list."
        )
    name, given = (use, None) if isinstance(use, str) else next(iter(use.items()))
    found = TRANSFORMS.get(str(name))
    if found is None:
        raise DefinitionError(
            f"there is no transform {name!r}", where=where, hint=hint(str(name), TRANSFORMS, "transforms")
        )
    return found, found.read(given, where)
