"""A project whose imports read CSV files, and a server of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.runs import IMPORT, over
from support.serving import Serving


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, which is the current one."""
    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    (folder / "headgate.yaml").write_text("connections: {}\n")
    for name in ("orders", "stock"):
        (folder / "imports" / f"{name}.yaml").write_text(IMPORT.format(name=name))
        (folder / f"{name}.csv").write_text("sku,qty\na,1\nb,2\n=c,many\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "shop-home"))
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Serving]:
    with Serving(folder, "--concurrency", "2") as serving:
        yield serving


@pytest.fixture
def waiting(folder: Path) -> Iterator[Serving]:
    """A server without a worker: what is asked for waits."""
    with Serving(folder, "--no-worker") as serving:
        yield serving


@pytest.fixture
def done(server: Serving) -> Callable[..., dict[str, Any]]:
    """Asks for something and waits until it is over."""

    def ask(path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        answer = server.post(path, body, **more)
        assert answer.status == 202, answer
        return over(server, answer.json()["id"])

    return ask
