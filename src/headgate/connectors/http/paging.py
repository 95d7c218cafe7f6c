"""How pages follow each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from headgate.model.request import (
    CursorPagination,
    LinkPagination,
    NextPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)

from .document import Document, NoSuchPath, is_true, members, text, what

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w*!-]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]+))?)*)')
_OFTEN = (10, 20, 25, 30, 50, 100, 200, 250, 500, 1000)
_COUNT = re.compile(r"[0-9]{1,18}")
_PARAM = re.compile(r';\s*([\w*!-]+)\s*=\s*(?:"([^"]*)"|([^",;\s]+))')


@dataclass(frozen=True, slots=True)
class Turn:
    """What asks for a page.

    Attributes:
        params: parameters by name.
        url: the page's own URL, perhaps relative; empty where there is none.
    """

    params: Mapping[str, str | int] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What was found on a page.

    Attributes:
        number: counted from 1.
        count: records on it.
        document: the answer, if it is JSON.
        last: the last record as written.
        headers: by name in lower case.
    """

    number: int
    count: int
    document: Document | None
    last: bytes
    headers: Mapping[str, str]

    def get(self, path: str) -> bytes:
        """What the answer has at a path, ``null`` where there is nothing."""
        return self.document.get(path) if self.document is not None else b"null"


class NoCursor(ValueError):
    """What should ask for the next page cannot; the message says what it is."""


class Pager(Protocol):
    """Asks for one page after another."""

    def first(self) -> Turn:
        """What asks for the first page."""
        ...

    def next(self, page: Page) -> Turn | None:
        """What asks for the page after this one; None if it is the last.

        Raises:
            NoCursor: the page has something in its place that cannot be asked with.
        """
        ...


class Once:
    """There is one page."""

    def first(self) -> Turn:
        """See `Pager`."""
        return Turn()

    def next(self, page: Page) -> Turn | None:
        """See `Pager`."""
        del page
        return None


class Counted:
    """Pages by number."""

    def __init__(self, spec: PagePagination) -> None:
        self._spec = spec

    def first(self) -> Turn:
        """See `Pager`."""
        return self._turn(self._spec.start)

    def next(self, page: Page) -> Turn | None:
        """See `Pager`. A page with fewer records than were asked for is not the last: APIs give fewer than one asks for."""
        spec = self._spec
        if _over(spec.more, page):
            return None
        pages = _number(page, spec.pages)
        if page.number >= pages if pages is not None else not page.count:
            return None
        return self._turn(spec.start + page.number)

    def _turn(self, number: int) -> Turn:
        return Turn({self._spec.param: number} | _size(self._spec.size, self._spec.size_param))


class Offsets:
    """Pages by the number of records before them, which is how many there have been."""

    def __init__(self, spec: OffsetPagination) -> None:
        self._spec = spec
        self._seen = 0

    def first(self) -> Turn:
        """See `Pager`."""
        return self._turn()

    def next(self, page: Page) -> Turn | None:
        """See `Pager`."""
        self._seen += page.count
        total = _number(page, self._spec.total)
        if not page.count or _over(self._spec.more, page) or (total is not None and self._seen >= total):
            return None
        return self._turn()

    def _turn(self) -> Turn:
        spec = self._spec
        return Turn({spec.param: spec.start + self._seen} | _size(spec.size, spec.size_param))


class Cursors:
    """Pages by a cursor that the page before has."""

    def __init__(self, spec: CursorPagination) -> None:
        self._spec = spec

    def first(self) -> Turn:
        """See `Pager`."""
        return Turn(_size(self._spec.size, self._spec.size_param))

    def next(self, page: Page) -> Turn | None:
        """See `Pager`."""
        spec = self._spec
        if _over(spec.more, page):
            return None
        if spec.header is not None:
            cursor: str | int = page.headers.get(spec.header.lower(), "")
        else:
            raw = page.get(spec.path) if spec.path is not None else members(page.last).get(spec.record or "", b"null")
            cursor = _plain(raw, spec.path or f"{spec.record} of the last record")
        if cursor == "":
            return None
        return Turn({spec.param: cursor} | _size(spec.size, spec.size_param))


class Links:
    """Pages by a header ``Link``."""

    def __init__(self, spec: LinkPagination) -> None:
        self._rel = spec.rel.lower()

    def first(self) -> Turn:
        """See `Pager`."""
        return Turn()

    def next(self, page: Page) -> Turn | None:
        """See `Pager`."""
        url = links(page.headers.get("link", "")).get(self._rel)
        return Turn(url=url) if url else None


class Nexts:
    """Pages by a URL in the page before."""

    def __init__(self, spec: NextPagination) -> None:
        self._path = spec.path

    def first(self) -> Turn:
        """See `Pager`."""
        return Turn()

    def next(self, page: Page) -> Turn | None:
        """See `Pager`."""
        url = _plain(page.get(self._path), self._path)
        return Turn(url=str(url)) if url != "" else None


def pager(spec: Pagination | None) -> Pager:
    """What asks for the pages."""
    match spec:
        case PagePagination():
            return Counted(spec)
        case OffsetPagination():
            return Offsets(spec)
        case CursorPagination():
            return Cursors(spec)
        case LinkPagination():
            return Links(spec)
        case NextPagination():
            return Nexts(spec)
    return Once()


def unsaid(spec: Pagination, page: Page) -> str:
    """What of the signs that lead to the next page a page lacks, as large as pages often are, for people.

    Many APIs leave them out on the last page, so only where there is one page of such a size they may have been looked for in the
    wrong place.
    """
    if page.count not in (getattr(spec, "size", None), *_OFTEN):
        return ""
    match spec:
        case LinkPagination():
            return "" if "link" in page.headers else "header Link"
        case CursorPagination(header=str(header), more=None):
            return "" if header.lower() in page.headers else f"header {header}"
        case CursorPagination() | NextPagination():
            path = getattr(spec, "more", None) or spec.path
        case _:
            path = spec.more
    if path is None or page.document is None:
        return ""
    try:
        page.document.at(path)
    except NoSuchPath:
        return repr(path)
    return ""


def links(header: str) -> dict[str, str]:
    """The URLs of a header ``Link`` by their relation in lower case, the first of each."""
    found: dict[str, str] = {}
    for url, params in _LINK.findall(header):
        for name, quoted, plain in _PARAM.findall(params):
            if name.lower() == "rel":
                for rel in (quoted or plain).lower().split():
                    found.setdefault(rel, url)
    return found


def _size(size: int | None, param: str) -> dict[str, str | int]:
    return {param: size} if size is not None else {}


def _over(more: str | None, page: Page) -> bool:
    return more is not None and (raw := page.get(more)) != b'"true"' and (not is_true(raw) or raw == b'"false"')


def _number(page: Page, path: str | None) -> int | None:
    if path is None:
        return None
    found = (text(page.get(path)) or "").strip()
    whole, _, decimals = found.partition(".")  # some write whole numbers so: 4.0
    return int(whole) if _COUNT.fullmatch(whole) and not decimals.strip("0") else None


def _plain(raw: bytes, place: str) -> str | int:
    """A cursor or URL: a text, a whole number where it is written as one; empty for null, false, and an empty list or object.

    Raises:
        NoCursor: it is something else.
    """
    if not is_true(raw) and raw != b"0":
        return ""
    if raw[:1] in (b"t", b"[", b"{"):
        raise NoCursor(f"what asks for the next page ({place}) is {what(raw)}, not a text or a number")
    value = msgspec.json.decode(raw)
    return value if isinstance(value, str | int) else raw.decode()
