"""Products with their options and variants, by the preset of Shopify."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from headgate.testing.shopify import ShopifyServer
from support import forked
from support.shop import Headgate

from .test_shopify import changes, connection

Write = Callable[..., None]
ROWS = [
    {"Handle": f"hat-{i}", "Title": f"Hat {i}", "Colour": colour, "Size": size, "SKU": f"H{i}-{colour}{size}", "Price": "9.90"}
    for i in range(4)
    for colour in ("red", "blue")
    for size in ("S", "M")
]  # fmt: skip
TAKE = {"option1": "Colour", "option2": "Size", "sku": "SKU", "price": "Price"}
FIELDS = {
    "handle": "Handle",
    "title": "Title",
    "option1": {"value": "Colour"},
    "option2": {"value": "Size"},
    "variants": {"type": "json"},
}


@pytest.fixture
def api() -> Iterator[ShopifyServer]:
    with ShopifyServer(bucket=(4000, 40_000)) as api:
        yield api


@pytest.fixture
def sets(write: Write) -> Callable[..., None]:
    """Writes the import: a file with a row for every variant, grouped by product."""

    def written(
        api: ShopifyServer,
        rows: Sequence[Mapping[str, str]] = ROWS,
        fields: Mapping[str, Any] = FIELDS,
        take: Mapping[str, str] = TAKE,
        app: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        source = {"path": "data.csv", "group": {"by": ["Handle"], "as": "variants", "take": dict(take)}}
        write(
            connection(api, **(app or {})), "product_sets", rows, "handle", source=source, fields=dict(fields), **more
        )

    return written


def changed(rows: Sequence[Mapping[str, str]], sku: str, **values: str) -> list[dict[str, str]]:
    return [{**r, **values} if r["SKU"] == sku else dict(r) for r in rows]


def prices(api: ShopifyServer, handle: str) -> dict[str, str]:
    """What a product's variants cost, by their options."""
    return {name: v["price"] for name, v in api.sets()[handle]["variants"].items()}


def ids(api: ShopifyServer, handle: str) -> dict[str, str]:
    return {name: v["id"] for name, v in api.sets()[handle]["variants"].items()}


def test_products_are_made_with_their_variants(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate
) -> None:
    sets(api)
    assert headgate("check", "data").code == 0
    said = headgate("plan", "data")
    assert "4 read = 4 created" in said.out, said
    assert api.products() == []
    said = headgate("run", "--plan", "1")
    assert said.code == 0, said
    one = api.sets()["hat-2"]
    assert one["options"] == ["Colour", "Size"]
    assert list(one["variants"]) == ["red/S", "red/M", "blue/S", "blue/M"]
    assert one["variants"]["blue/M"]["sku"] == "H2-blueM"
    assert set(prices(api, "hat-2").values()) == {"9.90"}
    sent = len(changes(api))
    assert sent == 4, "a request for each product"
    assert "4 read = 4 unchanged" in headgate("run", "data").out
    assert len(changes(api)) == sent
    assert headgate("undo", "2").code == 0
    assert api.products() == api.variants() == []


def test_variants_are_changed_added_and_taken_away(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate
) -> None:
    sets(api)
    assert headgate("run", "data").code == 0
    before, had, skus = ids(api, "hat-1"), prices(api, "hat-1"), {str(v["sku"]) for v in api.variants()}
    rows = changed(ROWS, "H1-redS", Price="12.5")
    rows = [r for r in rows if r["SKU"] not in ("H1-blueM", "H3-redS")]
    rows.insert(5, {**rows[4], "Colour": "green", "SKU": "H1-greenS", "Price": "7"})
    sets(api, rows)
    said = headgate("plan", "data")
    assert "4 read = 2 updated + 2 unchanged" in said.out, said
    assert "variants 2" in said.out
    assert headgate("run", "--plan", "2").code == 0
    assert prices(api, "hat-1") == {"red/S": "12.50", "red/M": "9.90", "blue/S": "9.90", "green/S": "7.00"}
    now = ids(api, "hat-1")
    assert {n: now[n] for n in ("red/S", "red/M", "blue/S")} == {n: before[n] for n in ("red/S", "red/M", "blue/S")}
    assert list(ids(api, "hat-3")) == ["red/M", "blue/S", "blue/M"]
    assert "4 read = 4 unchanged" in headgate("run", "data").out
    assert headgate("undo", "3").code == 0
    assert prices(api, "hat-1") == had
    assert {str(v["sku"]) for v in api.variants()} == skus


