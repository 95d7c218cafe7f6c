"""Importing from a Singer tap."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.shop import Ask, Headgate, Start
from support.tap import SELF

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}, "price": {"type": "number", "multipleOf": 0.01}},
}  # fmt: skip
Tap = Callable[..., None]
FIRST = {"type": "SCHEMA", "stream": "users", "schema": SCHEMA, "key_properties": ["id"]}


def record(number: int) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "users", "record": {"id": number, "name": f"n{number}", "price": 1.5}}


def state(value: object) -> dict[str, Any]:
    return {"type": "STATE", "value": value}


@pytest.fixture
def tap(folder: Path) -> Tap:
    """Writes a project with an import of a tap that writes these messages."""

    def write(*messages: Any, connection: dict[str, Any] | None = None, **config: Any) -> None:
        config = {"streams": {"users": SCHEMA, "orders": SCHEMA}, "seen": "seen", "write": messages} | config
        one = {"type": "singer", "command": SELF, "config": config} | (connection or {})
        (folder / "headgate.yaml").write_text(
            yaml.safe_dump({"connections": {"crm": one, "shop": "sqlite:///shop.db"}}, sort_keys=False)
        )
        (folder / "imports").mkdir(exist_ok=True)
        definition = {
            "source": {"connection": "crm", "table": "users"}, "key": "id",
            "destination": {"connection": "shop", "table": "customer", "create": True},
        }  # fmt: skip
        (folder / "imports" / "users.yaml").write_text(yaml.safe_dump(definition))

    return write


def seen(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "seen").read_text().splitlines()]


def test_the_state_of_a_run_is_given_to_the_next(tap: Tap, headgate: Headgate, rows: Ask, folder: Path) -> None:
    tap(FIRST, record(1), state({"n": 1}), record(2), state({"n": 2, "big": 12345678901234567890}))
    assert "2 read = 2 created" in headgate("run", "users").out
    tap(FIRST, record(2), record(3), state({"n": 3}))
    assert headgate("plan", "users").code == 0
    assert "2 read = 1 created + 1 unchanged" in headgate("run", "users").out
    tap()
    assert "0 read" in headgate("run", "users").out
    headgate("run", "users")
    two = {"n": 2, "big": 12345678901234567890}
    assert [s["state"] for s in seen(folder)] == [None, two, two, {"n": 3}, {"n": 3}]
    assert rows("select id, name, price from customer order by id")[2] == (3, "n3", 1.5)


def test_the_state_of_a_run_that_failed_or_was_undone_is_not_kept(tap: Tap, headgate: Headgate, folder: Path) -> None:
    tap(FIRST, record(1), state(1), exit=1)
    assert headgate("run", "users").code == 1
    tap(FIRST, record(1), state(1))
    assert headgate("run", "users").code == 0
    assert headgate("undo", "2").code == 0
    headgate("run", "users")
    assert [s["state"] for s in seen(folder)] == [None, None, None]


def test_only_the_stream_is_selected_and_files_are_private(tap: Tap, headgate: Headgate, folder: Path) -> None:
    tap(FIRST, record(1), password="hunter22")
    assert headgate("run", "users").code == 0
    (one,) = seen(folder)
    chosen = {s["stream"]: [m["metadata"]["selected"] for m in s["metadata"]] for s in one["catalog"]["streams"]}
    assert chosen == {"users": [True] * 4, "orders": [False]}
    assert set(one["modes"]) == {"0o600"}
    assert "hunter22" not in str(one["words"])


def test_columns_deselect_the_others(tap: Tap, headgate: Headgate, rows: Ask, folder: Path) -> None:
    tap(FIRST, record(1))
    assert headgate("run", "users", "--set", "source.columns=[name, id]").code == 0
    (one,) = seen(folder)
    of = {
        m["breadcrumb"][-1]: m["metadata"]["selected"]
        for m in one["catalog"]["streams"][0]["metadata"]
        if m["breadcrumb"]
    }
    assert of == {"id": True, "name": True, "price": False}
    assert rows("select * from customer") == [("n1", 1)]


def test_a_record_that_is_refused_says_which_message_it_was(tap: Tap, headgate: Headgate) -> None:
    tap(FIRST, record(1), {"type": "RECORD", "stream": "users", "record": {"id": "seven"}})
    assert headgate("run", "users").code == 3
    assert "users, row 3" in headgate("rejects", "1").out


def test_a_property_that_comes_late_does_no_harm_where_columns_are_named(
    tap: Tap, headgate: Headgate, rows: Ask
) -> None:
    later = FIRST | {"schema": {"properties": {**SCHEMA["properties"], "late": {}}}}  # type: ignore[dict-item]
    tap(FIRST, record(1), later, record(2))
    assert "source.columns" in headgate("run", "users").err
    done = headgate("run", "users", "--set", "source.columns=[id, name]")
    assert done.code == 0
    assert rows("select id, name from customer") == [(1, "n1"), (2, "n2")]


BAD: list[tuple[list[Any], str]] = [
    ([FIRST, record(1), "Starting up"], "message 3 is no message of Singer's"),
    ([FIRST, '{"type":"RECORD","stream":"users","record":{"id":NaN}}'], "message 2 is no message"),
    ([FIRST, {"type": "NEWS"}], "message 2 is of type 'NEWS'"),
    ([FIRST, {"type": "BATCH", "stream": "users"}], "Turn batches off"),
    ([FIRST, {"type": "RECORD", "stream": "users"}], "is a RECORD without record"),
    ([record(1)], "before its SCHEMA"),
    ([FIRST | {"schema": {"type": "object"}}], "the schema names no properties"),
    ([FIRST, record(1), FIRST | {"schema": {"properties": {"id": {}, "late": {}}}}], "did not have: 'late'"),
]


@pytest.mark.parametrize(("written", "words"), BAD)
def test_what_is_no_singer_is_refused_with_its_place(
    tap: Tap, headgate: Headgate, written: list[Any], words: str, folder: Path
) -> None:
    tap(*written)
    said = headgate("run", "users")
    assert said.code == 1
    assert words in said.err
    assert not (folder / "shop.db").exists()


def test_a_tap_that_fails_shows_what_it_said_last_without_secrets(
    tap: Tap, headgate: Headgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "hunter22")
    lines = [f"line {n}" for n in range(50)] + ["login hunter22 refused"]
    tap(FIRST, record(1), say=lines, exit=7, user="${env:WORD}")
    said = headgate("run", "users")
    assert said.code == 1
    assert "exit code 7" in said.err
    assert "login *** refused" in said.err
    assert "line 49" in said.err
    assert "line 5\n" not in said.err
    assert "hunter22" not in said.out + said.err


def test_a_stream_or_program_that_is_not_there(tap: Tap, headgate: Headgate) -> None:
    tap(FIRST)
    said = headgate("run", "users", "--set", "source.table=user")
    assert (said.code, "Did you mean 'users'?" in said.err) == (1, True)
    tap(connection={"command": ["tap-that-is-not-there"]})
    said = headgate("run", "users")
    assert (said.code, "cannot be started" in said.err) == (2, True)
    tap(connection={"comand": "x"})
    assert headgate("run", "users").code == 2


def test_connections_are_tested_and_definitions_proposed_by_discovery(
    tap: Tap, headgate: Headgate, folder: Path
) -> None:
    tap(FIRST, record(1))
    assert "reached, has 2 streams: users, orders" in headgate("connections", "--test").out
    said = headgate("new", "crm#users", "--into", "shop#people", "--key", "id", "--name", "people")
    assert said.code == 0
    assert headgate("run", "people").code == 0
    tap(FIRST, mute=True)
    said = headgate("connections", "--test")
    assert (said.code, "could not say what streams it has" in said.out) == (1, True)
    tap(FIRST, record(1), mute=True, connection={"catalog": "none"})
    assert headgate("run", "users").code == 0


def test_a_tap_that_hangs_is_ended_with_all_it_has_started(tap: Tap, start: Start, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    tap(FIRST, record(1), hang="pipe")
    process: subprocess.Popen[str] = start("run", "users", "--quiet")
    with (folder / "pipe").open() as pipe:
        assert pipe.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        ended, _, _ = select.select([pipe], [], [], 60)
        assert ended, "a process that the tap has started still holds the other end"
        assert pipe.read() == ""
