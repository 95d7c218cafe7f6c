"""A run and the retries of its corrected records give what one run of the corrected file gives.
HEADGATE_TEST_EXAMPLES=1000 looks further."""

from __future__ import annotations

import csv
import itertools
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.app.project import Definition, Project, open_project
from headgate.app.retry import retry
from headgate.app.service import run_import
from headgate.model.record import State
from headgate.model.run import Run, Status
from headgate.model.spec import ImportSpec
from headgate.report import rejects_csv, rejects_xlsx

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "12"))
numbers = itertools.count()

GOOD = st.sampled_from(["a", "", " p ", "=1+1", "-x", "'", 'say "so"', "two\nlines", "00501", "1E5"])
AMOUNTS = st.sampled_from(["1", "1.50", "", "-3", "007"])
# Of each record: how it should be, what is wrong with it first, and in which go it is corrected. Keys differ: which of two
# records with one key is the last depends on when it comes.
BAD = st.sampled_from(
    [None, None, None, ("amount", "dear"), ("amount", "1.005"), ("name", "b"), ("id", "x"), ("id", "")]
)
RECORDS = st.lists(st.tuples(GOOD, AMOUNTS, BAD, st.integers(1, 3)), min_size=1, max_size=14)
OPERATIONS = st.sampled_from(["insert", "update", "upsert", "delete", "append"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("retries")
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"shop": "sqlite:///shop.db"}}))
    return open_project(folder)


def _definition(project: Project, operation: str, file: str, table: str) -> Definition:
    spec: dict[str, Any] = {
        "source": {"path": file, "delimiter": ",", "quote": '"', "header": 1, "encoding": "utf-8"},
        "fields": {
            "id": {"type": "integer", "required": True},
            "name": {"check": "name <> 'b'"},
            "amount": {"type": "decimal(8,2)"},
        },
        "operation": operation,
        "destination": {"connection": "shop", "table": table, "create": True},
    }
    return Definition(
        "random", ImportSpec.model_validate(spec | ({} if operation == "append" else {"key": "id"})), project.folder
    )


def _write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "name", "amount", "tag"), *rows])


def _correct(path: Path, good: dict[str, tuple[str, ...]], wanted: set[str]) -> None:
    """Corrects some records and deletes the rows of the others, in another order than they were written."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *rows = csv.reader(file)
        # Kept as they are: cells made harmless with an apostrophe.
        rows = [
            [r[0] if r[0] == v[0] else v[0], *_changed(r, v), *r[3:]]
            for r in rows
            if r[3] in wanted
            for v in [good[r[3]]]
        ]
        random.Random(1).shuffle(rows)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *rows])
        return
    book = openpyxl.load_workbook(path)
    sheet = book["Rejects"]
    for number in range(sheet.max_row, 1, -1):
        tag = sheet.cell(number, 4).value
        if tag not in wanted:
            sheet.delete_rows(number)
            continue
        for column, value in enumerate(good[tag][:3], 1):
            if (sheet.cell(number, column).value or "") != value:
                sheet.cell(number, column).value = value
                sheet.cell(number, column).data_type = "s"
    book.save(path)


def _changed(row: list[str], good: tuple[str, ...]) -> list[str]:
    return [r if r.removeprefix("'") == g or r == g else g for r, g in zip(row[1:3], good[1:3], strict=True)]


def _rows(project: Project, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(project.folder / "shop.db")) as connection:
        return sorted(connection.execute(f'select id, name, amount from "{table}"').fetchall(), key=repr)


def _seed(project: Project, table: str) -> None:
    _write(project.folder / f"{table}.csv", [("0", "zero", "0", ""), ("2", "two", "2", ""), ("5", "five", "5", "")])
    assert run_import(project, _definition(project, "append", f"{table}.csv", table)).account.balance == 0


def _check(project: Project, run: Run, read: int) -> None:
    """The account adds up, and the rejects listed are those it counts."""
    now = project.ledger.run(run.id)
    now.account.check("the run")
    assert now.account.read == read
    told = list(project.ledger.rejects(run.id))
    assert len(told) == now.account.rejects
    assert now.status is (Status.PARTIAL if told else Status.SUCCEEDED)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="HEADGATE_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(records=RECORDS, operation=OPERATIONS, suffix=st.sampled_from(["csv", "xlsx"]))
def test_a_run_and_its_retries_are_one_run_of_the_corrected_file(
    project: Project, records: list[tuple[str, str, tuple[str, str] | None, int]], operation: str, suffix: str
) -> None:
    number = next(numbers)
    names = ("id", "name", "amount", "tag")
    good = {str(i): (str(i), name, amount, str(i)) for i, (name, amount, _, _) in enumerate(records)}
    first = [
        tuple(bad[1] if bad and bad[0] == column else value for column, value in zip(names, good[str(i)], strict=True))
        for i, (_, _, bad, _) in enumerate(records)
    ]
    _write(project.folder / f"bad{number}.csv", first)
    _write(project.folder / f"good{number}.csv", list(good.values()))
    for table in (f"once{number}", f"retried{number}"):
        _seed(project, table)

    once = run_import(project, _definition(project, operation, f"good{number}.csv", f"once{number}"))
    definition = _definition(project, operation, f"bad{number}.csv", f"retried{number}")
    run = run_import(project, definition)
    _check(project, run, len(records))
    path = project.folder / f"fix{number}.{suffix}"
    for go in (1, 2, 3):
        opened = project.ledger.rejects(run.id, in_states=[State.OPEN])
        (rejects_csv if suffix == "csv" else rejects_xlsx)(run, opened, path)
        wanted = {str(i) for i, (_, _, bad, at) in enumerate(records) if bad and at == go}
        _correct(path, good, wanted)
        done = retry(project, project.ledger.run(run.id), definition, str(path))
        assert (done.run.account.read if done.run else 0) == len(wanted)
        _check(project, run, len(records))
    assert _rows(project, f"retried{number}") == _rows(project, f"once{number}")
    assert project.ledger.run(run.id).account.as_dict() == once.account.as_dict()
