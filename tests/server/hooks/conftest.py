"""Projects with hooks, served."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from support.hooking import SECRET, Place, define, serving


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs_postgres)])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, with a ledger of each kind in turn."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    home = tmp_path / "project"
    (home / "imports").mkdir(parents=True)
    ledger = "" if request.param == "sqlite" else request.getfixturevalue("pg_db")
    (home / "headgate.yaml").write_text(yaml.safe_dump({"ledger": ledger}))
    define(home, "orders")
    return home


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    with serving(folder) as found:
        yield found


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """One with a ledger in a file, for what has nothing to do with the ledger."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOOK_KEY", f"whsec_{base64.b64encode(b'k' * 24).decode()}")
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    home = tmp_path / "project"
    (home / "imports").mkdir(parents=True)
    (home / "headgate.yaml").write_text("")
    define(home, "orders")
    with serving(home, max_body=10_000) as found:
        yield found
