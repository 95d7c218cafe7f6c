"""Records that refer to others by the ids that an API gave those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.testing.crud import CrudServer
from support.serving import Serving
from support.shop import Headgate, Start, finish

RESOURCE: dict[str, Any] = {
    "find": {"method": "POST", "path": "/NAME/find", "body": {"any": {"$each": "{record}"}}, "records": "items", "batch": 2},
    "create": "POST /NAME",
    "update": "PATCH /NAME/{id}",
    "delete": "DELETE /NAME/{id}",
}  # fmt: skip
CUSTOMERS: dict[str, Any] = {
    "source": "customers.csv",
    "fields": {"email": "email", "name": {"from": "name", "required": True}},
    "key": "email",
    "destination": {"connection": "crm", "table": "customers"},
}
ORDERS: dict[str, Any] = {
    "source": "orders.csv",
    "fields": {"number": "number", "customer": {"from": "email", "lookup": "customer"}},
    "lookups": {"customer": {"ids": "customers", "ignore_case": True}},
    "key": "number",
    "destination": {"connection": "crm", "table": "orders"},
}
CSV = {
    "customers.csv": "email,name\nann@x.org,Ann\nbob@x.org,Bob\ncy@x.org,Cy\n",
    "orders.csv": "number,email\n1,ANN@x.org \n2,bob@x.org\n3,ann@x.org\n",
}
Define = Callable[..., None]


def resource(name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(yaml.safe_dump(RESOURCE).replace("NAME", name))
    return found | more


@pytest.fixture
def api() -> Iterator[CrudServer]:
    with CrudServer() as api:
        api.add("customers", [{"email": "bob@x.org", "name": "Robert"}], unique=[("email",)])
        api.add("orders", unique=[("number",)])
        yield api


@pytest.fixture
def define(folder: Path, api: CrudServer) -> Define:
    """A project that sends customers and their orders to the API."""

    def write(customers: dict[str, Any] | None = None, **definitions: dict[str, Any]) -> None:
        resources = {"customers": customers or resource("customers"), "orders": resource("orders")}
        crm = {"url": api.url, "private": True, "retries": 0, "timeout": 2, "resources": resources}
        (folder / "headgate.yaml").write_text(
            yaml.safe_dump({"connections": {"crm": crm, "shop": "sqlite:///shop.db"}})
        )
        (folder / "imports").mkdir(exist_ok=True)
        for name, spec in ({"customers_": CUSTOMERS, "orders": ORDERS} | definitions).items():
            (folder / "imports" / f"{name.rstrip('_')}.yaml").write_text(yaml.safe_dump(spec))
        for name, text in CSV.items():
            (folder / name).write_text(text)

    return write


def ids(api: CrudServer) -> dict[str, str]:
    return {r["email"]: r["id"] for r in api.records("customers")}


def referred(api: CrudServer) -> dict[str, str]:
    return {str(r["number"]): r["customer"] for r in api.records("orders")}


def test_orders_refer_to_customers_by_the_ids_the_api_gave(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    said = headgate("check", "orders")
    assert "lookup customer: 0 entries" in said.out
    assert "no ids of customers are known yet; run that first" in said.out
    assert any(
        "run that first: headgate run customers" in w for w in headgate("check", "orders", "--json").json[0]["warnings"]
    )
    assert headgate("run", "orders", "customers").code == 0
    known = ids(api)
    assert len(known) == 3
    assert referred(api) == {"1": known["ann@x.org"], "2": known["bob@x.org"], "3": known["ann@x.org"]}
    said = headgate("check", "orders")
    assert "lookup customer: 3 entries" in said.out
    assert "no ids" not in said.out
    said = headgate("run", "orders", "customers")
    assert (said.code, said.out.count("3 read = 3 unchanged")) == (0, 2)


def test_what_was_there_already_is_known_when_it_is_found(api: CrudServer, define: Define, headgate: Headgate) -> None:
    api.add("customers", [{"email": f"{n}@x.org", "name": n.title()} for n in ("ann", "bob", "cy")])
    define()
    assert "3 read = 3 unchanged" in headgate("run", "customers").out
    assert headgate("run", "orders").code == 0
    assert referred(api)["1"] == ids(api)["ann@x.org"]


def test_a_plan_knows_what_is_there_and_its_run_what_it_made(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    define()
    api.add("customers", [{"email": "bob@x.org", "name": "Bob"}], unique=[("email",)])
    assert headgate("plan", "customers").code == 0
    assert "1 entry" in headgate("check", "orders").out
    assert headgate("run", "--plan", "1").code == 0
    assert headgate("run", "orders").code == 0
    known = ids(api)
    assert referred(api) == {"1": known["ann@x.org"], "2": known["bob@x.org"], "3": known["ann@x.org"]}


def test_undone_records_are_referred_to_no_more(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    assert headgate("run", "customers").code == 0
    assert headgate("undo", "1").code == 0
    assert [r["name"] for r in api.records("customers")] == ["Robert"]
    said = headgate("run", "orders")
    assert said.code == 3
    assert referred(api) == {"2": ids(api)["bob@x.org"]}, "who was there before is still known"
    reasons = [r["problems"][0]["reason"] for r in headgate("rejects", "3", "--json").json]
    assert 'the lookup customer has no entry for "ann@x.org"' in reasons
    assert headgate("undo", "2").code == 0, "the undo itself"
    assert headgate("run", "orders").code == 0
    assert referred(api)["1"] == ids(api)["ann@x.org"]


def test_deleted_records_are_referred_to_no_more(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    assert headgate("run", "customers").code == 0
    gone = ids(api)["ann@x.org"]
    api._kept["customers"].records.pop(gone)
    gone_too = {**CUSTOMERS, "fields": {"email": "email"}, "operation": "delete", "missing": "skip"}
    define(customers_=gone_too)
    assert "3 read = 2 deleted + 1 skipped" in headgate("run", "customers").out
    assert "0 entries" in headgate("check", "orders").out


def test_records_that_refer_to_refused_ones_are_held(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define()
    Path("customers.csv").write_text("email,name\nann@x.org,\nbob@x.org,Bob\n")
    said = headgate("run", "customers", "orders", "--json")
    assert said.code == 3
    accounts = {r["import"]: r["account"] for r in said.json}
    assert accounts["customers"]["invalid"] == 1
    assert (accounts["orders"]["held"], accounts["orders"]["created"]) == (2, 1)


def test_keys_of_several_fields(api: CrudServer, define: Define, headgate: Headgate) -> None:
    keyed = {
        **CUSTOMERS,
        "fields": {"country": "country", "number": {"from": "number", "type": "integer"}},
        "key": ["country", "number"],
    }
    orders = {**ORDERS, "fields": {"number": "number", "customer": {"from": ["land", "of"], "lookup": "customer"}}}
    define(customers_=keyed, orders=orders)
    api.add("customers")
    Path("customers.csv").write_text("country,number\nDE,7\nFR,7\n")
    Path("orders.csv").write_text("number,land,of\n1,FR,7\n2,DE,7\n")
    assert headgate("run", "customers", "orders").code == 0
    known = {r["country"]: r["id"] for r in api.records("customers")}
    assert referred(api) == {"1": known["FR"], "2": known["DE"]}
    define(customers_=keyed)
    said = headgate("check", "orders")
    assert said.code == 2
    assert "the key of customers has 2 fields, and field 'customer' gives the lookup 'customer' 1" in said.err


def test_keys_of_every_type_are_the_same_when_they_are_undone(
    api: CrudServer, define: Define, headgate: Headgate
) -> None:
    key = {
        "a": ("decimal(9,2)", "1.50"),
        "b": ("date", "2024-02-29"),
        "c": ("timestamp", "2024-02-29T10:00:00.5"),
        "d": ("uuid", "0F8FAD5B-D9CB-469F-A165-70867728950E"),
        "e": ("boolean", "true"),
        "f": ("text", '\\ "é"'),
        "g": ("bigint", "7"),
        "h": ("timestamptz", "2024-02-29T10:00:00Z"),
    }
    fields = {n: {"type": of} for n, (of, _) in key.items()}
    customer = {"from": list(key), "lookup": "customer"}
    orders = {
        "source": "customers.csv",
        "fields": {"number": {"value": 1}, "customer": customer},
        "lookups": {"customer": {"ids": "customers", "ignore_case": True}},
    }
    api.add("customers")
    define(customers_=CUSTOMERS | {"fields": fields, "key": list(key)}, orders=ORDERS | orders)
    values = ['"' + text.replace('"', '""') + '"' for _, text in key.values()]
    Path("customers.csv").write_text(f"{','.join(key)}\n{','.join(values)}\n")
    assert headgate("run", "customers", "orders").code == 0
    assert referred(api) == {"1": api.records("customers")[0]["id"]}
    assert headgate("undo", "1").code == 0
    assert "0 entries" in headgate("check", "orders").out
    assert headgate("undo", "3").code == 0
    assert headgate("run", "orders").code == 0
    assert referred(api) == {"1": api.records("customers")[0]["id"]}


def test_what_is_sent_for_a_caller_who_waits_is_known_too(
    api: CrudServer, define: Define, headgate: Headgate, folder: Path
) -> None:
    define()
    with Serving(folder, "--no-auth", home=folder.parent / "state") as serving:
        said = serving.post("/api/imports/customers/records", {"email": "ann@x.org", "name": "Ann"})
        assert said.status == 200, said
    assert "1 entry" in headgate("check", "orders").out
    Path("orders.csv").write_text("number,email\n1,ann@x.org\n")
    assert headgate("run", "orders").code == 0
    assert referred(api) == {"1": ids(api)["ann@x.org"]}


@pytest.mark.parametrize("at", ["journal.after", "commit.before", "commit.after"])
def test_killed_between_the_apis_answers_and_its_own_notes(
    api: CrudServer, define: Define, headgate: Headgate, start: Start, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    api.add("customers", unique=[("email",)])
    define({"create": "POST /customers"}, customers_=CUSTOMERS | {"operation": "insert"})
    monkeypatch.setenv("HEADGATE_CRASH", at)
    process = start("run", "customers")
    process.communicate(timeout=60)
    assert process.returncode == -9
    monkeypatch.delenv("HEADGATE_CRASH")
    assert finish(start("run", "customers")).code == 0
    assert len(api.records("customers")) == 3, "none is sent twice, and the API cannot be asked"
    assert headgate("run", "orders").code == 0
    assert referred(api)["1"] == ids(api)["ann@x.org"]


def test_what_gives_no_ids_is_said(api: CrudServer, define: Define, headgate: Headgate) -> None:
    define(customers_=CUSTOMERS | {"destination": {"connection": "shop", "table": "customer", "create": True}})
    said = headgate("check", "orders")
    assert said.code == 2
    assert "customers writes to shop#customer, which gives records no ids of its own" in said.err
    append = {k: v for k, v in CUSTOMERS.items() if k != "key"} | {"operation": "append"}
    define(customers_=append)
    assert "the records of customers have no key" in headgate("check", "orders").err
    define(orders=ORDERS | {"lookups": {"customer": {"ids": "custmers"}}})
    said = headgate("check", "orders")
    assert "there is no import 'custmers'" in said.err
    assert "Did you mean 'customers'?" in said.err
    assert "imports/orders.yaml, line" in said.err.replace("orders.yaml:", "orders.yaml, line")
