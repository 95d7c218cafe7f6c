"""What a store is: a place (`headgate.spi.place`) that files can also be put into.

A file is sent under another name and published when it is whole and checked, or, where a store cannot rename, put in one
act of the store's own. So nobody who looks ever sees half of one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from headgate.model.errors import DestinationError

from .place import Place

PART: Final = re.compile(r"\.headgate-[0-9a-f]{8}-[0-9a-f]{16}\.part")
"""Names of files that are not whole yet: of which import, and of which state of which source."""

HEADERS: Final = ("Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language")
"""What metadata says of a file in the words of HTTP, as which a store gives it back; all other names are the users' own."""
PERMISSIONS: Final = 0o777
"""The bits that are permissions: not setuid, setgid and sticky, which say how a file is run, and go nowhere."""


def aside(part: str) -> str:
    """Where what a part is to replace can wait until the part has its name, in a store that does not rename over what is there."""
    folder, slash, name = part.rpartition("/")
    whose = name[: name.rindex("-") + 1]
    return f"{folder}{slash}{whose}{hashlib.sha256(part.encode(errors='surrogateescape')).hexdigest()[:16]}.part"


class Changed(DestinationError):
    """What lies at a path is not what was seen there before; it was left alone."""


class Differs(DestinationError):
    """What arrived is not what was sent."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a store.

    Attributes:
        path: relative to what the connection's URL names, with ``/`` between its parts.
        size: bytes; -1 where the store does not say.
        changed: when, in the store's own words, the same whether it was listed or looked at; empty where it does not say.
        modified_ns: the time of change as nanoseconds since 1970 in UTC, where the store says it.
        digest: of its content, where the store knows it without reading the file (``md5:…``).
        version: by what the store gives this state of the file even when another one has taken its place; empty where it
            does not keep it, and in lists, which do not say it.
        permissions: of `PERMISSIONS`; None where the store does not say them.
        metadata: what the store keeps beside the content, by the names of `HEADERS` and the users' own, other than the time
            of change; nothing in lists, which do not say it.
    """

    path: str
    size: int
    changed: str = ""
    modified_ns: int | None = None
    digest: str = ""
    version: str = ""
    permissions: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def modified(self) -> float | None:
        """The time of change as seconds since 1970 in UTC."""
        return None if self.modified_ns is None else self.modified_ns / 1_000_000_000

    def as_old(self, other: Stored) -> bool | None:
        """Whether both changed at the same time, to the second; None where that is not known."""
        if self.modified_ns is None or other.modified_ns is None:
            return None
        return self.modified_ns // 1_000_000_000 == other.modified_ns // 1_000_000_000

    def same(self, other: Stored | None) -> bool:
        """Whether it is the state of a file that `other` is."""
        return other is not None and (self.size, self.changed) == (other.size, other.changed)


@dataclass(frozen=True, slots=True)
class Can:
    """What a store can.

    Attributes:
        parts: files are sent under another name, go on where they were left, and are published by renaming.
        modified: a file keeps the time of change of the one it is a copy of, to the second.
        noted: it keeps that time as a note beside the file, which `Store.look` says; lists say when the file was put there.
        permissions: a file may have those of the one it is a copy of.
        metadata: a file may have that of the one it is a copy of, all of it.
        lists: it says what is in a folder; without, every file is looked at by its name.
        deletes: files can be taken away.
        addresses: its paths are parts of addresses, in which a ``%`` begins what stands for another character.
    """

    parts: bool = True
    modified: bool = True
    noted: bool = False
    permissions: bool = False
    metadata: bool = False
    lists: bool = True
    deletes: bool = True
    addresses: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """How a file is sent.

    Attributes:
        at: bytes of it that are there already, of a store with `Can.parts`.
        modified_ns: the time of change to be kept, nanoseconds since 1970 in UTC; None for none, and of a store without
            `Can.modified`.
        over: what lies there, and may be replaced; None where nothing may lie there. Only for a store without `Can.parts`.
        permissions: what it is to have when this returns, and is for nobody but its owner before; None for what the store
            gives new files, and of one without `Can.permissions`.
        metadata: what is to be kept beside it, as of `Stored`; only for a store with `Can.metadata`.
        told: is called with every number of bytes that are on their way; what it raises ends the sending.
    """

    told: Callable[[int], None]
    at: int = 0
    modified_ns: int | None = None
    over: Stored | None = None
    permissions: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Store(Place, Protocol):
    """A place that files can be put into. Used by one thread at a time.

    Every act raises `SourceError` or `DestinationError` where the store refuses it, and `ConnectionFailed` where it cannot
    be reached or the connection broke; after that it connects anew with the next act.

    Attributes:
        name: for people, without secrets.
    """

    name: str

    @property
    def can(self) -> Can:
        """What it can; may connect to find out."""
        ...

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        """As `Place.files`, with what a store says more."""
        ...

    def look(self, path: str) -> Stored | None:
        """The file at a path; None where there is none."""
        ...

    def read(self, path: str) -> Iterator[bytes]:
        """The content of a file, piece by piece."""
        ...

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        """Write a file to a path, folders that it needs included; with `Sending.at`, what follows those bytes.

        Returns:
            What lies there now.

        Raises:
            Changed: something else lies there than `Sending.over` says.
            Differs: the store says another digest than what was sent has.
        """
        ...

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        """Give a part its name.

        Args:
            over: as of `Sending`.

        Returns:
            What lies there now.

        Raises:
            Changed: something else lies there.
        """
        ...

    def copy(self, path: str, to: str) -> None:
        """Have a file's content under another name of the store too, without sending it anew; where a store can neither
        copy nor link, it is renamed, and no longer under its own."""
        ...


@runtime_checkable
class Here(Protocol):
    """What a store of this machine offers beside: its files as they are, without copying them first."""

    def here(self, path: str) -> Path:
        """Where a file lies."""
        ...


@runtime_checkable
class Addressed(Protocol):
    """What a store offers beside to whose files other connections may lead too."""

    def address(self) -> str:
        """What its paths are below: the server, who logs in, and the folder, the same for every connection that leads there;
        without secrets. May connect to find out."""
        ...


@runtime_checkable
class Versions(Protocol):
    """What a store offers beside that keeps what was overwritten or deleted."""

    def fetch_version(self, path: str, version: str, to: Path) -> Stored:
        """Copy an earlier state of a file here.

        Args:
            version: as of `Stored`.

        Returns:
            What it was.

        Raises:
            SourceError: it is not there any more.
        """
        ...
