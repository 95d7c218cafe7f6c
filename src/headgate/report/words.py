"""How numbers, times, values and places are put into words, the same in every report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from headgate.model.codes import CODES
from headgate.model.outcome import Account, Outcome
from headgate.model.record import Origin, Problem

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: str) -> str:
    """Text as it may be shown on one line of a terminal: whatever would move the cursor, change colours or turn the
    direction of writing is shown as its escape, so that data cannot disguise itself.
    """
    return _CONTROLS.sub(
        lambda m: _NAMED.get(m[0]) or (f"\\x{ord(m[0]):02x}" if m[0] < "\u0100" else f"\\u{ord(m[0]):04x}"), text
    )


def duration(seconds: float) -> str:
    """`0.84 s`, `12.3 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(at: datetime) -> str:
    """A time in UTC, to the minute."""
    return f"{at:%Y-%m-%d %H:%M}"


def balance(account: Account, width: int = 10_000, ignored: Mapping[Outcome, int] = MappingProxyType({})) -> str:
    """`504 read = 480 created + 12 updated + 3 skipped (2 filter, 1 duplicate) + 9 invalid (2 ignored)`: a line that adds up.

    What is wider than `width` goes on in a next line, under the equals sign.
    """
    parts = [f"{n:,} {o.value}{_reasons(account, o, ignored)}" for o in Outcome if (n := account.outcomes[o])]
    if account.balance:
        parts.append(f"{account.balance:,} unaccounted for")
    read = f"{account.read:,} read"
    lines = [read]
    for sign, part in zip("=" + "+" * len(parts), parts, strict=False):
        piece = f" {sign} {part}"
        if len(lines[-1]) + len(piece) > width and sign == "+":
            lines.append(" " * len(read))
        lines[-1] += piece
    return "\n".join(lines)


def _reasons(account: Account, outcome: Outcome, ignored: Mapping[Outcome, int]) -> str:
    if outcome is not Outcome.SKIPPED:
        return f" ({n:,} ignored)" if (n := ignored.get(outcome, 0)) else ""
    return f" ({', '.join(f'{n:,} {reason}' for reason, n in sorted(account.skips.items()) if n)})"


def problem_line(origin: Origin, problem: Problem) -> str:
    """`inbox/products.xlsx, sheet Products, row 212, column ListPrice: "12,5O" is not a decimal(12,2) [TY02]`."""
    where = [str(origin)]
    if problem.column or problem.field:
        where.append(f"column {problem.column}" if problem.column else f"field {problem.field}")
    place = ", ".join(w for w in where if w)
    return f"{place}: {problem.reason} [{problem.code}]" if place else f"{problem.reason} [{problem.code}]"


def way_out(code: str) -> str:
    """What a person does about a code; empty for a code this version does not know."""
    return CODES[code].way_out if code in CODES else ""
