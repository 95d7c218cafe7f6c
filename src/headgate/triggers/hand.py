"""What people do with triggers, from the command line or over HTTP; each is in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headgate.app.project import Project
from headgate.ledger.access import AccessLedger
from headgate.ledger.triggers import Triggers
from headgate.model.access import Actor, Entry

from .clock import Clock
from .queue import WorkQueue


def by_hand(project: Project, what: str, name: str, actor: Actor) -> tuple[str, dict[str, Any]]:
    """Pause, resume or run an import.

    Args:
        what: ``pause``, ``resume`` or ``run``.

    Returns:
        What was done: for a person, and as JSON.

    Raises:
        UsageError: there is no such import; or it is to be run and its definition has a mistake.
    """
    if what == "run" or name not in project.import_files:
        definition = project.load(name)
    store = project.ledger.store()
    clock = Clock(Triggers(store), WorkQueue(project))
    told: dict[str, Any] = {"import": name}
    if what == "run":
        started = clock.run(definition, actor.name)
        text, told = f"{name} will be run {started.number}.", told | {"run": started.number}
    elif what == "pause":
        changed = clock.pause(name, actor.name, datetime.now(UTC))
        text, told = f"{name} is paused.", told | {"paused": True, "changed": changed}
    else:
        changed = clock.resume(name)
        text, told = f"{name} is started by itself again.", told | {"paused": False, "changed": changed}
    AccessLedger(store).enter(Entry(actor, f"trigger.{what}", name, "done", {}))
    return text, told
