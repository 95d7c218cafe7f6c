"""`headgate triggers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headgate.model.errors import UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.project import Project

_import = click.argument("name", metavar="IMPORT")


@click.group()
def triggers() -> None:
    """See and control what starts imports by itself: `headgate triggers list`, `pause`, `resume`, `run`.

    Schedules, watched folders and chains are looked after by `headgate serve`, and by `headgate worker`.

    \b
    Example:
      headgate triggers list
      headgate triggers pause products
      headgate triggers resume products
      headgate triggers run products

    \b
    Exit codes: 0 all well; 2 wrong use.
    """


@triggers.command("list")
@json_option
def list_triggers(as_json: bool) -> None:
    """List imports that something starts: what, when next, and how the last run ended.

    \b
    Example:
      headgate triggers list --json

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from datetime import UTC, datetime

    from headgate.report.triggers import triggers_text
    from headgate.triggers.shown import triggers_json

    found = triggers_json(_project(), datetime.now(UTC))
    if as_json:
        print_json(found)
    elif found:
        triggers_text(found, console())
    else:
        click.echo("No import has a schedule, a watch, an after or an on.")


@triggers.command()
@_import
@json_option
def pause(name: str, as_json: bool) -> None:
    """Start an import by itself no longer, until `resume`; by hand it can be run.

    \b
    Example:
      headgate triggers pause products

    \b
    Exit codes: 0 all well; 2 there is no such import.
    """
    _do("pause", name, as_json=as_json)


@triggers.command()
@_import
@json_option
def resume(name: str, as_json: bool) -> None:
    """Take `pause` back. Files that arrived meanwhile are imported; times that passed are not made up for.

    \b
    Example:
      headgate triggers resume products

    \b
    Exit codes: 0 all well; 2 there is no such import.
    """
    _do("resume", name, as_json=as_json)


@triggers.command()
@_import
@json_option
def run(name: str, as_json: bool) -> None:
    """Have an import run by the server, now; `headgate run` runs it here.

    \b
    Example:
      headgate triggers run products

    \b
    Exit codes: 0 all well; 2 there is no such import.
    """
    _do("run", name, as_json=as_json)


def _do(what: str, name: str, *, as_json: bool) -> None:
    from headgate.app.access import local_actor
    from headgate.triggers.hand import by_hand

    text, told = by_hand(_project(), what, name, local_actor())
    if as_json:
        print_json(told)
    else:
        click.echo(text)


def _project() -> Project:
    from headgate.app.project import find_project

    project = find_project()
    if not project.is_project:
        raise UsageError("triggers belong to a project, and this is none", hint="Make one: headgate init.")
    return project
