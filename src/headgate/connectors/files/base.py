"""What the formats of the files connector have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headgate.model.spec import SourceSpec
from headgate.spi.source import Scan


@dataclass(frozen=True, slots=True)
class Input:
    """One uncompressed local file to be read.

    Attributes:
        name: the file as the user named it, for messages and origins.
        path: where its bytes are (a temporary copy for standard input and compressed files).
        options: the definition's source.
    """

    name: str
    path: Path
    options: SourceSpec


@dataclass(frozen=True, slots=True)
class Piece:
    """One file to be read, perhaps still compressed.

    Attributes:
        name: as a person would name it (``inbox/a.csv``, ``a.zip: b.csv``).
        path: the file, or the archive it is in.
        compression: ``none``, ``gzip``, ``bzip2``, ``xz``, ``zstd`` or ``zip``.
        member: its name inside a zip archive.
        size: bytes when uncompressed, 0 if that is not known.
    """

    name: str
    path: Path
    compression: str = "none"
    member: str = ""
    size: int = 0


class Format(Protocol):
    """A format: opens one input. `headgate.connectors.files.formats` names them all."""

    def __call__(self, given: Input, sheet: str | None = None) -> Scan:
        """Open the input, look at its beginning, and raise `SourceError` if it is not of this format."""
        ...
