"""What starts imports, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headgate.model.counting import counted, verb

from .words import moment

if TYPE_CHECKING:
    from rich.console import Console


def triggers_text(found: Sequence[dict[str, Any]], console: Console) -> None:
    """Each import that something starts, with what does, when it comes next, and how the last run ended."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("import", "started by", "next", "last run"):
        table.add_column(head, overflow="fold")
    for one in found:
        table.add_row(one["import"], _by(one), _next(one), _last(one))
    console.print(table)
    for one in found:
        if (schedule := one.get("schedule")) and schedule["missed"]:
            console.print(
                f"{one['import']}: {schedule['missed']:,} times had no run of their own; {schedule['missed_why']}"
            )


def _by(one: dict[str, Any]) -> str:
    if one["error"]:
        return str(one["error"])
    parts = []
    if schedule := one.get("schedule"):
        parts.append(schedule["when"])
    if watch := one.get("watch"):
        parts.append(f"files: {watch['where']}, {watch['when']}")
    if after := one.get("after"):
        parts.append("after " + (" and " if after["all"] else " or ").join(after["imports"]))
    if one.get("on"):
        parts.append(f"webhook {one['on']}")
    return "; ".join(parts)


def _next(one: dict[str, Any]) -> str:
    if one["paused_by"]:
        return f"paused by {one['paused_by']}"
    if schedule := one.get("schedule"):
        return moment(datetime.fromisoformat(schedule["next"][0])) if schedule["next"] else "never"
    waiting = one.get("watch", {}).get("waiting", ())
    return f"{counted(len(waiting), 'file')} {verb(len(waiting), 'waits', 'wait')}" if waiting else ""


def _last(one: dict[str, Any]) -> str:
    last = one.get("last")
    return f"{last['run']} {last['status']}" if last else ""
