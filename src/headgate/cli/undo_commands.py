"""`headgate undo` and `headgate resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from headgate.model.errors import UsageError

from .output import console, json_option, print_json, watching

if TYPE_CHECKING:
    from headgate.model.record import Reject
    from headgate.model.run import Run

SHOWN = 20


@click.command()
@click.argument("number", type=int, metavar="RUN")
@click.option("--dry-run", is_flag=True, help="Show what would be taken back, and write nothing.")
@click.option("--force", "forced", is_flag=True, help="Take back records that were edited since, too.")
@click.option(
    "--only", type=click.Choice(("created", "updated", "deleted")), help="Take back only what the run did so."
)
@click.option("--into", metavar="CONNECTION", help="The destination again, if it was a URL with a password.")
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def undo(number: int, dry_run: bool, as_json: bool, quiet: bool, **options: Any) -> int:
    """Take a run back, in one transaction: created records are deleted, updated and deleted ones are as they were.

    Records that were edited since the run are left and listed. An undo is a run itself and can be undone. Of a run that moved
    files, each file is taken back by itself, and what was overwritten or deleted comes from where transfer.backup kept it.

    \b
    Example:
      headgate undo 7 --dry-run
      headgate undo 7
      headgate undo 7 --only created --force

    \b
    Exit codes: 0 all taken back; 1 failed, nothing was taken back; 2 there is no such run, or it cannot be undone;
    3 some records were left; 130 cancelled.
    """
    from headgate.app.project import find_project
    from headgate.app.undoing import look_at_undo, undo_run
    from headgate.report import exit_code, rejects_json, run_json

    project = find_project()
    with watching(f"undo {number}", quiet=quiet, as_json=as_json) as watcher:
        if dry_run:
            run, left = look_at_undo(project, number, watcher, **options)
        else:
            run = undo_run(project, number, watcher, **options)
            left = list(project.ledger.rejects(run.id, limit=SHOWN))
    if as_json:
        counts = project.ledger.reject_counts(run.id) if run.id else ()
        print_json(
            {**run_json(run, counts), **_counted(run), "left_records": list(rejects_json(left)), "dry_run": dry_run}
        )
    else:
        _show(number, run, left, dry_run=dry_run)
    if dry_run:
        return 3 if run.account.rejects else 0
    return exit_code(run)


def _counted(run: Run) -> dict[str, int]:
    """The three counts of an undo."""
    from headgate.model.outcome import Outcome

    outcomes = run.account.outcomes
    reversed_ = outcomes[Outcome.CREATED] + outcomes[Outcome.UPDATED] + outcomes[Outcome.DELETED]
    return {"reversed": reversed_, "left": outcomes[Outcome.HELD], "failed": outcomes[Outcome.REJECTED]}


def _show(number: int, run: Run, left: list[Reject], *, dry_run: bool) -> None:
    from headgate.report import rejects_text

    counts = _counted(run)
    title = f"An undo of run {number} would do this" if dry_run else f"Undo {run.id} of run {number}  {run.status}"
    out = console()
    out.print(title, style="bold", markup=False)
    out.print(
        f"{counts['reversed']:,} reversed, {counts['left']:,} left because edited since, {counts['failed']:,} failed",
        markup=False,
    )
    for change in run.schema_changes:
        out.print(change.summary, markup=False)
    for warning in run.warnings:
        out.print(f"! {warning}", markup=False)
    if left:
        rejects_text(left[:SHOWN], out)
        if run.account.rejects > SHOWN:
            more = f"headgate rejects {run.id}" if run.id else f"headgate undo {number} --dry-run --json"
            out.print(f"and {run.account.rejects - SHOWN:,} more: {more}", markup=False)
    if dry_run:
        out.print("Nothing has been written.", markup=False)


@click.command()
@click.argument("number", type=int, metavar="RUN")
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def resume(number: int, as_json: bool, quiet: bool) -> int:
    """Go on with a run that commits batch by batch and was left half-way. `headgate run` does so by itself.

    \b
    Example:
      headgate resume 7

    \b
    Exit codes: as of run.
    """
    from headgate.app.oneline import definition_for
    from headgate.app.project import find_project
    from headgate.app.service import run_import
    from headgate.model.run import Status
    from headgate.report import exit_code

    from .run_commands import show_run

    project = find_project()
    left = project.ledger.run(number)
    if left.status not in (Status.FAILED, Status.CANCELLED) or not left.checkpoint:
        how = (
            "is going on"
            if left.status is Status.RUNNING
            else f"is {left.status}, and what commits at its end has no half"
        )
        raise UsageError(f"run {number} cannot go on: it {how}", hint="Run its import again: headgate run.")
    if left.import_name not in project.import_files:
        raise UsageError(
            f"run {number} was made on the command line", hint="Run the same command again; it goes on by itself."
        )
    definition = definition_for(project, left.import_name)
    if definition.fingerprint != left.fingerprint:
        raise UsageError(
            f"the definition changed since run {number}", hint=f"headgate run {left.import_name} begins anew."
        )
    with watching(left.import_name, quiet=quiet, as_json=as_json) as watcher:
        run = run_import(project, definition, watcher)
    shown = show_run(project, run, as_json=as_json)
    if as_json:
        print_json(shown)
    return exit_code(run)
