"""What is done with a file: decided by comparing both ends, kept in plans and in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from headgate.model.errors import ConnectionFailed
from headgate.model.outcome import Outcome
from headgate.model.record import Origin, Problem, Reject
from headgate.model.spec import ImportSpec
from headgate.model.transfer import Template
from headgate.spi.source import Source
from headgate.spi.store import Store, Stored

# Not what goes along with the content, which is looked at where it is needed.
_STORED: Final = tuple(f.name for f in fields(Stored) if f.name not in ("permissions", "metadata"))
WRITES: Final = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where files come from and go to. Each call makes another connection; nothing is opened before it is used.

    Attributes:
        spec: the import.
        source, destination: what makes a connection.
        backup: what makes one to where overwritten files are kept; None where they are not, or in the destination's own place.
        manifest: gives the list that names are made of beside; None where there is none.
        is_manifest: tells by its path whether a file of the source is that list.
        paths: files and patterns of the source, from its connection's folder.
        lease: the import, as the ledger knows it.
    """

    spec: ImportSpec
    source: Callable[[], Store]
    destination: Callable[[], Store]
    backup: Callable[[], Store] | None
    manifest: Callable[[], Source] | None
    is_manifest: Callable[[str], bool]
    paths: list[str]
    lease: str

    @property
    def template(self) -> Template:
        """How names are made."""
        return Template(self.spec.destination.path or "")

    def kept(self, run_id: int, to: str) -> str:
        """Where what a run overwrites or deletes at a path is kept; empty where it is not."""
        backup = self.spec.transfer.backup
        return f"{backup.path.strip('/')}/{run_id}/{to}" if backup is not None else ""


@dataclass(frozen=True, slots=True)
class Move:
    """What is, or would be, done with one file.

    Attributes:
        number: the file's number within the run.
        outcome: how it ends if nothing goes wrong; already decided unless it is one of `WRITES`.
        to: its name at the destination; empty where it gets none.
        source: as it was listed; None for one that only the destination has.
        there: what was seen under that name; None where nothing was.
        problem: why it is refused.
        reason: why it is skipped.
    """

    number: int
    outcome: Outcome
    to: str
    source: Stored | None = None
    there: Stored | None = None
    problem: Problem | None = None
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether anything is done at the destination."""
        return self.outcome in WRITES

    @property
    def size(self) -> int:
        """Bytes to be sent."""
        sends = self.source is not None and self.outcome in (Outcome.CREATED, Outcome.UPDATED)
        return max(self.source.size, 0) if sends and self.source is not None else 0

    def reject(self, outcome: Outcome, problem: Problem) -> Reject:
        """The file as one that did not get through."""
        return Reject(self.number, outcome, (problem,), self.raw, Origin(file=self.shown))

    @property
    def shown(self) -> str:
        """Which file it is, for people."""
        return printable(self.source.path if self.source is not None else self.to)

    @property
    def raw(self) -> dict[str, str | None]:
        """What rejects say of it."""
        if self.source is None:
            return {"to": self.to}
        return {"path": self.shown, "size": str(self.source.size), "to": printable(self.to)}

    def body(self, kept: str) -> dict[str, Any]:
        """As the ledger has it.

        Args:
            kept: where what was there is kept.
        """
        source, there = _told(self.source), _told(self.there)
        return {"action": self.outcome.value, "to": self.to, "source": source, "there": there, "kept": kept}


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a move.

    Attributes:
        outcome: how it ended.
        problem: why it did not get through, if it did not.
        after: what lies at the destination now; None where nothing does.
        sent, resumed: bytes that were sent, and that had been there already.
        version: by what the destination still gives what lay there before; empty where it does not.
        error: the run cannot go on.
    """

    move: Move
    outcome: Outcome
    problem: Problem | None = None
    after: Stored | None = None
    sent: int = 0
    resumed: int = 0
    version: str = ""
    error: ConnectionFailed | None = None


def _told(one: Stored | None) -> dict[str, Any] | None:
    # Not asdict, which copies deeply: this is done for every file, twice.
    return {name: getattr(one, name) for name in _STORED} if one is not None else None


def stored(data: Mapping[str, Any] | None) -> Stored | None:
    """What `Move.body` said of a file."""
    return Stored(**{name: data[name] for name in _STORED if name in data}) if data is not None else None


def printable(path: str) -> str:
    """A path that may hold bytes which are no text, as text."""
    return path.encode(errors="surrogateescape").decode(errors="replace")
