"""Hooks and the events in the inbox, as text and as JSON, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headgate.model.event import Entry, Stage
from headgate.model.hook import HookSpec

from .words import moment

if TYPE_CHECKING:
    from rich.console import Console

IGNORED = "ignored"


def hooks_json(hooks: Mapping[str, HookSpec], counts: Mapping[str, Counter[str]]) -> list[dict[str, object]]:
    """The hooks of a project, with how many of their events are in the inbox. The keys are stable: new ones may come, none
    goes or changes its meaning.

    Keys: ``import``, ``path`` (of the URL), ``style`` (how senders are known), ``accept``, ``start``, ``events`` (how many are
    ``waiting``, ``delivering``, ``delivered``, ``rejected``, ``discarded``; and how many were ``ignored``, ever).
    """
    return [
        {
            "import": name,
            "path": f"/hooks/{name}",
            "style": spec.verify.style,
            "accept": spec.accept,
            "start": spec.start,
            "events": {state: counts.get(name, Counter())[state] for state in (*Stage, IGNORED)},
        }
        for name, spec in hooks.items()
    ]


def hooks_text(hooks: Sequence[Mapping[str, object]], console: Console) -> None:
    """The same as a table."""
    from rich.table import Table

    if not hooks:
        console.print("No import has a hook.", style="dim")
        return
    table = Table("hook", "signed as", *Stage, IGNORED, show_edge=False, pad_edge=False)
    for hook in hooks:
        events = hook["events"]
        assert isinstance(events, dict)
        table.add_row(str(hook["path"]), str(hook["style"]), *(f"{events[state]:,}" for state in (*Stage, IGNORED)))
    console.print(table)


def event_json(entry: Entry, body: str | None = None) -> dict[str, object]:
    """An event of the inbox. The keys are stable: new ones may come, none goes or changes its meaning.

    Keys: ``id``, ``import``, ``event_id`` (the sender's, or null), ``event`` (what kind it is, where the definition says where
    that stands), ``state`` (waiting, delivering, delivered, rejected, discarded), ``received``, ``changed`` and ``due`` (ISO
    8601, UTC; ``due`` is when it may be tried next), ``failures`` (how many tries), ``reason`` (why it was rejected, or the last try failed),
    ``answer`` (once it was delivered: ``records``, ``outcomes``, how many of each, ``refused``, the first hundred with their
    problems, ``run``, in whose account they are, or that was started), ``repeats`` (how often it came again), ``differing`` (how often of these with another body). Of a
    single event also ``content_type`` and ``body``.
    """
    told: dict[str, object] = {
        "id": entry.id,
        "import": entry.import_name,
        "event_id": entry.named,
        "event": entry.event,
        "state": entry.stage.value,
        "received": entry.received.isoformat(),
        "changed": entry.changed.isoformat(),
        "due": entry.due.isoformat(),
        "failures": entry.failures,
        "reason": entry.reason,
        "answer": dict(entry.answer),
        "repeats": entry.repeats,
        "differing": entry.differing,
    }
    return told if body is None else told | {"content_type": entry.content_type, "body": body}


def events_text(entries: Sequence[Entry], console: Console) -> None:
    """Events as a table, newest first."""
    from rich.table import Table

    if not entries:
        console.print("There are no such events.", style="dim")
        return
    table = Table(show_edge=False, pad_edge=False)
    for head in ("event", "import", "id", "kind", "state", "received"):
        table.add_column(head, no_wrap=True)
    table.add_column("what became of it")
    for e in entries:
        table.add_row(str(e.id), e.import_name, e.named or "", e.event, e.stage.value, moment(e.received), became(e))
    console.print(table)


def event_text(entry: Entry, body: str, console: Console) -> None:
    """One event with its body."""
    console.print(f"Event {entry.id}  {entry.import_name}  {entry.stage}", style="bold")
    console.print(
        f"{entry.named or 'without an id'}{f', {entry.event}' if entry.event else ''}, received {moment(entry.received)}"
    )
    if text := became(entry):
        console.print(text)
    if entry.repeats:
        console.print(f"came again: {entry.repeats:,}, with another body: {entry.differing:,}")
    console.print(body, markup=False, soft_wrap=True)


def became(entry: Entry) -> str:
    """What became of an event, in a few words."""
    if entry.reason:
        return f"{entry.reason}; next try {moment(entry.due)}" if entry.stage is Stage.WAITING else entry.reason
    outcomes = entry.answer.get("outcomes")
    if outcomes is None:
        return f"started run {entry.answer['run']}" if "run" in entry.answer else ""
    return ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items()) or "no records"