def test_what_a_list_does_not_mention_stays(api: ShopifyServer, sets: Callable[..., None], headgate: Headgate) -> None:
    api.product(
        "hat-0", [{"options": ["red"], "sku": "A", "price": "5.00", "barcode": "761"}], ["Colour"], vendor="Hats Ltd"
    )
    rows = [{"Handle": "Hat-0", "Title": "hat-0", "Colour": "red", "Price": "5"}]
    fields = {k: v for k, v in FIELDS.items() if k != "option2"}
    take = {"option1": "Colour", "price": "Price"}
    sets(api, rows, fields, take)
    assert "1 read = 1 unchanged" in headgate("run", "data").out
    sets(api, [{**rows[0], "Title": "New"}], fields, take)
    assert "1 read = 1 updated" in headgate("run", "data").out
    (one,) = api.variants()
    assert (one["sku"], one["barcode"], one["price"]) == ("A", "761", "5.00")
    assert api.products()[0]["vendor"] == "Hats Ltd"
    (key,) = [c["input"]["variants"][0]["id"] for c in changes(api)]
    assert key == ids(api, "hat-0")["red"]


def test_undo_leaves_alone_what_was_not_written(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate
) -> None:
    sets(api)
    assert headgate("run", "data").code == 0
    sets(api, changed(ROWS, "H1-redS", Price="1"))
    assert "1 updated" in headgate("run", "data").out
    api.alter("H1-redS", barcode="761")
    assert headgate("undo", "2").code == 0
    one = api.sets()["hat-1"]["variants"]["red/S"]
    assert (one["price"], one["barcode"]) == ("9.90", "761")
    assert headgate("undo", "3").code == 0
    assert prices(api, "hat-1")["red/S"] == "1.00"
    api.alter("H1-redS", price="2.00")
    assert headgate("undo", "4").code == 3, "somebody has changed what was written"
    assert prices(api, "hat-1")["red/S"] == "2.00"


def test_every_field_of_a_variant(api: ShopifyServer, sets: Callable[..., None], headgate: Headgate) -> None:
    row = {
        "Handle": "cap", "Title": "Cap", "SKU": "C", "Price": "3", "compareAtPrice": "4.5", "barcode": "", "taxable": "false",
        "inventoryPolicy": "CONTINUE", "Cost": "1.25", "tracked": "true", "requiresShipping": "false", "origin": "CH", "code": "6505",
    }  # fmt: skip
    named = {
        "inventoryItem.cost": "Cost", "inventoryItem.tracked": "tracked", "inventoryItem.requiresShipping": "requiresShipping",
        "inventoryItem.countryCodeOfOrigin": "origin", "inventoryItem.harmonizedSystemCode": "code",
    }  # fmt: skip
    take = {"sku": "SKU", "price": "Price", **named} | {
        n: n for n in ("compareAtPrice", "barcode", "taxable", "inventoryPolicy")
    }
    fields = {"handle": "Handle", "title": "Title", "variants": {"type": "json"}}
    sets(api, [row], fields, take)
    said = headgate("run", "data")
    assert said.code == 0, said
    (one,) = api.variants()
    assert api.sets()["cap"]["options"] == ["Title"], "a product without options has one, as in Shopify"
    assert list(api.sets()["cap"]["variants"]) == ["Default Title"]
    assert (one["price"], one["compareAtPrice"], one["taxable"]) == ("3.00", "4.50", False)
    assert one["inventoryItem"]["unitCost"] == {"amount": "1.25"}
    assert one["inventoryItem"]["tracked"] is True
    assert one["inventoryItem"]["countryCodeOfOrigin"] == "CH"
    assert "1 read = 1 unchanged" in headgate("run", "data").out
    sets(api, [{**row, "compareAtPrice": "", "tracked": "false"}], fields, take)
    assert "1 read = 1 updated" in headgate("run", "data").out
    (one,) = api.variants()
    assert (one["compareAtPrice"], one["inventoryItem"]["tracked"]) == (None, False)
    assert headgate("undo", "3").code == 0
    (one,) = api.variants()
    assert (one["compareAtPrice"], one["inventoryItem"]["tracked"]) == ("4.50", True)


