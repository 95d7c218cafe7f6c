"""Whole runs over random files: nothing is unaccounted for, the second run changes nothing, a plan is what is then done, and
what was undone is as it was. HEADGATE_TEST_EXAMPLES=1000 looks further."""

from __future__ import annotations

import csv
import io
import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.app.project import Definition, Project, open_project
from headgate.app.service import make_plan, run_import, run_saved_plan
from headgate.app.undoing import undo_run
from headgate.model.errors import LimitExceeded
from headgate.model.run import Run, Status
from headgate.model.spec import ImportSpec

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "12"))
numbers = itertools.count()

IDS = st.sampled_from(["1", "2", "3", "4", "5", " 6", "07", "", "x", "99999999999"])
TEXTS = st.sampled_from(["a", "b", "", " ", "ä", 'say "so"', "two\nlines", "a,b", "\0"])
AMOUNTS = st.sampled_from(["1", "1.50", "", "-3", "1.005", "dear", "NA", "1e3"])
FILES = st.lists(st.lists(st.tuples(IDS, TEXTS, AMOUNTS), max_size=12), min_size=1, max_size=3)
RULES = st.fixed_dictionaries(
    {
        "operation": st.sampled_from(["insert", "update", "upsert", "delete", "mirror", "append"]),
        "duplicates": st.sampled_from(["last", "first", "reject"]),
        "existing": st.sampled_from(["reject", "skip"]),
        "missing": st.sampled_from(["reject", "skip"]),
        "commit": st.sampled_from(["run", "run", "batch"]),
    }
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": "sqlite:///shop.db"}}))
    return open_project(folder)


def _definition(folder: Path, number: int, rules: dict[str, Any], table: str) -> Definition:
    append = rules["operation"] == "append"
    again = "run"  # what is written twice is read twice here
    if rules["operation"] == "mirror":
        rules = rules | {"commit": "run"}
    if not append:
        rules = rules | {"key": "id"}
    fields = {
        "id": {"type": "integer", "transform": "trim"},
        "name": {"check": "name <> 'b'"},
        "amount": {"type": "decimal(8,2)", "when": "present"},
    }
    spec = ImportSpec.model_validate(
        rules
        | {
            "source": {
                "path": f"{number}-*.csv",
                "again": again,
                "delimiter": ",",
                "quote": '"',
                "header": 1,
                "encoding": "utf-8",
            },
            "fields": fields,
            "filter": "name <> 'ä'",
            "limits": {"deletes": None},
            "destination": {"connection": "shop", "table": table, "create": True},
        }
    )
    return Definition("random", spec, folder)


def _write(folder: Path, number: int, files: list[list[tuple[str, str, str]]]) -> int:
    for index, rows in enumerate(files):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([("id", "name", "amount"), *rows])
        (folder / f"{number}-{index}.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    return sum(map(len, files))


def _run(project: Project, definition: Definition) -> Run | None:
    """A run; None where mirror refuses a source with nothing in it."""
    try:
        return run_import(project, definition)
    except LimitExceeded:
        return None


def _rows(project: Project, definition: Definition) -> list[tuple[object, ...]]:
    """What is in the definition's table."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(project.folder / "shop.db")) as connection:
        table = definition.spec.destination.table
        return sorted(connection.execute(f'select id, name, amount from "{table}"').fetchall(), key=repr)


def _seed(project: Project, number: int, table: str, *, append: bool) -> None:
    (project.folder / f"seed{number}-0.csv").write_text("id,name,amount\n1,a,1\n2,old,2\n9,gone,3\n")
    rules = {"operation": "append"} if append else {"operation": "insert"}
    seed = _definition(project.folder, number, rules, table)
    spec = seed.spec.model_copy(
        update={"source": seed.spec.source.model_copy(update={"path": f"seed{number}-0.csv"}), "filter": None}
    )
    assert run_import(project, Definition("seed", spec, project.folder)).account.as_dict()["created"] == 3


def _check(project: Project, run: Run, read: int) -> None:
    assert run.account.balance == 0
    assert run.account.read == read
    assert sum(p.read for p in run.partitions) == read
    told = list(project.ledger.rejects(run.id))
    assert len({r.number for r in told}) == len(told) == run.account.rejects
    assert run.status is (Status.PARTIAL if told else Status.SUCCEEDED)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="HEADGATE_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(files=FILES, rules=RULES)
def test_runs_account_for_every_record_and_do_what_their_plan_said(
    project: Project, files: list[list[tuple[str, str, str]]], rules: dict[str, Any]
) -> None:
    number = next(numbers)
    read = _write(project.folder, number, files)
    operation, append = rules["operation"], rules["operation"] == "append"
    plain, planned = (_definition(project.folder, number, rules, f"{way}_{number}") for way in ("plain", "planned"))
    for definition in (plain, planned):
        _seed(project, number, definition.spec.destination.table, append=append)

    before = _rows(project, plain)
    first = _run(project, plain)
    if first is None:
        assert operation == "mirror"
        assert len(_rows(project, plain)) == 3
        return
    _check(project, first, read)

    # A plan sees the whole file at once, as a run that commits once does.
    if rules["commit"] == "run" or operation == "mirror":
        plan = make_plan(project, planned)
        done = run_saved_plan(project, plan.id)
        assert plan.account.as_dict() == done.account.as_dict() == first.account.as_dict()
        _check(project, done, read)
        assert _rows(project, planned) == _rows(project, plain)

    after = _rows(project, plain)
    again = _run(project, plain)
    assert again is not None
    _check(project, again, read)
    if not append:
        assert _rows(project, plain) == after
    if operation in ("upsert", "mirror") and rules["commit"] == "run":
        counts = again.account.as_dict()
        assert (counts["created"], counts["updated"], counts["deleted"], counts["mirror_deleted"]) == (0, 0, 0, 0)
    for undone, left in ((again, after), (first, before)):
        undo = undo_run(project, undone.id)
        assert (undo.account.balance, undo.account.rejects) == (0, 0)
        assert _rows(project, plain) == left
        assert project.ledger.run(undone.id).status is Status.UNDONE
