"""Fields whose names have dots, as objects in objects (`address.city`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from headgate.model.errors import DestinationError
from headgate.model.write import WriteField

Tree: TypeAlias = "dict[str, WriteField | Tree]"


def tree(fields: Sequence[WriteField]) -> Tree:
    """What is in what, in the order in which the fields come.

    Raises:
        DestinationError: a field is a value and has others in it.
    """
    root: Tree = {}
    for field in fields:
        *above, last = field.name.split(".")
        if "" in (*above, last):
            above, last = [], field.name
        place = root
        for name in above:
            inner = place.setdefault(name, {})
            if not isinstance(inner, dict):
                raise _both(inner.name, field.name)
            place = inner
        if last in place:
            there = place[last]
            raise _both(field.name, there.name if isinstance(there, WriteField) else f"{field.name}.…")
        place[last] = field
    return root


def _both(one: str, other: str) -> DestinationError:
    return DestinationError(
        f"the field {one!r} would be a value and an object: there is {other!r} too", hint="Name one of them otherwise."
    )
