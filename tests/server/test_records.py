"""``POST /api/imports/{name}/records`` over HTTP, served by a real `headgate serve`."""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3

from headgate.app.project import open_project
from headgate.model.run import Status
from support.serving import Answer, Serving

DEFINITION = """
source: { path: nowhere.csv }
fields:
  id: { type: integer, required: true }
  name: name
  price: { type: "decimal(8,2)", check: "price >= 0" }
key: id
destination: { connection: shop, table: item }
"""
TABLE = "create table item (id integer not null primary key, name varchar(40) not null, price decimal(8,2))"


def project(folder: Path, url: str) -> Path:
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text(f'connections: {{ shop: "{url}" }}\n')
    (folder / "imports" / "items.yaml").write_text(DEFINITION)
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    with sqlite3.connect(folder / "shop.db") as c:
        c.execute(TABLE)
    c.close()
    return folder


@pytest.fixture(scope="module")
def server(shop: Path) -> Iterator[Serving]:
    project(shop / "shop", f"sqlite:///{shop}/shop.db")
    with Serving(shop / "shop", "--max-records", "500", "--max-body", "1") as running:
        yield running
        assert "Traceback" not in running.said


def rows(shop: Path, where: str) -> list[Any]:
    with sqlite3.connect(shop / "shop.db") as c:
        found = c.execute(f"select id, name from item where {where} order by id").fetchall()
    c.close()
    return found


def send(server: Serving, body: Any, query: str = "", **headers: str) -> Answer:
    return server.post(
        f"/api/imports/items/records{query}", body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def outcomes(answer: Answer) -> list[str]:
    return [o["problems"][0]["code"] if o.get("problems") else o["outcome"] for o in answer.json()["outcomes"]]


def followed(server: Serving, answer: Answer) -> Answer:
    """What is answered in the end: the same answer, unless it was put off."""
    where, end = answer.headers.get("location"), time.monotonic() + 60
    while answer.status == 202:
        assert time.monotonic() < end
        time.sleep(0.02)
        answer = server.get(where)
    return answer


def test_a_record_is_answered_with_its_outcome(server: Serving, shop: Path) -> None:
    answer = send(server, {"id": 1, "name": "Lamp", "price": 1.10})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    found = answer.json()
    assert found.pop("request")
    assert found.pop("run")
    assert found == {
        "read": 1, "counts": {"created": 1}, "outcomes": [{"outcome": "created", "key": {"id": 1}, "id": 1}]
    }  # fmt: skip
    assert rows(shop, "id = 1") == [(1, "Lamp")]


def test_fields_as_they_were_written_come_back_when_asked_for(server: Serving) -> None:
    answer = send(server, {"id": 2, "name": "Lamp", "price": 1.10}, Prefer="return=representation")
    assert answer.json()["outcomes"][0]["record"] == {"id": 2, "name": "Lamp", "price": "1.10"}


def test_several_records_have_an_outcome_each(server: Serving) -> None:
    answer = send(server, [{"id": 10, "name": "a"}, {"id": "x"}, {"id": 11, "name": "b", "price": -1}, None])
    assert answer.status == 200
    assert outcomes(answer) == ["created", "TY01", "RU02", "RD05"]
    assert answer.json()["outcomes"][2]["problems"] == [
        {
            "code": "RU02",
            "reason": "it breaks the check 'price >= 0'",
            "field": "price",
            "column": "price",
            "value": "-1",
        }
    ]


def test_a_request_of_which_nothing_was_imported_is_a_problem(server: Serving) -> None:
    answer = send(server, {"id": "x"})
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["code"], outcomes(answer)) == ("nothing-imported", ["TY01"])


def test_looking_writes_nothing(server: Serving, shop: Path) -> None:
    answer = send(server, {"id": 20, "name": "a"}, "?dry_run=true")
    assert (answer.status, outcomes(answer), answer.json()["dry_run"]) == (200, ["created"], True)
    assert rows(shop, "id = 20") == []


def test_lines_of_json(server: Serving, shop: Path) -> None:
    body = b'{"id": 30, "name": "a"}\n\n{"id": 31, "name": "b"}\r\n'
    assert outcomes(send(server, body, Content_Type="application/x-ndjson")) == ["created", "created"]
    answer = send(server, b'{"id": 30}\n{"id": \n', Content_Type="application/x-ndjson")
    assert (answer.status, answer.json()["line"]) == (400, 2)
    assert [r[0] for r in rows(shop, "id in (30, 31)")] == [30, 31]


