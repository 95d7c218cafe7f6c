"""Tokens, users, sessions and the audit log, in both kinds of ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headgate.ledger import Ledger, open_ledger
from headgate.ledger.access import AccessLedger
from headgate.model.access import Actor, Entry, Role, Token, User
from headgate.model.errors import UsageError

BY = Actor("local:ann", "10.0.0.1")
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
TOKEN = Token("ci", Role.OPERATOR, ("orders", "stock-*"), NOW)
USER = User("ann", Role.ADMIN, False, NOW)


@pytest.fixture
def access(ledger: Ledger) -> AccessLedger:
    return AccessLedger(ledger.store())


def actions(access: AccessLedger, **more: object) -> list[tuple[str, str]]:
    return [(e.action, e.subject) for e in access.entries(**more)]  # type: ignore[arg-type]


def test_a_token_is_found_by_its_digest(access):
    assert not access.has_tokens()
    assert access.add_token(TOKEN, "d1", BY)
    assert access.has_tokens()
    assert access.token_of("d1") == TOKEN
    assert access.token_of("d2") is None
    assert access.tokens() == [TOKEN]


def test_a_token_for_all_imports_is_not_one_for_none(access):
    access.add_token(replace(TOKEN, imports=None), "d1", BY)
    access.add_token(replace(TOKEN, name="none", imports=()), "d2", BY)
    assert access.token_of("d1").imports is None
    assert access.token_of("d2").imports == ()


def test_only_the_first_token_is_first(access):
    assert access.add_token(TOKEN, "d1", BY, first=True)
    assert not access.add_token(replace(TOKEN, name="other"), "d2", BY, first=True)
    assert [t.name for t in access.tokens()] == ["ci"]
    assert actions(access) == [("token.new", "ci")]


def test_a_name_is_given_twice_only_when_its_token_is_of_no_use(access):
    access.add_token(TOKEN, "d1", BY)
    with pytest.raises(UsageError, match="there is a valid token 'ci'"):
        access.add_token(TOKEN, "d2", BY)
    access.revoke("ci", BY)
    access.add_token(replace(TOKEN, created=NOW + DAY, expires=NOW + 2 * DAY), "d2", BY)
    assert access.token_of("d1") is None
    access.add_token(replace(TOKEN, created=NOW + 3 * DAY), "d3", BY)
    assert access.token_of("d2") is None
    assert access.token_of("d3").state() == "valid"


def test_a_revoked_token_is_known_as_such(access):
    access.add_token(TOKEN, "d1", BY)
    access.revoke("ci", BY)
    assert access.token_of("d1").state() == "revoked"
    with pytest.raises(UsageError, match="is revoked"):
        access.revoke("ci", BY)
    with pytest.raises(UsageError, match="there is no token 'cj'"):
        access.revoke("cj", BY)
    assert actions(access) == [("token.revoke", "ci"), ("token.new", "ci")]


def test_a_user_changes(access):
    access.add_user(USER, "h1", BY)
    with pytest.raises(UsageError, match="there is a user 'ann'"):
        access.add_user(USER, "h2", BY)
    assert access.users() == [USER]
    assert access.password("ann") == "h1"
    access.set_password("ann", "h2", BY)
    access.set_role("ann", Role.VIEWER, BY)
    assert access.password("ann") == "h2"
    access.set_disabled("ann", True, BY)
    assert access.password("ann") is None
    assert access.users() == [User("ann", Role.VIEWER, True, NOW)]
    access.set_disabled("ann", False, BY)
    assert access.password("ann") == "h2"
    access.remove_user("ann", BY)
    assert access.users() == []
    for change in (access.remove_user, lambda n, by: access.set_role(n, Role.ADMIN, by)):
        with pytest.raises(UsageError, match="there is no user 'ann'"):
            change("ann", BY)
    told = ["user.remove", "user.enable", "user.disable", "user.role", "user.password", "user.add"]
    assert [a for a, _ in actions(access, action="user")] == told


@pytest.mark.parametrize(
    "change",
    [
        lambda access: access.set_password("ann", "h2", BY),
        lambda access: access.set_role("ann", Role.VIEWER, BY),
        lambda access: access.set_disabled("ann", True, BY),
        lambda access: access.remove_user("ann", BY),
        lambda access: access.end_session("s1", Actor("ann")),
        lambda access: access.note_used({}, {"s1": NOW}),
    ],
    ids=["password", "role", "disabled", "removed", "ended", "expired"],
)
def test_a_session_ends_with_a_change(access, change):
    access.add_user(USER, "h1", BY)
    access.begin_session("s1", Actor("ann", "10.0.0.2"), NOW + DAY)
    assert access.session_user("s1", DAY) == USER
    assert access.session_user("s2", DAY) is None
    assert access.session_user("s1", timedelta(0)) is None, "it must not go on for ever"
    change(access)
    assert access.session_user("s1", DAY) is None


def test_nobody_who_is_not_there_is_signed_in(access):
    with pytest.raises(UsageError, match="there is no user"):
        access.begin_session("s1", Actor("bob"), NOW + DAY)


def test_use_is_noted(access):
    access.add_token(TOKEN, "d1", BY)
    access.add_user(USER, "h1", BY)
    access.begin_session("s1", Actor("ann"), NOW - DAY)
    access.note_used({"d1": NOW, "gone": NOW}, {"s1": NOW + DAY})
    assert access.token_of("d1").used == NOW
    assert access.session_user("s1", DAY) == USER


def test_what_failed_is_not_in_the_log(access):
    access.add_token(TOKEN, "d1", BY)
    for _ in range(2):
        with pytest.raises(UsageError):
            access.add_token(TOKEN, "d2", BY)
    assert [e.id for e in access.entries()] == [1]


def test_the_log_is_filtered(access):
    access.enter(Entry(Actor("ann", "10.0.0.1"), "run.start", "orders", detail={"run": 7}))
    access.enter(Entry(Actor("bob"), "run.cancel", "orders", "busy"))
    access.enter(Entry(Actor("ann"), "runs.look", "stock"))
    first = access.entries()[-1]
    assert (first.id, first.actor, first.detail) == (1, Actor("ann", "10.0.0.1"), {"run": 7})
    assert [e.id for e in access.entries(limit=2)] == [3, 2]
    assert [e.id for e in access.entries(before=3)] == [2, 1]
    assert [e.id for e in access.entries(who="ann")] == [3, 1]
    assert [e.id for e in access.entries(action="run")] == [2, 1], "a kind is not a beginning of a word"
    assert [e.id for e in access.entries(action="run.cancel")] == [2]
    assert [e.id for e in access.entries(subject="orders", who="bob")] == [2]
    assert [e.id for e in access.entries(since=first.at)] == [3, 2, 1]
    assert access.entries(until=first.at) == []
    assert access.entries(since=NOW + DAY) == []


def test_it_is_still_there_when_the_ledger_is_opened_again(place, access):
    access.add_token(TOKEN, "d1", BY)
    with open_ledger(place) as again:
        assert AccessLedger(again.store()).token_of("d1") == TOKEN
