"""A tap as a process of its own: its files, its output, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from headgate.model.errors import Cancelled, SourceError, UsageError
from headgate.spi.secrets import Secrets, is_secret

from .options import TapOptions

_SAID = 10
"""How many of a tap's last lines an error shows."""
_END = 64 << 10


class Tap:
    """A tap that can be started, several times one after the other.

    Args:
        options: the connection.
        base: folder that the tap runs in, and that paths start from.
        secrets: texts that references in the connection stood for.

    Attributes:
        name: what it is called in messages.
        secrets: what is not shown of it.
    """

    def __init__(self, options: TapOptions, base: Path, secrets: Sequence[str]) -> None:
        self._options, self._base = options, base
        self.name = Path(options.command[0]).name
        self.secrets = Secrets()
        self.secrets.add(*secrets)
        self._folder = tempfile.TemporaryDirectory(prefix="headgate-")
        self.folder = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._config: Path | None = None

    def discover(self) -> bytes:
        """The tap's catalog, as it writes it.

        Raises:
            SourceError: it cannot, or ends with a failure.
        """
        found = self.start("--discover").read()
        self.end("say what streams it has", "Name a file with its catalog (catalog: FILE), or say catalog: none.")
        return found

    def start(self, *words: str) -> IO[bytes]:
        """Start it; what it writes.

        Raises:
            UsageError: there is no such program.
        """
        self.stop()
        command = [*self._options.command, "--config", str(self._configured()), *words]
        try:
            with (self.folder / "said").open("wb") as said:
                # A group of its own, so that what the tap has started ends with it.
                self._process = subprocess.Popen(  # noqa: S603 - what the project says
                    command, cwd=self._base, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                    start_new_session=True,
                )  # fmt: skip
        except OSError as e:
            raise UsageError(
                f"the tap {self._options.command[0]} cannot be started: {e.strerror or e}",
                hint="Install it, or correct the connection's command.",
            ) from None
        assert self._process.stdout is not None
        return self._process.stdout

    def end(self, what: str, hint: str = "") -> None:
        """It has written everything: see how it ends.

        Args:
            what: it was asked to do.

        Raises:
            SourceError: with a failure, or not at all.
        """
        process = self._process
        assert process is not None
        try:
            code = process.wait(self._options.timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise SourceError(
                f"{self.name} has written everything and does not end", hint="The connection's timeout gives it longer."
            ) from None
        finally:
            self.stop()
        if self._cancelled:
            raise Cancelled(f"{self.name} was stopped")
        if code:
            how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
            raise SourceError(f"{self.name} could not {what}: it {how}{self.said()}", hint=hint)

    def said(self) -> str:
        """The last lines of what it has said on standard error, without secrets, each after a line end."""
        with suppress(OSError), (self.folder / "said").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _END))
            text = self.secrets.hide(file.read().decode("utf-8", "replace"))
            lines = deque((line for line in text.splitlines() if line.strip()), _SAID)
            return "".join(f"\n    {line.rstrip()}" for line in lines)
        return ""

    def cancel(self) -> None:
        """From any thread: end it, and what reads from it."""
        self._cancelled = True
        self._kill()

    def stop(self) -> None:
        """End it, if it still runs, and what it has started."""
        self._kill()
        if self._process is not None:
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def write(self, name: str, text: str) -> Path:
        """A file for the tap that nobody else may read."""
        path = self.folder / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
        return path

    def _configured(self) -> Path:
        if self._config is None:
            given = self._options.config
            config = _file(self._base / given) if isinstance(given, str) else given
            self.secrets.add(*_secrets(config))
            self._config = self.write("config.json", json.dumps(config))
        return self._config

    def close(self) -> None:
        """End it and remove its files."""
        self.stop()
        self._folder.cleanup()


def _file(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as e:
        raise UsageError(f"the tap's config {path} cannot be read: {e.strerror or e}") from None
    except ValueError as e:
        raise UsageError(f"the tap's config {path} is no JSON: {e.__class__.__name__}") from None
    if not isinstance(found, dict):
        raise UsageError(f"the tap's config {path} is no JSON object")
    return found


def _secrets(value: Any, name: str = "") -> list[str]:
    """The texts whose keys are called like secrets."""
    if isinstance(value, Mapping):
        return [s for k, v in value.items() for s in _secrets(v, k if is_secret(k) else name)]
    if isinstance(value, list):
        return [s for v in value for s in _secrets(v, name)]
    return [str(value)] if is_secret(name) and value is not None else []
