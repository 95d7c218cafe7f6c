"""The guard, with a ledger and a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request

from headgate.app.access import Access
from headgate.app.tokens import is_whole, new_token
from headgate.ledger import open_ledger
from headgate.ledger.access import AccessLedger
from headgate.model.access import Actor, Role, Token
from headgate.model.errors import HeadgateError
from headgate.server.access import OpenGuard, Principal
from headgate.server.failures import Failures, place_of
from headgate.server.guard import LedgerGuard, LocalGuard
from headgate.server.presence import Presence
from headgate.server.problems import Problem

BY = Actor("test")


class Counting(AccessLedger):
    """Counts how often it is asked; can be out of reach."""

    asked = 0
    away = False

    def token_of(self, digest: str) -> Token | None:
        self.asked += 1
        if self.away:
            raise HeadgateError("the ledger cannot be used")
        return super().token_of(digest)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ledger(tmp_path: Path) -> Counting:
    return Counting(open_ledger(tmp_path / "ledger.db").store())


@pytest.fixture
def access(ledger: Counting) -> Access:
    return Access(ledger, ["orders", "stock-de"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(ledger: Counting, clock: Clock) -> LedgerGuard:
    return LedgerGuard(ledger, clock=clock, failures=Failures(3, 60.0, clock=clock))


def ask(
    token: str = "", *, method: str = "GET", client: str = "10.0.0.1", scheme: str = "http", **headers: str
) -> Request:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["authorization"] = f"Bearer {token}"
    return Request(
        {
            "type": "http", "method": method, "path": "/", "query_string": b"", "scheme": scheme, "client": (client, 5),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in sent.items()], "server": ("h", 80),
        }
    )  # fmt: skip


def refused(
    guard: OpenGuard | LedgerGuard, request: Request, role: Role = Role.VIEWER, name: str | None = None
) -> Problem:
    with pytest.raises(Problem) as caught:
        guard.admit(request, role, name)
    return caught.value


def test_who_is_known_is_let_in_without_asking_again(access, ledger, guard):
    _, text = access.new_token("shop", "operator", BY, imports=["orders", "stock-*"])
    for _ in range(5):
        assert guard.admit(ask(text), Role.OPERATOR, "orders") == Principal(
            "shop", Role.OPERATOR, frozenset({"orders", "stock-*"}), "10.0.0.1"
        )
    assert guard.admit(ask(text, client="10.0.0.9"), Role.VIEWER).address == "10.0.0.9"
    assert ledger.asked == 1


@pytest.mark.parametrize(("name", "status"), [("orders", 200), ("stock-de", 200), ("stock", 403), ("Orders", 403)])
def test_a_token_reaches_its_imports_only(access, guard, name, status):
    _, text = access.new_token("shop", "operator", BY, imports=["orders", "stock-*"])
    if status == 200:
        guard.admit(ask(text), Role.OPERATOR, name)
    else:
        assert refused(guard, ask(text), name=name).status == status


@pytest.mark.parametrize("role", list(Role))
def test_a_higher_role_may_what_a_lower_may(access, guard, role):
    _, text = access.new_token("shop", role.word, BY)
    for needed in Role:
        if role >= needed:
            assert guard.admit(ask(text), needed).role is role
        else:
            assert refused(guard, ask(text), needed).status == 403


def test_a_revoked_token_is_let_in_for_5_seconds_at_most(access, guard, clock):
    _, text = access.new_token("shop", "operator", BY)
    guard.admit(ask(text), Role.VIEWER)
    access.ledger.revoke("shop", BY)
    clock.now += 5
    problem = refused(guard, ask(text))
    assert (problem.status, problem.detail) == (401, "the token shop is revoked")


def test_a_revoked_token_is_not_let_in_while_the_ledger_is_away(access, ledger, guard, clock):
    _, text = access.new_token("shop", "operator", BY)
    guard.admit(ask(text), Role.VIEWER)
    ledger.away = True
    clock.now += 3.5
    with pytest.raises(HeadgateError):
        guard.admit(ask(text), Role.VIEWER)
    guard.admit(ask(text), Role.VIEWER)  # others go on for a moment
    for _ in range(3):
        clock.now += 1.5
        with pytest.raises(HeadgateError):
            guard.admit(ask(text), Role.VIEWER)
    ledger.away = False
    guard.admit(ask(text), Role.VIEWER)


def test_an_expired_token_is_not_let_in_though_it_is_known(ledger, guard, monkeypatch):
    text, now = new_token(), datetime.now(UTC)
    from headgate.app.tokens import digest_of

    ledger.add_token(Token("shop", Role.VIEWER, None, now, now + timedelta(hours=1)), digest_of(text), BY)
    guard.admit(ask(text), Role.VIEWER)
    guard._known[next(iter(guard._known))].expires = now.timestamp() - 1
    guard.admit(ask(text), Role.VIEWER)  # asked again, as what is known has expired
    assert ledger.asked == 2


def test_who_guesses_is_turned_away_for_a_while_and_who_is_known_is_not(access, ledger, guard, clock):
    _, text = access.new_token("shop", "operator", BY)
    guard.admit(ask(text), Role.VIEWER)
    statuses = [refused(guard, ask(new_token())).status for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert refused(guard, ask(new_token())).headers["Retry-After"] == "61"
    asked = ledger.asked
    refused(guard, ask(new_token()))
    assert ledger.asked == asked, "the ledger is not asked for who is turned away"
    guard.admit(ask(text), Role.VIEWER)
    clock.now += 4
    guard.admit(ask(text), Role.VIEWER)
    assert refused(guard, ask(new_token(), client="10.0.0.2")).status == 401, "another client is not turned away"
    clock.now += 60
    assert refused(guard, ask(new_token())).status == 401


@pytest.mark.parametrize("wrong", ["hg_", "x", "hg_" + "a" * 49, "\xff" * 52])
def test_what_is_no_token_is_told_without_asking(ledger, guard, wrong):
    problem = refused(guard, ask(wrong))
    assert (problem.status, problem.detail) == (401, "this is no token of Headgate")
    assert ledger.asked == 0


def test_a_typing_error_is_told():
    text = new_token()
    assert is_whole(text)
    for at in range(3, len(text)):
        assert not is_whole(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    assert not is_whole(text[:-1])


def test_meeting_somebody_is_admitting_without_waiting(access, ledger, guard):
    _, text = access.new_token("shop", "operator", BY)

    async def both() -> None:
        await guard.meet(ask(text))
        assert ledger.asked == 1
        guard.admit(ask(text), Role.VIEWER)
        assert ledger.asked == 1
        with pytest.raises(Problem):
            await guard.meet(ask(new_token()))

    asyncio.run(both())


def test_use_is_written_down_once_in_a_while(access, guard):
    _, text = access.new_token("shop", "operator", BY)
    guard.admit(ask(text), Role.VIEWER)
    assert access.ledger.tokens()[0].used is None

    async def going() -> None:
        presence = Presence(guard)
        await presence.start()
        await presence.stop()

    asyncio.run(going())
    assert access.ledger.tokens()[0].used is not None


PASSWORD = "correct horse battery"


@pytest.fixture
def session(access: Access) -> Callable[..., Request]:
    access.add_user("ann", "operator", PASSWORD, BY)
    text = access.sign_in("ann", PASSWORD, "10.0.0.1")

    def request(method: str = "POST", cookie: str = "headgate", **headers: str) -> Request:
        return ask(method=method, host="shop.example", cookie=f"{cookie}={text}", **headers)

    return request


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://shop.example"},
        {"sec_fetch_site": "same-origin", "origin": "https://behind.example"},
    ],
)
def test_our_own_pages_act_for_who_is_signed_in(guard, session, headers):
    assert guard.admit(session(**headers), Role.OPERATOR).name == "ann"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "https://shop.example"},
        {"origin": "https://evil.example"},
        {"origin": "https://shop.example.evil.example"},
        {"origin": "null"},
    ],
)
def test_others_pages_do_not(guard, session, headers):
    assert refused(guard, session(**headers)).code == "other-site"
    assert guard.admit(session("GET", **headers), Role.VIEWER).name == "ann", "reading is not acting"


def test_a_session_ends_when_it_is_ended(access, guard, session, clock):
    guard.admit(session("GET"), Role.VIEWER)
    access.ledger.set_disabled("ann", True, BY)
    clock.now += 5
    assert refused(guard, session("GET")).status == 401


def test_the_cookie_of_plain_http_is_not_taken_over_tls(guard, session):
    request = session("GET")
    request.scope["scheme"] = "https"
    assert refused(guard, request).status == 401


def test_a_session_is_no_token_and_a_token_no_session(access, guard, session):
    text = session("GET").cookies["headgate"]
    assert refused(guard, ask(text)).status == 401
    _, token = access.new_token("shop", "operator", BY)
    assert refused(guard, ask(cookie=f"headgate={token}")).status == 401


@pytest.mark.parametrize("host", ["localhost:8321", "127.0.0.1", "[::1]:8321"])
def test_without_tokens_this_machine_is_let_in(host):
    assert LocalGuard().admit(ask(host=host, method="POST"), Role.ADMIN).role is Role.ADMIN


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "other-host"),
        ({"host": "[::1"}, "other-host"),
        ({}, "other-host"),
        ({"host": "localhost", "origin": "https://evil.example"}, "other-site"),
        ({"host": "localhost", "sec_fetch_site": "cross-site"}, "other-site"),
    ],
)
def test_without_tokens_pages_of_others_are_not(headers, code):
    assert refused(LocalGuard(), ask(method="POST", **headers)).code == code


def test_failures_are_bounded_and_over_after_a_while(clock):
    failures = Failures(2, 10.0, keys=3, clock=clock)
    for key in "aabbccdd":
        failures.add(key)
    assert [failures.wait(key) for key in "abcd"] == [0, 10.0, 10.0, 10.0]
    clock.now += 10
    assert failures.wait("d") == 0
    failures.add("d")
    assert failures.wait("d") == 0, "it is counted anew"
    failures.add("d")
    assert failures.wait("d") == 10.0
    failures.forget("d")
    assert failures.wait("d") == 0


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_a_client_is_counted_by_its_network(address, place):
    assert place_of(address) == place
