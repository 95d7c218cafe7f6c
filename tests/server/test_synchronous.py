"""Imports for callers who wait, on every kind of destination: each record has its own outcome, and all are accounted for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from headgate.app.project import Project, open_project
from headgate.app.synchronous import Overloaded, Synchronous
from headgate.model.answer import Answer
from headgate.model.errors import Busy, DefinitionError, HeadgateError, UsageError
from headgate.model.run import Kind, Status

DEFINITION = """
source: { path: nowhere.csv }
fields:
  id: { type: integer, required: true }
  name: { transform: trim }
  price: { type: "decimal(8,2)", check: "price >= 0" }
key: id
destination: { connection: shop, table: item }
"""
TABLE = "create table item (id integer not null primary key, name varchar(40) not null, price decimal(8,2))"


def _sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements at a destination; the rows of the last."""
    if url.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(url.removeprefix("sqlite:///")) as plain:
            for statement in statements:
                rows = plain.execute(statement).fetchall()
        plain.close()
        return rows
    if url.startswith("duckdb"):
        from headgate.connectors.duckdb.connection import Access as Quack

        with Quack.read({"url": url}, Path("/")).connect() as quack:
            for statement in statements:
                found = quack.execute(statement).fetchall()
        return found
    if url.startswith("postgres"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
    from headgate.connectors.mysql.connection import Access

    with Access.read({"url": url}).connect() as maria, maria.cursor() as at:
        for statement in statements:
            at.execute(statement)
        maria.commit()
        return [tuple(row) for row in at.fetchall()]


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "maria"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param in ("sqlite", "duckdb"):
        found = f"{request.param}:///{tmp_path}/shop.{request.param}"
    else:
        found = str(request.getfixturevalue("pg_db" if request.param == "postgres" else "maria_db"))
    _sql(found, TABLE)
    return found


@pytest.fixture
def project(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return made(tmp_path, url, monkeypatch)


def made(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, definition: str = DEFINITION) -> Project:
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text(f'connections: {{ shop: "{url}" }}\n')
    (folder / "imports" / "items.yaml").write_text(definition)
    return open_project(folder)


@pytest.fixture
def imports(project: Project) -> Iterator[Synchronous]:
    opened = Synchronous(project)
    yield opened
    opened.close()
    project.ledger.close()


def told(future: Future[Answer]) -> list[str]:
    """Outcomes, and of refused records the codes."""
    return [o.problems[0].code if o.problems else o.outcome.value for o in future.result(60).outcomes]


def test_every_record_has_its_outcome(imports: Synchronous, url: str) -> None:
    assert told(imports.submit("items", [{"id": 1, "name": " a ", "price": "1.50"}])) == ["created"]
    assert told(imports.submit("items", [{"id": 1, "name": "a", "price": 1.5}])) == ["unchanged"]
    several = [
        {"id": 1, "name": "b"},
        {"id": 2, "name": "c", "price": 2},
        {"id": "x"},
        {"id": 3, "name": "d", "price": -1},
        7,
    ]
    future = imports.submit("items", several)
    assert told(future) == ["updated", "created", "TY01", "RU02", "RD05"]
    assert [o.key for o in future.result().outcomes] == [{"id": 1}, {"id": 2}, {}, {}, {}]
    assert [o.id for o in future.result().outcomes] == [1, 2, None, None, None]
    assert _sql(url, "select id, name from item order by id") == [(1, "b"), (2, "c")]


def test_what_the_destination_refuses_is_its_records_own(imports: Synchronous, url: str) -> None:
    good = [imports.submit("items", [{"id": n, "name": "x"}]) for n in range(10)]
    bad = imports.submit("items", [{"id": 98, "name": "y"}, {"id": 99}])
    more = [imports.submit("items", [{"id": n, "name": "x"}]) for n in range(10, 20)]
    assert [told(f) for f in good + more] == [["created"]] * 20
    assert told(bad) == ["created", "DE04"]
    assert _sql(url, "select count(*) from item") == [(21,)]


def test_requests_that_concern_one_record_come_after_one_another(imports: Synchronous, url: str) -> None:
    futures = [imports.submit("items", [{"id": 1, "name": f"n{n}"}]) for n in range(12)]
    assert [told(f) for f in futures] == [["created"], *([["updated"]] * 11)]
    assert _sql(url, "select name from item") == [("n11",)]


def test_several_records_of_one_key_in_a_request_are_as_in_a_run(imports: Synchronous, url: str) -> None:
    future = imports.submit("items", [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 1, "name": "c"}])
    assert told(future) == ["skipped", "created", "created"]
    assert future.result().outcomes[0].reason == "duplicate"
    assert _sql(url, "select id, name from item order by id") == [(1, "c"), (2, "b")]


def test_looking_writes_nothing(imports: Synchronous, url: str) -> None:
    future = imports.submit("items", [{"id": 1, "name": "a"}, {"id": 2}], dry_run=True)
    assert told(future) == ["created", "DE04"]
    assert (future.result().dry, future.result().run) == (True, None)
    assert _sql(url, "select count(*) from item") == [(0,)]
    assert told(imports.submit("items", [{"id": 1, "name": "a"}])) == ["created"]


def test_all_of_it_is_in_the_ledger(imports: Synchronous, project: Project) -> None:
    for n in range(5):
        imports.submit("items", [{"id": n, "name": "a"}, {"id": "x"}]).result(60)
    imports.submit("items", [{"id": 1}]).result(60)
    imports.close()
    (run,) = project.ledger.runs()
    assert (run.kind, run.status, run.import_name) == (Kind.REQUESTS, Status.PARTIAL, "items")
    assert (run.account.read, run.account.rejects, run.account.balance) == (11, 6, 0)
    rejects = list(project.ledger.rejects(run.id))
    assert [r.problems[0].code for r in rejects] == ["TY01"] * 5 + ["DE04"]
    assert rejects[0].raw == {"id": "x", "name": None, "price": None}
    assert rejects[0].origin.file.startswith("request ")
    assert rejects[0].origin.row == 2


def test_a_repeat_with_its_key_is_answered_with_the_first_answer(
    imports: Synchronous, project: Project, url: str
) -> None:
    records = [{"id": 1, "name": "a"}, {"id": "x"}]
    first = imports.submit("items", records, idempotency_key="k")
    assert told(first) == ["created", "TY01"]
    _sql(url, "update item set name = 'changed'")
    again = imports.submit("items", records, idempotency_key="k")
    assert told(again) == ["created", "TY01"]
    assert again.result().repeated
    with pytest.raises(UsageError, match="used for another request"):
        imports.submit("items", [{"id": 2, "name": "b"}], idempotency_key="k").result(60)
    imports.close()
    later = Synchronous(project)
    assert told(later.submit("items", records, idempotency_key="k")) == ["created", "TY01"]
    later.close()
    assert _sql(url, "select name from item") == [("changed",)]


def test_two_with_one_key_at_once_are_one(imports: Synchronous, project: Project, url: str) -> None:
    file = project.import_files["items"]
    file.write_text(DEFINITION.replace("key: id\n", "operation: append\n"))
    futures = [imports.submit("items", [{"id": n, "name": "a"}], idempotency_key="k") for n in [1] * 6]
    assert [told(f) for f in futures] == [["created"]] * 6
    assert sum(not f.result().repeated for f in futures) == 1
    assert _sql(url, "select count(*) from item") == [(1,)]


def test_a_changed_definition_holds_from_the_next_request_on(imports: Synchronous, project: Project, url: str) -> None:
    assert told(imports.submit("items", [{"id": 1, "name": "a", "price": -1}])) == ["RU02"]
    file = project.import_files["items"]
    file.write_text(file.read_text().replace(', check: "price >= 0"', ""))
    eventually(lambda: told(imports.submit("items", [{"id": 1, "name": "a", "price": -1}])) != ["RU02"])
    assert _sql(url, "select name from item where price < 0") == [("a",)]


def test_a_broken_definition_is_told_and_mended(imports: Synchronous, project: Project) -> None:
    file = project.import_files["items"]
    whole = file.read_text()
    file.write_text(whole.replace("transform", "transfrom"))
    with pytest.raises(DefinitionError, match="transfrom"):
        imports.submit("items", [{"id": 1}]).result(60)
    file.write_text(whole)
    assert told(imports.submit("items", [{"id": 1, "name": "a"}])) == ["created"]


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Synchronous]:
    """A definition over SQLite, ready."""
    opened = []

    def make(definition: str, **options: Any) -> Synchronous:
        url = f"sqlite:///{tmp_path}/shop.db"
        _sql(url, TABLE)
        project = made(tmp_path, url, monkeypatch, definition)
        opened.append((Synchronous(project, **options), project))
        return opened[-1][0]

    yield make  # type: ignore[misc]
    for imports, project in opened:
        imports.close()
        project.ledger.close()


