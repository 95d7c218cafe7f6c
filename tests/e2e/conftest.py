"""The command line as a person uses it, in this process: what it printed, and its exit code."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.cli.main import run


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Headgate = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, with a ledger of its own."""
    home = tmp_path / "here"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    return home


@pytest.fixture
def headgate(folder: Path, capfd: pytest.CaptureFixture[str]) -> Headgate:
    """Runs a command; a traceback is a failure whatever the exit code."""

    def command(*words: object) -> Said:
        capfd.readouterr()
        code = run([str(w) for w in words])
        said = Said(code, *capfd.readouterr())
        assert "Traceback" not in said.err, said.err
        return said

    return command


@pytest.fixture
def rows(folder: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    """Asks the SQLite file shop.db of the current folder."""

    def ask(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(folder / "shop.db")) as connection:
            return connection.execute(query).fetchall()

    return ask