def test_a_csv_file(server: Serving) -> None:
    body = "id;name;price\r\n40;Lämpchen;1,50\r\n41;b\r\n42;c;2.50\r\n".encode("latin-1")
    answer = send(server, body, Content_Type="text/csv")
    assert outcomes(answer) == ["TY02", "RD01", "created"]


def test_a_workbook(server: Serving) -> None:
    import xlsxwriter

    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate((["id", "name", "price"], [50, "a", 1.25], [51, "b", "x"])):
            sheet.write_row(n, 0, row)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer = send(server, made.getvalue(), Content_Type=kind)
    assert outcomes(answer) == ["created", "TY02"]
    broken = send(server, b"PK\x03\x04 no workbook", Content_Type=kind)
    assert (broken.status, broken.json()["code"]) == (422, "source-unreadable")


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        ("items", b"", {}, 400, "empty"),
        ("items", b'{"id":', {}, 400, "not-json"),
        ("items", b"[" * 100_000, {}, 400, "not-json"),
        ("items", b"<a/>", {"Content-Type": "image/png"}, 415, "unknown-content-type"),
        ("items", [{"id": n} for n in range(501)], {}, 413, "too-many-records"),
        ("items", b" " * (1 << 20) + b"{}", {}, 413, "too-large"),
        ("items", {"id": 1}, {"Idempotency-Key": "k" * 256}, 400, "key-too-long"),
        ("itmes", {"id": 1}, {}, 404, "not-found"),
    ],
)
def test_what_cannot_be_is_a_problem(
    server: Serving, path: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    answer = server.post(f"/api/imports/{path}/records", body, headers=headers)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == code
    assert answer.json()["detail"]


def test_a_repeat_is_answered_with_the_first_answer(server: Serving, shop: Path) -> None:
    first = send(server, {"id": 60, "name": "a"}, Idempotency_Key="one")
    again = send(server, {"id": 60, "name": "a"}, Idempotency_Key="one")
    assert outcomes(first) == outcomes(again) == ["created"]
    assert ("repeated" in first.json(), again.json()["repeated"]) == (False, True)
    other = send(server, {"id": 61, "name": "a"}, Idempotency_Key="one")
    assert (other.status, other.json()["code"]) == (422, "cannot-be-done")
    assert rows(shop, "id in (60, 61)") == [(60, "a")]
    kept = server.get("/api/imports/items/requests/one")
    assert outcomes(kept) == ["created"]
    assert server.get("/api/imports/items/requests/two").status == 404


def test_one_callers_bad_record_is_nobody_elses(server: Serving, shop: Path) -> None:
    def one(n: int) -> list[str]:
        return outcomes(send(server, {"id": 1000 + n, "name": None if n % 10 == 3 else "x"}))

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, range(200)))
    assert found == [["DE04"] if n % 10 == 3 else ["created"] for n in range(200)]
    assert len(rows(shop, "id between 1000 and 1199")) == 180


def test_a_client_that_goes_away_harms_nobody(server: Serving) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(b"POST /api/imports/items/records HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")
        s.sendall(f"Authorization: Bearer {server.token}\r\n\r\n{{".encode())
    assert outcomes(send(server, {"id": 70, "name": "a"})) == ["created"]


def test_a_run_of_the_import_goes_on_beside_its_requests(server: Serving, shop: Path) -> None:
    (shop / "shop" / "nowhere.csv").write_text("id,name,price\n5000,a,1\n5001,b,2\n")
    assert outcomes(send(server, {"id": 5002, "name": "c"})) == ["created"]
    number = server.post("/api/imports/items/runs").json()["id"]
    end = time.monotonic() + 60
    while (run := server.get(f"/api/runs/{number}").json())["status"] in ("queued", "running"):
        assert time.monotonic() < end, run
        assert send(server, {"id": 5002, "name": f"{time.monotonic()}"}).status == 200
    assert (run["status"], run["account"]["created"]) == ("succeeded", 2)
    assert [r[0] for r in rows(shop, "id >= 5000")] == [5000, 5001, 5002]


# On PostgreSQL


