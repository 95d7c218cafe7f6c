"""A real server: its first token, tokens and users over HTTP, sessions, the audit log."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from support.serving import Answer, Serving

PASSWORD = "correct horse battery"
OURS = {"Sec-Fetch-Site": "same-origin"}


def kept(home: Path) -> bytes:
    """All that is on the disk of the ledger."""
    return b"".join(p.read_bytes() for p in home.glob("ledger.db*"))


def cookie(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def log(server: Serving, query: str = "") -> list[tuple[str, str, str, str]]:
    return [(e["who"], e["action"], e["subject"], e["result"]) for e in server.get(f"/api/audit{query}").json()]


def test_the_first_token_is_shown_once(folder):
    with Serving(folder) as server:
        token = server.token
        assert server.said.count(token) == 1
        assert server.get("/api/me").json() == {"name": "first", "role": "admin", "imports": None}
        assert token.encode() not in kept(server.home)
    with Serving(folder, token=token) as server:
        assert "hg_" not in server.said
        assert server.get("/api/me").status == 200
        assert server.post("/api/tokens", {"name": "second", "role": "admin"}).status == 201
        assert server.ask("DELETE", "/api/tokens/first").status == 204
        assert server.get("/api/me").status == 401, "at once, as it was revoked here"
    with Serving(folder, token=token) as server:
        assert "hg_" not in server.said, "a token that was revoked is not made again"


def test_a_token_is_made_listed_used_and_revoked(server):
    made = server.post("/api/tokens", {"name": "shop", "role": "operator", "imports": ["orders"], "expires": "90d"})
    assert made.status == 201
    token = made.json()["token"]
    assert server.get("/api/me", token=token).json() == {"name": "shop", "role": "operator", "imports": ["orders"]}
    assert server.get("/api/tokens", token=token).status == 403
    first, second = server.get("/api/tokens").json()
    assert (first["name"], first["expires"]) == ("first", None)
    assert (second["name"], second["imports"], second["state"]) == ("shop", ["orders"], "valid")
    assert "token" not in second
    assert second["expires"] > second["created"]
    assert server.ask("DELETE", "/api/tokens/shop").status == 204
    assert server.get("/api/me", token=token).json()["detail"] == "the token shop is revoked"
    assert server.ask("DELETE", "/api/tokens/shop").status == 422
    assert server.ask("DELETE", "/api/tokens/shop%00").status == 404
    assert log(server, "?subject=shop") == [
        ("first", "token.revoke", "shop", "done"),
        ("first", "token.new", "shop", "done"),
    ]
    assert {e["address"] for e in server.get("/api/audit?who=first").json()} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": "a b", "role": "viewer"}, 422, "cannot be called"),
        ({"name": "", "role": "viewer"}, 422, "cannot be called"),
        ({"name": "a", "role": "king"}, 422, "no role 'king'"),
        ({"name": "a", "role": "viewer", "imports": ["order"]}, 422, "Did you mean 'orders'?"),
        ({"name": "a", "role": "viewer", "imports": []}, 422, "of no use"),
        ({"name": "a", "role": "admin", "imports": ["orders"]}, 422, "for all imports"),
        ({"name": "a", "role": "viewer", "expires": "soon"}, 422, "not a time to expire"),
        ({"name": "a", "role": "viewer", "expires": "0d"}, 422, "is over"),
        ({"name": "a", "role": "viewer", "expires": "999999w"}, 422, "not a time"),
        ({"name": "a", "role": "viewer", "expires": "2020-02-30"}, 422, "not a time"),
        ({"name": "first", "role": "viewer"}, 422, "there is a valid token"),
        ({"name": "a", "role": "viewer", "scope": "all"}, 422, "unknown field `scope`"),
        ({"name": "a"}, 422, "missing required field `role`"),
        ([], 422, "Expected `object`"),
        (b"{", 415, "must be JSON"),
    ],
)
def test_a_wrong_token_is_not_made(server, body, status, words):
    answer = server.post("/api/tokens", body)
    assert answer.status == status
    assert words in answer.json()["detail"] + answer.json().get("hint", "")
    assert [t["name"] for t in server.get("/api/tokens").json()] == ["first"]


def test_a_body_without_end_is_not_read(server):
    answer = server.post("/api/tokens", {"name": "a" * 70_000, "role": "viewer"})
    assert answer.status == 413


def test_a_person_signs_in_and_out(server):
    user = {"name": "ann", "role": "operator", "password": PASSWORD}
    assert server.post("/api/users", user).json()["role"] == "operator"
    assert server.post("/api/users", user).status == 422
    signed = server.post("/api/session", {"name": "ann", "password": PASSWORD}, token="")
    assert signed.status == 201
    attributes = signed.headers["Set-Cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    assert "path=/" in attributes
    mine = cookie(signed)
    assert mine["Cookie"].partition("=")[2].encode() not in kept(server.home)
    assert server.get("/api/me", token="", headers=mine).json()["name"] == "ann"
    assert server.ask("DELETE", "/api/session", token="", headers=mine).json()["code"] == "other-site"
    assert server.ask("DELETE", "/api/session", token="", headers=mine | OURS).status == 204
    assert server.get("/api/me", token="", headers=mine).status == 401
    assert log(server, "?who=ann") == [("ann", "session.end", "ann", "done"), ("ann", "session.begin", "ann", "done")]


def test_a_token_is_not_signed_out(server):
    assert server.ask("DELETE", "/api/session").json()["code"] == "not-signed-in"


def test_whether_there_is_such_a_user_is_not_told(server):
    server.post("/api/users", {"name": "ann", "role": "viewer", "password": PASSWORD})
    tries = [{"name": name, "password": "wrong"} for name in ("ann", "bob", "a\x00b", "")]
    answers = [server.post("/api/session", body, token="") for body in tries]
    assert {a.status for a in answers} == {401}
    assert len({a.body for a in answers}) == 1
    assert ("bob", "session.begin", "bob", "refused") in log(server)


def test_who_guesses_passwords_is_turned_away(server):
    server.post("/api/users", {"name": "ann", "role": "viewer", "password": PASSWORD})
    statuses = [server.post("/api/session", {"name": "ann", "password": "no"}, token="").status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    answer = server.post("/api/session", {"name": "ann", "password": PASSWORD}, token="")
    assert answer.status == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 61


def test_another_sites_form_does_not_sign_in(server):
    server.post("/api/users", {"name": "ann", "role": "viewer", "password": PASSWORD})
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = server.post("/api/session", {"name": "ann", "password": PASSWORD}, token="", headers=headers)
        assert answer.json()["code"] == "other-site"


@pytest.mark.parametrize(
    ("change", "works"),
    [
        ({"disabled": True}, None),
        ({"password": "another good password"}, "another good password"),
        ({"role": "viewer"}, PASSWORD),
        (None, None),
    ],
    ids=["disabled", "password", "role", "removed"],
)
def test_a_change_ends_sessions(server, change, works):
    server.post("/api/users", {"name": "ann", "role": "operator", "password": PASSWORD})
    mine = cookie(server.post("/api/session", {"name": "ann", "password": PASSWORD}, token=""))
    assert server.get("/api/me", token="", headers=mine).status == 200
    method = "PATCH" if change else "DELETE"
    assert server.ask(method, "/api/users/ann", change).status == 204
    assert server.get("/api/me", token="", headers=mine).status == 401
    for password in (PASSWORD, "another good password"):
        answer = server.post("/api/session", {"name": "ann", "password": password}, token="")
        assert answer.status == (201 if password == works else 401)
    assert server.ask(method, "/api/users/bob", change).status == 404


def test_a_short_password_is_refused(server):
    answer = server.post("/api/users", {"name": "ann", "role": "viewer", "password": "fourteen chars"})
    assert answer.status == 422
    assert "14 characters" in answer.json()["detail"]
    assert "fourteen chars" not in str(server.get("/api/audit").json())


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "before=%C2%B2", "since=soon", "until=9999", "whom=ann", "who=a%00b", f"limit={'9' * 5000}"],
)
def test_a_wrong_question_to_the_log_is_refused(server, query):
    answer = server.get(f"/api/audit?{query}")
    assert answer.status == 400, answer


def test_the_log_is_asked(server):
    for name in ("a", "b", "c"):
        server.post("/api/tokens", {"name": name, "role": "viewer"})
    assert [s for _, _, s, _ in log(server, "?action=token&limit=2")] == ["c", "b"]
    last = server.get("/api/audit?limit=1").json()[0]
    assert [s for _, _, s, _ in log(server, f"?before={last['id']}&limit=1")] == ["b"]
    assert log(server, "?since=2200-01-01") == []
    assert log(server, f"?until={last['at'][:10]}") == []


def test_use_is_written_down_when_the_server_ends(folder):
    with Serving(folder) as server:
        assert server.get("/api/me").status == 200
    with sqlite3.connect(f"file:{server.home / 'ledger.db'}?mode=ro", uri=True) as ledger:
        assert ledger.execute("select used from headgate_token").fetchone()[0]
    ledger.close()


def test_without_tokens_nobody_is_asked_on_this_machine(folder):
    with Serving(folder, "--no-auth") as server:
        assert server.get("/api/me").json()["role"] == "admin"
        assert server.post("/api/tokens", {"name": "a", "role": "viewer"}).status == 201
        assert server.get("/api/me", headers={"Host": "evil.example"}).status == 421
        answer = server.post("/api/tokens", {"name": "b", "role": "admin"}, headers={"Origin": "https://evil.example"})
        assert answer.status == 403


def test_only_a_trusted_proxy_says_who_the_client_is(folder):
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    with Serving(folder) as server:
        server.post("/api/tokens", {"name": "a", "role": "viewer"}, headers=headers)
        assert server.get("/api/audit?subject=a").json()[0]["address"] == "127.0.0.1"
        token = server.token
    with Serving(folder, "--proxy", "127.0.0.0/8", token=token) as server:
        answer = server.post("/api/tokens", {"name": "b", "role": "viewer"}, headers=headers)
        assert server.get("/api/audit?subject=b").json()[0]["address"] == "203.0.113.9"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        server.post("/api/users", {"name": "ann", "role": "viewer", "password": PASSWORD})
        signed = server.post("/api/session", {"name": "ann", "password": PASSWORD}, token="", headers=headers)
        assert signed.headers["Set-Cookie"].startswith("__Host-headgate=")
        assert "secure" in signed.headers["Set-Cookie"].lower()
        mine = cookie(signed)
        assert server.get("/api/me", token="", headers=mine | headers).json()["name"] == "ann"


def test_who_can_be_reached_by_others_is_told_that_tokens_can_be_seen(folder):
    with Serving(folder, "--host", "0.0.0.0") as server:
        assert "travel in the clear" in server.said
        token = server.token
    for options in ((), ("--host", "0.0.0.0", "--proxy", "10.0.0.1")):
        with Serving(folder, *options, token=token) as server:
            assert "travel in the clear" not in server.said
