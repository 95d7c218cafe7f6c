"""Refused records corrected and tried again, through the command line: the account of their run always adds up."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from support.shop import Ask, Define, Headgate, Said, Shop, Start, counts

LINES = "id;name;price\n1;Lamp;12.50\n2;Desk;dear\n3;Chair;4O\n4;;7\n5;Shelf;8\n"
COLUMNS = "id int primary key, name text not null, price numeric(8, 2)"


@pytest.fixture
def demo(folder: Path, monkeypatch: pytest.MonkeyPatch, headgate: Headgate) -> None:
    """The demo after its supplier's list: 7 invalid and 1 rejected in run 2."""
    monkeypatch.delenv("HEADGATE_HOME")
    with as_file(files("headgate") / "demo") as project:
        shutil.copytree(project, folder, dirs_exist_ok=True)
    headgate("run", "products", "--quiet")
    assert headgate("run", "supplier-prices", "--quiet").code == 3


@pytest.fixture
def refused(shop: Shop, define: Define, headgate: Headgate) -> Shop:
    """Run 1: two of five refused for their price, one for its name."""
    shop.table("item", COLUMNS)
    define(shop, LINES, fields={"id": {"type": "integer"}, "name": {"required": True}, "price": None})
    assert counts(headgate("run", "items", "--json").json) == {"created": 2, "invalid": 3}
    return shop


def correct(path: Path, change: dict[str, dict[str, Any]]) -> None:
    """Sets cells of a workbook as a person would: by what stands in the first column."""
    book = openpyxl.load_workbook(path)
    sheet = book["Rejects"]
    places = {c.value: c.column for c in sheet[1]}
    for row in sheet.iter_rows(min_row=2):
        for column, value in change.get(str(row[0].value), {}).items():
            sheet.cell(row[0].row, places[column]).value = value
    book.save(path)


def keep(path: Path, ids: set[str]) -> None:
    """Deletes all rows but those."""
    book = openpyxl.load_workbook(path)
    sheet = book["Rejects"]
    for number in range(sheet.max_row, 1, -1):
        if str(sheet.cell(number, 1).value) not in ids:
            sheet.delete_rows(number)
    book.save(path)


def balanced(said: Said) -> tuple[dict[str, int], dict[str, int]]:
    """The counts of a retry, and of its run."""
    return counts(said.json["retry"]), counts(said.json["run"])


def test_a_suppliers_list_is_corrected_in_two_goes(demo: None, headgate: Headgate, rows: Ask, folder: Path) -> None:
    assert headgate("rejects", 2, "--xlsx", "fix.xlsx").code == 0
    correct(folder / "fix.xlsx", {
        "PD-R563": {"Cost": "27,05"}, "BB-9108": {"Valid from": "30.06.2025"}, "CS-6583": {"Cost": "33,10"},
    })  # fmt: skip
    keep(folder / "fix.xlsx", {"PD-R563", "BB-9108", "CS-6583", "CS-4759"})
    first = headgate("retry", 2, "--from", "fix.xlsx", "--json")
    assert first.code == 3
    assert balanced(first) == ({"updated": 3, "invalid": 1}, {"updated": 9, "invalid": 4, "rejected": 1})
    assert (first.json["run"]["status"], first.json["run"]["states"]["fixed"]) == ("partial", 3)
    assert rows("select cost, cost_since from product where sku = 'BB-9108'") == [(52.75, "2025-06-30")]

    assert headgate("rejects", 2, "--xlsx", "rest.xlsx", "--json").json["rejects"] == 5
    correct(folder / "rest.xlsx", {
        "XX-1000": {"Product": "CS-9183"}, "CS-4759": {"Cost": "76,10"}, "FB-9873": {"Cost": "47,00"},
        "CS-9183": {"Product": "PD-M340", "Cost": "1,5"}, "None": {"Product": "RB-9231", "Cost": "48,00"},
    })  # fmt: skip
    second = headgate("retry", 2, "--from", "rest.xlsx", "--json")
    assert second.code == 0, second
    assert balanced(second) == ({"updated": 5}, {"updated": 14})
    assert second.json["run"]["status"] == "succeeded"
    assert second.json["run"]["retries"] == [3, 4]
    assert headgate("rejects", 2, "--json").json == []
    assert {r["state"] for r in headgate("rejects", 2, "--all", "--json").json} == {"fixed"}
    assert rows("select cost from product where sku in ('CS-4759', 'RB-9231', 'FB-9873') order by sku") == [
        (76.1,), (47,), (48,),
    ]  # fmt: skip
    kinds = [(r["kind"], r["parent"]) for r in headgate("runs", "--json").json]
    assert kinds == [("retry", 2), ("retry", 2), ("run", None), ("run", None)]


