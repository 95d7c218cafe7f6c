"""A run told in text and JSON."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from rich.cells import cell_len

from headgate.model.outcome import Account, Outcome
from headgate.model.run import Kind, Run, Status
from headgate.report import exit_code, run_json, run_text, runs_json, runs_text
from headgate.report.words import balance, duration, shown


def test_a_run_is_told_with_balance_pace_rejects_way_out_and_next_commands(run, counts, written):
    text = written(run_text, run, counts=counts, width=120)
    lines = text.splitlines()
    assert lines[0] == "Run 7  products  partial"
    assert lines[1] == "upsert into sqlite:///shop.db#product"
    assert lines[2] == (
        "504 read = 480 created + 12 updated + 7 unchanged + 3 skipped (1 duplicate, 2 filter) + 2 invalid"
    )
    assert "took 0.84 s (600 rows/s)" in lines[3]
    for expected in (
        "inbox/products.xlsx: 504 records (xlsx, header in row 3)",
        "TY02  2 of list_price",
        'inbox/products.xlsx, sheet Products, row 212, column ListPrice: "12,5O" is not a decimal(12,2) [TY02]',
        "-> Correct the value; for decimal commas use the transform decimal_comma.",
        "column Name: a required value is missing [RU01]",
        "create table product with key sku",
        "! category_id: two entries for Bikes",
        "headgate rejects 7 --xlsx fix.xlsx",
    ):
        assert expected in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_line_is_wider_than_the_console_or_ends_in_blanks(run, counts, written, width, terminal):
    for renderer, what in ((run_text, run), (runs_text, [run, run])):
        more = {"counts": counts} if renderer is run_text else {}
        if renderer is runs_text and width == 40:
            continue
        for line in written(renderer, what, width=width, terminal=terminal, **more).splitlines():
            bare = line.replace("\x1b", "")
            assert bare == bare.rstrip()
            assert terminal or cell_len(line) <= width


def test_a_balance_that_is_too_wide_goes_on_under_its_equals_sign(run):
    assert balance(run.account, 60) == (
        "504 read = 480 created + 12 updated + 7 unchanged\n         + 3 skipped (1 duplicate, 2 filter) + 2 invalid"
    )


def test_what_has_no_outcome_is_said():
    account = Account()
    account.read = 2_000
    assert balance(account) == "2,000 read = 2,000 unaccounted for"
    account.add(Outcome.CREATED, 1_500)
    assert balance(account) == "2,000 read = 1,500 created + 500 unaccounted for"
    assert balance(Account()) == "0 read"


def test_what_is_no_terminal_gets_ascii_without_colour(run, counts, written):
    text = written(run_text, run, counts=counts) + written(runs_text, [run])
    assert text.isascii()
    assert "\x1b" not in text


def test_no_color_is_honoured(run, counts, written, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in written(run_text, run, counts=counts, terminal=True)
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[1;33mpartial" in written(run_text, run, counts=counts, terminal=True)


def test_data_cannot_steer_the_terminal_or_format_the_report(run, written):
    run.import_name, run.error = "a\x1b[2Jb[bold red]c", "line\r\n\u202eover\x9b31m"
    text = written(run_text, run)
    assert r"a\x1b[2Jb[bold red]c" in text
    assert r"line\r\n\u202eover\x9b31m" in text
    assert shown("b\udce4d.csv") == r"b\udce4d.csv"
    assert shown("ä 漢 ok") == "ä 漢 ok"


def test_mirrored_deletions_plan_and_error_are_told(run, written):
    run.account.mirror_deleted, run.plan_id, run.status, run.error = 4, 6, Status.FAILED, "the server is gone"
    text = written(run_text, run)
    assert "and 4 deleted at the destination" in text
    assert "by plan 6" in text
    assert "the server is gone" in text


def test_a_running_run_has_no_pace(run, written):
    run.status, run.finished = Status.RUNNING, None
    assert "started 2026-03-01 12:00 UTC, not finished" in written(run_text, run)


def test_json_has_the_documented_keys_and_is_json(run, counts):
    shown_run = run_json(run, counts)
    assert json.loads(json.dumps(shown_run)) == shown_run
    assert all(f"``{key}``" in (run_json.__doc__ or "") for key in shown_run)
    assert shown_run["account"]["created"] == 480
    assert shown_run["account"]["balance"] == 0
    assert shown_run["started"] == "2026-03-01T12:00:00+00:00"
    assert [(r["code"], r["records"]) for r in shown_run["rejects"]] == [("TY02", 2), ("RU01", 1)]
    assert shown_run["rejects"][0]["way_out"].startswith("Correct the value")
    assert [r["id"] for r in runs_json([run])] == [7]


def test_runs_are_listed_one_a_line_and_long_names_are_cut(run, written):
    run.import_name = "a-very-long-name-of-a-file-that-somebody-sent.xlsx"
    plan = Run("b", Kind.PLAN, "upsert", "x", "f", run.started, id=6)
    head, first, second = written(runs_text, [run, plan]).splitlines()
    assert head.split() == ["id", "kind", "import", "status", "started", "(UTC)", "read", "rejects", "took"]
    assert first.split() == ["7", "run", "a-very-lo...", "partial", "2026-03-01", "12:00", "504", "2", "0.84", "s"]
    assert second.split()[:4] == ["6", "plan", "b", "running"]
    assert written(runs_text, []) == "There are no runs yet.\n"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.SUCCEEDED, 3),
        (Status.PARTIAL, 3),
        (Status.FAILED, 1),
        (Status.CANCELLED, 130),
        (Status.RUNNING, 0),
        (Status.UNDONE, 0),
    ],
)
def test_exit_codes(run, status, code):
    run.status = status
    assert exit_code(run) == code


def test_all_well_is_0(run):
    run.status, run.account = Status.SUCCEEDED, Account()
    assert exit_code(run) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.844, "0.84 s"), (12.34, "12.3 s"), (245, "4 min 05 s"), (7380, "2 h 03 min"), (59.96, "60.0 s")],
)
def test_durations(seconds, text):
    assert duration(timedelta(seconds=seconds).total_seconds()) == text