PLAIN = "source: { path: x.csv }\nkey: id\ndestination: { connection: shop, table: item }\n"


@pytest.mark.parametrize(
    ("definition", "records", "expected"),
    [
        ("operation: insert\n" + PLAIN, [[{"id": 1, "name": "a"}], [{"id": 1, "name": "b"}]], [["created"], ["KY03"]]),
        ("operation: insert\nexisting: skip\n" + PLAIN, [[{"id": 1, "name": "a"}], [{"id": 1, "name": "b"}]], [["created"], ["skipped"]]),
        ("operation: update\n" + PLAIN, [[{"id": 1, "name": "a"}]], [["KY04"]]),
        ("operation: delete\n" + PLAIN, [[{"id": 1}]], [["skipped"]]),
        ("delete_when: name = 'gone'\n" + PLAIN, [[{"id": 1, "name": "a"}], [{"id": 1, "name": "gone"}]], [["created"], ["deleted"]]),
        ("filter: id <> '1'\n" + PLAIN, [[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]], [["skipped", "created"]]),
        (
            PLAIN + "fields: { id: id, name: customer.name, price: 'lines.0.price' }",
            [[{"id": 1, "customer": {"name": "N"}, "lines": [{"price": "1.10"}]}]],
            [["created"]],
        ),
        (
            PLAIN.replace("path: x.csv", "path: x.csv, explode: lines") + "fields: { id: lines.no, name: order }",
            [[{"order": "O", "lines": [{"no": 1}, {"no": 2}]}, {"order": "P", "lines": []}]],
            [["created", "created"]],
        ),
    ],
)  # fmt: skip
def test_what_definitions_say(
    here: Callable[[str], Synchronous], definition: str, records: list[list[Any]], expected: list[list[str]]
) -> None:
    imports = here(definition)
    assert [told(imports.submit("items", r)) for r in records] == expected


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("operation: mirror\n" + PLAIN, "needs all records at once"),
        (PLAIN + "fields: { id: id, name: { unique: true } }", "only the destination can see to that"),
        (PLAIN.replace("table: item", "table: nothing"), "neither the definition nor a table"),
        (
            PLAIN.replace("table: item", "table: nothing, create: true") + "fields: { id: id }",
            "requests do not make one",
        ),
    ],
)
def test_definitions_that_need_a_run(here: Callable[[str], Synchronous], definition: str, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        here(definition).submit("items", [{"id": 1}]).result(60)


def test_too_many_are_turned_away(here: Callable[..., Synchronous], monkeypatch: pytest.MonkeyPatch) -> None:
    from headgate.app.lane import Lane

    go = threading.Event()
    serve = Lane.serve

    def slow(self: Lane, requests: Any) -> Any:
        go.wait(30)
        return serve(self, requests)

    monkeypatch.setattr(Lane, "serve", slow)
    imports = here(DEFINITION, max_waiting=3)
    futures: list[Future[Answer]] = []
    with pytest.raises(Overloaded):
        for n in range(50):
            futures.append(imports.submit("items", [{"id": n, "name": "a"}]))  # noqa: PERF401 - one of them raises
    go.set()
    assert [told(f) for f in futures] == [["created"]] * len(futures)
    assert len(futures) >= 3


def test_what_waits_is_finished_at_the_end(here: Callable[[str], Synchronous]) -> None:
    imports = here(DEFINITION)
    futures = [imports.submit("items", [{"id": n, "name": "a"}]) for n in range(100)]
    imports.close()
    assert all(told(f) == ["created"] for f in futures)
    with pytest.raises(HeadgateError):
        imports.submit("items", [{"id": 1}])


def test_an_import_that_is_none(here: Callable[[str], Synchronous]) -> None:
    with pytest.raises(UsageError, match="no import 'itmes'"):
        here(DEFINITION).submit("itmes", [])


def test_a_fault_of_our_own_leaves_nobody_without_an_answer(
    here: Callable[[str], Synchronous], monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.engine.desk import Desk

    imports = here(DEFINITION)
    assert told(imports.submit("items", [{"id": 1, "name": "a"}])) == ["created"]
    with monkeypatch.context() as broken:
        broken.setattr(Desk, "serve", lambda *_: 1 / 0)
        with pytest.raises(HeadgateError, match="fault of Headgate's own"):
            imports.submit("items", [{"id": 2, "name": "a"}]).result(60)
    assert told(imports.submit("items", [{"id": 3, "name": "a"}])) == ["created"]


# Answers that are lost on their way


def test_an_answer_that_is_lost_after_the_commit_is_asked_for(
    here: Callable[[str], Synchronous], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.connectors.sqlite.writer import SqliteWriter
    from headgate.model.errors import ConnectionFailed

    imports = here("operation: append\n" + PLAIN.replace("key: id\n", ""))
    commit, lost = SqliteWriter.commit, [True]

    def losing(self: SqliteWriter, checkpoint: str = "") -> None:
        commit(self, checkpoint)
        if lost.pop() if lost else False:
            raise ConnectionFailed("gone")

    monkeypatch.setattr(SqliteWriter, "commit", losing)
    assert told(imports.submit("items", [{"id": 1, "name": "a"}])) == ["created"]
    assert told(imports.submit("items", [{"id": 2, "name": "b"}])) == ["created"]
    assert _sql(f"sqlite:///{tmp_path}/shop.db", "select id from item order by id") == [(1,), (2,)]


def test_a_lost_answer_in_one_statement_does_nothing_twice(
    tmp_path: Path, pg_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.connectors.postgres.prompt import PostgresPrompt
    from headgate.model.errors import ConnectionFailed

    _sql(pg_db, "create table item (id integer, name text)")
    project = made(tmp_path, pg_db, monkeypatch, "operation: append\n" + PLAIN.replace("key: id\n", ""))
    imports = Synchronous(project)
    finish, lost = PostgresPrompt.finish, [True]

    def losing(self: PostgresPrompt) -> Any:
        found = finish(self)
        if lost.pop() if lost else False:
            raise ConnectionFailed("gone")
        return found

    monkeypatch.setattr(PostgresPrompt, "finish", losing)
    with pytest.raises(ConnectionFailed, match="the destination says that the records were committed"):
        imports.submit("items", [{"id": 1, "name": "a"}]).result(60)
    assert told(imports.submit("items", [{"id": 2, "name": "b"}])) == ["created"]
    imports.close()
    assert _sql(pg_db, "select id from item order by id") == [(1,), (2,)]
    assert sum(r.account.outcomes["created"] for r in project.ledger.runs()) == 2
    project.ledger.close()


def test_a_request_with_a_key_waits_until_it_is_known_whether_it_was_done(
    here: Callable[[str], Synchronous], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.connectors.sqlite import SqliteDestination
    from headgate.connectors.sqlite.writer import SqliteWriter
    from headgate.model.errors import ConnectionFailed

    imports = here("operation: append\n" + PLAIN.replace("key: id\n", ""))
    assert told(imports.submit("items", [{"id": 1, "name": "a"}])) == ["created"]
    commit = SqliteWriter.commit

    def losing(self: SqliteWriter, checkpoint: str = "") -> None:
        commit(self, checkpoint)
        raise ConnectionFailed("gone")

    def away(*_: object) -> str:
        raise ConnectionFailed("away")

    with monkeypatch.context() as broken:
        broken.setattr(SqliteWriter, "commit", losing)
        broken.setattr(SqliteDestination, "claim", away)
        for _ in range(2):
            with pytest.raises(HeadgateError):
                imports.submit("items", [{"id": 2, "name": "b"}], idempotency_key="k").result(60)
    again = imports.submit("items", [{"id": 2, "name": "b"}], idempotency_key="k")
    assert told(again) == ["created"]
    assert again.result().repeated
    assert _sql(f"sqlite:///{tmp_path}/shop.db", "select id from item order by id") == [(1,), (2,)]


def test_a_key_that_another_server_is_at_is_left_to_it(
    here: Callable[[str], Synchronous], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.engine.desk import Desk

    first = here("operation: append\n" + PLAIN.replace("key: id\n", ""))
    assert told(first.submit("items", [{"id": 1, "name": "a"}])) == ["created"]
    second = Synchronous(open_project(tmp_path / "project"))
    assert told(second.submit("items", [{"id": 2, "name": "a"}])) == ["created"]
    reached, go = threading.Event(), threading.Event()
    serve = Desk.serve

    def held(self: Desk, requests: Any) -> Any:
        if any(r.id == "k" for r in requests) and not reached.is_set():
            reached.set()
            go.wait(60)
        return serve(self, requests)

    monkeypatch.setattr(Desk, "serve", held)
    slow = first.submit("items", [{"id": 3, "name": "b"}], idempotency_key="k")
    reached.wait(60)
    with pytest.raises(Busy):
        second.submit("items", [{"id": 3, "name": "b"}], idempotency_key="k").result(60)
    go.set()
    assert told(slow) == ["created"]
    again = second.submit("items", [{"id": 3, "name": "b"}], idempotency_key="k")
    assert told(again) == ["created"]
    assert again.result().repeated
    second.close()
    assert _sql(f"sqlite:///{tmp_path}/shop.db", "select count(*) from item") == [(3,)]
