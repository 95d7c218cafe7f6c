"""Each line of the matching table, as definitions of a project, into each destination; and each once more."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.shop import Define, Headgate, Rows, Shop, counts

COLUMNS = "id integer primary key, name text, qty integer"
THERE = [(1, "lamp", 5), (2, "desk", None), (3, "shelf", 0)]


@dataclass
class Case:
    """An import of `data` into the table with `THERE`: what becomes of the records, then of the same records again."""

    id: str
    definition: dict[str, Any]
    data: str
    counts: dict[str, int]
    after: Rows
    again: dict[str, int]
    codes: dict[int, str] = field(default_factory=dict)


def _definition(operation: str, **more: Any) -> dict[str, Any]:
    return {"operation": operation, **more}


NO_LIMIT = {"limits": {"deletes": None}}
CASES = [
    Case(
        "insert",
        _definition("insert"),
        "id,name,qty\n4,chair,2\n1,lamp,5\n2,other,9\n",
        {"created": 1, "rejected": 2},
        [*THERE, (4, "chair", 2)],
        {"rejected": 3},
        {3: "KY03", 4: "KY03"},
    ),
    Case(
        "insert, existing: skip",
        _definition("insert", existing="skip"),
        "id,name,qty\n4,chair,2\n1,other,9\n",
        {"created": 1, "skipped": 1},
        [*THERE, (4, "chair", 2)],
        {"skipped": 2},
    ),
    Case(
        "update",
        _definition("update"),
        "id,name,qty\n1,lamp,6\n2,desk,\n9,new,1\n",
        {"updated": 1, "unchanged": 1, "rejected": 1},
        [(1, "lamp", 6), *THERE[1:]],
        {"unchanged": 2, "rejected": 1},
        {4: "KY04"},
    ),
    Case(
        "update, missing: skip",
        _definition("update", missing="skip"),
        "id,name,qty\n3,,0\n9,new,1\n",
        {"updated": 1, "skipped": 1},
        [*THERE[:2], (3, None, 0)],
        {"unchanged": 1, "skipped": 1},
    ),
    Case(
        "upsert",
        _definition("upsert"),
        "id,name,qty\n1,lamp,5\n2,desk,7\n4,chair,2\n",
        {"unchanged": 1, "updated": 1, "created": 1},
        [THERE[0], (2, "desk", 7), THERE[2], (4, "chair", 2)],
        {"unchanged": 3},
    ),
    Case(
        "upsert of some columns",
        _definition("upsert", fields={"id": "id", "name": "name"}),
        "id,name,qty\n1,lamp 2,99\n4,chair,99\n",
        {"updated": 1, "created": 1},
        [(1, "lamp 2", 5), *THERE[1:], (4, "chair", None)],
        {"unchanged": 2},
    ),
    Case(
        "upsert, delete_when",
        _definition("upsert", delete_when="gone = 'x'", fields={"id": None, "name": None, "qty": None}),
        "id,name,qty,gone\n1,lamp,6,\n2,desk,,x\n8,never,1,x\n",
        {"updated": 1, "deleted": 1, "skipped": 1},
        [(1, "lamp", 6), THERE[2]],
        {"unchanged": 1, "skipped": 2},
    ),
    Case(
        "delete",
        _definition("delete", fields={"id": None}),
        "id\n2\n9\n",
        {"deleted": 1, "skipped": 1},
        [THERE[0], THERE[2]],
        {"skipped": 2},
    ),
    Case(
        "delete, missing: reject",
        _definition("delete", missing="reject"),
        "id,name,qty\n9,a,1\n2,b,2\n",
        {"deleted": 1, "rejected": 1},
        [THERE[0], THERE[2]],
        {"rejected": 2},
        {2: "KY04"},
    ),
    Case(
        "mirror",
        _definition("mirror", **NO_LIMIT),
        "id,name,qty\n1,lamp,5\n2,desk,7\n4,chair,2\n",
        {"unchanged": 1, "updated": 1, "created": 1, "mirror_deleted": 1},
        [THERE[0], (2, "desk", 7), (4, "chair", 2)],
        {"unchanged": 3},
    ),
    Case(
        "mirror within scope",
        _definition("mirror", scope={"qty": [0, 5]}, **NO_LIMIT),
        "id,name,qty\n1,lamp,5\n",
        {"unchanged": 1, "mirror_deleted": 1},
        THERE[:2],
        {"unchanged": 1},
    ),
    Case(
        "mirror that marks",
        _definition("mirror", delete={"set": {"qty": -1}}, fields={"id": None, "name": None}, **NO_LIMIT),
        "id,name\n1,lamp\n2,desk\n",
        {"unchanged": 2, "mirror_deleted": 1},
        [*THERE[:2], (3, "shelf", -1)],
        {"unchanged": 2},
    ),
    Case(
        "duplicates: last",
        _definition("upsert"),
        "id,name,qty\n4,a,1\n1,b,2\n4,c,3\n4,d,4\n",
        {"created": 1, "updated": 1, "skipped": 2},
        [(1, "b", 2), *THERE[1:], (4, "d", 4)],
        {"unchanged": 2, "skipped": 2},
    ),
    Case(
        "duplicates: first",
        _definition("upsert", duplicates="first"),
        "id,name,qty\n4,a,1\n1,b,2\n4,c,3\n",
        {"created": 1, "updated": 1, "skipped": 1},
        [(1, "b", 2), *THERE[1:], (4, "a", 1)],
        {"unchanged": 2, "skipped": 1},
    ),
    Case(
        "duplicates: reject",
        _definition("insert", duplicates="reject"),
        "id,name,qty\n4,a,1\n5,b,2\n4,c,3\n",
        {"created": 2, "invalid": 1},
        [*THERE, (4, "a", 1), (5, "b", 2)],
        {"rejected": 2, "invalid": 1},
        {4: "KY02"},
    ),
    Case(
        "commit: batch",
        _definition("upsert", commit="batch"),
        "id,name,qty\n1,lamp,6\n2,desk,\n4,chair,dear\n5,stool,1\n",
        {"updated": 1, "unchanged": 1, "created": 1, "invalid": 1},
        [(1, "lamp", 6), *THERE[1:], (5, "stool", 1)],
        {"unchanged": 3, "invalid": 1},
        {4: "TY01"},
    ),
    Case(
        "filter",
        _definition("upsert", filter="qty <> '0'"),
        "id,name,qty\n1,lamp,6\n4,chair,0\n5,stool,\n",
        {"updated": 1, "skipped": 2},
        [(1, "lamp", 6), *THERE[1:]],
        {"unchanged": 1, "skipped": 2},
    ),
    Case(
        "when: created",
        _definition("upsert", fields={"id": None, "name": None, "qty": {"when": "created"}}),
        "id,name,qty\n1,lamp 2,99\n2,desk,99\n4,chair,2\n",
        {"updated": 1, "unchanged": 1, "created": 1},
        [(1, "lamp 2", 5), *THERE[1:], (4, "chair", 2)],
        {"unchanged": 3},
    ),
    Case(
        "when: updated",
        _definition("upsert", fields={"id": None, "name": None, "qty": {"when": "updated", "value": 99}}),
        "id,name\n1,lamp 2\n2,desk\n4,chair\n",
        {"updated": 1, "unchanged": 1, "created": 1},
        [(1, "lamp 2", 99), *THERE[1:], (4, "chair", None)],
        {"unchanged": 3},
    ),
    Case(
        "when: present",
        _definition("upsert", fields={"id": None, "name": None, "qty": {"when": "present"}}),
        "id,name,qty\n1,lamp,\n2,desk,4\n4,chair,\n",
        {"unchanged": 1, "updated": 1, "created": 1},
        [THERE[0], (2, "desk", 4), THERE[2], (4, "chair", None)],
        {"unchanged": 3},
    ),
    Case(
        "blank: keep",
        _definition("upsert", fields={"id": None, "name": {"blank": "keep"}, "qty": {"blank": "null"}}),
        "id,name,qty\n1,,\n3,,1\n4,,2\n",
        {"updated": 2, "created": 1},
        [(1, "lamp", None), THERE[1], (3, "shelf", 1), (4, None, 2)],
        {"unchanged": 3},
    ),
    Case(
        "blank: default and reject",
        _definition("upsert", fields={"id": None, "name": {"blank": "reject"}, "qty": {"default": 7}}),
        "id,name,qty\n1,lamp,\n2,,1\n4,chair,\n",
        {"updated": 1, "created": 1, "invalid": 1},
        [(1, "lamp", 7), *THERE[1:], (4, "chair", 7)],
        {"unchanged": 2, "invalid": 1},
        {3: "RU04"},
    ),
]


# That the destinations do the same is for the conformance suite to say; here each operation is seen to reach them.
ON_OTHERS = (
    "insert", "update", "upsert", "upsert, delete_when", "delete", "mirror", "mirror that marks", "duplicates: reject",
    "commit: batch", "blank: keep",
)  # fmt: skip


@pytest.mark.parametrize(
    ("shop", "case"),
    [pytest.param("sqlite", c, id=f"sqlite-{c.id}") for c in CASES]
    + [pytest.param(k, c, id=f"{k}-{c.id}") for k in ("duckdb", "postgres") for c in CASES if c.id in ON_OTHERS],
    indirect=["shop"],
)
def test_records_end_as_the_matching_table_says_and_the_second_run_changes_nothing(
    case: Case, shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, case.data, **case.definition)
    first = headgate("run", "items", "--json")
    assert counts(first.json) == case.counts
    assert first.code == (3 if {"invalid", "rejected"} & case.counts.keys() else 0)
    assert shop.read("item") == sorted(case.after)
    told = headgate("rejects", first.json["id"], "--json").json
    assert {r["line"]: r["problems"][0]["code"] for r in told} == case.codes

    again = headgate("run", "items", "--json")
    assert counts(again.json) == case.again
    assert shop.read("item") == sorted(case.after)


def test_append_adds_all_every_time(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", "id integer, name text, qty integer", THERE)
    define(shop, "id,name,qty\n1,lamp,5\n1,lamp,5\n4,chair,x\n", operation="append", key=None)
    for times in (1, 2):
        assert counts(headgate("run", "items", "--json", "--set", "source.again=run").json) == {
            "created": 2,
            "invalid": 1,
        }
        assert shop.read("item") == sorted(THERE + [(1, "lamp", 5)] * 2 * times)


def test_append_leaves_out_what_was_appended_before(
    shop: Shop, define: Define, headgate: Headgate, folder: Path
) -> None:
    shop.table("item", "id integer, name text, qty integer", THERE)
    define(shop, "id,name,qty\n1,lamp,5\n", operation="append", key=None, source="*.csv")
    first = headgate("run", "items", "--json").json
    (folder / "again.csv").write_bytes((folder / "items.csv").read_bytes())
    again = headgate("run", "items", "--json")
    assert (again.code, counts(again.json)) == (0, {})
    assert f"items.csv was imported already, by run {first['id']}" in again.json["warnings"][0]
    (folder / "new.csv").write_text("id,name,qty\n9,more,1\n")
    third = headgate("run", "items", "--json").json
    assert counts(third) == {"created": 1}
    assert [p["name"] for p in third["partitions"]] == ["new.csv"]
    assert shop.read("item") == sorted([*THERE, (1, "lamp", 5), (9, "more", 1)])
    assert headgate("undo", third["id"]).code == 0
    assert counts(headgate("run", "items", "--json").json) == {"created": 1}, "what was undone is new again"


def test_a_key_of_two_fields(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", "a text, b integer, c text, primary key (a, b)", [("x", 1, "p"), ("x", 2, "q")])
    define(shop, "a,b,c\nx,1,p\nx,2,r\ny,1,s\nx,,t\n", key=["a", "b"])
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 1, "updated": 1, "created": 1, "invalid": 1}
    assert shop.read("item") == [("x", 1, "p"), ("x", 2, "r"), ("y", 1, "s")]


@pytest.mark.parametrize("shown", ["1%", 0, "33%"])
def test_mirror_stops_before_it_deletes_more_than_its_limit(
    shown: str | int, shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, "id,name,qty\n1,lamp,5\n2,desk,9\n", operation="mirror", limits={"deletes": shown})
    said = headgate("run", "items")
    assert said.code == 1
    assert "1 of 3" in said.err
    assert f"limits.deletes: {shown}" in said.err
    assert shop.read("item") == THERE
    assert headgate("runs", "--json").json[0]["status"] == "failed"
    assert headgate("run", "items", "--set", "limits.deletes=34%").code == 0
    assert shop.read("item") == [(1, "lamp", 5), (2, "desk", 9)]


@pytest.mark.parametrize("data", ["id,name,qty\n", "id,name,qty\n\n\n"])
def test_mirror_of_nothing_deletes_nothing(data: str, shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, data, operation="mirror", **NO_LIMIT)
    said = headgate("run", "items")
    assert said.code == 1
    assert "no records" in said.err
    assert shop.read("item") == THERE


def test_mirror_of_records_that_are_all_filtered_away_deletes_nothing(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, "id,name,qty\n1,lamp,5\n", operation="mirror", filter="qty = '77'", **NO_LIMIT)
    said = headgate("run", "items")
    assert said.code == 1, said
    assert shop.read("item") == THERE


@pytest.mark.parametrize("bad", ["2,desk,many", ",desk,1", "2,desk", '2,"de'])
def test_mirror_with_rejects_in_the_source_deletes_nothing_and_says_so(
    bad: str, shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, f"id,name,qty\n1,lamp,6\n{bad}\n", operation="mirror", **NO_LIMIT)
    run = headgate("run", "items", "--json")
    assert run.code == 3
    assert counts(run.json) == {"updated": 1, "invalid": 1}
    assert any("deleted" in w for w in run.json["warnings"])
    assert shop.read("item") == [(1, "lamp", 6), *THERE[1:]]


def test_mirror_counts_only_its_scope_for_its_limit(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, [(n, "a" if n < 10 else "b", 0) for n in range(100)])
    define(shop, "id,name,qty\n0,a,0\n", operation="mirror", scope={"name": "a"}, limits={"deletes": "50%"})
    said = headgate("run", "items")
    assert said.code == 1
    assert "9 of 10" in said.err
    assert len(shop.read("item")) == 100


def test_what_a_table_refuses_is_a_reject_of_that_record_alone(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("category", "id integer primary key", [(1,)])
    shop.table(
        "item",
        "id integer primary key, name text not null unique, qty integer check (qty >= 0), category integer references category (id)",
        [(1, "lamp", 5, 1)],
    )
    lines = ["id,name,qty,category", "2,desk,1,1", "3,desk,1,1", "4,shelf,-1,1", "5,,1,1", "6,rug,1,9", "7,sofa,1,"]
    define(shop, "\n".join(lines) + "\n")
    run = headgate("run", "items", "--json")
    assert (run.code, counts(run.json)) == (3, {"created": 2, "rejected": 4})
    told = headgate("rejects", run.json["id"], "--json").json
    assert {r["line"]: r["problems"][0]["code"] for r in told} == {3: "DE02", 4: "DE03", 5: "DE04", 6: "DE01"}
    assert shop.read("item", "id") == [(1,), (2,), (7,)]


def test_past_the_limit_of_rejects_nothing_is_kept(shop: Shop, define: Define, headgate: Headgate) -> None:
    shop.table("item", COLUMNS, THERE)
    define(shop, "id,name,qty\n1,lamp,6\n2,desk,x\n3,shelf,y\n4,chair,1\n", rejects={"limit": "25%"})
    said = headgate("run", "items", "--json")
    assert said.code == said.json["error"]["exit_code"] == 1
    assert shop.read("item") == THERE
    failed = headgate("runs", "--json").json[0]
    assert failed["status"] == "failed"
    assert len(headgate("rejects", failed["id"], "--json").json) == 2, "what was refused can be looked at"
    assert headgate("run", "items", "--set", "rejects.limit=50%").code == 3
    assert shop.read("item") == [(1, "lamp", 6), *THERE[1:], (4, "chair", 1)]


def test_with_commit_batch_what_was_committed_stays_and_is_said_to(
    shop: Shop, define: Define, headgate: Headgate
) -> None:
    shop.table("item", COLUMNS, THERE)
    lines = [f"{n},n{n},{n}" for n in range(70_000)]
    define(shop, "id,name,qty\n" + "\n".join(lines) + "\nx,y,z\n", commit="batch", rejects={"limit": 0})
    said = headgate("run", "items")
    assert said.code == 1
    kept = len(shop.read("item", "id"))
    assert kept == 65_536
    assert "nothing was kept" not in said.err
    failed = headgate("runs", "--json").json[0]
    assert failed["status"] == "failed"
    assert "nothing was kept" not in failed["error"]
    assert headgate("run", "items", "--set", "rejects.limit=1", "--json").json["account"]["unchanged"] == kept
    assert len(shop.read("item", "id")) == 70_000
