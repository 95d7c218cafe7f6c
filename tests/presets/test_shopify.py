"""The preset of Shopify, against a server that behaves as Shopify's documentation says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headgate.testing.shopify import ShopifyServer
from support.shop import Headgate

Write = Callable[..., None]
HATS = [{"handle": f"hat-{i}", "title": f"Hat {i}", "vendor": "Hats Ltd", "status": "DRAFT"} for i in range(5)]


@pytest.fixture
def api() -> Iterator[ShopifyServer]:
    with ShopifyServer() as api:
        yield api


def connection(api: ShopifyServer, **more: Any) -> dict[str, Any]:
    return {
        "preset": "shopify",
        "shop": "hats",
        "url": api.url,
        "private": True,
        "auth": {"key": api.TOKEN},
        "retries": 1,
        **more,
    }


def held(api: ShopifyServer) -> list[dict[str, Any]]:
    """What the columns of the hats are there."""
    return sorted(({n: p[n] for n in HATS[0]} for p in api.products()), key=lambda p: str(p["handle"]))


def changes(api: ShopifyServer) -> list[Any]:
    """The variables of the mutations that came."""
    sent = [c.body for c in api.calls if c.path.endswith("graphql.json")]
    return [body["variables"] for body in sent if body["query"].startswith("mutation")]


def test_plan_run_again_and_undo(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "products", HATS, "handle")
    api.product(**HATS[0])
    api.product(**{**HATS[1], "title": "Cap", "vendor": ""})
    api.product("boot")
    before = api.products()
    assert headgate("check", "data").code == 0
    said = headgate("plan", "data")
    assert said.code == 0, said
    assert "5 read = 3 created + 1 updated + 1 unchanged" in said.out
    assert (api.products(), changes(api)) == (before, [])
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    assert held(api)[1:] == HATS
    assert {"record": {"id": "gid://shopify/Product/1002", "title": "Hat 1", "vendor": "Hats Ltd"}} in changes(api)
    sent = len(changes(api))
    assert "5 read = 5 unchanged" in headgate("run", "data").out
    assert len(changes(api)) == sent
    assert headgate("undo", "2").code == 0
    assert api.products() == before
    assert api.TOKEN not in said.out + said.err


def test_what_is_refused_is_a_reject_with_its_words_and_field(
    api: ShopifyServer, write: Write, headgate: Headgate
) -> None:
    bad = [
        {"handle": "x", "title": "", "vendor": "", "status": "ACTIVE"},
        {"handle": "y", "title": "Y", "vendor": "", "status": "SOLD"},
    ]
    write(connection(api), "products", [*HATS, *bad], "handle")
    said = headgate("run", "data")
    assert said.code == 3
    assert "7 read = 5 created + 2 rejected" in said.out
    assert held(api) == HATS
    found = {r["raw"]["handle"]: r["problems"][0] for r in headgate("rejects", "1", "--json").json}
    assert found["x"] == {**found["x"], "code": "DE06", "reason": "Title can't be blank", "field": "title"}
    assert found["y"]["field"] == "status"
    assert 'Expected "SOLD" to be one of: ACTIVE, ARCHIVED, DRAFT, UNLISTED' in found["y"]["reason"]


def test_tags_have_no_order_and_blanks_are_no_values(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    rows = [
        {"handle": "Hat", "title": "Hat", "tags": "summer new", "productType": "", "about": "A hat"},
        {"handle": "cap", "title": "Cap", "tags": "", "productType": "Caps", "about": ""},
    ]
    fields = {
        "handle": {},
        "title": {},
        "tags": {"expr": "to_json(string_split(tags, ' '))", "type": "json"},
        "productType": {},
        "seo.description": "about",
    }
    write(connection(api), "products", rows, "handle", fields=fields)
    said = headgate("run", "data")
    assert said.code == 0, said
    hat, cap = sorted(api.products(), key=lambda p: p["title"], reverse=True)
    assert (hat["handle"], hat["tags"], hat["productType"]) == ("hat", ["new", "summer"], "")
    assert hat["seo"] == {"title": None, "description": "A hat"}
    assert cap["tags"] == []
    assert "2 read = 2 unchanged" in headgate("run", "data").out
    write(
        connection(api),
        "products",
        [{**rows[0], "tags": "", "about": ""}, {**rows[1], "productType": ""}],
        "handle",
        fields=fields,
    )
    assert "2 read = 2 updated" in headgate("run", "data").out
    assert [p["productType"] for p in api.products()] == ["", ""]
    assert [p["tags"] for p in api.products()] == [[], []]
    assert headgate("undo", "3").code == 0
    assert {p["handle"]: p["tags"] for p in api.products()} == {"hat": ["new", "summer"], "cap": []}


def test_products_are_deleted_and_come_back(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    api.product("hat", title="Hat", tags=["a"], seo={"title": "T", "description": None})
    before = api.products()
    write(connection(api), "products", [{"handle": "hat"}, {"handle": "none"}], "handle", operation="delete")
    assert "2 read = 1 deleted + 1 skipped" in headgate("run", "data").out
    assert api.products() == []
    assert headgate("undo", "1").code == 0
    assert api.products() == before


def test_customers(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    api.customer("ann@example.com", firstName="Ann", phone="+41790000001")
    rows = [
        {"email": "Ann@example.com", "firstName": "Anna", "phone": "+41790000001", "taxExempt": "true"},
        {"email": "bob@example.com", "firstName": "Bob", "phone": "", "taxExempt": "false"},
        {"email": "cy@example.com", "firstName": "Cy", "phone": "+41790000001", "taxExempt": "false"},
        {"email": "dee", "firstName": "Dee", "phone": "", "taxExempt": "false"},
    ]
    write(connection(api), "customers", rows, "email")
    said = headgate("run", "data")
    assert "4 read = 1 created + 1 updated + 2 rejected" in said.out, said
    found = {r["raw"]["email"]: r["problems"][0] for r in headgate("rejects", "1", "--json").json}
    assert [(p["reason"], p["field"]) for p in found.values()] == [
        ("Phone has already been taken", "phone"),
        ("Email is invalid", "email"),
    ]
    assert [(c["email"], c["firstName"], c["taxExempt"]) for c in api.customers()] == [
        ("ann@example.com", "Anna", True),
        ("bob@example.com", "Bob", False),
    ]
    write(connection(api), "customers", rows[:2], "email")
    assert "2 read = 2 unchanged" in headgate("run", "data").out
    assert headgate("undo", "1").code == 0
    assert [(c["email"], c["firstName"], c["taxExempt"]) for c in api.customers()] == [
        ("ann@example.com", "Ann", False)
    ]


def test_prices_of_variants(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    skus = [{"sku": s, "price": "9.90"} for s in ("H-1", "H-10", "O'Neill", "dup", "dup")]
    api.product("hat", variants=skus)
    rows = [
        {"sku": "H-1", "price": "12.5", "cost": "3.10", "barcode": "761"},
        {"sku": "H-10", "price": "9.90", "cost": "", "barcode": ""},
        {"sku": "O'Neill", "price": "-1", "cost": "1", "barcode": ""},
        {"sku": "dup", "price": "1", "cost": "1", "barcode": ""},
        {"sku": "none", "price": "1", "cost": "1", "barcode": ""},
    ]
    fields = {"sku": {}, "price": {}, "inventoryItem.cost": "cost"}
    write(connection(api), "variants", rows, "sku", fields=fields, operation="update")
    said = headgate("run", "data")
    assert "5 read = 1 updated + 1 unchanged + 3 rejected" in said.out, said
    found = {r["raw"]["sku"]: r["problems"][0] for r in headgate("rejects", "1", "--json").json}
    assert {s: p["code"] for s, p in found.items()} == {"O'Neill": "DE06", "dup": "KY05", "none": "KY04"}
    assert (found["O'Neill"]["reason"], found["O'Neill"]["field"]) == (
        "Price must be greater than or equal to 0",
        "price",
    )
    first = api.variants()[0]
    assert (first["price"], first["inventoryItem"]["unitCost"]) == ("12.50", {"amount": "3.10"})
    write(connection(api), "variants", rows[:2], "sku", fields=fields, operation="update")
    assert "2 read = 2 unchanged" in headgate("run", "data").out
    assert headgate("undo", "1").code == 0
    first = api.variants()[0]
    assert (first["price"], first["inventoryItem"]["unitCost"]) == ("9.90", None)


def test_the_cost_of_requests_is_kept_to(write: Write, headgate: Headgate) -> None:
    with ShopifyServer(bucket=(50.0, 400.0)) as api:
        rows = [{"handle": f"h{i:02}", "title": "H", "vendor": "", "status": "ACTIVE"} for i in range(40)]
        write(connection(api), "products", rows, "handle")
        assert "40 read = 40 created" in headgate("run", "data").out
        assert len(api.products()) == 40
        assert 40 <= len(changes(api)) <= 40 + api.throttled


def test_throttled_requests_are_sent_again(write: Write, headgate: Headgate) -> None:
    with ShopifyServer(bucket=(12.0, 200.0)) as api:
        write(connection(api), "products", HATS, "handle")
        assert "5 read = 5 created" in headgate("run", "data").out
        assert held(api) == HATS
        assert api.throttled > 0


@pytest.mark.parametrize(
    ("kind", "status"), [("cut_after", 0), ("cut_before", 0), ("status", 200), ("status_after", 200), ("status", 503)]
)
def test_nothing_is_created_twice_when_an_answer_is_lost(
    api: ShopifyServer, write: Write, headgate: Headgate, kind: Any, status: int
) -> None:
    write(connection(api), "products", HATS, "handle")
    api.fault(kind, status=status, has="productCreate", skip=2)
    assert "5 read = 5 created" in headgate("run", "data").out
    assert held(api) == HATS


def test_a_find_that_fails_is_asked_again(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "products", HATS, "handle")
    api.fault("status", status=200, has="productByIdentifier")
    assert "5 read = 5 created" in headgate("run", "data").out


def test_an_apps_client_logs_in_and_again(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    client = {"type": "oauth2", "client_id": api.CLIENT, "client_secret": api.SECRET}
    write(connection(api, auth=client), "products", HATS, "handle")
    api.fault("status", status=401, has="productCreate", skip=1)
    said = headgate("run", "data")
    assert said.code == 0, said
    assert held(api) == HATS
    tokens = {c.headers["x-shopify-access-token"] for c in api.calls if c.path.endswith("graphql.json")}
    assert len(tokens) == 2, "a token that is refused is fetched anew"
    assert all("authorization" not in c.headers for c in api.calls)
    assert not any(t in said.out + said.err for t in (*tokens, api.SECRET))


def test_a_page_in_place_of_an_answer_is_no_answer(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "products", HATS, "handle")
    api.fault("status", status=200, body="<html>Maintenance</html>", has="productByIdentifier")
    said = headgate("run", "data")
    assert said.code == 1
    assert "records cannot be found" in said.err
    assert "Maintenance" in said.err
    assert changes(api) == []
    api.fault("status", status=200, body="<html>Maintenance</html>", has="productCreate", times=2)
    assert "5 read = 5 created" in headgate("run", "data").out
    assert held(api) == HATS


def test_a_login_that_may_not_is_said(write: Write, headgate: Headgate) -> None:
    with ShopifyServer(scopes=["products"]) as api:
        write(connection(api), "customers", [{"email": "a@example.com", "firstName": "A"}], "email")
        said = headgate("run", "data")
        assert said.code == 1
        assert "Access denied for customerByIdentifier field" in said.err
        write(connection(api, auth={"key": "wrong"}), "products", HATS, "handle")
        said = headgate("run", "data")
        assert said.code == 1
        assert "401" in said.err
        assert "Invalid API key" in said.err


def test_fields_that_are_not_there_are_said(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    write(connection(api), "products", [{"handle": "h", "colour": "red"}], "handle")
    said = headgate("check", "data")
    assert said.code != 0
    assert "colour" in said.out + said.err
