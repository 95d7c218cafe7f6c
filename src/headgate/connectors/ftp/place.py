"""Files on an FTP server."""

from __future__ import annotations

import ftplib
import posixpath
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.spi.options import check_options, seconds
from headgate.spi.place import Entry

_OPTIONS: Final = ("url", "password", "timeout", "ca_file")
_BLOCK: Final = 1 << 18
_NO_LOGIN: Final = "530"
_NO_FOLDER: Final = ("550", "501")


class FtpPlace:
    """A folder of an FTP server (`headgate.spi.place.Place`).

    Args:
        options: ``url``; ``password``, where the URL has none; ``timeout``: seconds to wait for the server, 30; ``ca_file``: of
            ``ftps``, the certificates that are trusted instead of the system's.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        check_options(options, _OPTIONS, "an FTP connection")
        self._options, self._url = options, urlsplit(str(options["url"]))
        if not self._url.hostname:
            raise UsageError("the URL of the FTP connection names no server", hint="Write ftp://user@host/folder.")
        self.name = f"{self._url.scheme}://{self._url.hostname}"
        self._root = unquote(self._url.path) if self._url.path not in ("", "/") else ""
        self._client: ftplib.FTP | None = None

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """See `Place`."""
        with self._talking(folder) as client:
            try:
                there = list(client.mlsd(self._at(folder), ["type", "size", "modify"]))
            except ftplib.error_perm as e:
                if str(e).startswith(_NO_FOLDER):
                    return
                raise
        for name, facts in there:
            path = posixpath.join(folder, name)
            if facts.get("type") == "file":
                yield Entry(path, int(facts.get("size", 0)), facts.get("modify", ""))
            elif deep and facts.get("type") == "dir":
                yield from self.files(path, deep=True)

    def fetch(self, path: str, to: Path) -> None:
        """See `Place`."""
        with self._talking(path) as client:
            try:
                with to.open("wb") as file:
                    client.retrbinary(f"RETR {self._at(path)}", file.write, _BLOCK)
            except OSError as e:
                if e.filename is None:
                    raise
                raise SourceError(f"{to}: {e.strerror or e}", hint="Make room there.") from None

    def move(self, path: str, to: str) -> None:
        """See `Place`."""
        with self._talking(path) as client:
            made = ""
            for part in posixpath.dirname(to).split("/"):
                made = posixpath.join(made, part)
                with suppress(ftplib.error_perm):  # it is there; if not, the renaming says so
                    client.mkd(self._at(made))
            client.rename(self._at(path), self._at(to))

    def delete(self, path: str) -> None:
        """See `Place`."""
        with self._talking(path) as client:
            client.delete(self._at(path))

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, path)

    @contextmanager
    def _talking(self, path: str) -> Iterator[ftplib.FTP]:
        try:
            yield self._connected()
        except ftplib.error_perm as e:
            words = str(e)
            if words.startswith(_NO_LOGIN):
                raise ConnectionFailed(
                    f"{self.name}: the server refuses the login: {words[4:]}", hint="Check user and password."
                ) from None
            raise SourceError(f"{self.name}: {path or 'the folder'}: {words[4:] or words}") from None
        except ftplib.all_errors as e:
            self.close()
            raise ConnectionFailed(
                f"{self.name}: {e or 'no answer in time'}", hint="Check host and port, or try again."
            ) from None

    def _connected(self) -> ftplib.FTP:
        if self._client is None:
            timeout, url = seconds(self._options, "timeout", 30), self._url
            client = (
                ftplib.FTP_TLS(timeout=timeout, context=ssl.create_default_context(cafile=self._options.get("ca_file")))  # noqa: S321 - the user's choice
                if url.scheme == "ftps"
                else ftplib.FTP(timeout=timeout)  # noqa: S321 - the user's choice
            )
            client.encoding = "utf-8"
            try:
                client.connect(str(url.hostname), url.port or 21)
                password = self._options.get("password", unquote(url.password) if url.password else "")
                client.login(unquote(url.username or "anonymous"), str(password))
                if isinstance(client, ftplib.FTP_TLS):
                    client.prot_p()
            except BaseException:
                client.close()
                raise
            self._client = client
        return self._client

    def close(self) -> None:
        """See `Place`."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*ftplib.all_errors):
                client.quit()
            client.close()