@pytest.mark.parametrize(
    ("sku", "values", "said"),
    [
        ("H1-redS", {"Price": "-1"}, "Price must be greater than or equal to 0"),
        ("H1-redS", {"Price": "cheap"}, "Could not coerce value cheap"),
        ("H1-redS", {"Colour": "blue"}, "variants has two entries with option1 blue, option2 S"),
        ("H1-redS", {"Size": ""}, "You need to add option values for every option"),
    ],
)
def test_what_is_refused_is_the_product_and_says_why(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate, sku: str, values: dict[str, str], said: str
) -> None:
    sets(api, changed(ROWS, sku, **values))
    assert "4 read = 3 created + 1 rejected" in headgate("run", "data").out
    (reject,) = headgate("rejects", "1", "--json").json
    assert said in reject["problems"][0]["reason"]
    assert sorted(api.sets()) == ["hat-0", "hat-2", "hat-3"]
    assert len(api.variants()) == 12


def test_refusals_name_the_field(api: ShopifyServer, sets: Callable[..., None], headgate: Headgate) -> None:
    rows = [{**r, "Title": ""} if r["Handle"] == "hat-2" else r for r in changed(ROWS, "H1-redS", Price="-1")]
    sets(api, rows)
    assert "4 read = 2 created + 2 rejected" in headgate("run", "data").out
    fields = [r["problems"][0]["field"] for r in headgate("rejects", "1", "--json").json]
    assert fields == ["variants", "title"]


def test_a_field_that_variants_have_not_is_said(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate
) -> None:
    sets(api, take={**TAKE, "colour": "Colour"})
    assert "4 read = 4 rejected" in headgate("run", "data").out
    reason = headgate("rejects", "1", "--json").json[0]["problems"][0]["reason"]
    assert "entries of variants have no field 'colour'; there are: option1, option2" in reason


@pytest.mark.parametrize("operation", ["upsert", "update", "insert"])
def test_a_product_is_not_emptied_by_an_import_without_variants(
    api: ShopifyServer, write: Write, headgate: Headgate, operation: str
) -> None:
    api.product("hat", [{"sku": "A", "price": "1.00"}])
    write(connection(api), "product_sets", [{"handle": "hat", "title": "T"}], "handle", operation=operation)
    for command in ("check", "run"):
        said = headgate(command, "data")
        assert said.code != 0
        assert "product_sets is written with variants" in said.out + said.err
    assert changes(api) == []


def test_a_product_without_rows_of_its_own_is_a_reject(api: ShopifyServer, write: Write, headgate: Headgate) -> None:
    api.product("hat", [{"sku": "A", "price": "1.00"}])
    rows = [{"handle": "hat", "title": "T", "variants": ""}, {"handle": "cap", "title": "T", "variants": "[]"}]
    fields = {"handle": {}, "title": {}, "variants": {"type": "json"}}
    write(connection(api), "product_sets", rows, "handle", fields=fields)
    assert "2 read = 2 rejected" in headgate("run", "data").out
    assert [v["sku"] for v in api.variants()] == ["A"]


def test_more_variants_than_can_be_read_are_left_alone(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate
) -> None:
    many = [{"options": [f"c{i}"], "sku": f"S{i}", "price": "1.00"} for i in range(101)]
    api.product("hat-0", many, ["Colour"])
    rows = [{**ROWS[0], "Colour": f"c{i}", "SKU": f"S{i}"} for i in range(101)]
    other = [{**r, "Handle": "hat-1"} for r in rows]
    fields = {k: v for k, v in FIELDS.items() if k != "option2"}
    take = {k: v for k, v in TAKE.items() if k != "option2"}
    sets(api, [*rows[:3], *other], fields, take)
    assert "2 read = 2 rejected" in headgate("run", "data").out
    reasons = [r["problems"][0]["reason"] for r in headgate("rejects", "1", "--json").json]
    assert reasons == [
        "the API gives this record in part only, so it is left as it is",
        "variants has 101 entries, and more than 100 cannot be read",
    ]
    assert changes(api) == []


