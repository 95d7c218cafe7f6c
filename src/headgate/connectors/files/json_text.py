"""The bytes of a JSON file, as UTF-8."""

from __future__ import annotations

import codecs
import contextlib
import tempfile
from pathlib import Path
from typing import BinaryIO

from headgate.model.errors import SourceError

from .base import Input

BLOCK = 256 << 10
_HEAD = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Utf8:
    """A JSON file as UTF-8 without its byte order mark; through a temporary copy where it is in another encoding.

    Raises:
        SourceError: the file is not in the encoding the definition names, or that name is none.
    """

    def __init__(self, given: Input) -> None:
        self.name = given.name
        with given.path.open("rb") as f:
            start = f.read(4)
        self.encoding = given.options.encoding or next((name for bom, name in _BOMS if start.startswith(bom)), "utf-8")
        self.begin = len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0
        self.path = given.path
        self._kept = contextlib.ExitStack()
        try:
            same = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")
        except LookupError:
            raise SourceError(f"{self.encoding!r} is not an encoding", hint="Try utf-8, latin-1 or cp1252.") from None
        if not same:
            folder = Path(self._kept.enter_context(tempfile.TemporaryDirectory()))
            self.path = folder / "utf8.json"
            self.begin = 0
            self._transcode(given.path)
        self.size = self.path.stat().st_size

    def _transcode(self, path: Path) -> None:
        try:
            with path.open(encoding=self.encoding, newline="") as f, self.path.open("wb") as out:
                while text := f.read(BLOCK):
                    out.write(text.encode())
        except UnicodeError as e:
            self.close()
            raise SourceError(f"{self.name} is not {self.encoding}: {e}", hint="Set source.encoding.") from None

    def open(self, offset: int = 0) -> BinaryIO:
        """The bytes from `offset`, at least from behind the byte order mark."""
        f = self.path.open("rb")
        f.seek(max(offset, self.begin))
        return f

    def head(self) -> tuple[bytes, bool]:
        """The first megabyte, and whether that is all."""
        with self.open() as f:
            head = f.read(_HEAD)
            return head, not f.read(1)

    def place(self, offset: int) -> str:
        """An offset as a person counts: line and column (of bytes), 1-based."""
        line, column, left = 1, 1, offset - self.begin
        with self.open() as f:
            while left > 0 and (block := f.read(min(left, BLOCK))):
                left -= len(block)
                line += block.count(b"\n")
                cut = block.rfind(b"\n")
                column = len(block) - cut if cut >= 0 else column + len(block)
        return f"line {line}, column {column}"

    def close(self) -> None:
        """Remove the temporary copy. May be called twice."""
        self._kept.close()
