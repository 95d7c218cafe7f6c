"""What is to be told of imports, to whom, and telling it, again and again until it is heard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from headgate.app.project import Definition, Project
from headgate.ledger.triggers import End, Notice, Triggers
from headgate.model.errors import HeadgateError
from headgate.model.outcome import Outcome
from headgate.model.triggers import MailSpec, NotifySpec, TargetSpec

from .health import Change, changes
from .send import send

AGAIN: Final = tuple(timedelta(seconds=s) for s in (10, 60, 300, 1_800, 7_200, 21_600, 43_200))
"""How long is waited after each try; after the last a notice is given up."""
_TRYING: Final = timedelta(minutes=2)
_CODES: Final = 10
_TYPES: Final = {"failure": "import.failed", "rejects": "import.rejects", "recovery": "import.recovered"}

Sending = Callable[[Notice, TargetSpec, MailSpec | None, Path], None]


def key_of(target: TargetSpec) -> str:
    """By what a target is known in the ledger, which holds nothing of what the definition says of it."""
    return hashlib.sha256(target.model_dump_json().encode()).hexdigest()[:16]


def notify_of(project: Project, definition: Definition | None) -> NotifySpec:
    """Who is told of an import: what it says itself, or the project."""
    own = definition.spec.notify if definition is not None else None
    return own if own is not None else project.settings.notify


class Watchman:
    """Notices what becomes of imports, and has it told.

    Args:
        triggers: where it is kept.
        sending: how somebody is told.
    """

    def __init__(self, project: Project, triggers: Triggers, sending: Sending = send) -> None:
        self._project, self._triggers, self._sending = project, triggers, sending

    def notice(self, name: str, notify: NotifySpec, trouble: str, now: datetime) -> list[Change]:
        """What has changed with an import since it was last looked at.

        Args:
            trouble: why it cannot be run at all, without secrets or values; empty when it can.
        """
        before = self._triggers.memory(name).state.get("health", {})
        ends = self._triggers.ends(name)
        if changes(before, ends, notify.rejects_over, trouble)[0] == before:
            return []
        with self._triggers.turn(name) as turn:
            health = turn.memory.state.get("health", {})
            turn.memory.state["health"], found = changes(health, ends, notify.rejects_over, trouble)
            turn.keep()
            keys = [key_of(t) for t in notify.to]
            for change in found:
                if change.event in notify.on:
                    turn.tell(change.event, keys, self._body(name, change, trouble, now), now)
        return found

    def _body(self, name: str, change: Change, trouble: str, now: datetime) -> dict[str, Any]:
        data: dict[str, Any] = {"import": name, "event": change.event}
        if change.end is not None:
            data |= self._run(change.end)
        elif change.event == "failure":
            data["trouble"] = trouble
        else:
            data["trouble"] = "nothing is in the way any more, and it has not been run yet"
        return {"type": _TYPES[change.event], "timestamp": now.isoformat(), "data": data}

    def _run(self, end: End) -> dict[str, Any]:
        account = {k: end.account.get(k, 0) for k in ("read", *(o.value for o in Outcome))}
        counts = self._project.ledger.reject_counts(end.run)[:_CODES]
        rejects = [{"code": c.code, "field": c.field, "records": c.records} for c in counts]
        found = {"run": end.run, "status": end.status, "finished": end.finished, "account": account, "rejects": rejects}
        url = self._project.settings.url
        return found | ({"url": f"{url}/runs/{end.run}"} if url else {})

    def deliver(self, targets: Mapping[str, TargetSpec], now: datetime) -> list[Notice]:
        """Tell what is due; one that cannot be told waits for its next turn.

        Args:
            targets: who there is, by `key_of`.

        Returns:
            What was told.
        """
        told = []
        for due in self._triggers.due(now):
            notice = self._triggers.take(due, now + _TRYING)
            if notice is None:
                continue
            target = targets.get(notice.target)
            if target is None:
                self._triggers.not_told(notice, "whoever was to be told is named no more", None)
                continue
            try:
                self._sending(notice, target, self._project.settings.mail, self._project.folder)
            except HeadgateError as e:
                again = now + AGAIN[notice.attempts - 1] if notice.attempts <= len(AGAIN) else None
                self._triggers.not_told(notice, e.message, again)
            else:
                self._triggers.told(notice, now)
                told.append(notice)
        return told
