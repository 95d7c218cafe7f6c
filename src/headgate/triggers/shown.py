"""What there is to see of a project's triggers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headgate.app.project import Definition, Project
from headgate.ledger.triggers import Memory, Triggers, Watched
from headgate.model.errors import HeadgateError

from .schedule import following

_NEXT = 3


def triggers_json(project: Project, now: datetime) -> list[dict[str, Any]]:
    """Each import that is started by something, or whose definition has a mistake, as JSON shows it."""
    triggers = Triggers(project.ledger.store())
    memories = triggers.memories()
    found = []
    for name, file in project.import_files.items():
        memory = memories.get(name, Memory())
        base: dict[str, Any] = {
            "import": name,
            "paused_by": memory.paused_by or None,
            "paused_at": memory.paused_at or None,
            "error": None,
        }
        try:
            definition = project.load_file(file)
        except HeadgateError as e:
            found.append(base | {"error": e.message})
            continue
        if shown := _triggers(definition, memory, triggers.watched(name) if definition.spec.watch else {}, now):
            found.append(base | shown | {"last": _last(triggers, name)})
    return found


def _triggers(definition: Definition, memory: Memory, watched: Mapping[str, Watched], now: datetime) -> dict[str, Any]:
    spec, shown = definition.spec, dict[str, Any]()
    if (schedule := spec.schedule) is not None:
        state = memory.state.get("schedule", {})
        coming = [] if memory.paused_by else [m.isoformat() for m in following(schedule, now, _NEXT)]
        shown["schedule"] = {
            "when": schedule.shown,
            "next": coming,
            "started": state.get("started") or None,
            "missed": state.get("missed", 0),
            "missed_why": state.get("why") or None,
        }
    if spec.watch is not None:
        waiting = sorted(p for p, w in watched.items() if not w.started and w.stamp)
        shown["watch"] = {"where": spec.source.shown, "when": spec.watch.shown, "waiting": waiting}
    if spec.after is not None:
        shown["after"] = {"imports": spec.after.imports, "all": spec.after.all, "partial": spec.after.partial}
    if spec.on is not None:
        shown["on"] = spec.on
    return shown


def _last(triggers: Triggers, name: str) -> dict[str, Any] | None:
    for end in triggers.ends(name):
        return {"run": end.run, "status": end.status, "finished": end.finished or None}
    return None
