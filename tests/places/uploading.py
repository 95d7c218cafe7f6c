"""What tests of imports of files share: a project with an outbox, and commands on it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from headgate.cli.main import run as headgate

from .conftest import Somewhere


@dataclass
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def counts(self) -> dict[str, int]:
        """Outcomes that are not zero."""
        account = self.json["account"]
        assert account["balance"] == 0
        return {k: v for k, v in account.items() if v and k not in ("read", "skips", "balance")}


@dataclass
class Outbox:
    """A project that sends the files of a folder somewhere."""

    folder: Path
    capture: Callable[[], tuple[str, str]]

    def define(self, to: Somewhere | None, path: str = "in/", name: str = "send", **more: Any) -> None:
        connections = {"far": to.options} if to is not None else {}
        (self.folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": connections}))
        definition = {
            "source": "outbox/",
            "operation": "upload",
            "destination": ({"connection": "far"} if to is not None else {}) | {"path": path},
        } | more
        (self.folder / "imports" / f"{name}.yaml").write_text(yaml.safe_dump(definition))

    def put(self, path: str, data: bytes, at: float | None = None) -> Path:
        """A file of the outbox, last changed at a time in seconds since 1970."""
        file = self.folder / "outbox" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if at is not None:
            os.utime(file, (at, at))
        return file

    def __call__(self, *words: object) -> Said:
        self.capture()
        code = headgate([str(w) for w in words])
        return Said(code, *self.capture())

    def run(self, *words: object) -> dict[str, int]:
        """Run it: the outcomes."""
        said = self("run", "send", "--json", *words)
        assert said.code in (0, 3), said
        return said.counts
