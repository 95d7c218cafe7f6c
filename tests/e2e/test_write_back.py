"""The ids that an API gave, written back to the table that the records came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.testing.crud import CrudServer
from support.shop import Headgate, Shop, Start, finish

RESOURCE: dict[str, Any] = {
    "find": {
        "method": "POST", "path": "/people/find", "body": {"any": {"$each": "{record}"}}, "records": "items", "batch": 2,
    },
    "create": "POST /people",
    "update": "PATCH /people/{id}",
    "delete": "DELETE /people/{id}",
}  # fmt: skip
PEOPLE = [(1, "ann@x.org", "Ann"), (2, "bob@x.org", "Bob"), (3, "cy@x.org", "Cy")]
Define = Callable[..., None]


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer() as api:
        api.add("people", [{"no": 2, "email": "bob@x.org", "name": "Robert"}], unique=[("no",)])
        yield api


@pytest.fixture(params=["sqlite", "duckdb", pytest.param("postgres", marks=pytest.mark.needs_postgres), "mysql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Each database in turn."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@pytest.fixture
def define(folder: Path, api: CrudServer, shop: Shop) -> Define:
    """A project that sends the people of a table to the API."""
    text = "varchar(40)"
    shop.sql(f"create table people (no integer primary key, email {text}, name {text}, crm_id {text}, seen {text})")
    for person in PEOPLE:
        shop.sql("insert into people (no, email, name) values (?, ?, ?)", person)

    def write(back: dict[str, Any] | None = None, **more: Any) -> None:
        crm = {"url": api.url, "private": True, "retries": 0, "timeout": 2, "resources": {"people": RESOURCE}}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"crm": crm, "shop": shop.url}}))
        source = {"connection": "shop", "table": "people", "write_back": back or {"set": {"crm_id": "id"}}}
        people = {
            "source": source, "key": "no", "fields": {"no": "no", "email": "email", "name": "name"},
            "destination": {"connection": "crm", "table": "people"},
        } | more  # fmt: skip
        (folder / "imports").mkdir(exist_ok=True)
        (folder / "imports" / "people.yaml").write_text(yaml.safe_dump(people))

    return write


def written(shop: Shop) -> dict[int, str | None]:
    return dict(shop.sql("select no, crm_id from people"))


def there(api: CrudServer) -> dict[int, str]:
    return {int(r["no"]): r["id"] for r in api.records("people")}


def warnings(headgate: Headgate, run: int) -> list[str]:
    return list(headgate("show", run, "--json").json["warnings"])


def test_rows_get_the_ids_of_their_records(api: CrudServer, shop: Shop, define: Define, headgate: Headgate) -> None:
    define()
    assert headgate("check", "people").code == 0
    assert set(written(shop).values()) == {None}
    said = headgate("run", "people")
    assert said.code == 0
    assert "3 read = 2 created + 1 updated" in said.out
    assert written(shop) == there(api)
    assert warnings(headgate, 1) == []
    shop.sql("update people set crm_id = 'mine' where no = 1")
    assert headgate("run", "people").code == 0
    assert written(shop)[1] == "mine", "it was told once, and nothing is new"


def test_what_is_undone_is_taken_back_by_the_next_run(
    api: CrudServer, shop: Shop, define: Define, headgate: Headgate
) -> None:
    define()
    assert headgate("run", "people").code == 0
    assert headgate("undo", "1").code == 0
    define(filter="no = 2")
    assert headgate("run", "people").code == 0
    assert written(shop) == {1: None, 2: there(api)[2], 3: None}


def test_what_goes_wrong_is_a_warning_and_made_up_for(
    api: CrudServer, shop: Shop, define: Define, headgate: Headgate
) -> None:
    define({"set": {"crm_key": "id"}})
    said = headgate("run", "people")
    assert said.code == 0
    (said_of,) = warnings(headgate, 1)
    assert "write_back: not every id was written back: the table people has no column 'crm_key'" in said_of
    assert "the next run of people writes them" in said_of
    define({"set": {"crm_id": "id", "seen": "id"}})
    assert headgate("run", "people").code == 0
    assert written(shop) == there(api)
    assert warnings(headgate, 2) == []


def test_rows_that_refuse_their_id_are_tried_again(
    api: CrudServer, shop: Shop, define: Define, headgate: Headgate
) -> None:
    loose = shop.kind in ("sqlite", "duckdb")  # where a text's length is no more than a remark
    short = "text not null check (length(crm_id) < 3)" if loose else "varchar(2) not null"
    shop.sql(f"create table links (no integer primary key, crm_id {short})")
    shop.sql("insert into links values (1, 'a')")
    shop.sql("insert into links values (2, 'b')")
    api.add("people", [{"no": 1, "id": "too long", "email": "ann@x.org", "name": "Ann"}], unique=[("no",)])
    define({"table": "links", "set": {"crm_id": "id"}})
    assert headgate("run", "people").code == 0
    found = " ".join(warnings(headgate, 1))
    assert "1 record has no row in links any more" in found
    assert "links did not take the ids of 1 record" in found
    assert dict(shop.sql("select no, crm_id from links")) == {1: "a", 2: there(api)[2]}
    assert headgate("run", "people").code == 0
    (again,) = warnings(headgate, 2)
    assert "did not take the ids of 1 record" in again


def test_a_run_that_was_killed_is_made_up_for(
    api: CrudServer, shop: Shop, define: Define, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    define()
    monkeypatch.setenv("HEADGATE_CRASH", "commit.after")
    process = start("run", "people")
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert set(written(shop).values()) == {None}
    monkeypatch.delenv("HEADGATE_CRASH")
    assert finish(start("run", "people")).code == 0
    assert written(shop) == there(api)


def test_what_cannot_be_is_said_before(shop: Shop, define: Define, headgate: Headgate) -> None:
    define(destination={"connection": "shop", "table": "copies", "create": True})
    assert "shop gives records no ids of its own" in headgate("check", "people").err
    define(fields={"no": {"expr": "no + 1", "type": "integer"}})
    assert "field 'no' is not a column as it is" in headgate("check", "people").err
    define({"set": {"no": "id"}})
    assert "sets 'no', by which it finds rows" in headgate("check", "people").err
    define(source={"connection": "shop", "query": "select * from people", "write_back": {"set": {"crm_id": "id"}}})
    assert "of a query write_back needs a table" in headgate("check", "people").err
