"""The nearest name to a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name of `names` a person most likely meant by `name`; None when none is near."""
    by_fold = {n.casefold(): n for n in names}
    found = difflib.get_close_matches(name.casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def hint(name: str, names: Iterable[str], what: str) -> str:
    """``Did you mean 'x'? The columns are: …``, as the hint of an error."""
    known = list(names)
    near = nearest(name, known)
    shown = ", ".join(known[:30]) + (", …" if len(known) > 30 else "")
    meant = f"Did you mean {near!r}? " if near else ""
    return f"{meant}The {what} are: {shown}." if known else f"{meant}There are no {what}."
