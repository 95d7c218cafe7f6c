"""`headgate hooks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headgate.model.errors import UsageError
from headgate.model.event import Stage

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.project import Project
    from headgate.ledger.inbox import Inbox


@click.command()
@click.argument("name", required=False, metavar="[IMPORT]")
@click.option(
    "--state",
    type=click.Choice([stage.value for stage in Stage]),
    help="List events that have come so far, of all imports or of one.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to list, newest first.")
@click.option("--show", "shown", type=int, metavar="N", help="Show one event with its body.")
@click.option(
    "--retry", metavar="N[,N...]", help="Deliver events again that were rejected or discarded, or at once if they wait."
)
@click.option("--retry-all", is_flag=True, help="Deliver all rejected events of the import again.")
@click.option(
    "--discard", metavar="N[,N...]", help="Set events aside that were rejected or wait; nobody delivers them."
)
@json_option
def hooks(
    name: str | None,
    state: str | None,
    limit: int,
    shown: int | None,
    retry: str | None,
    retry_all: bool,
    discard: str | None,
    as_json: bool,
) -> None:
    """Show the hooks of the project, or the events that came to one: those that wait, were delivered, or were rejected.

    An event is rejected when it can never be delivered as it is: it cannot be read, or all its records were refused. It is kept until it
    is delivered again, by a server (`headgate serve`), or discarded.

    \b
    Example:
      headgate hooks
      headgate hooks orders --state rejected
      headgate hooks --show 17
      headgate hooks --retry 17,18

    \b
    Exit codes: 0 all well; 2 there is no such import or event.
    """
    from headgate.app.project import find_project
    from headgate.ledger.inbox import Inbox

    project = find_project()
    if sum((shown is not None, retry is not None, retry_all, discard is not None)) > 1:
        raise UsageError("one at a time: --show, --retry, --retry-all or --discard")
    inbox = Inbox(project.ledger)
    if shown is not None:
        _show(inbox, shown, as_json=as_json)
    elif retry is not None or retry_all or discard is not None:
        _change(project, inbox, name, retry, discard, as_json=as_json)
    elif name is not None or state is not None:
        _list(project, inbox, name, Stage(state) if state else None, limit, as_json=as_json)
    else:
        _hooks(project, inbox, as_json=as_json)


def _hooks(project: Project, inbox: Inbox, *, as_json: bool) -> None:
    from headgate.app.hooks import hooks_of
    from headgate.report import hooks_json, hooks_text

    found = hooks_json(hooks_of(project), inbox.counts())
    if as_json:
        print_json(found)
    else:
        hooks_text(found, console())


def _list(project: Project, inbox: Inbox, name: str | None, stage: Stage | None, limit: int, *, as_json: bool) -> None:
    from headgate.app.hooks import require_hook
    from headgate.report import event_json, events_text

    entries = inbox.entries(name or "", stage, limit=limit)
    if name is not None and not entries:
        require_hook(project, name)
    if as_json:
        print_json([event_json(e) for e in entries])
    else:
        events_text(entries, console())


def _show(inbox: Inbox, number: int, *, as_json: bool) -> None:
    from headgate.report import event_json, event_text

    entry, body = inbox.entry(number), inbox.body(number).decode("utf-8", "backslashreplace")
    if as_json:
        print_json(event_json(entry, body))
    else:
        event_text(entry, body, console())


def _change(
    project: Project, inbox: Inbox, name: str | None, retry: str | None, discard: str | None, *, as_json: bool
) -> None:
    if discard is not None:
        told: dict[str, object] = {
            "changed": inbox.discard(_numbers("--discard", discard)),
            "state": Stage.DISCARDED.value,
        }
    elif retry is not None:
        told = {"changed": inbox.retry(_numbers("--retry", retry)), "state": Stage.WAITING.value}
    elif name is None:
        raise UsageError("--retry-all needs an import", hint="headgate hooks IMPORT --retry-all.")
    else:
        told = {"changed": inbox.retry_all(name), "state": Stage.WAITING.value}
    from headgate.app.access import local_actor
    from headgate.ledger.access import AccessLedger
    from headgate.model.access import Entry

    action = "event.discard" if discard is not None else "event.retry"
    entry = Entry(local_actor(), action, discard or retry or name or "", detail={"events": told["changed"]})
    AccessLedger(project.ledger.store()).enter(entry)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told['changed']:,} {'event is' if told['changed'] == 1 else 'events are'} {told['state']} now")


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {text}: numbers with commas between them are expected") from None
