"""`headgate runs`, `headgate show` and `headgate rejects`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.model.errors import UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.model.run import Run


@click.command()
@click.argument("name", required=False, metavar="[IMPORT]")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@json_option
def runs(name: str | None, limit: int, as_json: bool) -> None:
    """List runs and plans, newest first.

    \b
    Example:
      headgate runs
      headgate runs products --limit 5 --json

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.app.project import find_project
    from headgate.report import runs_json, runs_text

    found = find_project().ledger.runs(limit=limit, import_name=name)
    if as_json:
        print_json(runs_json(found))
    else:
        runs_text(found, console())


@click.command()
@click.argument("number", type=int, metavar="N")
@click.option(
    "--samples",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Of a plan: how many changes of each kind are shown.",
)
@json_option
def show(number: int, samples: int, as_json: bool) -> None:
    """Show one run or plan: its account, what it read, its warnings, its rejects by reason; a plan's changes.

    \b
    Example:
      headgate show 7
      headgate show 7 --samples 100

    \b
    Exit codes: 0 all well; 2 there is no such run.
    """
    from headgate.app.project import find_project
    from headgate.model.run import Kind

    from .run_commands import show_plan, show_run

    project = find_project()
    run = project.ledger.run(number)
    planned = run.kind is Kind.PLAN and project.ledger.changes_path(number).exists()
    data = (
        show_plan(project, run, samples=samples, as_json=as_json)
        if planned
        else show_run(project, run, as_json=as_json)
    )
    if as_json:
        print_json(data)


@click.command()
@click.argument("number", type=int, metavar="N")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many to print; files get all."
)
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write them all to a CSV file."
)
@click.option(
    "--xlsx",
    "xlsx_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them all to a workbook, bad cells marked.",
)
@click.option("--skipped", is_flag=True, help="Also records that were skipped for a reason worth listing.")
@json_option
def rejects(
    number: int, limit: int, csv_file: Path | None, xlsx_file: Path | None, skipped: bool, as_json: bool
) -> None:
    """Show the records of a run that were refused: where they are, what is wrong with them.

    \b
    Example:
      headgate rejects 7
      headgate rejects 7 --xlsx fix.xlsx

    \b
    Exit codes: 0 all well; 1 the file cannot be written; 2 there is no such run.
    """
    from headgate.app.project import find_project
    from headgate.model.outcome import REJECTS, Outcome
    from headgate.report import rejects_csv, rejects_json, rejects_text, rejects_xlsx

    ledger = find_project().ledger
    run = ledger.run(number)
    outcomes = (*REJECTS, Outcome.SKIPPED) if skipped else REJECTS
    if csv_file and xlsx_file:
        raise UsageError("one file at a time: --csv or --xlsx")
    if csv_file or xlsx_file:
        every = ledger.rejects(number, outcomes=outcomes)
        count = rejects_csv(every, csv_file) if csv_file else rejects_xlsx(every, Path(str(xlsx_file)))
        told = {"run": number, "file": str(csv_file or xlsx_file), "rejects": count}
        if as_json:
            print_json(told)
        else:
            click.echo(f"{count:,} records of run {number} written to {told['file']}")
        return
    found = ledger.rejects(number, limit=limit, outcomes=outcomes)
    if as_json:
        print_json(list(rejects_json(found)))
    else:
        _show_rejects(run, rejects_text(found, console()), limit)


def _show_rejects(run: Run, shown: int, limit: int) -> None:
    if not shown:
        click.echo(f"Run {run.id} refused no record.")
    elif shown == limit and run.account.rejects > limit:
        click.echo(
            f"{shown:,} of {run.account.rejects:,} are shown. All of them: headgate rejects {run.id} --xlsx fix.xlsx"
        )
