"""Tokens, users and the audit log at the command line."""

from __future__ import annotations

import io
import os
import re
import select
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from support.forked import PROGRAM
from support.serving import Serving

PASSWORD = "correct horse battery"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    def send(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return send


def test_a_token_made_here_opens_a_server(headgate, folder):
    said = headgate("tokens", "new", "shop", "--role", "operator", "--import", "orders", "--import", "stock*")
    assert said.code == 0, said
    token = said.out.strip()
    assert re.fullmatch(r"hg_[\w-]{49}", token)
    assert "shown only once" in said.err
    assert token not in said.err
    with Serving(folder, token=token) as server:
        assert "first token" not in server.said, "there is one"
        assert server.get("/api/me").json()["imports"] == ["orders", "stock*"]
        listed = headgate("tokens", "list", "--json").json
        assert [(t["name"], t["state"]) for t in listed] == [("shop", "valid")]
        assert headgate("tokens", "revoke", "shop").out == "shop is revoked.\n"
    with Serving(folder, token=token) as server:
        assert server.get("/api/me").status == 401
    assert "revoked" in headgate("tokens", "list").out


def test_tokens_as_json(headgate):
    made = headgate("tokens", "new", "a", "--role", "viewer", "--expires", "never", "--json").json
    assert (made["expires"], made["imports"], made["token"][:3]) == (None, None, "hg_")
    assert headgate("tokens", "revoke", "a", "--json").json == {"revoked": "a"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tokens", "new", "a b", "--role", "viewer"], "cannot be called"),
        (["tokens", "new", "a"], "Missing option '--role'"),
        (["tokens", "new", "a", "--role", "king"], "'king' is not one of"),
        (["tokens", "new", "a", "--role", "viewer", "--import", "order"], "Did you mean 'orders'?"),
        (["tokens", "new", "a", "--role", "viewer", "--expires", "tomorrow"], "not a time to expire"),
        (["tokens", "revoke", "a"], "there is no token 'a'"),
        (["tokens", "revoke", "\udcff"], "cannot be called"),
        (["users", "remove", "\udcff"], "cannot be called"),
        (["tokens", "burn"], "No such command 'burn'"),
        (["users", "role", "ann", "admin"], "there is no user 'ann'"),
        (["users", "disable", "ann"], "there is no user 'ann'"),
        (["users", "remove", "ann"], "there is no user 'ann'"),
        (["users", "add", "ann", "--role", "viewer", "--password", PASSWORD], "No such option"),
        (["audit", "--since", "soon"], "'soon' does not match"),
        (["serve", "--proxy", "example.com"], "is no address and no network"),
    ],
)
def test_wrong_use_is_told(headgate, words, told):
    said = headgate(*words)
    assert said.code == 2
    assert told in said.err


@pytest.mark.parametrize("words", [["tokens", "list"], ["users", "list"], ["audit"]])
def test_without_a_project_there_is_nobody(headgate, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "this is none" in headgate(*words).err


def test_nothing_is_said_to_be_nothing(headgate):
    assert headgate("tokens", "list").out == "There is no token; headgate serve makes the first.\n"
    assert headgate("users", "list").out == "There is no user; headgate users add makes one.\n"
    assert headgate("audit").out == "Nothing of the kind was done.\n"
    for words in (["tokens", "list"], ["users", "list"], ["audit"]):
        assert headgate(*words, "--json").json == []


def test_a_user_is_added_changed_and_removed(headgate, typed, folder):
    typed(f"{PASSWORD}\n")
    assert headgate("users", "add", "ann", "--role", "admin").out == "ann may sign in as admin.\n"
    typed("another good password\r\n")
    assert headgate("users", "password", "ann").code == 0
    assert headgate("users", "role", "ann", "viewer", "--json").json == {"changed": "ann", "role": "viewer"}
    with Serving(folder) as server:
        for password, status in ((PASSWORD, 401), ("another good password", 201)):
            assert server.post("/api/session", {"name": "ann", "password": password}, token="").status == status
        headgate("users", "disable", "ann")
        assert server.post("/api/session", {"name": "ann", "password": "another good password"}, token="").status == 401
        headgate("users", "enable", "ann")
        assert server.post("/api/session", {"name": "ann", "password": "another good password"}, token="").status == 201
    assert headgate("users", "list", "--json").json[0]["role"] == "viewer"
    assert headgate("users", "remove", "ann").out == "ann is removed.\n"
    done = [e["action"] for e in headgate("audit", "--subject", "ann", "--action", "user", "--json").json]
    assert done == [f"user.{v}" for v in ("remove", "enable", "disable", "role", "password", "add")]
    assert PASSWORD not in headgate("audit", "--json").out


def test_a_password_comes_from_somewhere(headgate, typed):
    typed("")
    said = headgate("users", "add", "ann", "--role", "viewer")
    assert (said.code, "no password on standard input" in said.err) == (2, True)
    typed("short\n")
    said = headgate("users", "add", "ann", "--role", "viewer")
    assert "it must have 15 to 256" in said.err


@pytest.mark.skipif(os.name == "nt", reason="not stated: there are no pseudo-terminals")
def test_a_person_is_asked_for_it_twice_and_unseen(folder):
    import pty

    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", PROGRAM, "users", "add", "ann", "--role", "viewer"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    seen = b""
    for prompt in (b"Password: ", b"Repeat for confirmation: "):
        while prompt not in seen:
            assert select.select([ours], [], [], 60)[0], seen
            seen += os.read(ours, 1000)
        os.write(ours, f"{PASSWORD}\n".encode())
    while b"may sign in" not in seen:
        assert select.select([ours], [], [], 60)[0], seen
        seen += os.read(ours, 1000)
    assert process.wait(60) == 0
    os.close(ours)
    assert PASSWORD.encode() not in seen


def test_the_log_is_shown(headgate):
    for name in ("a", "b"):
        headgate("tokens", "new", name, "--role", "viewer")
    said = headgate("audit", "--action", "token.new", "--limit", "1")
    assert "token.new" in said.out
    assert " b " in said.out
    assert " a " not in said.out
    entry = headgate("audit", "--json").json[0]
    assert entry["who"].startswith("local:")
    assert entry["detail"]["role"] == "viewer"
    assert headgate("audit", "--since", "2200-01-01").out == "Nothing of the kind was done.\n"
    assert len(headgate("audit", "--until", "2200-01-01", "--json").json) == 2
    assert headgate("audit", "--who", "nobody", "--json").json == []
    assert headgate("audit", "--who", "no\udcffbody", "--json").json == []


def test_no_secret_is_on_the_disk(headgate, typed, folder, tmp_path: Path):
    typed(f"{PASSWORD}\n")
    headgate("users", "add", "ann", "--role", "viewer")
    token = headgate("tokens", "new", "a", "--role", "viewer").out.strip()
    kept = b"".join(p.read_bytes() for p in (tmp_path / "shop-home").glob("ledger.db*"))
    assert b"scrypt$32768$8$3$" in kept
    for secret in (PASSWORD, token, token[3:20]):
        assert secret.encode() not in kept
    with sqlite3.connect(tmp_path / "shop-home" / "ledger.db") as ledger:
        assert len(ledger.execute("select digest from headgate_token").fetchone()[0]) == 64
    ledger.close()
