"""`headgate runs`, `headgate show` and `headgate rejects`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.model.counting import counted
from headgate.model.errors import UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.project import Project


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
    planned = run.kind is Kind.PLAN and project.ledger.fetch(project.ledger.changes_path(number)).exists()
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
@click.option(
    "--all", "every", is_flag=True, help="Also those that are fixed or ignored; each with its number and state."
)
@click.option("--ignore", metavar="N[,N...]", help="Set rejects with these numbers (--all shows them) aside.")
@click.option("--ignore-all", "code", metavar="CODE", help="Set all open rejects with this code aside.")
@click.option("--reopen", metavar="N[,N...]", help="Take that back.")
@json_option
def rejects(
    number: int,
    limit: int,
    csv_file: Path | None,
    xlsx_file: Path | None,
    skipped: bool,
    every: bool,
    ignore: str | None,
    code: str | None,
    reopen: str | None,
    as_json: bool,
) -> None:
    """Show the records of a run that were refused and are open: where they are, what is wrong with them.

    In a file they can be corrected, and `headgate retry` imports them then. Those that never will be can be ignored: they
    count in the account, and nobody is reminded of them.

    \b
    Example:
      headgate rejects 7
      headgate rejects 7 --xlsx fix.xlsx
      headgate rejects 7 --ignore 3,12

    \b
    Exit codes: 0 all well; 1 the file cannot be written; 2 there is no such run or reject.
    """
    from headgate.app.project import find_project

    project = find_project()
    if sum(x is not None for x in (csv_file, xlsx_file, ignore, code, reopen)) > 1:
        raise UsageError("one at a time: --csv, --xlsx, --ignore, --ignore-all or --reopen")
    if ignore is not None or code is not None or reopen is not None:
        told: dict[str, object] = _mark(project, number, ignore, code, reopen)
        text = f"{told['changed']:,} rejects of run {told['run']} are {told['state']} now"
    elif csv_file or xlsx_file:
        told = _write(project, number, csv_file, xlsx_file, _wanted(skipped=skipped, every=every))
        text = f"{counted(int(str(told['rejects'])), 'record')} of run {number} written to {told['file']}"
    else:
        _list(project, number, limit, _wanted(skipped=skipped, every=every), numbers=every, as_json=as_json)
        return
    if as_json:
        print_json(told)
    else:
        click.echo(text)


def _wanted(*, skipped: bool, every: bool) -> dict[str, Any]:
    from headgate.model.outcome import REJECTS, Outcome
    from headgate.model.record import State

    return {
        "outcomes": (*REJECTS, Outcome.SKIPPED) if skipped else REJECTS,
        "in_states": tuple(State) if every else (State.OPEN,),
    }


def _mark(project: Project, number: int, ignore: str | None, code: str | None, reopen: str | None) -> dict[str, object]:
    from headgate.app.retry import original_of
    from headgate.model.codes import CODES
    from headgate.model.run import Kind

    ledger, run = project.ledger, original_of(project.ledger, number)
    if run.kind is Kind.PLAN:
        raise UsageError(f"{number} is a plan; ignore the rejects of its run")
    if code is not None:
        if code not in CODES:
            raise UsageError(f"there is no code {code!r}", hint=f"headgate show {number} has the codes of its rejects.")
        changed = ledger.ignore_code(run.id, code)
    elif ignore is not None:
        changed = ledger.ignore(run.id, _numbers("--ignore", ignore))
    else:
        changed = ledger.reopen(run.id, _numbers("--reopen", reopen or ""))
    return {"run": run.id, "changed": changed, "state": "ignored" if reopen is None else "open"}


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {text}: numbers with commas between them are expected") from None


def _write(
    project: Project, number: int, csv_file: Path | None, xlsx_file: Path | None, wanted: dict[str, Any]
) -> dict[str, object]:
    from headgate.app.retry import original_of
    from headgate.report import rejects_csv, rejects_xlsx

    run, found = original_of(project.ledger, number), project.ledger.rejects(number, **wanted)
    if csv_file:
        return {"run": number, "file": str(csv_file), "rejects": rejects_csv(run, found, csv_file)}
    return {"run": number, "file": str(xlsx_file), "rejects": rejects_xlsx(run, found, Path(str(xlsx_file)))}


def _list(project: Project, number: int, limit: int, wanted: dict[str, Any], *, numbers: bool, as_json: bool) -> None:
    from headgate.model.record import State
    from headgate.report import rejects_json, rejects_text

    run, found = project.ledger.run(number), project.ledger.rejects(number, limit=limit, **wanted)
    if as_json:
        print_json(list(rejects_json(found)))
        return
    shown = rejects_text(found, console(), numbers=numbers)
    states = {state: counts.total() for state, counts in project.ledger.reject_states(number).items()}
    total = sum(n for state, n in states.items() if state in wanted["in_states"])
    others = " and ".join(f"{n:,} {s}" for s, n in states.items() if n and s is not State.OPEN and not numbers)
    if not shown and not others:
        click.echo(f"Run {run.id} refused no record.")
    elif shown == limit and total > limit:
        click.echo(f"{shown:,} of {total:,} are shown. All of them: headgate rejects {run.id} --xlsx fix.xlsx")
    elif others:
        click.echo(f"{shown:,} are open; {others} are seen with --all.")
