"""`headgate run` with several imports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headgate.model.errors import UsageError

from .output import console, error_json, print_json, watching
from .run_commands import show_run

if TYPE_CHECKING:
    from headgate.app.project import Definition, Project
    from headgate.app.sequence import Ran
    from headgate.model.run import Run

_WORST = (0, 3, 2, 1)  # exit codes, the worst last


def run_several(
    project: Project,
    names: Sequence[str],
    options: dict[str, Any],
    *,
    keep_order: bool,
    stop: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run imports in the order of what they need; the exit code is the worst.

    Raises:
        UsageError: there are none, one of them is wrong, or they need each other; nothing has been run then.
        Cancelled: by hand; nothing further is begun.
    """
    from headgate.app.oneline import definition_for
    from headgate.app.refusals import Refusals
    from headgate.app.sequence import needs, order, run_in_order
    from headgate.app.service import run_import

    if not names:
        raise UsageError(
            "this project has no imports", hint="Make one: headgate new FILE --into CONNECTION#TABLE --key FIELD"
        )
    definitions = [definition_for(project, name, **options) for name in names]
    needed = needs(project, definitions)
    places = list(range(len(definitions))) if keep_order else order(definitions, needed)

    refusals = Refusals(project, definitions)

    def one(definition: Definition) -> Run:
        with watching(definition.name, quiet=quiet, as_json=as_json) as watcher:
            return run_import(project, definition, watcher, refusals)

    done: list[Ran] = []
    shown: list[Any] = []
    for ran in run_in_order(definitions, needed, places, one, stop=stop):
        done.append(ran)
        shown.append(_show(project, ran, as_json=as_json))
    if as_json:
        print_json(shown)
    else:
        _summary(done)
    return max((_code(ran) for ran in done), key=_WORST.index)


def _show(project: Project, ran: Ran, *, as_json: bool) -> Any:
    if ran.run is not None:
        shown = show_run(project, ran.run, as_json=as_json)
        if not as_json:
            console().print()
        return shown
    assert ran.error is not None
    status = "failed" if ran.begun else "not begun"
    if as_json:
        return {"import": ran.name, "status": status, **error_json(ran.error, _code(ran))}
    out = console()
    out.print(f"{ran.name}  {status}", markup=False)
    out.print(f"{ran.error}\n", markup=False)
    return None


def _code(ran: Ran) -> int:
    from headgate.report import exit_code

    if ran.run is not None:
        return exit_code(ran.run)
    return ran.error.exit_code if ran.error is not None else 1


def _summary(done: Sequence[Ran]) -> None:
    """A line an import."""
    from headgate.report.page import Page

    rows = [("import", "run", "status", "read", "rejects")]
    for ran in done:
        if ran.run is None:
            rows.append((ran.name, "", "failed" if ran.begun else "not begun", "", ""))
        else:
            account = ran.run.account
            rows.append((ran.name, str(ran.run.id), ran.run.status.value, f"{account.read:,}", f"{account.rejects:,}"))
    Page(console()).columns(rows, right=(1, 3, 4), indent=0)
