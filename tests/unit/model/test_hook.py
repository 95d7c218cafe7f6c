"""What a definition may say of a hook."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.model.hook import HookSpec, PlaceSpec
from headgate.model.spec import ImportSpec

S = "${env:SECRET}"
GITHUB = {"style": "github", "secret": S}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing about who sends": ({}, "verify"),
    "a style without a secret": ({"verify": {"style": "github"}}, "style: github needs a secret"),
    "a secret written down": ({"verify": {"style": "github", "secret": "hunter2"}}, "a secret is a reference"),
    "one of two secrets written down": ({"verify": {"style": "github", "secret": [S, "x"]}}, "a secret is a reference"),
    "none with a secret": ({"verify": {"style": "none", "secret": S}}, "secret does not go with style: none"),
    "a header of a known style": ({"verify": GITHUB | {"header": "X"}}, "header does not go with style: github"),
    "a tolerance without a signed time": ({"verify": GITHUB | {"tolerance": "1m"}}, "tolerance does not go with"),
    "a tolerance that is none": ({"verify": {"style": "stripe", "secret": S, "tolerance": "soon"}}, "no duration"),
    "a style nobody knows": ({"verify": {"style": "sha", "secret": S}}, "style"),
    "hmac without a header": ({"verify": {"style": "hmac", "secret": S}}, "needs the header"),
    "hmac that does not sign the body": ({"verify": {"style": "hmac", "secret": S, "header": "X", "signed": "x"}}, "has {body} once"),
    "hmac with a time nobody signed": (
        {"verify": {"style": "hmac", "secret": S, "header": "X", "timestamp": "T"}}, "a time nobody signed"),
    "hmac that signs no time": (
        {"verify": {"style": "hmac", "secret": S, "header": "X", "signed": "{timestamp}.{body}"}}, "a time nobody signed"),
    "a token nowhere": ({"verify": {"style": "token", "secret": S}}, "either in a header or in a parameter"),
    "a token twice": ({"verify": {"style": "token", "secret": S, "header": "X", "query": "k"}}, "either in a header"),
    "a prefix of a parameter": ({"verify": {"style": "token", "secret": S, "query": "k", "prefix": "x"}}, "prefix goes with a header"),
    "a password without a user": ({"verify": {"style": "basic", "secret": S}}, "needs a user"),
    "an id in two places": ({"verify": GITHUB, "id": {"path": "a", "header": "B"}}, "either at a path or in a header"),
    "an id nowhere": ({"verify": GITHUB, "id": {}}, "either at a path or in a header"),
    "no event at all": ({"verify": GITHUB, "event": {"path": "type", "in": []}}, "in"),
    "a time to keep that is none": ({"verify": GITHUB, "keep": "forever"}, "no duration"),
    "a challenge without its token": ({"verify": GITHUB, "challenge": "meta"}, "needs the token"),
    "a challenge with a token too many": ({"verify": GITHUB, "challenge": {"style": "slack", "token": S}}, "needs the token"),
    "a token written down": ({"verify": GITHUB, "challenge": {"style": "meta", "token": "t"}}, "a token is a reference"),
    "records of a run": ({"verify": GITHUB, "start": True, "records": "x"}, "would not be looked at"),
    "a run before the answer": ({"verify": GITHUB, "start": True, "accept": "destination"}, "comes later"),
}  # fmt: skip


@pytest.mark.parametrize("why", WRONG)
def test_what_makes_no_sense_is_refused(why):
    given, message = WRONG[why]
    with pytest.raises(ValidationError, match=message):
        HookSpec.model_validate(given)


IDS = {
    "standard": ({"style": "standard", "secret": S}, PlaceSpec(header="webhook-id")),
    "svix": ({"style": "standard", "secret": S, "header": "svix"}, PlaceSpec(header="svix-id")),
    "github": (GITHUB, PlaceSpec(header="X-GitHub-Delivery")),
    "shopify": ({"style": "shopify", "secret": S}, PlaceSpec(header="X-Shopify-Webhook-Id")),
    "stripe": ({"style": "stripe", "secret": S}, PlaceSpec(path="id")),
    "slack": ({"style": "slack", "secret": S}, PlaceSpec(path="event_id")),
    "none": ({"style": "none"}, None),
}


@pytest.mark.parametrize("style", IDS)
def test_where_an_id_is_follows_from_the_style(style):
    how, place = IDS[style]
    assert HookSpec.model_validate({"verify": how}).id_place == place
    assert HookSpec.model_validate({"verify": how, "id": "data.id"}).id_place == PlaceSpec(path="data.id")


def test_slack_asks_by_itself():
    found = HookSpec.model_validate({"verify": {"style": "slack", "secret": S}}).challenged
    assert found is not None
    assert found.style == "slack"
    assert HookSpec.model_validate({"verify": GITHUB}).challenged is None


IMPORT = {
    "key": "id",
    "destination": {"connection": "shop", "table": "orders"},
    "hook": {"verify": GITHUB, "records": "data"},
}


def test_an_import_of_events_needs_no_source_and_reads_one_from_standard_input():
    spec = ImportSpec.model_validate(IMPORT)
    assert (spec.source.path, spec.source.format, spec.source.records) == ("-", "json", "data")
    assert ImportSpec.model_validate(IMPORT | {"source": "a.csv"}).source.path == "a.csv"


def test_a_run_that_is_started_needs_a_source():
    started = IMPORT | {"hook": {"verify": GITHUB, "start": True}}
    with pytest.raises(ValidationError, match="needs a source to read"):
        ImportSpec.model_validate(started)
    assert ImportSpec.model_validate(started | {"source": "a.csv", "operation": "mirror"}).hook.start


def test_mirror_is_not_fed_by_events():
    with pytest.raises(ValidationError, match="mirror needs all records"):
        ImportSpec.model_validate(IMPORT | {"operation": "mirror"})
