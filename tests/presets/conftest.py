"""A project that sends a CSV file to an application's API, by what a preset knows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.cli.main import run
from support.shop import Headgate, Said

Write = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, with a ledger of its own."""
    home = tmp_path / "here"
    (home / "imports").mkdir(parents=True)
    monkeypatch.chdir(home)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "state"))
    return home


@pytest.fixture
def headgate(folder: Path, capfd: pytest.CaptureFixture[str]) -> Headgate:
    """Runs a command in this process."""

    def command(*words: object) -> Said:
        capfd.readouterr()
        code = run([str(w) for w in words])
        return Said(code, *capfd.readouterr()).no_fault()

    return command


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes headgate.yaml with the connection `app`, data.csv, and imports/data.yaml that sends it to a table there."""

    def written(
        connection: Mapping[str, Any], table: str, rows: Sequence[Mapping[str, Any]], key: str | None, **definition: Any
    ) -> None:
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": {"app": dict(connection)}}))
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(columns), *(",".join(str(r.get(c, "")) for c in columns) for r in rows)]
        (folder / "data.csv").write_text("\n".join(lines) + "\n")
        whole = {
            "source": "data.csv",
            "operation": "upsert",
            "destination": {"connection": "app", "table": table},
            **({"key": key} if key else {}),
            **definition,
        }
        (folder / "imports" / "data.yaml").write_text(yaml.safe_dump(whole))

    return written
