"""What a connection becomes that names a preset, and the command that lists them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.connectors.http.options import ApiKeyAuth, BearerAuth, OAuth2, read
from headgate.connectors.http.presets import filled, presets
from headgate.model.errors import UsageError
from support.shop import Headgate

Write = Callable[..., None]
SHOP = {"preset": "shopify", "shop": "hats", "auth": {"key": "k"}}
CRM: dict[str, Any] = {"preset": "hubspot", "auth": {"token": "t"}}


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_connection_and_says_what_it_is(name: str) -> None:
    preset = presets()[name]
    settings = {s: about.get("default", "one") for s, about in preset["settings"].items()}
    told = read({"preset": name, "url": f"preset://{name}", **settings, **_logged_in(preset.get("auth"))})
    assert told.url.startswith("https://")
    assert set(told.resources) == set(preset["resources"])
    assert "{" not in told.url
    assert "has not met" in preset["notes"]
    assert preset["documentation"].startswith("https://")
    assert all(about["description"] for about in preset["settings"].values())


def _logged_in(auth: Any) -> dict[str, Any]:
    auth = auth[0] if isinstance(auth, list) else auth
    needs = {"bearer": {"token": "t"}, "api_key": {"key": "k"}, "oauth2": {"client_id": "c", "token_url": "/t"}}
    return {"auth": needs[auth["type"]] if auth else {"type": "bearer", "token": "t"}}


def test_settings_are_put_in_and_may_have_their_suffix() -> None:
    assert filled(SHOP)["url"] == "https://hats.myshopify.com/admin/api/2026-10"
    other = filled({**SHOP, "shop": "hats.myshopify.com", "version": "2026-07"})
    assert other["url"] == "https://hats.myshopify.com/admin/api/2026-07"
    assert {"preset", "shop", "version"}.isdisjoint(other)


def test_options_without_a_preset_stay_as_they_are() -> None:
    options = {"url": "https://api.example.com", "rate": "5/s"}
    assert filled(options) == options


def test_what_a_connection_says_itself_goes_before() -> None:
    own = {"rate": "19/s", "resources": {"contacts": {"find": {"batch": 10}}, "p_cars": {"key": "plate"}}}
    told = read({**CRM, "url": "https://proxy.example.com", **own})
    assert (told.url, told.rate) == ("https://proxy.example.com", "19/s")
    find = told.resources["contacts"].find
    assert find is not None
    assert (find.batch, find.path) == (10, "/crm/v3/objects/contacts/batch/read")
    cars = told.resources["p_cars"]
    assert cars.create is not None
    assert (cars.key, cars.create.path) == (["plate"], "/crm/v3/objects/p_cars/batch/create")


def test_the_login_is_completed_or_replaced() -> None:
    assert read({**SHOP, "url": "preset://shopify"}).auth == ApiKeyAuth(
        type="api_key", name="X-Shopify-Access-Token", key="k"
    )
    assert read({**CRM, "url": "preset://hubspot"}).auth == BearerAuth(type="bearer", token="t")
    told = read({**SHOP, "auth": {"type": "oauth2", "client_id": "c"}}).auth
    assert isinstance(told, OAuth2)
    assert (told.token_url, told.header) == ("/admin/oauth/access_token", "X-Shopify-Access-Token")
    told = read({**CRM, "auth": {"type": "oauth2", "token_url": "/oauth/v1/token", "client_id": "c"}}).auth
    assert isinstance(told, OAuth2)
    assert isinstance(read({**SHOP, "auth": {"type": "bearer", "token": "t"}}).auth, BearerAuth)


def test_one_connection_does_not_change_another() -> None:
    read({**CRM, "resources": {"contacts": {"find": {"batch": 10}}}})
    find = read(CRM).resources["contacts"].find
    assert find is not None
    assert find.batch == 100


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "hubspott"}, "there is no preset 'hubspott'"),
        ({"preset": "shopify"}, "the preset shopify needs shop: the shop's name"),
        ({**SHOP, "shop": "evil.example.com/x?"}, "shop of the preset shopify has other characters"),
        ({**CRM, "colour": "red"}, "colour"),
        ({"preset": "hubspot"}, "auth.bearer.token"),
        ({**CRM, "resources": ["contacts"]}, "resources"),
    ],
)
def test_mistakes_are_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read({"url": "preset://x", **options})


def test_a_preset_that_is_not_there_is_said_by_the_commands(folder: Path, headgate: Headgate) -> None:
    (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"app": {"preset": "nothing"}}}))
    said = headgate("connections", "--test")
    assert said.code == 1
    assert "there is no preset 'nothing'" in said.out
    said = headgate("connections", "presets", "nothing")
    assert said.code == 2
    assert "hubspot, shopify" in said.err.replace("salesforce, ", "")


def test_the_command_lists_what_is_known(headgate: Headgate) -> None:
    rows = headgate("connections", "presets", "--json").json
    assert [r["preset"] for r in rows] == sorted(presets())
    (shop,) = [r for r in rows if r["preset"] == "shopify"]
    assert shop["resources"]["variants"] == ["find", "update"]
    assert shop["settings"]["version"]["default"] == "2026-10"
    assert shop["fields"]["variants"]["price"] == "decimal(18,2)"
    said = headgate("connections", "presets").out
    assert "  contacts: find, create, update, upsert, delete, listing\n" in said
    assert "  contacts/companies: find, create, update, delete\n" in said
    assert "has not met" not in said
    assert "decimal" not in said
    (alone,) = headgate("connections", "presets", "shopify", "--json").json
    assert alone == shop
    said = headgate("connections", "presets", "shopify").out
    assert "    sku text, price decimal(18,2), " in said
    assert "    each of variants: option1 text, option2 text, " in said
    assert shop["entries"]["product_sets"]["variants"]["price"] == "decimal(18,2)"
    assert "listing" in shop["resources"]["product_sets"]
    assert "has not met" in said
    assert "  version (2026-10): version of the API" in said
    assert shop["documentation"] in said
    said = headgate("connections", "presets", "hubspot").out
    assert "    only written: associations.contacts, associations.companies, " in said
    assert "    from_id text, to_id text\n" in said


def test_pairs_have_what_is_said_of_pairs() -> None:
    told = read({**CRM, "url": "preset://hubspot", "resources": {"p_cars/contacts": {}}})
    cars = told.resources["p_cars/contacts"]
    assert cars.create is not None
    assert cars.create.path == "/crm/v4/associations/p_cars/contacts/batch/associate/default"
    assert (cars.key, cars.listing, cars.nested) == (["from_id", "to_id"], None, "")
