"""A server whose ledger is in PostgreSQL, and somebody else who changes it."""

from __future__ import annotations

import time

import pytest

from headgate.app.access import Access
from headgate.app.project import Project, open_project
from headgate.ledger.access import AccessLedger
from headgate.model.access import Actor, Role
from headgate.server.access import OpenGuard, Principal
from headgate.server.audit import audit
from headgate.server.context import Context, ServeOptions
from support.serving import Serving


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def project(request: pytest.FixtureRequest, folder) -> Project:
    """The project, with its ledger in a file or in PostgreSQL."""
    if request.param == "postgres":
        (folder / "headgate.yaml").write_text(f"ledger: {request.getfixturevalue('pg_db')}\nconnections: {{}}\n")
    return open_project(folder)


def test_a_token_that_is_revoked_elsewhere_is_refused_soon(project):
    with Serving(project.folder) as server:
        access = Access(AccessLedger(project.open_ledger().store()), ["orders"])
        _, text = access.new_token("shop", "operator", Actor("elsewhere"))
        assert server.get("/api/me", token=text).status == 200
        access.ledger.revoke("shop", Actor("elsewhere"))
        end = time.monotonic() + 60
        while server.get("/api/me", token=text).status == 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert server.get("/api/me", token=text).status == 401
        assert [e["who"] for e in server.get("/api/audit?subject=shop").json()] == ["elsewhere", "elsewhere"]


def test_what_parts_of_the_server_do_is_in_the_log(project):
    context = Context(project, ServeOptions(), OpenGuard())
    audit(context, Principal("ann", Role.OPERATOR, address="10.0.0.1"), "run.start", 7, {"import": "orders"})
    audit(context, Principal("schedule nightly", Role.OPERATOR), "run.start", 8, result="busy")
    last, first = AccessLedger(project.ledger.store()).entries()
    assert (first.actor, first.subject, first.detail) == (Actor("ann", "10.0.0.1"), "7", {"import": "orders"})
    assert (last.actor.name, last.result, last.detail) == ("schedule nightly", "busy", {})


def test_two_servers_that_start_at_one_moment_make_one_first_token(project):
    one, two = (Access(AccessLedger(project.open_ledger().store()), []) for _ in range(2))
    two.ledger.has_tokens = lambda: False  # as it was when this one looked
    assert one.first_token(Actor("a"))
    assert two.first_token(Actor("b")) is None
    assert len(one.ledger.tokens()) == 1


def test_a_ledger_that_is_asked_beside_another_does_not_wait_for_it(project):
    ledger = AccessLedger(project.ledger.store())
    with project.ledger.store().transaction():
        beside = AccessLedger(open_ledger_of(project))
        assert beside.tokens() == []
    assert ledger.tokens() == []


def open_ledger_of(project: Project):
    ledger = project.open_ledger()
    return ledger._store
