"""Imports and runs over HTTP, at a real server."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import openpyxl
import pytest

from support.runs import IMPORT
from support.serving import Serving

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows(folder: Path, table: str = "orders") -> list[tuple[str, int]]:
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        return connection.execute(f"select sku, qty from {table} order by sku").fetchall()


def test_a_run_is_started_and_followed(folder, server, done):
    answer = server.post("/api/imports/orders/runs")
    shown = answer.json()
    assert (answer.status, answer.headers["Location"]) == (202, "/api/runs/1")
    assert (shown["id"], shown["kind"], shown["import"], shown["work"]["cause"]) == (
        1,
        "run",
        "orders",
        "request by first",
    )
    assert server.get("/api/runs/1").status == 200
    ran = done("/api/imports/stock/runs", {"from_start": True})
    assert (ran["status"], ran["account"]["created"], ran["account"]["invalid"]) == ("partial", 2, 1)
    assert rows(folder, "stock") == [("a", 1), ("b", 2)]
    assert ran["work"]["status"] == "done"
    assert [r["code"] for r in ran["rejects"]] == ["TY01"]


def test_imports_are_listed_with_their_last_run(folder, server, done):
    done("/api/imports/orders/runs")
    (folder / "imports" / "wrong.yaml").write_text("source: [\n")
    orders, stock, wrong = server.get("/api/imports").json()
    assert (orders["name"], orders["operation"], orders["key"], orders["last"]["id"]) == (
        "orders",
        "upsert",
        ["sku"],
        1,
    )
    assert (orders["source"], orders["destination"]) == ("orders.csv", "sqlite:///shop.db#orders")
    assert (stock["last"], stock["error"]) == (None, "")
    assert "imports/wrong.yaml" in wrong["error"]
    assert server.get("/api/imports/stock").json() == stock
    answer = server.post("/api/imports/wrong/runs")
    assert (answer.status, answer.json()["code"]) == (409, "definition-wrong")


def test_runs_are_listed_filtered_and_paged(waiting):
    for path in ("orders/runs", "stock/runs", "orders/plans", "orders/runs"):
        assert waiting.post(f"/api/imports/{path}").status == 202

    def ids(query: str) -> list[int]:
        return [r["id"] for r in waiting.get(f"/api/runs?{query}").json()["runs"]]

    assert ids("") == [4, 3, 2, 1]
    assert ids("import=orders") == [4, 3, 1]
    assert ids("kind=plan") == [3]
    assert ids("status=queued&kind=run&import=stock") == [2]
    assert ids("status=failed") == []
    first = waiting.get("/api/runs?limit=3").json()
    assert ([r["id"] for r in first["runs"]], first["before"]) == ([4, 3, 2], 2)
    last = waiting.get("/api/runs?limit=3&before=2").json()
    assert ([r["id"] for r in last["runs"]], last["before"]) == ([1], None)


def test_a_plan_is_made_shown_page_by_page_and_approved(folder, server, done):
    plan = done("/api/imports/orders/plans")
    assert (plan["kind"], plan["status"], plan["changes"]["created"]) == ("plan", "partial", 2)
    assert not (folder / "shop.db").exists()
    first = server.get("/api/runs/1/changes?limit=1").json()
    assert first["changes"] == [{"action": "created", "key": {"sku": "a"}, "values": {"qty": 1}}]
    rest = server.get(f"/api/runs/1/changes?limit=2&after={first['after']}").json()
    assert ([c["key"]["sku"] for c in rest["changes"]], rest["after"]) == (["b"], None)
    ran = done("/api/plans/1/run")
    assert (ran["plan"], ran["status"], ran["account"]["created"]) == (1, "partial", 2)
    assert rows(folder) == [("a", 1), ("b", 2)]
    again = server.post("/api/plans/1/run")
    assert (again.status, again.json()["code"]) == (422, "cannot-be-done")
    assert "was run already" in again.json()["detail"]
    assert server.get(f"/api/runs/{ran['id']}/changes").json()["code"] == "no-plan"
    assert server.post(f"/api/plans/{ran['id']}/run").status == 422


def test_a_run_is_taken_back(folder, server, done):
    done("/api/imports/orders/runs")
    undone = done("/api/runs/1/undo", {"force": True, "only": "created"})
    assert (undone["kind"], undone["parent"], undone["status"]) == ("undo", 1, "succeeded")
    assert rows(folder) == []
    done(f"/api/runs/{undone['id']}/undo")
    assert rows(folder) == [("a", 1), ("b", 2)]


def test_rejects_are_given_as_json_csv_and_workbook(server, done):
    done("/api/imports/orders/runs")
    found = server.get("/api/runs/1/rejects").json()
    assert (found["after"], [r["raw"] for r in found["rejects"]]) == (None, [{"sku": "=c", "qty": "many"}])
    (number,) = [r["number"] for r in found["rejects"]]
    assert server.get("/api/runs/1/rejects?limit=1").json()["after"] == number
    assert server.get(f"/api/runs/1/rejects?after={number}").json()["rejects"] == []
    assert server.get("/api/runs/1/rejects?state=fixed").json()["rejects"] == []
    assert len(server.get("/api/runs/1/rejects?state=all").json()["rejects"]) == 1
    csv = server.get("/api/runs/1/rejects?format=csv")
    assert csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert csv.headers["Content-Disposition"] == 'attachment; filename="rejects-1.csv"'
    assert "\n'=c,many," in csv.body.decode("utf-8-sig")
    for answer in (
        server.get("/api/runs/1/rejects?format=xlsx"),
        server.get("/api/runs/1/rejects", headers={"Accept": XLSX}),
    ):
        assert answer.headers["Content-Type"] == XLSX
        sheet = openpyxl.load_workbook(io.BytesIO(answer.body)).active
        assert [c.value for c in sheet[2]][:2] == ["=c", "many"]
        assert sheet["A2"].data_type == "s"


def test_rejects_are_retried_as_they_were_and_corrected(folder, server, done):
    done("/api/imports/orders/runs")
    again = done("/api/runs/1/retry", {})
    assert (again["kind"], again["parent"], again["account"]["invalid"]) == ("retry", 1, 1)
    csv = server.get("/api/runs/1/rejects?format=csv").body.replace(b"many", b"3")
    fixed = done("/api/runs/1/retry", csv, headers={"Content-Type": "text/csv"})
    assert (fixed["status"], fixed["account"]["created"]) == ("succeeded", 1)
    assert rows(folder) == [("=c", 3), ("a", 1), ("b", 2)]
    assert server.get("/api/runs/1").json()["status"] == "succeeded"
    nothing = done("/api/runs/1/retry")
    assert (nothing["status"], "no open rejects" in nothing["error"]) == ("failed", True)


def test_a_corrected_workbook_is_retried(folder, server, done):
    done("/api/imports/orders/runs")
    book = openpyxl.load_workbook(io.BytesIO(server.get("/api/runs/1/rejects?format=xlsx").body))
    book.active["B2"].value = "3"
    out = io.BytesIO()
    book.save(out)
    assert done("/api/runs/1/retry", out.getvalue(), headers={"Content-Type": XLSX})["status"] == "succeeded"
    assert rows(folder)[0] == ("=c", 3)
    assert not list(server.home.rglob("corrected/*"))


def test_a_file_that_is_no_file_of_rejects_fails_its_retry_and_says_why(server, done):
    done("/api/imports/orders/runs")
    failed = done("/api/runs/1/retry", b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
    assert failed["status"] == "failed"
    assert "corrected" not in failed["error"] or "_headgate" in failed["error"]


def test_what_waits_is_cancelled_and_never_begun(folder, waiting):
    waiting.post("/api/imports/orders/runs")
    answer = waiting.post("/api/runs/1/cancel")
    assert (answer.status, answer.json()["work"]["cancel"]) == (202, True)
    shown = waiting.get("/api/runs/1").json()
    assert (shown["status"], shown["error"]) == ("cancelled", "cancelled before it was begun")
    again = waiting.post("/api/runs/1/cancel")
    assert (again.status, again.json()["code"]) == (409, "cannot-be-cancelled")
    waiting.stop()
    with Serving(folder, token=waiting.token) as server:
        assert server.get("/api/runs/1").json()["status"] == "cancelled"


def test_every_change_is_in_the_audit_log(waiting):
    waiting.post("/api/imports/orders/runs")
    waiting.post("/api/imports/orders/plans")
    waiting.post("/api/runs/1/cancel")
    found = [(e["action"], e["subject"], e["who"]) for e in waiting.get("/api/audit").json()]
    for entry in (("run.start", "orders", "first"), ("plan.start", "orders", "first"), ("run.cancel", "1", "first")):
        assert entry in found


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "/api/imports/nothing", None, {}, 404, "not-found"),
        ("POST", "/api/imports/nothing/runs", None, {}, 404, "not-found"),
        ("POST", "/api/imports/..%2f..%2fetc/plans", None, {}, 404, "not-found"),
        ("GET", "/api/runs/7", None, {}, 404, "not-found"),
        ("GET", "/api/runs/x", None, {}, 404, "not-found"),
        ("GET", "/api/runs/99999999999999999999", None, {}, 404, "not-found"),
        ("GET", "/api/runs/7/events", None, {}, 404, "not-found"),
        ("POST", "/api/runs/7/undo", None, {}, 404, "not-found"),
        ("GET", "/api/runs?limit=0", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs?before=-1", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs?kind=dream", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs?status=dream", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs?import=%00", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs?colour=red", None, {}, 400, "unknown-parameter"),
        ("GET", "/api/runs/1/rejects?format=pdf", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs/1/rejects?state=lost", None, {}, 400, "parameter-wrong"),
        ("GET", "/api/runs/1/changes", None, {}, 409, "no-plan"),
        ("GET", "/api/runs/2/changes", None, {}, 409, "no-changes"),
        ("GET", "/api/events", None, {"Last-Event-ID": "x"}, 400, "parameter-wrong"),
        ("POST", "/api/imports/orders/runs", {"from_start": 1}, {}, 422, "body-wrong"),
        ("POST", "/api/imports/orders/runs", {"colour": "red"}, {}, 422, "body-wrong"),
        ("POST", "/api/imports/orders/runs", b"{", {"Content-Type": "application/json"}, 400, "not-json"),
        ("POST", "/api/imports/orders/runs", b"x", {"Content-Type": "text/plain"}, 415, "not-json"),
        ("POST", "/api/imports/orders/runs", {"settings": ["no.such=1"]}, {}, 409, "definition-wrong"),
        ("POST", "/api/runs/1/undo", {"only": "some"}, {}, 422, "body-wrong"),
        ("POST", "/api/runs/1/undo", None, {}, 422, "cannot-be-done"),
        ("POST", "/api/runs/1/retry", None, {}, 422, "cannot-be-done"),
        ("POST", "/api/runs/1/retry", b"%PDF", {"Content-Type": "application/pdf"}, 415, "not-json"),
        ("POST", "/api/plans/1/run", None, {}, 422, "cannot-be-done"),
        ("DELETE", "/api/runs/1", None, {}, 405, "method-not-allowed"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(problems, method, path, body, headers, status, code):
    answer = problems.ask(method, path, body, headers=headers)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer
    shown = answer.json()
    assert (shown["code"], shown["status"], shown["type"].rpartition("/")[2]) == (code, status, code)
    assert shown["detail"]


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory):
    """A server with a run and a plan that wait."""
    folder = tmp_path_factory.mktemp("problems") / "shop"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text("connections: {}\n")
    (folder / "imports" / "orders.yaml").write_text(IMPORT.format(name="orders"))
    with Serving(folder, "--no-worker") as serving:
        serving.post("/api/imports/orders/runs")
        serving.post("/api/imports/orders/plans")
        yield serving


def test_a_body_that_is_too_large_is_refused(folder):
    with Serving(folder, "--no-worker", "--max-body", "1") as server:
        server.post("/api/imports/orders/runs")
        answer = server.post("/api/runs/1/retry", b"x" * (2 << 20), headers={"Content-Type": "text/csv"})
        assert (answer.status, answer.json()["code"]) == (413, "too-large")


def test_a_token_of_some_imports_sees_and_does_no_more(waiting):
    waiting.post("/api/imports/orders/runs")
    waiting.post("/api/imports/stock/runs")
    token = waiting.post("/api/tokens", {"name": "shop", "role": "operator", "imports": ["stock"]}).json()["token"]
    assert [r["id"] for r in waiting.get("/api/runs", token=token).json()["runs"]] == [2]
    assert [r["id"] for r in waiting.get("/api/runs?limit=1", token=token).json()["runs"]] == [2]
    assert [i["name"] for i in waiting.get("/api/imports", token=token).json()] == ["stock"]
    for method, path in (
        ("GET", "/api/runs/1"), ("GET", "/api/runs/1/events"), ("GET", "/api/runs/1/rejects"), ("POST", "/api/runs/1/cancel"),
        ("POST", "/api/runs/1/undo"), ("POST", "/api/runs/1/retry"), ("POST", "/api/plans/1/run"), ("GET", "/api/runs/1/changes"),
        ("POST", "/api/imports/orders/runs"), ("GET", "/api/imports/orders"),
    ):  # fmt: skip
        answer = waiting.ask(method, path, token=token)
        assert (answer.status, answer.json()["code"]) == (403, "forbidden"), (path, answer)
    assert waiting.post("/api/imports/stock/runs", token=token).status == 202
    refused = waiting.post("/api/imports/stock/runs", {"settings": ["source.path=/etc/passwd"]}, token=token)
    assert refused.status == 403
