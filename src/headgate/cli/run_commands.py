"""`headgate plan` and `headgate run`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from headgate.model.errors import HeadgateError, UsageError

from .output import console, error_json, json_option, print_json, watching

if TYPE_CHECKING:
    from headgate.app.project import Project
    from headgate.model.run import Run

SAMPLES = 5


def _one_line_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed((
        click.argument("imports", nargs=-1, metavar="[IMPORT | FILE | CONNECTION#TABLE]..."),
        click.option("--into", metavar="CONNECTION#TABLE", help="Where a FILE or table goes: a URL or a connection's name, # and the table; or a file (out/prices.csv)."),
        click.option("--key", multiple=True, metavar="FIELD", help="Field that says which record this is; several times or with commas."),
        click.option("--operation", help="insert, update, upsert (default with a key), delete, mirror, append (default without)."),
        click.option("--create", is_flag=True, help="Make the table if it is not there."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set or override any key of the definition (`source.sheet=Prices`)."),
        click.option("--quiet", is_flag=True, help="No progress."),
        json_option,
    )):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_one_line_options
def plan(imports: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> int:
    """Show what a run would do, field by field, without writing anything.

    The plan is saved: `headgate run --plan N` then does exactly that.

    \b
    Example:
      headgate plan products
      headgate plan prices.csv --into sqlite:///shop.db#product --key sku --operation update

    \b
    Exit codes: 0 all well; 1 failed; 2 wrong use or definition; 3 some records would be refused.
    """
    from headgate.app.project import find_project
    from headgate.app.service import make_plan
    from headgate.report import exit_code

    project = find_project()

    def one(name: str) -> Run:
        from headgate.app.oneline import definition_for

        definition = definition_for(project, name, **options)
        with watching(definition.name, quiet=quiet, as_json=as_json) as watcher:
            return make_plan(project, definition, watcher)

    def show(run: Run) -> Any:
        return show_plan(project, run, samples=SAMPLES, as_json=as_json)

    return _each(_names(imports), one, show, as_json=as_json, code=exit_code)


@click.command()
@click.option("--plan", "plan_id", type=int, metavar="N", help="Do exactly what this plan says.")
@click.option("--all", "every", is_flag=True, help="Run all imports of the project.")
@click.option(
    "--keep-order", is_flag=True, help="Run several as they are named, even where one looks up what a later one writes."
)
@click.option("--stop", is_flag=True, help="Of several, begin none after one has failed.")
@click.option("--from-start", is_flag=True, help="Begin anew where a run that commits batch by batch was left.")
@_one_line_options
def run(
    imports: tuple[str, ...],
    plan_id: int | None,
    every: bool,
    keep_order: bool,
    stop: bool,
    from_start: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run imports of the project, a definition file, or a FILE straight into a table.

    Of several, each comes after those that write a table it looks up in; those that need one that failed are not begun.

    \b
    Example:
      headgate run products
      headgate run --all
      headgate run inbox/products.xlsx --into sqlite:///shop.db#product --key sku --create
      headgate run --plan 7

    \b
    Exit codes: 0 all well; 1 failed; 2 wrong use or definition; 3 done, with rejects; 130 cancelled.
    """
    from headgate.app.project import find_project
    from headgate.app.service import run_import, run_saved_plan
    from headgate.report import exit_code

    project = find_project()
    if plan_id is not None and (imports or every):
        raise UsageError("a plan knows its import; say either --plan or an import")
    if every and imports:
        raise UsageError("--all runs every import; say either that or which")
    if every or imports[1:]:
        from .run_several import run_several

        names = list(project.import_files) if every else list(imports)
        return run_several(project, names, options, keep_order=keep_order, stop=stop, as_json=as_json, quiet=quiet)

    def one(name: str) -> Run:
        from headgate.app.oneline import definition_for

        if plan_id is not None:
            with watching(f"plan {plan_id}", quiet=quiet, as_json=as_json) as watcher:
                return run_saved_plan(project, plan_id, options["into"], watcher)
        definition = definition_for(project, name, **options)
        with watching(definition.name, quiet=quiet, as_json=as_json) as watcher:
            return run_import(project, definition, watcher, from_start=from_start)

    names = [str(plan_id)] if plan_id is not None else _names(imports)
    return _each(names, one, lambda run: show_run(project, run, as_json=as_json), as_json=as_json, code=exit_code)


def show_run(project: Project, run: Run, *, as_json: bool) -> Any:
    """A run for people on standard output, or for programs as the return value."""
    from headgate.ledger.moved import Moved
    from headgate.model.transfer import of_files
    from headgate.report import run_json, run_text

    ledger = project.ledger
    counts, states, retries = ledger.reject_counts(run.id), ledger.reject_states(run.id), ledger.retries(run.id)
    if as_json:
        return run_json(run, counts, states, retries)
    undo = Moved(ledger).any_of(run.id) if of_files(run.operation) else ledger.has_journal(run.id)
    return run_text(run, console(), counts, states, retries, undo=undo)


def show_plan(project: Project, run: Run, *, samples: int, as_json: bool) -> Any:
    """A plan with some of its changes, for people on standard output, or for programs as the return value."""
    from headgate.engine.plans import found_nothing, read_changes, read_plan
    from headgate.report import plan_json, plan_text

    path = project.ledger.fetch(project.ledger.changes_path(run.id))
    counts = project.ledger.reject_counts(run.id)
    nothing = found_nothing(run) and not path.exists()
    changes, key = (iter(()), ()) if nothing else (read_changes(path), read_plan(path).write.key)
    if as_json:
        return plan_json(run, changes, key, counts, samples=samples)
    return plan_text(run, changes, key, console(), counts, samples=samples)


def _names(imports: tuple[str, ...]) -> list[str]:
    if not imports:
        raise UsageError("say which import, or which file", hint="headgate imports lists the project's.")
    return list(imports)


def _each(
    names: list[str],
    one: Callable[[str], Run],
    show: Callable[[Run], Any],
    *,
    as_json: bool,
    code: Callable[[Run], int],
) -> int:
    """Execute one after the other, stopping at the first that fails; the exit code is the worst."""
    shown: list[Any] = []
    worst = 0
    for name in names:
        try:
            run = one(name)
        except HeadgateError as e:
            if not (as_json and shown):
                raise
            print_json([*shown, error_json(e, e.exit_code)])
            return e.exit_code
        worst = max(worst, code(run))
        shown.append(show(run))
    if as_json:
        print_json(shown[0] if len(shown) == 1 else shown)
    return worst
