"""A project with two imports, and a server of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headgate.cli.main import run
from support.serving import Serving
from support.shop import Said

IMPORT = """
source: {name}.csv
fields: {{ sku: {{ from: sku, type: text }} }}
operation: append
destination: {{ connection: "sqlite:///shop.db", table: {name}, create: true }}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, which is the current one."""
    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text("connections: {}\n")
    for name in ("orders", "stock"):
        (folder / "imports" / f"{name}.yaml").write_text(IMPORT.format(name=name))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "shop-home"))
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Serving]:
    with Serving(folder) as serving:
        yield serving


@pytest.fixture
def headgate(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command in this process, in the server's project."""

    def command(*words: object) -> Said:
        capfd.readouterr()
        code = run([str(w) for w in words])
        return Said(code, *capfd.readouterr()).no_fault()

    return command
