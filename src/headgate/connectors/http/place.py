"""Files on a web server: each by its address, as a server has no list of what it has."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from headgate.model.errors import SourceError
from headgate.spi.place import Entry
from headgate.spi.store import Can, Changed, Sending, Stored

from .client import Client, excerpt
from .exchange import Answer, Call, Rest
from .options import read

_PIECE: Final = 1 << 20
_BYTES: Final = "application/octet-stream"
_REFUSED, _PRECONDITION = 400, 412
_MD5: Final = re.compile('"([0-9a-f]{32})"')
_PAGES: Final = ("text/html", "application/xhtml+xml")


class HttpPlace:
    """A folder of a web server (`headgate.spi.store.Store`, and `headgate.spi.place.Finds`).

    Args:
        options: as of a connection to an API: ``url``, ``auth``, ``headers`` and what says how it is asked.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    can = Can(parts=False, modified=False, lists=False, addresses=True)

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read(options)
        self._client = Client(self._options)
        self.name = self._options.url

    def find(self, path: str) -> Entry:
        """Whether it is there shows when it is fetched."""
        return Entry(path, -1)

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """Not to be had here.

        Raises:
            SourceError: always.
        """
        del folder, deep
        raise SourceError(
            "a web server does not list its files",
            hint="Name the file, or a list of them, without * and ? in the path.",
        )

    def fetch(self, path: str, to: Path) -> None:
        """See `Place`. Sent again where that helps, gone on with where the server can do that, and redirected without the
        login to other hosts.
        """
        call = Call("GET", self._address(path), {"Accept": "*/*"}, rest=Rest())
        with tempfile.TemporaryDirectory(dir=to.parent) as folder:
            answer = self._client.send(call, Path(folder) / "body")
            kind, _ = answer.kind
            if kind in _PAGES and PurePosixPath(path).suffix.lower() not in (".html", ".htm", ".xhtml", ".xml"):
                raise self._client.failure(
                    call,
                    f"it is answered with a web page, not with a file: {excerpt(answer.body)}",
                    "Open the address in a browser: it may want a login, or be the page around the file.",
                )
            answer.body.replace(to)

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        """Not to be had here."""
        self.files(folder, deep=deep)
        raise AssertionError("unreachable")

    def look(self, path: str) -> Stored | None:
        """See `Store`: by HEAD. None also where the server does not answer to that."""
        answer = self._asked(Call("HEAD", self._address(path)), (404, 405, 410, 501))
        if answer.status >= _REFUSED:
            return None
        size, tag = answer.headers.get("content-length", ""), answer.headers.get("etag", "")
        when = answer.headers.get("last-modified", "")
        at = _time(when)
        # What is packed on its way has another length.
        whole = size.isdigit() and "content-encoding" not in answer.headers
        return Stored(path, int(size) if whole else -1, tag or when, at, _digest(tag))

    def read(self, path: str) -> Iterator[bytes]:
        """See `Store`."""
        with tempfile.TemporaryDirectory(prefix="headgate-web-") as folder:
            self.fetch(path, Path(folder) / "file")
            with (Path(folder) / "file").open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        """See `Store`. The server is told what may lie there (`If-Match`, `If-None-Match`), and may not care."""
        put = self._options.put
        head, tail, kind = _form(put.form, PurePosixPath(to).name) if put.form else (b"", b"", _BYTES)
        length = len(head) + source.stat().st_size + len(tail)
        headers = {"Content-Type": kind, "Content-Length": str(length), "Accept": "*/*", **put.headers}
        if not put.form:
            if how.over is None:
                headers["If-None-Match"] = "*"
            elif how.over.changed.startswith('"'):
                headers["If-Match"] = how.over.changed
        address = self._address(str(PurePosixPath(to).parent) if put.form else to).removesuffix("/.")

        with ExitStack() as bodies:

            def body() -> Any:
                return bodies.enter_context(closing(_Body(head, source, tail, how)))

            call = Call(put.method, address, headers, body, repeatable=put.method == "PUT")
            status, page = self._put(call)
        if status == _PRECONDITION:
            raise Changed(f"{to} {'changed at the destination' if how.over is not None else 'is there now'}")
        there = self.look(to)
        if there is None and page and not put.form:
            raise self._client.failure(
                call,
                f"it is answered with a web page, and the file is not there: {page}",
                "Open the address in a browser: it may want a login.",
            )
        return there or Stored(to, -1)

    def _put(self, call: Call) -> tuple[int, str]:
        """The status, and the beginning of the page where one is the answer: a server says so that it is done, or a login is wanted."""
        with tempfile.TemporaryDirectory(prefix="headgate-web-") as folder:
            answer = self._client.send(call, Path(folder) / "answer", (_PRECONDITION,))
            return answer.status, excerpt(answer.body) if answer.kind[0] in _PAGES else ""

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        """Nothing to publish: what is sent is there whole, or not at all."""
        raise NotImplementedError

    def copy(self, path: str, to: str) -> None:
        """See `Store`: by way of here, as servers do not copy."""
        with tempfile.TemporaryDirectory(prefix="headgate-web-") as folder:
            self.fetch(path, Path(folder) / "file")
            self.send(Path(folder) / "file", to, Sending(lambda _: None))

    def move(self, path: str, to: str) -> None:
        """Not to be had here."""
        del to
        raise SourceError(
            f"{path} cannot be moved: a web server knows no moving", hint="Leave source.done out, or let it delete."
        )

    def delete(self, path: str) -> None:
        """See `Place`."""
        self._asked(Call("DELETE", self._address(path)))

    def _asked(self, call: Call, also: tuple[int, ...] = ()) -> Answer:
        with tempfile.TemporaryDirectory(prefix="headgate-web-") as folder:
            return self._client.send(call, Path(folder) / "answer", also)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _address(self, path: str) -> str:
        base = urlsplit(self._options.url)
        whole = f"{base.path.rstrip('/')}/{quote(path, safe='/%:@+,;=~!$&()*')}"
        return urlunsplit((base.scheme, base.netloc, whole, base.query, ""))


class _Body:
    """What is sent, piece by piece: a file with what stands around it in a form."""

    def __init__(self, head: bytes, source: Path, tail: bytes, how: Sending) -> None:
        self._rest, self._tail, self._how = head, tail, how
        self._file: IO[bytes] | None = source.open("rb")

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        if self._rest:
            piece, self._rest = self._rest, b""
            return piece
        if self._file is None:
            return b""
        if piece := self._file.read(_PIECE if size < 0 else size):
            self._how.told(len(piece))
            return piece
        self.close()
        return self._tail

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _form(field: str, name: str) -> tuple[bytes, bytes, str]:
    """What stands before and behind a file in a form, and what the form says that it is."""
    edge = f"headgate-{uuid.uuid4().hex}"
    quoted = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}
    named = f'name="{field.translate(quoted)}"; filename="{name.translate(quoted)}"'
    head = f"--{edge}\r\nContent-Disposition: form-data; {named}\r\nContent-Type: {_BYTES}\r\n\r\n"
    return head.encode(), f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def _time(when: str) -> int | None:
    try:
        return int(parsedate_to_datetime(when).timestamp()) * 1_000_000_000
    except (TypeError, ValueError):
        return None


def _digest(tag: str) -> str:
    """What a tag may be: it only counts where it is the one of the same content."""
    md5 = _MD5.fullmatch(tag)
    return f"md5:{md5[1]}" if md5 else ""