@pytest.fixture
def served(tmp_path: Path, pg_db: str) -> Path:
    with psycopg.connect(pg_db, autocommit=True) as c:
        c.execute(TABLE.encode())
    return project(tmp_path / "shop", pg_db)


def test_past_its_deadline_a_request_is_followed(served: Path, pg_db: str) -> None:
    with Serving(served, "--deadline", "0.3") as server, psycopg.connect(pg_db) as c:
        assert outcomes(followed(server, send(server, {"id": 1, "name": "a"}))) == ["created"]
        c.execute("lock table item in exclusive mode")
        answer = send(server, {"id": 2, "name": "b"})
        assert (answer.status, answer.json()["status"]) == (202, "waiting")
        assert server.get(answer.headers["location"]).status == 202
        c.rollback()
        assert outcomes(followed(server, answer)) == ["created"]


def test_a_request_that_was_put_off_outlives_its_server(served: Path, pg_db: str) -> None:
    with psycopg.connect(pg_db) as c:
        with Serving(served, "--deadline", "0.3", more={"HEADGATE_LEASE": "2"}) as server:
            assert outcomes(followed(server, send(server, {"id": 1, "name": "a"}))) == ["created"]
            c.execute("lock table item in exclusive mode")
            answers = [send(server, {"id": 1, "name": "b"}), send(server, {"id": 2, "name": "c"}, Idempotency_Key="k")]
            assert [a.status for a in answers] == [202, 202]
            server.process.kill()
            server.process.wait()
            c.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headgate'")
            token, home = server.token, server.home
        c.rollback()
        with Serving(served, home=home, token=token) as server:
            for answer, expected in zip(answers, ("updated", "created"), strict=True):
                found = followed(server, answer)
                assert found.status == 200, found
                assert outcomes(found) == [expected]


def test_who_was_answered_is_there_once_however_often_the_server_is_killed(served: Path, pg_db: str) -> None:
    """Every acknowledged record is there; an append with keys adds nothing twice; and the ledger's sums are right."""
    file = served / "imports" / "items.yaml"
    file.write_text(DEFINITION.replace("key: id\n", "operation: append\n"))
    with psycopg.connect(pg_db, autocommit=True) as c:
        c.execute("alter table item drop constraint item_pkey")
    acknowledged, refused = set[int](), set[int]()
    token, home, number, stop = "", None, iter(range(10_000)), threading.Event()
    lock = threading.Lock()
    holder: dict[str, Serving] = {}

    def caller() -> None:
        while not stop.is_set():
            with lock:
                n = next(number)
            while not stop.is_set():
                try:
                    record = {"id": f"no {n}" if n % 9 == 0 else n, "name": "x"}
                    answer = send(holder["server"], record, Idempotency_Key=f"key-{n}" if n % 2 else "")
                except urllib3.exceptions.HTTPError:
                    stop.wait(0.05)
                    continue
                if answer.status in (200, 422):
                    with lock:
                        (acknowledged if answer.status == 200 else refused).add(n)
                    break
                stop.wait(0.05)

    threads = [threading.Thread(target=caller) for _ in range(6)]
    for round_ in range(4):
        with Serving(served, home=home, token=token, more={"HEADGATE_LEASE": "2"}) as server:
            holder["server"], token, home = server, server.token, server.home
            for t in threads if round_ == 0 else ():
                t.start()
            goal = len(acknowledged) + 60
            end = time.monotonic() + 60
            while len(acknowledged) < goal:
                assert time.monotonic() < end, server.said
                time.sleep(0.01)
            if round_ < 3:
                server.process.kill()
                server.process.wait()
            else:
                stop.set()
                for t in threads:
                    t.join()
    with psycopg.connect(pg_db) as c:
        there = [r[0] for r in c.execute("select id from item").fetchall()]
    keyed = [n for n in there if n % 2]
    assert len(keyed) == len(set(keyed)), "a record is there twice"
    assert acknowledged <= set(there)
    assert refused
    import os

    os.environ["HEADGATE_HOME"] = str(home)
    try:
        ledger = open_project(served).ledger
        runs = ledger.runs(limit=100)
        assert all(r.status in (Status.SUCCEEDED, Status.PARTIAL) for r in runs)
        assert sum(r.account.outcomes["created"] for r in runs) == len(there)
        assert sum(r.account.rejects for r in runs) >= len(refused)
        ledger.close()
    finally:
        del os.environ["HEADGATE_HOME"]
