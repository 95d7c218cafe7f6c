"""Files on an FTP server."""

from __future__ import annotations

import calendar
import ftplib
import posixpath
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.spi.options import check_options, seconds
from headgate.spi.place import Entry
from headgate.spi.store import Can, Changed, Sending, Stored, aside

_OPTIONS: Final = ("url", "password", "timeout", "ca_file")
_BLOCK: Final = 1 << 18
_NANOSECONDS: Final = 1_000_000_000
_NO_LOGIN: Final = "530"
_NO_FOLDER: Final = ("550", "501")


class FtpPlace:
    """A folder of an FTP server (`headgate.spi.store.Store`).

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
        self._can: Can | None = None
        self._made: set[str] = set()

    def address(self) -> str:
        """See `Addressed`."""
        url, root = self._url, self._root
        if not root:
            with self._talking("") as client:
                root = client.pwd()
        return f"ftp://{unquote(url.username or '')}@{url.hostname}:{url.port or 21}/{root.strip('/')}"

    @property
    def can(self) -> Can:
        """See `Store`: what the server says that it offers."""
        if self._can is None:
            with self._talking("") as client:
                try:
                    features = client.sendcmd("FEAT").upper()
                except ftplib.error_perm:
                    features = ""
            self._can = Can(modified="MFMT" in features)
        return self._can

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """See `Place`."""
        return (Entry(s.path, s.size, s.changed) for s in self.listed(folder, deep=deep))

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        """See `Store`."""
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
                yield _stored(path, facts)
            elif deep and facts.get("type") == "dir":
                yield from self.listed(path, deep=True)

    def look(self, path: str) -> Stored | None:
        """See `Store`."""
        with self._talking(path) as client:
            try:
                said = client.sendcmd(f"MLST {self._at(path)}")
            except ftplib.error_perm as e:
                if str(e).startswith(_NO_FOLDER):
                    return None
                raise
        facts = said.splitlines()[1].strip().partition(" ")[0]
        pairs = (fact.partition("=") for fact in facts.split(";") if fact)
        known = {name.lower(): value for name, _, value in pairs}
        return None if known.get("type", "").lower() in ("dir", "cdir", "pdir") else _stored(path, known)

    def read(self, path: str) -> Iterator[bytes]:
        """See `Store`."""
        with self._talking(path) as client:
            with client.transfercmd(f"RETR {self._at(path)}") as channel:
                while piece := channel.recv(_BLOCK):
                    yield piece
            client.voidresp()

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        """See `Store`."""
        self._make_folder(posixpath.dirname(to))
        with self._talking(to) as client, source.open("rb") as file:
            file.seek(how.at)
            client.storbinary(
                f"STOR {self._at(to)}", file, _BLOCK, lambda piece: how.told(len(piece)), rest=how.at or None
            )
            if how.modified_ns is not None:
                when = time.strftime("%Y%m%d%H%M%S", time.gmtime(how.modified_ns // _NANOSECONDS))
                client.voidcmd(f"MFMT {when} {self._at(to)}")
        return self._found(to)

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        """See `Store`."""
        there = self.look(to)
        if there is not None and not there.same(over):
            raise Changed(f"{to} {'changed at the destination' if over is not None else 'is there now'}")
        with self._talking(to) as client:
            try:
                client.rename(self._at(part), self._at(to))
            except ftplib.error_perm:
                if there is None:
                    raise
                self._swap(client, part, to)
        return self._found(to)

    def _swap(self, client: ftplib.FTP, part: str, to: str) -> None:
        """Give a part its name on a server that does not rename over what is there, which is lost only when the part is in its place."""
        waits = self._at(aside(part))
        with suppress(ftplib.error_perm):  # of somebody who was killed here
            client.delete(waits)
        client.rename(self._at(to), waits)
        try:
            client.rename(self._at(part), self._at(to))
        except ftplib.error_perm:
            client.rename(waits, self._at(to))
            raise
        client.delete(waits)

    def copy(self, path: str, to: str) -> None:
        """See `Store`: FTP knows no copying, so it is renamed."""
        self.move(path, to)

    def _found(self, path: str) -> Stored:
        found = self.look(path)
        if found is None:
            raise SourceError(f"{self.name}: {path} was written, and is not there")
        return found

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
        self._make_folder(posixpath.dirname(to))
        with self._talking(path) as client:
            client.rename(self._at(path), self._at(to))

    def delete(self, path: str) -> None:
        """See `Place`."""
        with self._talking(path) as client:
            client.delete(self._at(path))

    def _make_folder(self, folder: str) -> None:
        """Make a folder and those above it; what cannot be made is said by what is done in it."""
        if not folder or folder in self._made:
            return
        with self._talking(folder) as client:
            made = ""
            for part in folder.split("/"):
                made = posixpath.join(made, part)
                with suppress(ftplib.error_perm):  # it is there
                    client.mkd(self._at(made))
        self._made.add(folder)

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
        except BaseException:  # a transfer that was broken off, whose end the server still tells
            client, self._client = self._client, None
            if client is not None:
                client.close()
            raise

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


def _stored(path: str, facts: Mapping[str, str]) -> Stored:
    changed = facts.get("modify", "")
    try:
        modified = calendar.timegm(time.strptime(changed[:14], "%Y%m%d%H%M%S")) * _NANOSECONDS
    except ValueError:
        modified = None
    return Stored(path, int(facts.get("size", 0)), changed, modified)