def test_corrected_records_go_where_a_run_would_bring_them(refused: Shop, headgate: Headgate, folder: Path) -> None:
    headgate("rejects", 1, "--xlsx", "fix.xlsx")
    correct(folder / "fix.xlsx", {"2": {"price": 99.5}, "3": {"price": "40"}, "4": {"name": "+Bed"}})
    dry = headgate("retry", 1, "--from", "fix.xlsx", "--dry-run", "--json")
    assert dry.json["retry"]["changes"]["created"] == 3
    assert len(refused.read("item")) == 2
    assert len(headgate("runs", "--json").json) == 1
    assert "Nothing has been written" in headgate("retry", 1, "--from", "fix.xlsx", "--dry-run").out
    done = headgate("retry", 1, "--from", "fix.xlsx", "--json")
    assert balanced(done) == ({"created": 3}, {"created": 5})
    found = [(i, n, float(p)) for i, n, p in refused.read("item")]
    assert found == [(1, "Lamp", 12.5), (2, "Desk", 99.5), (3, "Chair", 40), (4, "+Bed", 7), (5, "Shelf", 8)]


def test_a_file_that_is_out_of_date_tries_only_what_is_open(refused: Shop, headgate: Headgate, folder: Path) -> None:
    headgate("rejects", 1, "--csv", "fix.csv")
    text = (folder / "fix.csv").read_text("utf-8-sig")
    (folder / "fix.csv").write_text(text.replace("dear", "9").replace("4O", "4"))
    assert headgate("rejects", 1, "--ignore", "3").code == 0
    first = headgate("retry", 1, "--from", "fix.csv", "--json")
    assert balanced(first) == ({"created": 2}, {"created": 4, "invalid": 1})
    assert first.json["left"] == "left out: 1 ignored"
    again = headgate("retry", 1, "--from", "fix.csv")
    assert (again.code, again.out) == (
        0, "Run 1 has no open rejects of those in fix.csv (left out: 2 fixed already, 1 ignored).\n",
    )  # fmt: skip
    assert headgate("retry", 1, "--json").json["retry"] is None
    assert len(headgate("runs", "--json").json) == 2


def test_what_is_refused_again_has_its_new_values_and_place(refused: Shop, headgate: Headgate, folder: Path) -> None:
    headgate("rejects", 1, "--csv", "fix.csv")
    text = (folder / "fix.csv").read_text("utf-8-sig")
    (folder / "fix.csv").write_text(text.replace("dear", "cheap"))
    assert headgate("retry", 1, "--from", "fix.csv").code == 3
    told = {r["number"]: r for r in headgate("rejects", 1, "--json").json}
    assert (told[1]["raw"]["price"], told[1]["mended"]) == ("cheap", "fix.csv, line 2")
    assert (told[2]["raw"]["price"], told[2]["mended"], told[2]["line"]) == ("4O", "", 4)
    assert '"cheap"' in headgate("rejects", 2).out, "a retry has its own list"
    headgate("rejects", 2, "--csv", "again.csv")
    (folder / "again.csv").write_text((folder / "again.csv").read_text("utf-8-sig").replace("cheap", "3"))
    done = headgate("retry", 2, "--from", "again.csv", "--json")
    assert done.json["retry"]["parent"] == 1, "a retry of a retry belongs to the original run"
    assert balanced(done) == ({"created": 1, "invalid": 2}, {"created": 3, "invalid": 2})
    assert headgate("rejects", 2, "--all", "--json").json[0]["fixed_by"] == 3


