"""Logging in, and that nobody sees how."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.model.errors import SourceError
from headgate.testing.server import ApiServer
from support.api import TEXTS, Ask, Serve, read

LINK = {"path": "/link", "pagination": {"type": "link"}}
LOGINS: dict[str, dict[str, Any]] = {
    "bearer": {"type": "bearer", "token": ApiServer.TOKEN},
    "basic": {"type": "basic", "user": ApiServer.USER, "password": ApiServer.PASSWORD},
    "api_key": {"type": "api_key", "key": ApiServer.KEY},
    "api_key_query": {"type": "api_key", "name": "api_key", "key": ApiServer.KEY, "send": "query"},
    "oauth2": {
        "type": "oauth2",
        "token_url": "/token",
        "client_id": ApiServer.CLIENT,
        "client_secret": ApiServer.SECRET,
    },
}
WRONG: dict[str, dict[str, Any]] = {
    "bearer": {"token": "s3cret-wrong"},
    "basic": {"password": "s3cret-wrong"},
    "api_key": {"key": "s3cret-wrong"},
    "api_key_query": {"key": "s3cret-wrong"},
    "oauth2": {"client_secret": "s3cret-wrong"},
}


@pytest.mark.parametrize("login", LOGINS)
def test_every_page_is_asked_for_with_the_login(login: Any, serve: Serve, ask: Ask) -> None:
    assert read(ask(serve(login=login), connection={"auth": LOGINS[login]}, **LINK)) == TEXTS


@pytest.mark.parametrize("login", LOGINS)
def test_a_wrong_login_is_an_error_without_it(login: Any, serve: Serve, ask: Ask) -> None:
    api = serve(login=login)
    with pytest.raises(SourceError) as caught:
        read(ask(api, connection={"auth": LOGINS[login] | WRONG[login]}, **LINK))
    assert ": 401 Unauthorized; it said: {" in caught.value.message
    assert "s3cret" not in str(caught.value)
    assert "auth" in caught.value.hint
    assert len(api.asked) == 1


def test_no_login_is_an_error_that_says_how(serve: Serve, ask: Ask) -> None:
    with pytest.raises(SourceError, match="401 Unauthorized") as caught:
        read(ask(serve(login="bearer"), **LINK))
    assert caught.value.hint == "Say in the connection how to log in (auth)."


def test_a_login_that_ends_on_the_way_is_an_error_that_says_so(serve: Serve, ask: Ask) -> None:
    api = serve(login="bearer")
    api.fault("401", page=3)
    with pytest.raises(SourceError, match=r"\(page 3\): 401") as caught:
        read(ask(api, connection={"auth": LOGINS["bearer"]}, **LINK))
    assert "perhaps expired" in caught.value.hint


class TestOAuth2:
    def test_a_token_that_ends_on_the_way_is_fetched_anew(self, serve: Serve, ask: Ask) -> None:
        api = serve(login="oauth2", lives=2)
        assert read(ask(api, connection={"auth": LOGINS["oauth2"]}, **LINK)) == TEXTS
        assert [a.path for a in api.asked] == ["/token", "/link", "/link", "/link", "/token", "/link", "/link"]

    def test_a_new_token_that_is_refused_is_an_error(self, serve: Serve, ask: Ask) -> None:
        api = serve(login="oauth2", lives=0)
        with pytest.raises(SourceError, match="401"):
            read(ask(api, connection={"auth": LOGINS["oauth2"]}, **LINK))
        assert [a.path for a in api.asked] == ["/token", "/link", "/token", "/link"]

    def test_a_refresh_token_is_used(self, serve: Serve, ask: Ask) -> None:
        api = serve(login="oauth2", lives=2)
        auth = LOGINS["oauth2"] | {"refresh_token": api.REFRESH, "send": "body", "scope": "read write"}
        assert read(ask(api, connection={"auth": auth}, **LINK)) == TEXTS
        tokens = [a.body for a in api.asked if a.path == "/token"]
        assert len(tokens) == 2
        assert all("grant_type=refresh_token" in t and "scope=read+write" in t for t in tokens)

    def test_what_else_the_token_url_wants_is_sent(self, serve: Serve, ask: Ask) -> None:
        api = serve(login="oauth2")
        read(ask(api, connection={"auth": LOGINS["oauth2"] | {"params": {"audience": "a b"}}}, **LINK))
        assert api.asked[0].body == "grant_type=client_credentials&audience=a+b"
