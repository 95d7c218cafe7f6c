"""Runs as text and as JSON, side by side: what one tells, the other tells too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from headgate.model.counting import counted
from headgate.model.outcome import Outcome
from headgate.model.record import RejectCount, State
from headgate.model.run import Kind, PartitionRead, Run, Status
from headgate.model.transfer import of_files

from .words import balance, duration, moment, problem_line, way_out

if TYPE_CHECKING:
    from rich.console import Console

    from .page import Page

SHOWN_PARTITIONS: Final = 10
States = Mapping[State, Counter[Outcome]]
NOTHING: Final[Mapping[Outcome, int]] = MappingProxyType({})
DELIMITERS: Final = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "bar",
    " ": "blanks",
    "whitespace": "runs of blanks",
}


def run_json(
    run: Run, counts: Iterable[RejectCount] = (), states: States | None = None, retries: Sequence[int] = ()
) -> dict[str, object]:
    """A run or plan as JSON shows it. The keys are stable: new ones may come, none goes or changes its meaning.

    Keys: ``id``, ``kind`` (run, plan, undo, retry), ``parent`` (number of the run that an undo takes back, or that a retry
    belongs to, or null), ``import``, ``operation``, ``destination``, ``status``, ``plan`` (number of the plan that was run,
    or null), ``fingerprint``, ``started`` and ``finished`` (ISO 8601, UTC; null while running),
    ``seconds``, ``account`` (``read``, one count for every outcome, ``mirror_deleted``, ``skips`` by reason,
    ``balance``), ``partitions`` (``name``, ``read``, ``findings``), ``schema_changes`` (``summary``, ``statement``),
    ``rejects`` (of those that are open: ``code``, ``field``, ``records``, ``example``, ``way_out``), ``warnings``,
    ``error``, ``states`` (how many rejects are ``open``, ``fixed``, ``ignored``), ``retries`` (numbers of the run's retries).
    In a list of runs ``rejects``, ``states`` and ``retries`` are empty.
    """
    return {
        "id": run.id,
        "kind": run.kind.value,
        "import": run.import_name,
        "operation": run.operation,
        "destination": run.destination,
        "status": run.status.value,
        "plan": run.plan_id,
        "parent": run.parent_id,
        "fingerprint": run.fingerprint,
        "started": _iso(run.started),
        "finished": _iso(run.finished),
        "seconds": run.seconds,
        "account": run.account.as_dict(),
        "partitions": [{"name": p.name, "read": p.read, "findings": p.findings} for p in run.partitions],
        "schema_changes": [{"summary": c.summary, "statement": c.statement} for c in run.schema_changes],
        "rejects": [
            {"code": c.code, "field": c.field, "records": c.records, "example": _example(c), "way_out": way_out(c.code)}
            for c in counts
        ],
        "warnings": list(run.warnings),
        "error": run.error,
        "states": {state.value: counts.total() for state, counts in (states or {}).items()},
        "retries": list(retries),
    }


def runs_json(runs: Iterable[Run]) -> list[dict[str, object]]:
    """A list of runs, each as `run_json` shows it."""
    return [run_json(run) for run in runs]


def retry_json(retry: dict[str, object] | None, run: dict[str, object], left: str) -> dict[str, object]:
    """What `headgate retry` prints. The keys are stable: new ones may come, none goes or changes its meaning.

    Keys: ``retry`` (the retry as a run, with ``--dry-run`` as a plan whose ``id`` is 0; null when no record was open),
    ``run`` (the run whose records they are, its account as it is now), ``left`` (what was left out and why, for people).
    """
    return {"retry": retry, "run": run, "left": left}


def run_text(
    run: Run,
    console: Console,
    counts: Sequence[RejectCount] = (),
    states: States | None = None,
    retries: Sequence[int] = (),
    *,
    undo: bool = False,
) -> None:
    """A run for a person: what it did where, the balance, how fast, what did not get through and the way out.

    Args:
        run: the run or plan.
        console: where it is written; its width is kept to.
        counts: its open rejects by code and field (`Ledger.reject_counts`).
        states: how many of its rejects are in which state (`Ledger.reject_states`); by default all are open.
        retries: numbers of its retries.
        undo: whether there is a journal of it.
    """
    from .page import Page

    page = Page(console)
    head(page, run, states[State.IGNORED] if states else NOTHING)
    if retries:
        fixed = f", which fixed {counted(states[State.FIXED].total(), 'record')}" if states else ""
        page.line(f"retried by {'run' if len(retries) == 1 else 'runs'} {', '.join(map(str, retries))}{fixed}")
    _sources(page, run.partitions, "files" if of_files(run.operation) else "records")
    rejects(page, counts, states[State.OPEN].total() if states else run.account.rejects)
    if run.kind is not Kind.PLAN:
        schema_changes(page, run, "Schema changes", statements=False)
    warnings(page, run)
    next_commands(page, run, attention=bool(counts), undo=undo)


def runs_text(runs: Sequence[Run], console: Console) -> None:
    """A list of runs for a person, one a line."""
    from .page import Page

    page = Page(console)
    if not runs:
        page.line("There are no runs yet.")
        return
    titles = ("id", "kind", "import", "status", "started (UTC)", "read", "rejects", "took")
    width = max(page.width - 68, 12)
    rows = [
        (
            str(r.id),
            r.kind.value,
            page.cut(r.import_name, width),
            r.status.value,
            moment(r.started),
            f"{r.account.read:,}",
            f"{r.account.rejects:,}",
            duration(r.seconds) if r.finished else "",
        )
        for r in runs
    ]
    page.columns([titles, *rows], right=(0, 5, 6, 7), indent=0)


# ---- the sections, shared with plans -----------------------------------------------------------------------------------


def head(page: Page, run: Run, ignored: Mapping[Outcome, int] = NOTHING) -> None:
    """Which run, what became of it, where, the balance and the pace."""
    from .page import STYLES

    number = f" {run.id}" if run.id else ""
    of = f" of run {run.parent_id}" if run.parent_id is not None else ""
    title = f"{run.kind.value.capitalize()}{number}{of}  {run.import_name}  "
    page.line((title, "bold"), (run.status.value, STYLES.get(run.status, "bold")))
    by_plan = f" by plan {run.plan_id}" if run.plan_id else ""
    what = f"undo of run {run.parent_id} in" if run.kind is Kind.UNDO else f"{run.operation} into"
    page.line(f"{what} {run.destination}{by_plan}")
    if run.error:
        page.line((run.error, "red"))
    for text in balance(run.account, page.width, ignored).splitlines():
        page.line((text, "bold"))
    if run.account.mirror_deleted:
        page.line(f"and {run.account.mirror_deleted:,} deleted at the destination, which the source has no more")
    page.line((" ".join(_pace(run)), "dim"))


def _pace(run: Run) -> Iterator[str]:
    yield f"started {moment(run.started)} UTC,"
    if not run.finished:
        yield "not finished"
        return
    yield f"took {duration(run.seconds)}"
    if run.account.read and run.seconds > 0:
        what = "files" if of_files(run.operation) else "rows"
        yield f"({run.account.read / run.seconds:,.0f} {what}/s)"


def _sources(page: Page, partitions: Sequence[PartitionRead], what: str) -> None:
    if not partitions:
        return
    page.heading("Read")
    for part in partitions[:SHOWN_PARTITIONS]:
        found = ", ".join(_found(part.findings))
        page.line(
            f"{part.name}: {part.read:,} {what}", (f" ({page.cut(found, 120)})" if found else "", "dim"), indent=2
        )
    if rest := partitions[SHOWN_PARTITIONS:]:
        page.line(f"and {len(rest):,} more: {sum(p.read for p in rest):,} {what}", indent=2)


def _found(findings: Mapping[str, object]) -> Iterator[str]:
    """What a person would check first of what was found by looking; `headgate check` shows all of it."""
    if isinstance(sent := findings.get("bytes_sent"), int) and isinstance(size := findings.get("bytes"), int):
        before = findings.get("bytes_there_before")
        went_on = f", and {before / 1e6:,.1f} MB were there before" if isinstance(before, int) and before else ""
        yield f"{sent / 1e6:,.1f} of {size / 1e6:,.1f} MB sent{went_on}"
    if kind := findings.get("format"):
        yield str(kind)
    if sheet := findings.get("sheet"):
        yield f"sheet {sheet}"
    if encoding := findings.get("encoding"):
        yield str(encoding)
    if delimiter := findings.get("delimiter"):
        yield f"separated by {DELIMITERS.get(str(delimiter), repr(delimiter))}"
    header = findings.get("header")
    if header is not None:
        yield f"header in row {header}" if header else "no header"


def rejects(page: Page, counts: Sequence[RejectCount], records: int) -> None:
    """What did not get through and is open, by code and field: so many records."""
    if not counts:
        return
    page.heading(f"{records:,} {'reject' if records == 1 else 'rejects'}")
    for c in counts:
        page.line((c.code, "bold yellow"), f"  {c.records:,} of {c.field}" if c.field else f"  {c.records:,}", indent=2)
        page.line(_example(c), indent=4)
        if out := way_out(c.code):
            page.line((f"{page.arrow} {out}", "dim"), indent=4)


def _example(count: RejectCount) -> str:
    problem = next((p for p in count.example.problems if (p.code, p.field) == (count.code, count.field)), None)
    return problem_line(count.example.origin, problem) if problem else str(count.example.origin)


def schema_changes(page: Page, run: Run, title: str, *, statements: bool = True) -> None:
    """What was, or would be, changed in the destination's schema."""
    if not run.schema_changes:
        return
    page.heading(title)
    for change in run.schema_changes:
        page.line(change.summary, indent=2)
        for text in change.statement.splitlines() if statements else ():
            page.line((text.expandtabs(2), "dim"), indent=4)


def warnings(page: Page, run: Run) -> None:
    """What a person should know before relying on it."""
    if run.warnings:
        page.heading("Warnings")
        for warning in run.warnings:
            page.line(("! ", "yellow"), warning, indent=2)


def next_commands(page: Page, run: Run, *, attention: bool = True, undo: bool = False) -> None:
    """The commands that go on from here.

    Args:
        page: where they are written.
        run: the run or plan; one without a number is none that commands know.
        attention: whether rejects are open.
        undo: whether there is a journal of it.
    """
    commands = []
    has_plan = bool(run.partitions) or of_files(run.operation)  # not one that found nothing new
    if run.kind is Kind.PLAN and run.status in (Status.SUCCEEDED, Status.PARTIAL) and has_plan:
        exactly = (f"headgate run --plan {run.id}", "do exactly this")
        commands.append((f"headgate run {run.import_name}", "do it") if _makes_entries(run) else exactly)
    if run.account.rejects and attention and run.id:
        commands.append((f"headgate rejects {run.id}", "every reject with its place and reason"))
        commands.append((f"headgate rejects {run.id} --xlsx fix.xlsx", "the same as a workbook to correct"))
    written = sum(run.account.outcomes[o] for o in (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED))
    if undo and run.status in (Status.SUCCEEDED, Status.PARTIAL) and written + run.account.mirror_deleted:
        commands.append((f"headgate undo {run.id}", "take it back"))
    if commands:
        page.heading("Next")
        page.columns(commands)


def _makes_entries(run: Run) -> bool:
    """Whether a plan would make entries of lookups, and so cannot be run from what was saved."""
    found = (part.findings.get("lookups") for part in run.partitions)
    return any(one.get("created") for lookups in found if isinstance(lookups, dict) for one in lookups.values())


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