def test_all_open_ones_are_tried_again_when_the_cause_was_elsewhere(
    shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    shop.table("maker", "id int primary key", [(1,)])
    shop.table("item", "id int primary key, maker int not null references maker (id)")
    define(shop, "id;maker\n1;1\n2;2\n3;2\n4;9\n")
    ran = headgate("run", "items", "--json").json
    assert counts(ran) == {"created": 1, "rejected": 3}
    shop.sql("insert into maker values (2)")
    done = headgate("retry", 1, "--json")
    assert balanced(done) == ({"created": 2, "rejected": 1}, {"created": 3, "rejected": 1})
    assert shop.read("item") == [(1, 1), (2, 2), (3, 2)]
    shop.sql("insert into maker values (9)")
    assert balanced(headgate("retry", 1, "--json")) == ({"created": 1}, {"created": 4})


def test_a_definition_that_was_corrected_is_used_and_that_is_said(
    refused: Shop, define: Define, headgate: Headgate
) -> None:
    define(refused, fields={
        "id": {"type": "integer"}, "name": {"default": "(none)"},
        "price": {"transform": [{"replace": ["O", "0"]}]},
    })  # fmt: skip
    done = headgate("retry", 1, "--json")
    assert balanced(done) == ({"created": 2, "invalid": 1}, {"created": 4, "invalid": 1})
    assert done.json["retry"]["warnings"] == ["the definition is not what it was in run 1; it was used as it is now"]
    assert done.json["retry"]["fingerprint"] != done.json["run"]["fingerprint"]


@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete", "mirror", "append"])
def test_every_operation_can_be_retried_and_mirror_deletes_nothing(
    operation: str, shop: Shop, define: Define, headgate: Headgate
) -> None:
    there = [(1, "a"), (2, "b"), (3, "c"), (9, "z")]
    shop.table("item", "id int, name text" if operation == "append" else "id int primary key, name text", there)
    key = None if operation == "append" else "id"
    lines = "id;name\n1;a\n2x;B\n3x;c\n" if operation != "insert" else "id;name\n11;a\n12x;B\n13x;c\n"
    fields = {"id": {"type": "integer", "transform": [{"replace": ["x", ""]}]}, "name": None}
    strict = {"id": {"type": "integer"}, "name": None}
    rules = {"operation": operation, "key": key, "limits": {"deletes": None}}
    define(shop, lines, fields=strict, **rules)
    ran = headgate("run", "items", "--json").json
    assert counts(ran)["invalid"] == 2
    define(shop, fields=fields, **rules)
    done = headgate("retry", 1, "--json")
    retried, run = balanced(done)
    expected: dict[str, dict[str, int]] = {
        "insert": {"created": 2}, "append": {"created": 2}, "delete": {"deleted": 2},
    }  # fmt: skip
    assert retried == expected.get(operation, {"updated": 1, "unchanged": 1})
    assert sum(v for k, v in run.items() if k != "mirror_deleted") == 3
    assert done.json["retry"]["operation"] == ("upsert" if operation == "mirror" else operation)
    assert ((9, "z") in shop.read("item")) is True


def test_limits_and_control_totals_of_the_source_do_not_stop_a_retry(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS)
    rules: dict[str, Any] = {"expect": {"rows": 5}, "limits": {"creates": "50%"}, "rejects": {"limit": "60%"}}
    define(shop, LINES, fields={"id": {"type": "integer"}, "name": {"required": True}, "price": None}, **rules)
    assert headgate("run", "items").code == 3
    assert headgate("retry", 1, "--set", "fields.name.required=false", "--set", "fields.name.default=x").code == 3


def test_records_of_several_files_are_told_apart(shop: Shop, define: Define, headgate: Headgate, folder: Path) -> None:
    shop.table("item", COLUMNS)
    for name, lines in (
        ("a", "id;name;price\n1;x;bad\n"),
        ("b", "id;name;price\n2;y;2\n"),
        ("c", "price;name;more;id\nno;z;+1;3\n"),
    ):
        (folder / f"items-{name}.csv").write_text(lines)
    define(shop, source="items-*.csv", fields={"id": {"type": "integer"}, "name": None, "price": None})
    assert counts(headgate("run", "items", "--json").json) == {"created": 1, "invalid": 2}
    headgate("rejects", 1, "--xlsx", "fix.xlsx")
    sheet = openpyxl.load_workbook(folder / "fix.xlsx")["Rejects"]
    assert [c.value for c in sheet[1]] == ["id", "name", "price", "more", "Problems", "_headgate"]
    correct(folder / "fix.xlsx", {"1": {"price": "1"}, "3": {"price": "3"}})
    done = headgate("retry", 1, "--from", "fix.xlsx", "--json")
    assert balanced(done) == ({"created": 2}, {"created": 3})
    assert [(p["name"], p["read"]) for p in done.json["retry"]["partitions"]] == [
        ("items-a.csv", 1),
        ("items-c.csv", 1),
    ]


def test_lines_that_could_not_be_read_are_records_once_they_are_mended(
    shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    shop.table("item", COLUMNS)
    define(shop, "id;name;price\n1;Lamp\n2;Desk;2;more\n3;Bed;3\n")
    assert counts(headgate("run", "items", "--json").json) == {"created": 1, "invalid": 2}
    assert balanced(headgate("retry", 1, "--json")) == ({"invalid": 2}, {"created": 1, "invalid": 2})
    headgate("rejects", 1, "--xlsx", "fix.xlsx")
    correct(folder / "fix.xlsx", {"1": {"price": "1"}})
    assert balanced(headgate("retry", 1, "--from", "fix.xlsx", "--json"))[0] == {"created": 1, "invalid": 1}
    correct(folder / "fix.xlsx", {"2": {"column_4": None}})
    assert balanced(headgate("retry", 1, "--from", "fix.xlsx", "--json")) == ({"created": 1}, {"created": 3})


def test_a_run_of_a_bare_file_is_retried_with_its_key_said_again(shop: Shop, headgate: Headgate, folder: Path) -> None:
    shop.table("item", COLUMNS)
    (folder / "items.csv").write_text("id;name;price\n1;a;x\n2;b;2\n")
    assert headgate("run", "items.csv", "--into", f"{shop.url}#item", "--key", "id").code == 3
    headgate("rejects", 1, "--csv", "fix.csv")
    (folder / "fix.csv").write_text((folder / "fix.csv").read_text("utf-8-sig").replace("a,x", "a,1"))
    said = headgate("retry", 1, "--from", "fix.csv")
    assert said.code == 2
    assert "headgate retry 1 --key FIELD" in said.err
    done = headgate("retry", 1, "--from", "fix.csv", "--key", "id", "--into", f"{shop.url}#item", "--json")
    assert balanced(done) == ({"created": 1}, {"created": 2})
    assert done.json["retry"]["warnings"] == []


# ---- taken back, or broken off -----------------------------------------------------------------------------------------


def test_a_retry_that_is_undone_leaves_its_records_open_again(refused: Shop, headgate: Headgate, folder: Path) -> None:
    before = headgate("show", 1, "--json").json
    headgate("rejects", 1, "--csv", "fix.csv")
    (folder / "fix.csv").write_text((folder / "fix.csv").read_text("utf-8-sig").replace("dear", "9").replace("4O", "x"))
    assert balanced(headgate("retry", 1, "--from", "fix.csv", "--json"))[1] == {"created": 3, "invalid": 2}
    said = headgate("undo", 1)
    assert said.code == 2
    assert "Undo that first: headgate undo 2" in said.err

    assert headgate("undo", 2).code == 0
    after = headgate("show", 1, "--json").json
    assert (after["account"], after["status"], after["states"]) == (
        before["account"], "partial", {"open": 3, "fixed": 0, "ignored": 0},
    )  # fmt: skip
    assert [r["state"] for r in headgate("rejects", 1, "--all", "--json").json] == ["open"] * 3
    assert len(refused.read("item")) == 2
    assert "headgate retry 1" in headgate("undo", 3).err, "its records are retried, not put back"
    assert balanced(headgate("retry", 1, "--from", "fix.csv", "--json"))[1] == {"created": 3, "invalid": 2}
    assert headgate("undo", 4).code == 0
    assert headgate("undo", 1).code == 0
    assert refused.read("item") == []
    assert "run 1 is undone" in headgate("retry", 1).err


@pytest.fixture
def appended(shop: Shop, define: Define, headgate: Headgate) -> Shop:
    """Run 1 appended two records and refused two for a maker that is there now; again, they would be there twice."""
    shop.table("maker", "id int primary key", [(1,)])
    shop.table("item", "id int, maker int not null references maker (id)")
    define(shop, "id;maker\n1;1\n2;2\n3;1\n4;2\n", operation="append", key=None)
    assert headgate("run", "items").code == 3
    shop.sql("insert into maker values (2)")
    return shop


@pytest.mark.parametrize("point", ["stage.after", "commit.before", "commit.after", "ledger.before", "ledger.after"])
def test_a_retry_whose_process_dies_is_settled_as_what_was_committed(
    point: str, appended: Shop, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_CRASH", point)
    process = start("retry", 1)
    process.wait(60)
    assert process.returncode == -9
    monkeypatch.delenv("HEADGATE_CRASH")
    committed = point not in ("stage.after", "commit.before")
    run = headgate("show", 1, "--json").json
    assert counts(run) == ({"created": 4} if committed else {"created": 2, "rejected": 2})
    assert run["states"] == {"open": 0 if committed else 2, "fixed": 2 if committed else 0, "ignored": 0}
    assert headgate("show", 2, "--json").json["status"] == ("succeeded" if committed else "failed")
    assert headgate("retry", 1).code == 0
    assert counts(headgate("show", 1, "--json").json) == {"created": 4}
    assert appended.read("item") == [(1, 1), (2, 2), (3, 1), (4, 2)]


def test_a_retry_does_not_repeat_what_one_that_was_taken_for_failed_had_committed(
    appended: Shop, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_CRASH", "commit.after")
    start("retry", 1).wait(60)
    monkeypatch.delenv("HEADGATE_CRASH")
    with monkeypatch.context() as unreachable:
        unreachable.setattr("headgate.app.recovery.look", lambda *_: False)
        assert headgate("show", 2, "--json").json["status"] == "failed"
        said = headgate("retry", 1)  # whose destination answers when it has chosen its records, and not before
    assert said.code == 1
    assert "run 2, which was taken for failed, had been done after all" in said.err
    assert counts(headgate("show", 1, "--json").json) == {"created": 4}
    assert "no open rejects" in headgate("retry", 1).out
    assert appended.read("item") == [(1, 1), (2, 2), (3, 1), (4, 2)]


def test_a_retry_that_had_committed_is_found_out_by_the_next_command(
    appended: Shop, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_CRASH", "commit.after")
    start("retry", 1).wait(60)
    monkeypatch.delenv("HEADGATE_CRASH")
    with monkeypatch.context() as unreachable:
        unreachable.setattr("headgate.app.recovery.look", lambda *_: False)
        assert headgate("show", 2, "--json").json["status"] == "failed"
    said = headgate("retry", 1)
    assert (said.code, said.out) == (0, "Run 1 has no open rejects.\n")
    assert headgate("show", 2, "--json").json["status"] == "succeeded"
    assert appended.read("item") == [(1, 1), (2, 2), (3, 1), (4, 2)]


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_refused(sqlite_shop: Shop, define: Define, headgate: Headgate) -> Shop:
    """The same as `refused`, on SQLite."""
    sqlite_shop.table("item", COLUMNS)
    define(sqlite_shop, LINES, fields={"id": {"type": "integer"}, "name": {"required": True}, "price": None})
    assert headgate("run", "items").code == 3
    return sqlite_shop


def _of_another_run(folder: Path, headgate: Headgate) -> None:
    headgate("run", "items")
    headgate("rejects", 2, "--csv", "fix.csv")


def _with_a_row_of_ones_own(folder: Path, headgate: Headgate) -> None:
    headgate("rejects", 1, "--csv", "fix.csv")
    text = (folder / "fix.csv").read_text("utf-8-sig").replace("dear", "1")
    (folder / "fix.csv").write_text(f"{text}8,Own,1,,\n")


def _without_a_column(folder: Path, headgate: Headgate) -> None:
    headgate("rejects", 1, "--csv", "fix.csv")
    with (folder / "fix.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [[row[0], *row[2:]] for row in csv.reader(file)]
    with (folder / "fix.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def _the_source_itself(folder: Path, headgate: Headgate) -> None:
    shutil.copy(folder / "items.csv", folder / "fix.csv")


def _no_file(folder: Path, headgate: Headgate) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_of_another_run, "has records of run 2, not of run 1"),
        (_with_a_row_of_ones_own, "fix.csv, line 5: it has no record id; nothing was imported"),
        (_without_a_column, "fix.csv has no column 'name'"),
        (_the_source_itself, "fix.csv has no column _headgate"),
        (_no_file, "fix.csv"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_done(
    make: Callable[[Path, Headgate], None], message: str, sqlite_refused: Shop, headgate: Headgate, folder: Path
) -> None:
    make(folder, headgate)
    before = sqlite_refused.read("item"), len(headgate("runs", "--json").json)
    said = headgate("retry", 1, "--from", "fix.csv")
    assert (said.code, said.out) == (1, "")
    assert message in said.err
    assert (sqlite_refused.read("item"), len(headgate("runs", "--json").json)) == before


def test_only_runs_that_were_done_can_be_retried(
    sqlite_refused: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    plan = headgate("plan", "items", "--json").json["id"]
    failed = headgate("run", "items", "--set", "rejects.limit=0")
    assert failed.code == 1
    for number, message in ((plan, f"{plan} is a plan"), (plan + 1, f"run {plan + 1} is failed"), (99, "no run 99")):
        said = headgate("retry", number)
        assert (said.code, said.out) == (2, "")
        assert message in said.err
    assert headgate("rejects", plan, "--ignore", 1).code == 2


def test_a_retry_that_fails_leaves_its_run_as_it_was(sqlite_refused: Shop, headgate: Headgate) -> None:
    before = headgate("show", 1, "--json").json
    sqlite_refused.sql("drop table item")
    assert headgate("retry", 1).code == 1
    assert headgate("show", 2, "--json").json["status"] == "failed"
    after = headgate("show", 1, "--json").json
    assert after == before | {"retries": [2]}


def test_a_run_by_a_plan_leaves_what_was_held_to_a_new_plan(
    sqlite_shop: Shop, define: Define, headgate: Headgate
) -> None:
    sqlite_shop.table("item", "id int primary key, name text", [(1, "a"), (2, "b")])
    define(sqlite_shop, "id;name\n1;A\n2;B\nx;C\n")
    plan = headgate("plan", "items", "--json").json["id"]
    sqlite_shop.sql("update item set name = 'edited' where id = 2")
    ran = headgate("run", "--plan", plan, "--json").json
    assert counts(ran) == {"updated": 1, "held": 1, "invalid": 1}
    done = headgate("retry", ran["id"], "--json")
    assert balanced(done) == ({"invalid": 1}, {"updated": 1, "held": 1, "invalid": 1})
    assert "plan again" in done.json["left"]


# ---- ignored ---------------------------------------------------------------------------------------------------------


def test_ignored_rejects_are_out_of_sight_until_they_are_reopened(sqlite_refused: Shop, headgate: Headgate) -> None:
    assert headgate("rejects", 1, "--ignore-all", "TY02", "--json").json == {"run": 1, "changed": 2, "state": "ignored"}
    text = headgate("show", 1).out
    assert "5 read = 2 created + 3 invalid (2 ignored)" in text
    assert "1 reject\n" in text
    assert "TY02" not in text
    assert [r["number"] for r in headgate("rejects", 1, "--json").json] == [3]
    assert "1 are open; 2 ignored are seen with --all." in headgate("rejects", 1).out
    assert "2 ignored: items.csv, line 4" in headgate("rejects", 1, "--all").out
    assert headgate("rejects", 1, "--ignore", "3").code == 0
    assert "headgate rejects" not in headgate("show", 1).out
    assert headgate("retry", 1).out == "Run 1 has no open rejects.\n"
    assert headgate("rejects", 1, "--reopen", "1,3", "--json").json["changed"] == 2
    assert [r["number"] for r in headgate("rejects", 1, "--json").json] == [1, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ignore", "77"), "run 1 has no reject 77"),
        (("--ignore", "one"), "--ignore one: numbers"),
        (("--ignore-all", "XX99"), "there is no code 'XX99'"),
        (("--ignore", "1", "--reopen", "1"), "one at a time"),
    ],
)
def test_marking_what_is_not_there_is_wrong_use(
    options: tuple[str, ...], message: str, sqlite_refused: Shop, headgate: Headgate
) -> None:
    said = headgate("rejects", 1, *options)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
