"""`headgate retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .output import console, json_option, print_json, watching
from .run_commands import show_run

if TYPE_CHECKING:
    from headgate.app.project import Project
    from headgate.app.retry import Retried

SAMPLES = 10


@click.command()
@click.argument("number", type=int, metavar="RUN")
@click.option(
    "--from",
    "file",
    metavar="FILE",
    help="Only the records of this file, as `headgate rejects RUN --xlsx FILE` (or --csv) wrote it and you corrected it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would become of them and write nothing.")
@click.option(
    "--import",
    "name",
    metavar="IMPORT | FILE",
    help="The definition, where it is not the project's import of the run's name.",
)
@click.option(
    "--into", metavar="CONNECTION#TABLE", help="Of a run of a bare file: where it goes, if not where the run went."
)
@click.option("--key", multiple=True, metavar="FIELD", help="Of a run of a bare file: its key, again.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override any key of the definition.")
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def retry(
    number: int,
    file: str | None,
    dry_run: bool,
    name: str | None,
    into: str | None,
    key: tuple[str, ...],
    settings: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> int:
    """Try the refused records of a run again, in that run's account: corrected in a file, or all open ones as they were.

    The second is for when the cause was elsewhere: a record they refer to is there now, a lookup or the definition was
    corrected. The definition is used as it is now. What is refused again stays open.

    \b
    Example:
      headgate rejects 7 --xlsx fix.xlsx
      headgate retry 7 --from fix.xlsx --dry-run
      headgate retry 7 --from fix.xlsx
      headgate retry 7

    \b
    Exit codes: 0 all well; 1 failed; 2 wrong use or definition; 3 done, some were refused again; 130 cancelled.
    """  # fmt: skip
    from headgate.app import retry as app
    from headgate.app.project import find_project
    from headgate.engine.retry import check_retry
    from headgate.model.record import State
    from headgate.report import balance, exit_code, retry_json

    project = find_project()
    original = app.original_of(project.ledger, number)
    check_retry(original)
    definition = app.definition_of(project, original, name, into, key, settings)
    with watching(f"retry of run {original.id}", quiet=quiet, as_json=as_json) as watcher:
        done = app.retry(project, original, definition, file, watcher, dry=dry_run)
    if as_json:
        shown = _shown(project, done, as_json=True)
        print_json(retry_json(shown, show_run(project, done.original, as_json=True), done.left))
    elif done.run is None:
        left = f" ({done.left})" if done.left else ""
        click.echo(f"Run {original.id} has no open rejects{f' of those in {file}' if file else ''}{left}.")
    else:
        _shown(project, done, as_json=False)
        if done.run.id:
            click.echo(f"\nRun {original.id} is {done.original.status} now:")
            states = project.ledger.reject_states(original.id)
            click.echo(balance(done.original.account, console().width, states[State.IGNORED]))
    return exit_code(done.run) if done.run else 0


def _shown(project: Project, done: Retried, *, as_json: bool) -> Any:
    """The retry for people on standard output, or for programs as the return value; None when there was none."""
    from headgate.report import plan_json, plan_text

    if done.run is None:
        return None
    if done.run.id:
        return show_run(project, done.run, as_json=as_json)
    if as_json:
        return plan_json(done.run, done.changes, done.key, done.counts, samples=SAMPLES)
    plan_text(done.run, done.changes, done.key, console(), done.counts, samples=SAMPLES)
    return None
