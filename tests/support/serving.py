"""A real `headgate serve`, in a process of its own on a free port of this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import urllib3

from . import forked
from .ports import free_port
from .servers import START_SECONDS

_TOKEN = re.compile(r"\bhg_[\w-]{49}")


class Serving:
    """`headgate serve` of a project, from when it answers until the block is left.

    Args:
        folder: the project's.
        home: HEADGATE_HOME, where its ledger is; a folder beside the project's by default.
        options: further words of the command line, such as ``--no-auth``.
        token: what requests carry; by default the one that the server printed at its first start.
        more: further variables of its environment.

    Attributes:
        url: what paths of requests follow.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        home: Path | None = None,
        token: str | None = None,
        scheme: str = "http",
        ca: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.home = folder, home or folder.with_name(f"{folder.name}-home")
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.token = token or ""
        self._options, self._more = options, dict(more or {})
        self._errors = self.home / f"serve-{self.port}.err"
        # One answer a connection would do; a pool shows that connections can be used again.
        self.pool = urllib3.PoolManager(ca_certs=str(ca) if ca else None, retries=False, timeout=60)

    def __enter__(self) -> Self:
        with self._errors.open("wb") as errors:
            self.process = forked.start(
                *("serve", "--port", self.port, *self._options),
                cwd=self.folder,
                env={**os.environ, "HEADGATE_HOME": str(self.home), **self._more},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        try:
            self._wait()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        if not self.token and (found := _TOKEN.search(self.said)):
            self.token = found[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.clear()
        self.stop()

    @property
    def said(self) -> str:
        """What the server has printed."""
        return self._errors.read_text("utf-8", "replace")

    def stop(self) -> int:
        """Ask the server to end, wait until it has, and give its exit code. May be called twice."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        **more: Any,
    ) -> Answer:
        """One request.

        Args:
            body: bytes as they are; everything else as JSON.
            token: instead of the server's first one; "" for none.
        """
        carried = self.token if token is None else token
        sent = {"Authorization": f"Bearer {carried}"} if carried else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        answer = self.pool.request(method, self.url + path, body=body, headers={**sent, **(headers or {})}, **more)
        return Answer(answer.status, answer.headers, answer.data)

    def get(self, path: str, **more: Any) -> Answer:
        """See `ask`."""
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        """See `ask`."""
        return self.ask("POST", path, body, **more)

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.said}")
            try:
                if self.pool.request("GET", f"{self.url}/healthz", timeout=5).status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start: {self.said}")


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:500]!r}"