def test_the_shops_own_limit_of_variants(sets: Callable[..., None], headgate: Headgate) -> None:
    with ShopifyServer(most_variants=3) as api:
        sets(api, ROWS[1:])
        assert "4 read = 1 created + 3 rejected" in headgate("run", "data").out
        reason = headgate("rejects", "1", "--json").json[0]["problems"][0]["reason"]
        assert reason == "The number of variants exceeds the limit of 3"


def test_products_are_deleted_and_come_back_with_their_variants(
    api: ShopifyServer, sets: Callable[..., None], write: Write, headgate: Headgate
) -> None:
    sets(api)
    assert headgate("run", "data").code == 0
    had = {h: prices(api, h) for h in api.sets()}
    write(connection(api), "product_sets", [{"handle": "hat-1"}], "handle", operation="delete")
    assert "1 read = 1 deleted" in headgate("run", "data").out
    assert len(api.variants()) == 12
    assert headgate("undo", "2").code == 0
    assert {h: prices(api, h) for h in api.sets()} == had
    assert api.sets()["hat-1"]["options"] == ["Colour", "Size"]


def test_they_are_mirrored(api: ShopifyServer, sets: Callable[..., None], headgate: Headgate) -> None:
    sets(api)
    assert headgate("run", "data").code == 0
    api.product("cap", [{"sku": "C", "price": "1.00"}])
    sets(api, changed(ROWS, "H0-redS", Price="1"), operation="mirror", limits={"deletes": "50%"})
    said = headgate("run", "data")
    assert "4 read = 1 updated + 3 unchanged" in said.out, said
    assert "1 deleted at the destination" in said.out
    assert sorted(api.sets()) == [f"hat-{i}" for i in range(4)]
    assert headgate("undo", "2").code == 0
    assert prices(api, "cap") == {"Default Title": "1.00"}
    assert prices(api, "hat-0")["red/S"] == "9.90"


def test_throttled_requests_are_sent_again(sets: Callable[..., None], headgate: Headgate) -> None:
    with ShopifyServer(bucket=(450.0, 4000.0)) as api:
        sets(api)
        later = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
        api.fault("status", status=200, body=later, has="productSet", times=3)
        assert "4 read = 4 created" in headgate("run", "data").out
        assert len(api.variants()) == 16
        sets(api, changed(ROWS, "H2-redM", Price="1"))
        assert "4 read = 1 updated + 3 unchanged" in headgate("run", "data").out
        assert prices(api, "hat-2")["red/M"] == "1.00"


@pytest.mark.parametrize(
    ("kind", "status"), [("cut_after", 0), ("cut_before", 0), ("status", 200), ("status_after", 200), ("status", 503)]
)
def test_nothing_is_done_twice_when_an_answer_is_lost(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate, kind: Any, status: int
) -> None:
    sets(api)
    api.fault(kind, status=status, has="productSet", skip=1)
    assert "4 read = 4 created" in headgate("run", "data").out
    assert len(api.variants()) == 16
    before = ids(api, "hat-1")
    sets(api, [{**r, "Price": "1"} for r in ROWS])
    api.fault(kind, status=status, has="productSet", skip=1)
    assert "4 read = 4 updated" in headgate("run", "data").out
    assert {v["price"] for v in api.variants()} == {"1.00"}
    assert ids(api, "hat-1") == before


@pytest.mark.parametrize("there", [False, True], ids=["created", "updated"])
@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_a_run_that_is_killed_goes_on(
    api: ShopifyServer, sets: Callable[..., None], headgate: Headgate, kind: Any, *, there: bool
) -> None:
    sets(api, app={"concurrency": 1})
    if there:
        assert headgate("run", "data").code == 0
        sets(api, [{**r, "Price": "1"} for r in ROWS], app={"concurrency": 1})
    sent = len(changes(api))
    api.fault(kind, has="productSet", skip=2, times=1)
    process = forked.start("run", "data", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(changes(api)) < sent + 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    said = headgate("run", "data")
    assert f"4 read = 4 {'updated' if there else 'created'}" in said.out, said
    assert {v["price"] for v in api.variants()} == {"1.00" if there else "9.90"}
    assert len(api.variants()) == 16
    assert headgate("undo", said.out.split()[1]).code == 0
    assert {v["price"] for v in api.variants()} == ({"9.90"} if there else set())
