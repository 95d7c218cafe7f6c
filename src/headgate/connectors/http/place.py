"""Files on a web server: each by its address, as a server has no list of what it has."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from headgate.model.errors import SourceError
from headgate.spi.place import Entry

from .client import Call, Client, excerpt
from .options import read

_PAGES: Final = ("text/html", "application/xhtml+xml")


class HttpPlace:
    """A folder of a web server (`headgate.spi.place.Place` and `Finds`).

    Args:
        options: as of a connection to an API: ``url``, ``auth``, ``headers`` and what says how it is asked.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = read(options)
        self._client = Client(self._options)

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
        """See `Place`. Sent again where that helps, and redirected without the login to other hosts."""
        call = Call("GET", self._address(path), {"Accept": "*/*"})
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

    def move(self, path: str, to: str) -> None:
        """Not to be had here."""
        del to
        raise _no_change(path)

    def delete(self, path: str) -> None:
        """Not to be had here."""
        raise _no_change(path)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _address(self, path: str) -> str:
        base = urlsplit(self._options.url)
        whole = f"{base.path.rstrip('/')}/{quote(path, safe='/%:@+,;=~!$&()*')}"
        return urlunsplit((base.scheme, base.netloc, whole, base.query, ""))


def _no_change(path: str) -> SourceError:
    return SourceError(
        f"{path} can be neither moved nor deleted: a web server only gives files", hint="Leave source.done out."
    )
