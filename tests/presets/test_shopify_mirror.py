"""Lists that Shopify is kept equal to, by its preset."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headgate.testing.shopify import ShopifyServer
from support import forked
from support.shop import Headgate

from .test_shopify import connection

Write = Callable[..., None]
MANY = [{"handle": f"h{i:03}", "title": f"H {i}", "vendor": "Hats Ltd"} for i in range(230)]
OTHERS = [{"handle": f"x{i}", "title": "X", "vendor": vendor} for i, vendor in enumerate(("Hats Ltd", "Caps Ltd"))]


@pytest.fixture
def api() -> Iterator[ShopifyServer]:
    with ShopifyServer(bucket=(4000, 4000)) as api:
        for one in (*MANY, *OTHERS):
            api.product(**one)
        yield api


def handles(api: ShopifyServer) -> list[str]:
    return sorted(p["handle"] for p in api.products())


def asked(api: ShopifyServer, what: str) -> list[Any]:
    """The variables of requests with some text in them."""
    sent = [c.body for c in api.calls if c.path.endswith("graphql.json")]
    return [body["variables"] for body in sent if what in body["query"]]


def test_products_are_listed_page_by_page_and_deleted(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    new = [{**MANY[0], "title": "New"}, *MANY[1:], {"handle": "new", "title": "N", "vendor": "Hats Ltd"}]
    write(connection(api), "products", new, "handle", operation="mirror", scope={"vendor": "Hats Ltd"})
    before = handles(api)
    said = headgate("plan", "data")
    assert "231 read = 1 created + 1 updated + 229 unchanged" in said.out, said
    assert "1 deleted at the destination" in said.out
    assert handles(api) == before
    pages = asked(api, "products(first")
    assert [p.get("after") is None for p in pages] == [True, False, False]
    assert {p["first"] for p in pages} == {100}
    assert asked(api, "productByIdentifier") == [{"handle": "new"}], "what was listed is not looked for"
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    assert handles(api) == sorted({*before, "new"} - {"x0"})
    assert "231 read = 231 unchanged" in headgate("run", "data").out
    assert headgate("undo", "2").code == 0
    assert handles(api) == before


def test_what_is_throttled_is_asked_again(write: Write, headgate: Headgate) -> None:
    with ShopifyServer(bucket=(450, 4000)) as api:
        for one in (*MANY, *OTHERS):
            api.product(**one)
        later = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
        api.fault("status", status=200, body=later, has="products(first", skip=1, times=3)
        write(connection(api), "products", MANY, "handle", operation="mirror")
        said = headgate("run", "data")
        assert "230 read = 230 unchanged" in said.out, said
        assert len(handles(api)) == 230
        assert len(asked(api, "products(first")) == 6


@pytest.mark.parametrize(("times", "code"), [(1, 0), (9, 1)])
def test_a_page_that_fails_is_asked_again_or_nothing_is_deleted(
    api: ShopifyServer, write: Write, headgate: Headgate, times: int, code: int
) -> None:
    write(connection(api), "products", MANY, "handle", operation="mirror")
    api.fault("status", status=200, has="products(first", skip=1, times=times)
    said = headgate("run", "data")
    assert said.code == code, said
    assert len(handles(api)) == (230 if code == 0 else 232)
    if code:
        assert "what is there cannot be listed, so nothing was sent" in said.err
        assert "Internal error" in said.err


def test_customers_that_cannot_go_are_named(write: Write, headgate: Headgate) -> None:
    with ShopifyServer() as api:
        for name in ("ann", "bob", "cy"):
            api.customer(f"{name}@example.com", firstName=name)
        api.buyers.add("bob@example.com")
        rows = [{"email": "Ann@example.com", "firstName": "ann"}]
        write(connection(api), "customers", rows, "email", operation="mirror", limits={"deletes": "90%"})
        said = headgate("run", "data")
        assert "1 read = 1 unchanged" in said.out, said
        assert "1 deleted at the destination" in said.out
        assert "email bob@example.com" in said.out + said.err
        assert "associated orders" in said.out + said.err
        assert [c["email"] for c in api.customers()] == ["ann@example.com", "bob@example.com"]
        assert headgate("undo", "1").code == 0
        assert [c["firstName"] for c in api.customers()] == ["ann", "bob", "cy"]


def test_a_mirror_that_is_killed_goes_on(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    write(connection(api, concurrency=1), "products", MANY[:225], "handle", operation="mirror")
    api.fault("hang_after", has="productDelete", skip=3, times=1)
    process = forked.start("run", "data", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(handles(api)) > 228:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    said = headgate("run", "data")
    assert "225 read = 225 unchanged" in said.out, said
    assert "7 deleted at the destination" in said.out
    assert handles(api) == [p["handle"] for p in MANY[:225]]
    assert headgate("undo", said.out.split()[1]).code == 0
    assert len(handles(api)) == 232
