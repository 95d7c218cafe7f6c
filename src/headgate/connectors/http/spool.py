"""Pages kept in a file, so that they can be read as often as one likes while the API is asked once."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from headgate.model.errors import SourceError
from headgate.model.request import RequestSpec

from .newest import Newest
from .pages import Asking, Found


class Spool:
    """The records of a request, in a file that grows while pages are asked for.

    Args:
        folder: where the file is made; removed by whoever gave it.
        newest: which records are new, of an incremental request.

    Attributes:
        path: the file: JSON Lines, or an answer as it is.
        whole: whether it is an answer as it is.
        records: how many records the file has, where it is JSON Lines.
        pages: how many pages were read.
        done: whether all of them were.
        asking: what asks for them.
    """

    def __init__(self, asking: Asking, spec: RequestSpec, folder: Path, newest: Newest | None = None) -> None:
        self.path = folder / "records"
        self.whole = False
        self.records = self.pages = 0
        self.done = False
        self._size = 0
        self._head: list[bytes] = []
        self.asking = asking
        self.newest = newest
        values = {"since": msgspec.json.encode(newest.begin)} if newest is not None else {}
        self._pages: Iterator[Found] = asking.found(spec, values)
        self._read = 0
        self._failed: SourceError | None = None
        self.path.touch()

    def advance(self, size: int | None = None) -> None:
        """Ask on until the file has `size` bytes, or for all there is.

        Raises:
            SourceError: a page cannot be had; asked again, the same.
        """
        for _ in self.steps(size):
            pass

    def steps(self, size: int | None = None) -> Iterator[int]:
        """The same page by page, each time giving how many records there are."""
        if self._failed is not None:
            raise self._failed
        while not self.done and (size is None or self._size < size):
            self._step()
            yield self.records

    def _step(self) -> None:
        try:
            page = next(self._pages, None)
            self.pages = self.asking.pages
            if page is None:
                self.done = True
                self._check_newest()
            else:
                self._keep(page)
        except SourceError as e:
            self._failed = e
            raise
        except OSError as e:
            self._failed = SourceError(
                f"the records cannot be kept in {self.path.parent}: {e.strerror or e}",
                hint="Make room there, or set TMPDIR to another folder.",
            )
            raise self._failed from e
        except BaseException:
            # What asks for pages cannot go on, and its end must not be taken for the end of the records.
            self._failed = SourceError("the API was not read to its end")
            raise

    def digest(self) -> str:
        """SHA-256 of all records."""
        self.advance()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _check_newest(self) -> None:
        if self.newest is not None and self._read and not self.newest.found:
            raise SourceError(
                f"no record has {self.newest.column!r}, by which it is known what is new",
                hint="Check source.incremental.column.",
            )

    def _keep(self, page: Found) -> None:
        if page.whole:
            if self.newest is not None:
                raise SourceError("what is new is told of JSON and XML only", hint="Leave source.incremental out.")
            self._keep_whole(page)
            return
        self._read += len(page.lines)
        lines = page.lines if self.newest is None else [line for line in page.lines if self.newest.is_new(line)]
        self.records += len(lines)
        with self.path.open("ab") as out:
            for line in lines:
                out.write(line)
                out.write(b"\n")
            self._size = out.tell()

    def _keep_whole(self, page: Found) -> None:
        """Keep an answer as it is; of later pages not the header, if it is that of the first.

        Raises:
            SourceError: a later page has other columns than the first, or in another order.
        """
        body = page.answer.body
        if not self.whole:
            self.whole = True
            with body.open("rb") as file:
                self._head = _words(file.readline(1 << 16))
            body.replace(self.path)
        else:
            with closing(self.path.open("ab+")) as out, body.open("rb") as file:
                if out.seek(0, 2):
                    out.seek(-1, 2)
                    if out.read(1) != b"\n":
                        out.write(b"\n")
                first = file.readline(1 << 16)
                if (words := _words(first)) != self._head:
                    if how := _other_header(words, self._head):
                        raise SourceError(
                            f"page {page.page.number} has {how}: {first.decode('utf-8', 'replace').strip()}",
                            hint="Ask the API for the same columns in the same order, or for JSON.",
                        )
                    out.write(first)
                while block := file.read(1 << 16):
                    out.write(block)
        self._size = self.path.stat().st_size


def _other_header(words: list[bytes], head: list[bytes]) -> str:
    """How a later page's header differs from the first one's, in words; empty where the line is a record."""
    if any(w[:1].isdigit() for w in (*words, *head)):
        return ""
    if sorted(words) == sorted(head):
        return "the columns of the first page in another order"
    there, first = set(words), set(head)
    if min(len(there), len(first)) > 1 and (there > first or there < first):
        return "other columns than the first page"
    return ""


def _words(line: bytes) -> list[bytes]:
    """What stands in a line of CSV, however it is separated and quoted."""
    return re.findall(rb"[^\W]+", line.removeprefix(codecs.BOM_UTF8)) or [line.strip()]
