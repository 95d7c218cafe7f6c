"""Files on an SFTP server."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import asyncssh

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.spi.options import check_options, seconds
from headgate.spi.place import Entry

_T = TypeVar("_T")
_OPTIONS: Final = ("url", "password", "key", "passphrase", "known_hosts", "host_key", "timeout")


class SftpPlace:
    """A folder of an SFTP server (`headgate.spi.place.Place`).

    Args:
        options: ``url``; ``password``, or ``key``: a private key's file, and its ``passphrase``; otherwise the keys of the
            agent and of ``~/.ssh`` are tried. ``known_hosts``: the file that says which server is the right one
            (``~/.ssh/known_hosts``), or ``host_key``: its public key itself (``ssh-ed25519 AAAA…``). ``timeout``: seconds to
            wait for the connection, 15.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        check_options(options, _OPTIONS, "an SFTP connection")
        url = urlsplit(str(options["url"]))
        if not url.hostname:
            raise UsageError("the URL of the SFTP connection names no server", hint="Write sftp://user@host/folder.")
        self._options = options
        self._url = url
        self.name = f"sftp://{url.hostname}"
        # What follows the server is from its root; without it, from the login's own folder.
        self._root = unquote(url.path) if url.path not in ("", "/") else "."
        self._runner = asyncio.Runner()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """See `Place`."""
        return iter(self._run(self._list(folder, deep=deep), folder))

    async def _list(self, folder: str, *, deep: bool) -> list[Entry]:
        client = await self._connected()
        found: list[Entry] = []
        try:
            async for entry in client.scandir(self._at(folder)):
                name = str(entry.filename)
                path = posixpath.join(folder, name)
                kind = entry.attrs.type
                if kind == asyncssh.FILEXFER_TYPE_SYMLINK:
                    with suppress(asyncssh.SFTPError):
                        entry.attrs = await client.stat(self._at(path))
                        kind = entry.attrs.type
                if kind == asyncssh.FILEXFER_TYPE_REGULAR:
                    found.append(Entry(path, int(entry.attrs.size or 0), _changed(entry.attrs)))
                elif deep and kind == asyncssh.FILEXFER_TYPE_DIRECTORY and name not in (".", ".."):
                    found += await self._list(path, deep=True)
        except asyncssh.SFTPNoSuchFile:
            return found
        return found

    def fetch(self, path: str, to: Path) -> None:
        """See `Place`."""

        async def get() -> None:
            await (await self._connected()).get(self._at(path), to)

        self._run(get(), path)

    def move(self, path: str, to: str) -> None:
        """See `Place`."""

        async def rename() -> None:
            client = await self._connected()
            await client.makedirs(posixpath.dirname(self._at(to)) or ".", exist_ok=True)
            await client.posix_rename(self._at(path), self._at(to))

        self._run(rename(), path)

    def delete(self, path: str) -> None:
        """See `Place`."""

        async def remove() -> None:
            await (await self._connected()).remove(self._at(path))

        self._run(remove(), path)

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, path)

    def _run(self, work: Coroutine[Any, Any, _T], path: str) -> _T:
        try:
            return self._runner.run(work)
        except asyncssh.SFTPNoSuchFile:
            raise SourceError(f"{self.name}: there is no file {path}") from None
        except asyncssh.SFTPPermissionDenied:
            raise SourceError(
                f"{self.name}: {path or 'the folder'}: permission denied", hint="Give this login the right to it."
            ) from None
        except asyncssh.HostKeyNotVerifiable as e:
            raise ConnectionFailed(
                f"{self.name}: the server cannot prove that it is the right one: {e.reason}",
                hint="Put its key into known_hosts (ssh-keyscan HOST shows it), or say it: host_key: ssh-ed25519 ….",
            ) from None
        except asyncssh.PermissionDenied:
            raise ConnectionFailed(
                f"{self.name}: the server refuses the login", hint="Check user, password or key of the connection."
            ) from None
        except (asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost, asyncssh.DisconnectError) as e:
            raise ConnectionFailed(f"{self.name}: the connection broke: {e.reason}", hint="Try again.") from None
        except asyncssh.SFTPError as e:
            raise SourceError(f"{self.name}: {path}: {e.reason}") from None
        except (asyncssh.Error, TimeoutError, ConnectionError) as e:
            raise ConnectionFailed(
                f"{self.name} cannot be reached: {e or 'no answer in time'}", hint="Check host and port."
            ) from None
        except asyncssh.KeyImportError as e:
            raise UsageError(f"{self.name}: the key cannot be read: {e}", hint="Check key and passphrase.") from None
        except OSError as e:
            if e.filename is not None:  # a file here
                raise SourceError(f"{e.filename}: {e.strerror}", hint="Make room, or check the permissions.") from None
            raise ConnectionFailed(f"{self.name} cannot be reached: {e}", hint="Check host and port.") from None

    async def _connected(self) -> asyncssh.SFTPClient:
        if self._client is None:
            o, url = self._options, self._url
            more: dict[str, Any] = {}
            if url.username:
                more["username"] = unquote(url.username)
            if (password := o.get("password", unquote(url.password) if url.password else None)) is not None:
                more["password"] = str(password)
            if "key" in o:
                more["client_keys"] = [str(Path(str(o["key"])).expanduser())]
                more["passphrase"] = o.get("passphrase")
            if "host_key" in o:
                more["known_hosts"] = asyncssh.import_known_hosts(f"* {o['host_key']}\n")
            elif "known_hosts" in o:
                more["known_hosts"] = str(Path(str(o["known_hosts"])).expanduser())
            self._connection = await asyncssh.connect(
                str(url.hostname), url.port or 22, connect_timeout=seconds(o, "timeout", 15), config=None, **more
            )
            self._client = await self._connection.start_sftp_client()
        return self._client

    def close(self) -> None:
        """See `Place`."""
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:

            async def end() -> None:
                connection.close()
                await connection.wait_closed()

            with suppress(Exception):  # it is gone
                self._runner.run(end())
        self._runner.close()


def _changed(attrs: asyncssh.SFTPAttrs) -> str:
    return "" if attrs.mtime is None else f"{attrs.mtime}.{attrs.mtime_ns or 0:09}"
