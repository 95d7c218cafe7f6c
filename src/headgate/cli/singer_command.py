"""`headgate singer`."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.model.errors import UsageError

if TYPE_CHECKING:
    from headgate.app.project import Project
    from headgate.model.run import Run

_KINDS = {"imports": (list, "a list of names"), "into": (str, "a text"), "ignore_others": (bool, "true or false")}


@click.command()
@click.argument("imports", nargs=-1, metavar="[IMPORT]...")
@click.option(
    "--into",
    metavar="CONNECTION",
    help="Where every stream that no IMPORT takes gets a table of its own: a URL or a connection's name.",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="JSON file with imports, into and ignore_others, as Singer's targets are told.",
)
@click.option("--ignore-others", is_flag=True, help="Leave out streams that nothing takes.")
@click.option("--quiet", is_flag=True, help="No progress and no accounts of runs.")
def singer(imports: tuple[str, ...], into: str | None, config: Path | None, ignore_others: bool, quiet: bool) -> int:
    """Be a target of Singer's: import the records that a tap writes to standard input.

    An IMPORT takes the stream that its source.table names, or the one of its own name; a single one takes a single stream whatever
    its name. Everything is received before anything is written. Each stream is a run of its own; once all are done, the tap's last
    state goes to standard output, and everything else to standard error.

    \b
    Example:
      tap-crm --config crm.json | headgate singer customers
      tap-crm --config crm.json | headgate singer --into sqlite:///crm.db

    \b
    Exit codes: 0 all well; 1 failed, there is no state; 2 wrong use or definition; 3 done, with rejects; 130 cancelled.
    """  # fmt: skip
    from headgate.app.oneline import definition_for
    from headgate.app.project import find_project
    from headgate.app.singer import Takers, Target
    from headgate.report import exit_code

    from .output import Watcher

    given = _given(config)
    names = list(imports) or given.get("imports", [])
    into = into or given.get("into", "")
    ignore = ignore_others or given.get("ignore_others", False)
    if not names and not into:
        raise UsageError("say which import takes the records, or --into", hint="headgate imports lists the project's.")
    if sys.stdin.isatty():
        raise UsageError(
            "standard input is a terminal", hint="Have a tap write to it: tap-crm --config crm.json | headgate singer …"
        )
    project = find_project()
    definitions = [definition_for(project, name) for name in names]
    worst = 0
    with closing(Target(project, Takers(definitions, into, ignore))) as target:
        target.read(sys.stdin.buffer)
        for run in target.run(lambda name: Watcher(name, quiet=True, as_json=True)):
            worst = max(worst, exit_code(run))
            if not quiet:
                _show(project, run)
        if target.state is not None:
            sys.stdout.write(target.state.decode() + "\n")
    return worst


def _given(config: Path | None) -> dict[str, Any]:
    """What the configuration says.

    Raises:
        UsageError: it cannot be read, or says something that is not known.
    """
    if config is None:
        return {}
    try:
        found = json.loads(config.read_bytes())
    except OSError as e:
        raise UsageError(f"{config} cannot be read: {e.strerror or e}") from None
    except ValueError as e:
        raise UsageError(f"{config} is no JSON: {e}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{config} holds no keys", hint=f"There are: {', '.join(_KINDS)}.")
    for key, value in found.items():
        if key not in _KINDS:
            raise UsageError(f"{config}: unknown key {key!r}", hint=f"There are: {', '.join(_KINDS)}.")
        kind, words = _KINDS[key]
        if not isinstance(value, kind) or (isinstance(value, list) and not all(isinstance(v, str) for v in value)):
            raise UsageError(f"{config}: {key} is {words}")
    return found


def _show(project: Project, run: Run) -> None:
    from rich.console import Console

    from headgate.report import run_text

    ledger = project.ledger
    shown = Console(file=sys.stderr, highlight=False, width=None if sys.stderr.isatty() else 100)
    counts, states = ledger.reject_counts(run.id), ledger.reject_states(run.id)
    run_text(run, shown, counts, states, ledger.retries(run.id), undo=ledger.has_journal(run.id))
