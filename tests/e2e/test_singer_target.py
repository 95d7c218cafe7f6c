"""`headgate singer`: the project as a target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.shop import Ask, Define, Headgate, Said, Start, finish

PROPERTIES = {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}}


def schema(stream: str, key: list[str] | None = None, **properties: Any) -> str:
    of = {"type": "object", "properties": PROPERTIES | properties}
    return json.dumps(
        {"type": "SCHEMA", "stream": stream, "schema": of, "key_properties": ["id"] if key is None else key}
    )


def record(stream: str, **values: Any) -> str:
    return json.dumps({"type": "RECORD", "stream": stream, "record": values})


def state(value: object) -> str:
    return json.dumps({"type": "STATE", "value": value})


@pytest.fixture
def singer(start: Start) -> Any:
    def singer(lines: list[str], *words: object) -> Said:
        return finish(start("singer", *words, stdin=-1), "\n".join([*lines, ""]))

    return singer


ONE = [schema("users"), record("users", id=1, name="Ann"), state({"at": 1}), record("users", id=2), state({"at": 2.50})]


def test_an_import_takes_a_single_stream_and_the_state_comes_last(define: Define, singer: Any, rows: Ask) -> None:
    define("sqlite:///shop.db", fields={"id": {"from": "id"}, "title": {"from": "name", "transform": ["upper"]}},
           destination={"connection": "shop", "table": "item", "create": True})  # fmt: skip
    said = singer(ONE, "items")
    assert (said.code, said.out) == (0, '{"at": 2.5}\n')
    assert "2 read = 2 created" in said.err
    assert rows("select id, title from item") == [(1, "ANN"), (2, None)]


def test_streams_go_to_the_imports_that_name_them_and_others_to_tables(
    define: Define, singer: Any, rows: Ask, folder: Path
) -> None:
    define("sqlite:///shop.db", source={"connection": "shop", "table": "users"},
           destination={"connection": "shop", "table": "item", "create": True})  # fmt: skip
    lines = [schema("orders"), *ONE, record("orders", id=7)]
    said = singer(lines, "items")
    assert (said.code, said.out, "--ignore-others" in said.err) == (2, "", True)
    assert not (folder / "shop.db").exists()
    assert singer(lines, "items", "--ignore-others").code == 0
    assert singer(lines, "items", "--into", "shop").code == 0
    assert (rows("select count(*) from item"), rows("select id from orders")) == ([(2,)], [(7,)])


def test_a_configuration_file_says_the_same(singer: Any, rows: Ask, folder: Path) -> None:
    (folder / "config.json").write_text('{"into": "sqlite:///shop.db"}')
    assert singer(ONE, "--config", "config.json").code == 0
    assert rows("select count(*) from users") == [(2,)]
    for wrong in ('{"intu": 1}', '{"into": 1}', '{"imports": [1]}', "[]", "{"):
        (folder / "config.json").write_text(wrong)
        assert singer(ONE, "--config", "config.json").code == 2
    assert singer(ONE, "--config", "none.json").code == 2


def test_there_is_no_state_when_a_run_fails(singer: Any, rows: Ask, sqlite_shop: Any) -> None:
    sqlite_shop.table("orders", "id integer primary key, name text, must text not null")
    said = singer([*ONE, schema("orders"), record("orders", id=1)], "--into", "sqlite:///shop.db")
    assert (said.code, said.out, "must" in said.err) == (2, "", True)
    assert rows("select count(*) from users") == [(2,)]


@pytest.mark.parametrize("line", ["nonsense", '{"type": "NEWS"}', record("late", id=1), schema("users", ["gone"])])
def test_nothing_is_written_when_a_message_is_wrong(singer: Any, folder: Path, line: str) -> None:
    said = singer([*ONE, line], "--into", "sqlite:///shop.db")
    assert (said.code, said.out, "message 6" in said.err) == (1, "", True)
    assert not (folder / "shop.db").exists()


def test_rejects_do_not_keep_the_state_back_and_say_their_message(singer: Any, headgate: Headgate) -> None:
    said = singer([*ONE, record("users", id="x")], "--into", "sqlite:///shop.db")
    assert (said.code, said.out) == (3, '{"at": 2.5}\n')
    assert "users, row 6" in headgate("rejects", "1").out


def test_later_messages_add_columns_and_streams_without_a_key_are_appended(singer: Any, rows: Ask) -> None:
    for _ in range(2):
        assert singer([schema("log", []), record("log", id=1)], "--into", "sqlite:///shop.db").code == 0
    more = [schema("log", [], _sdc_batched_at={"type": "string", "format": "date-time"}),
            record("log", id=2, _sdc_batched_at="2024-01-02T03:04:05Z")]  # fmt: skip
    said = singer(more, "--into", "sqlite:///shop.db")
    assert said.code == 0
    assert rows("select id, substr(sdc_batched_at, 1, 10) from log") == [(1, None), (1, None), (2, "2024-01-02")]


def test_without_a_taker_it_is_wrong_use(singer: Any) -> None:
    assert singer(ONE).code == 2
    assert singer(ONE, "nothing").code == 2
