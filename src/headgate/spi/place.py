"""What a place is: somewhere files lie that is not this machine (an SFTP or FTP server, a bucket).

Paths are relative to what the connection's URL names, with ``/`` between their parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a place.

    Attributes:
        path: as above.
        size: bytes; -1 where that is not known before it is fetched.
        changed: when, in the place's own words; empty where it does not say. It differs after every change.
    """

    path: str
    size: int
    changed: str = ""


class Place(Protocol):
    """Where files lie. Used by one thread at a time."""

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """The files in a folder, in any order; also in the folders in it if `deep`. None where there is no such folder.

        Raises:
            SourceError: it may not be listed.
            ConnectionFailed: the place cannot be reached, or refuses the login.
        """
        ...

    def fetch(self, path: str, to: Path) -> None:
        """Copy a file here.

        Raises:
            SourceError: it is not there, may not be read, or there is no room.
            ConnectionFailed: the place cannot be reached, or the connection broke.
        """
        ...

    def move(self, path: str, to: str) -> None:
        """Rename a file within the place, over what is there; folders that it needs are made.

        Raises:
            SourceError, ConnectionFailed: it may not be, or as above.
        """
        ...

    def delete(self, path: str) -> None:
        """Remove a file.

        Raises:
            SourceError, ConnectionFailed: it may not be, or as above.
        """
        ...

    def close(self) -> None:
        """Disconnect. May be called twice."""
        ...


@runtime_checkable
class Finds(Protocol):
    """What a place may offer beside: a file by its path, where all of a folder cannot be listed."""

    def find(self, path: str) -> Entry | None:
        """The file; None where there is none."""
        ...


def is_pattern(path: str) -> bool:
    """Whether a path stands for several."""
    return _MAGIC.search(path) is not None


def looked_in(pattern: str) -> tuple[str, bool]:
    """The folder that holds all that a pattern matches, and whether that may be in folders below it."""
    parts = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if is_pattern(part)), len(parts) - 1)
    return "/".join(parts[:fixed]), fixed < len(parts) - 1


def below(path: str) -> str:
    """A path as a pattern: one that ends with ``/`` means all files below it."""
    return f"{path.rstrip('/')}/**/*" if path.endswith("/") else path


def matches(pattern: str, path: str) -> bool:
    """Whether a path is meant by a pattern: ``*`` and ``?`` for what is within one part, ``**`` for any number of folders.
    What begins with a dot is meant only where the pattern says so.
    """
    wanted, there = pattern.split("/"), path.split("/")
    return _match(wanted, there)


def _match(wanted: list[str], there: list[str]) -> bool:
    if not wanted:
        return not there
    if wanted[0] == "**":
        return any(
            _match(wanted[1:], there[i:]) for i in range(len(there) + 1) if not any(p[:1] == "." for p in there[:i])
        )
    if not there or (there[0].startswith(".") and not wanted[0].startswith(".")):
        return False
    return _part(wanted[0]).fullmatch(there[0]) is not None and _match(wanted[1:], there[1:])


@lru_cache(1_000)
def _part(pattern: str) -> re.Pattern[str]:
    found, i = "", 0
    while i < len(pattern):
        c, end = pattern[i], pattern.find("]", i + 2)
        if c == "[" and end > 0:
            inner = pattern[i + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            found += f"[^{inner[1:]}]" if inner[0] == "!" else f"[{inner}]"
            i = end
        else:
            found += {"*": ".*", "?": "."}.get(c, re.escape(c))
        i += 1
    return re.compile(found, re.DOTALL)
