"""Options of a connection, as a project writes them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from headgate.model.errors import UsageError


def check_options(options: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Refuse an option that is not known.

    Args:
        what: the connection, as in ``an SQLite connection``.

    Raises:
        UsageError: there is one; the hint has the nearest that is known.
    """
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Options are: {', '.join(known)}."
            raise UsageError(f"unknown option {name!r} of {what}", hint=hint)


def seconds(options: Mapping[str, Any], name: str, default: float) -> float:
    """A number of seconds; a definition's decimals come as text.

    Raises:
        UsageError: it is none, or negative.
    """
    value = options.get(name, default)
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not number >= 0:
        raise UsageError(f"{name} is {value!r}, not a number of seconds")
    return number
