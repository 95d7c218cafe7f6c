"""A project with hooks, served in this process, and who sends to it."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from headgate.app.project import Project, open_project
from headgate.model.answer import Answer, RecordOutcome
from headgate.model.event import Entry, Stage
from headgate.model.outcome import Outcome
from headgate.model.record import Problem
from headgate.server.access import OpenGuard
from headgate.server.app import create_app
from headgate.server.context import ServeOptions
from headgate.server.hooks import Hooks, add
from support.asgi import Asgi, Said

SECRET = "s3cret"
GITHUB = {"style": "github", "secret": "${env:HOOK_SECRET}"}
JSON = {"Content-Type": "application/json"}


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Engine:
    """Stands for imports of records: remembers what it was given, and does what it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[dict[str, Any]], str]] = []
        self.wrong: list[Exception] = []
        self.outcomes: Callable[[Mapping[str, Any]], Outcome] = lambda _: Outcome.CREATED
        self.held = threading.Event()
        self.held.set()
        self.came = threading.Event()
        self._lock = threading.Lock()

    def submit(
        self,
        import_name: str,
        records: Sequence[Mapping[str, Any]],
        *,
        dry_run: bool = False,
        idempotency_key: str = "",
    ) -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(target=self._work, args=(future, import_name, records, idempotency_key), daemon=True).start()
        return future

    def _work(self, future: Future[Any], name: str, records: Any, key: str) -> None:
        self.came.set()
        assert self.held.wait(60)
        with self._lock:
            if self.wrong:
                future.set_exception(self.wrong.pop(0))
                return
            self.got.append((name, records, key))
        problem = Problem("TY02", '"x" is not a decimal(10,2)', "price", "price", "x")
        made = [self.outcomes(r) for r in records]
        future.set_result(Answer([RecordOutcome(o, problems=(problem,) if o is Outcome.INVALID else ()) for o in made]))


class Place:
    """A project with hooks, served."""

    def __init__(self, asgi: Asgi, project: Project, engine: Engine, hooks: Hooks) -> None:
        self.asgi, self.project, self.engine, self.hooks = asgi, project, engine, hooks
        self.inbox = hooks.inbox

    def post(self, name: str, event: Any, headers: Mapping[str, str] | None = None, **how: Any) -> Said:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        signed = {"X-Hub-Signature-256": f"sha256={hmac.new(SECRET.encode(), body, 'sha256').hexdigest()}"}
        return self.asgi.call("POST", f"/hooks/{name}", body, JSON | signed | dict(headers or {}), **how)

    def until(self, stage: Stage, count: int = 1, name: str = "") -> list[Entry]:
        """Wait until so many events have come so far."""
        end = time.monotonic() + 60
        while len(found := self.inbox.entries(name, stage, limit=1000)) < count:
            assert time.monotonic() < end, self.inbox.entries()
            time.sleep(0.01)
        assert len(found) == count
        return list(found)

    def define(self, name: str, **hook: Any) -> None:
        define(self.project.folder, name, **hook)


def define(folder: Path, name: str, **hook: Any) -> None:
    definition = {
        "key": "id",
        "destination": {"connection": "sqlite:///shop.db", "table": name},
        "hook": {"verify": GITHUB} | hook,
    }
    if hook.get("start"):
        definition["source"] = "orders.csv"
    (folder / "imports" / f"{name}.yaml").write_text(yaml.safe_dump(definition))


@contextmanager
def serving(folder: Path, engine: Engine | None = None, **options: Any) -> Iterator[Place]:
    project, engine = open_project(folder), engine or Engine()
    app = create_app(project, ServeOptions(**options), OpenGuard())
    app.state.components = [add(app.state.context, engine)]
    with Asgi(app) as asgi:
        yield Place(asgi, project, engine, app.state.context.part(Hooks))
    project.ledger.close()
