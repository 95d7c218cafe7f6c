"""Forms in which dates are written into names."""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r"%[-_0^#]?(.?)", re.DOTALL)
_KNOWN: Final = frozenset("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZf%")
"""What `strftime` has a meaning for: Python's, and those of the C library that it passes on."""


def unknown_part(form: str) -> str:
    """The first part of a date's form that stands for nothing (`%Q`), and would be written as it is; empty where there is none."""
    return next((m[0] for m in _PART.finditer(form) if m[1] not in _KNOWN), "")
