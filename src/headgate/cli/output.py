"""What commands print: text for people, JSON for programs, progress on the side."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from headgate.engine.runner import Progress
    from headgate.model.errors import HeadgateError

from headgate.model.counting import counted

PLAIN_EVERY = 5.0  # seconds between lines of progress where there is no terminal

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def console() -> Console:
    """A console on standard output; without a terminal it writes plain text, wide enough not to break lines."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 100)


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n")


def error_json(error: HeadgateError, code: int) -> dict[str, Any]:
    """An error as JSON shows it."""
    told = {"kind": type(error).__name__, "message": error.message, "hint": error.hint, "exit_code": code}
    return {"error": told}


class Watcher:
    """Shows progress on standard error: a live line on a terminal, otherwise a plain line every few seconds.

    Args:
        name: of what is going on.
        quiet: show nothing.
        as_json: likewise, and the end is not shown as text either.
    """

    def __init__(self, name: str, *, quiet: bool, as_json: bool) -> None:
        self._name = name
        self._quiet = quiet = quiet or as_json
        self._imports = not as_json  # what shows the end
        self._started = self._said = time.monotonic()
        self._live: Any = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=8, transient=True)
            self._live.start()

    def __call__(self, progress: Progress) -> None:
        """Take note of progress."""
        if progress.phase == "matching" and self._imports:
            self._imports = False  # once is enough
            # While the destination works there is time to import what shows the end.
            threading.Thread(target=importlib.import_module, args=("headgate.report.page",), daemon=True).start()
        if self._live is not None:
            self._live.update(self._line(progress))
        elif not self._quiet and time.monotonic() - self._said > PLAIN_EVERY:
            self._said = time.monotonic()
            click.echo(self._line(progress), err=True)

    def _line(self, p: Progress) -> str:
        seconds = max(time.monotonic() - self._started, 0.001)
        if p.phase == "sending":
            share = f"  {p.fraction:.0%}" if p.fraction is not None else ""
            return f"{self._name}: {p.phase}{share}  {p.partition}  {counted(p.read, 'file')}  {counted(p.rejects, 'reject')}"
        parts = [
            f"{self._name}: {p.phase}",
            f"{counted(p.read, 'record')}",
            f"{p.read / seconds:,.0f}/s",
            f"{p.rejects:,} rejects",
        ]
        if p.fraction is not None:
            parts.insert(1, f"{p.fraction:.0%}")
            if 0.02 < p.fraction < 1 and p.phase == "reading":
                parts.append(f"about {seconds / p.fraction * (1 - p.fraction):,.0f} s to read")
        return "  ".join(parts)

    def close(self) -> None:
        """Take the live line away."""
        if self._live is not None:
            self._live.stop()


@contextmanager
def watching(name: str, *, quiet: bool, as_json: bool) -> Iterator[Watcher]:
    """Progress of one execution; see `Watcher`."""
    watcher = Watcher(name, quiet=quiet, as_json=as_json)
    try:
        yield watcher
    finally:
        watcher.close()
