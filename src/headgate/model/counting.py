"""Numbers of things in words."""

from __future__ import annotations


def counted(count: int, one: str) -> str:
    """`1 file`, `2,000 files`: how many there are of what is called `one`."""
    return f"{count:,} {one}{'s' if count != 1 else ''}"


def verb(count: int, one: str, many: str) -> str:
    """The form of a verb for so many: `was` for one, `were` for none and for several."""
    return one if count == 1 else many
