"""Files on an SFTP server."""

from __future__ import annotations

import posixpath
import stat
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from headgate.model.errors import ConnectionFailed, DestinationError, HeadgateError, SourceError, UsageError
from headgate.spi.options import check_options, seconds
from headgate.spi.place import Entry
from headgate.spi.store import PERMISSIONS, Can, Changed, Sending, Stored, aside

from . import wire as w
from .login import Login, connect

_OPTIONS: Final = ("url", "password", "key", "passphrase", "known_hosts", "host_key", "timeout")
# Requests under way at a time: with pieces of 255 KiB enough for 1 GBit/s over 60 ms.
_UNDER_WAY: Final = 32
_NOTHING: Final = struct.pack(">I", 0)
_OWN: Final = 0o600
_NANOSECONDS: Final = 1_000_000_000
_SECONDS: Final = 1 << 32


class SftpPlace:
    """A folder of an SFTP server (`headgate.spi.store.Store`).

    Args:
        options: ``url``; ``password``, or ``key``: a private key's file, and its ``passphrase``; otherwise the keys of the
            agent and of ``~/.ssh`` are tried. ``known_hosts``: the file that says which server is the right one
            (``~/.ssh/known_hosts``), or ``host_key``: its public key itself (``ssh-ed25519 AAAA…``). ``timeout``: seconds to
            wait for the connection, 15.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    can = Can(permissions=True)

    def __init__(self, options: Mapping[str, Any]) -> None:
        check_options(options, _OPTIONS, "an SFTP connection")
        url = urlsplit(str(options["url"]))
        if not url.hostname:
            raise UsageError("the URL of the SFTP connection names no server", hint="Write sftp://user@host/folder.")
        seconds(options, "timeout", 15)
        self.name = f"sftp://{url.hostname}"
        self._login = Login(url, options, self.name)
        # What follows the server is from its root; without it, from the login's own folder.
        self._root = unquote(url.path) if url.path not in ("", "/") else "."
        self._wire: w.Wire | None = None
        self._made: set[str] = set()

    def address(self) -> str:
        """See `Addressed`."""
        with self._talking("") as wire:
            try:
                root = wire.names(wire.ask(w.REALPATH, w.text(self._root)))[0][0]
            except (w.Refused, IndexError):  # a folder that is still to be made
                root = posixpath.normpath(self._root)
        return f"{self._login.address}/{root.strip('/')}"

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """See `Place`."""
        return (Entry(s.path, s.size, s.changed) for s in self.listed(folder, deep=deep))

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        """See `Store`."""
        folders = [folder]
        while folders:
            here = folders.pop()
            for name, attrs in self._entries(here):
                path = posixpath.join(here, name)
                if attrs.is_folder:
                    folders += [path] if deep else []
                elif attrs.is_file:
                    yield _stored(path, attrs)

    def _entries(self, folder: str) -> list[tuple[str, w.Attrs]]:
        """What is in a folder, links followed; those that lead nowhere, or to a folder, left out."""
        found: list[tuple[str, w.Attrs]] = []
        with self._talking(folder) as wire:
            try:
                handle = wire.handle(wire.ask(w.OPENDIR, w.text(self._at(folder))))
            except w.Refused as e:
                if e.code == w.NO_FILE:
                    return []
                raise
            while some := wire.names(wire.ask(w.READDIR, w.text(handle))):
                found += [(name, attrs) for name, attrs in some if name not in (".", "..")]
            wire.done(wire.ask(w.CLOSE, w.text(handle)))
            for i, (name, attrs) in enumerate(found):
                if attrs.is_link:
                    with suppress(w.Refused):
                        target = wire.attrs(wire.ask(w.STAT, w.text(self._at(posixpath.join(folder, name)))))
                        found[i] = name, (attrs if target.is_folder else target)
        return found

    def look(self, path: str) -> Stored | None:
        """See `Store`."""
        with self._talking(path) as wire:
            try:
                attrs = wire.attrs(wire.ask(w.STAT, w.text(self._at(path))))
            except w.Refused as e:
                if e.code == w.NO_FILE:
                    return None
                raise
        return _stored(path, attrs) if attrs.mode is None or stat.S_ISREG(attrs.mode) else None

    def fetch(self, path: str, to: Path) -> None:
        """See `Place`."""
        try:
            with to.open("wb") as file:
                for piece in self.read(path):
                    file.write(piece)
        except OSError as e:
            raise SourceError(f"{to}: {e.strerror or e}", hint="Make room, or check the permissions.") from None

    def read(self, path: str) -> Iterator[bytes]:
        """See `Store`."""
        with self._talking(path) as wire:
            handle = wire.handle(wire.ask(w.OPEN, w.text(self._at(path)), struct.pack(">I", w.FOR_READING), _NOTHING))
            try:
                yield from _pieces(wire, handle)
            finally:
                if self._wire is wire:
                    wire.done(wire.ask(w.CLOSE, w.text(handle)))

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        """See `Store`."""
        self._make_folder(posixpath.dirname(to))
        with self._talking(to) as wire:
            handle = self._opened(wire, to, how)
            waiting = deque[int]()
            try:
                with source.open("rb", buffering=0) as file:
                    file.seek(at := how.at)
                    while piece := file.read(wire.piece):
                        place = struct.pack(">QI", at, len(piece))
                        waiting.append(wire.ask(w.WRITE, w.text(handle), place, piece))
                        at += len(piece)
                        how.told(len(piece))
                        while len(waiting) >= _UNDER_WAY:
                            wire.done(waiting.popleft())
                if how.permissions is not None:
                    waiting.append(wire.ask(w.FSETSTAT, w.text(handle), _mode(how.permissions)))
                if how.modified_ns is not None and 0 <= (modified := how.modified_ns // _NANOSECONDS) < _SECONDS:
                    times = struct.pack(">III", w.TIMES, modified, modified)
                    wire.ask(w.FSETSTAT, w.text(handle), times)  # a server that keeps no times is none that fails
            finally:
                if self._wire is wire:
                    closed = wire.ask(w.CLOSE, w.text(handle))
                    looked = wire.ask(w.STAT, w.text(self._at(to)))
            while waiting:
                wire.done(waiting.popleft())
            wire.done(closed)
            return _stored(to, wire.attrs(looked))

    def _opened(self, wire: w.Wire, to: str, how: Sending) -> bytes:
        """A handle of a file that is written; one with permissions is for nobody else's eyes before it has them."""
        flags = struct.pack(">I", w.FOR_WRITING | w.CREATE | (0 if how.at else w.TRUNCATE))
        at, private = w.text(self._at(to)), how.permissions is not None
        # It may have been left with permissions by which it cannot be written.
        freed = [wire.ask(w.SETSTAT, at, _mode(_OWN))] if private else []
        opened = wire.ask(w.OPEN, at, flags, _mode(_OWN) if private else _NOTHING)
        for number in freed:
            with suppress(w.Refused):
                wire.done(number)
        try:
            return wire.handle(opened)
        except w.Refused as e:
            if e.code != w.NO_FILE:
                raise
            raise SourceError(
                f"{self.name}: the folder {posixpath.dirname(self._at(to))} is not there, and cannot be made",
                hint="Check the folder in the connection's URL.",
            ) from None

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        """See `Store`."""
        with self._talking(to) as wire:
            old, new = w.text(self._at(part)), w.text(self._at(to))
            if over is not None:
                there = self.look(to)
                if there is not None and not there.same(over):
                    raise Changed(f"{to} changed at the destination")
                self._over(wire, old, new, w.text(self._at(aside(part))))
            else:
                renamed, looked = wire.ask(w.RENAME, old, new), wire.ask(w.STAT, new)
                try:
                    wire.done(renamed)
                except w.Refused:
                    with suppress(w.Refused):
                        raise _in_the_way(to, wire.attrs(looked)) from None
                    raise
                return _stored(to, wire.attrs(looked))
            return _stored(to, wire.attrs(wire.ask(w.STAT, new)))

    def _over(self, wire: w.Wire, old: bytes, new: bytes, waits: bytes) -> None:
        """Rename over what is there, which is lost only when the other is in its place.

        Args:
            waits: where it is meanwhile, where a server does not rename over it.
        """
        if wire.offers(w.POSIX_RENAME):
            wire.done(wire.extended(w.POSIX_RENAME, old, new))
            return
        with suppress(w.Refused):
            wire.done(wire.ask(w.RENAME, old, new))
            return
        with suppress(w.Refused):  # of somebody who was killed here
            wire.done(wire.ask(w.REMOVE, waits))
        wire.done(wire.ask(w.RENAME, new, waits))
        try:
            wire.done(wire.ask(w.RENAME, old, new))
        except w.Refused:
            wire.done(wire.ask(w.RENAME, waits, new))
            raise
        wire.done(wire.ask(w.REMOVE, waits))

    def copy(self, path: str, to: str) -> None:
        """See `Store`; a second name for the same content where the server can, which nobody writes to who replaces files."""
        self._make_folder(posixpath.dirname(to))
        with self._talking(path) as wire:
            if wire.offers(w.HARDLINK):
                with suppress(w.Refused):
                    wire.done(wire.extended(w.HARDLINK, w.text(self._at(path)), w.text(self._at(to))))
                    return
        self.move(path, to)

    def move(self, path: str, to: str) -> None:
        """See `Place`."""
        self._make_folder(posixpath.dirname(to))
        with self._talking(path) as wire:
            waits = posixpath.join(posixpath.dirname(to), f".headgate-{'0' * 8}-{'0' * 16}.part")
            self._over(wire, w.text(self._at(path)), w.text(self._at(to)), w.text(self._at(aside(waits))))

    def delete(self, path: str) -> None:
        """See `Place`."""
        with self._talking(path) as wire:
            wire.done(wire.ask(w.REMOVE, w.text(self._at(path))))

    def _make_folder(self, folder: str) -> None:
        """Make a folder and those above it; what cannot be made is said by what is done in it."""
        if not folder or folder in self._made:
            return
        with self._talking(folder) as wire:
            parts = folder.split("/")
            above = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
            asked = [wire.ask(w.MKDIR, w.text(self._at(one)), _NOTHING) for one in above if one]
            for number in asked:
                with suppress(w.Refused):
                    wire.done(number)
        self._made.add(folder)

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, path)

    @contextmanager
    def _talking(self, path: str) -> Iterator[w.Wire]:
        try:
            yield self._connected()
        except w.Refused as e:
            raise self._failure(e, path) from None
        except ConnectionFailed:
            self.close()
            raise
        except struct.error:
            self.close()
            raise ConnectionFailed(f"{self.name}: an answer that is none", hint="Try again.") from None
        except (HeadgateError, OSError):
            raise
        except BaseException:  # answers that nobody waits for any more
            self.close()
            raise

    def _failure(self, e: w.Refused, path: str) -> HeadgateError:
        if e.code == w.NO_FILE:
            return SourceError(f"{self.name}: there is no file {path}")
        if e.code == w.DENIED:
            return SourceError(
                f"{self.name}: {path or 'the folder'}: permission denied", hint="Give this login the right to it."
            )
        return SourceError(f"{self.name}: {path}: {e.words or f'error {e.code}'}")

    def _connected(self) -> w.Wire:
        if self._wire is None:
            self._wire = connect(self._login)
        return self._wire

    def close(self) -> None:
        """See `Place`."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


def _pieces(wire: w.Wire, handle: bytes) -> Iterator[bytes]:
    """The content of an open file. A server may give less than it was asked for, and the rest is then asked for again."""
    size, at, asked = min(wire.piece, 128 << 10), 0, 0
    waiting = deque[tuple[int, int]]()
    window = 2
    while True:
        while len(waiting) < window:
            place = struct.pack(">QI", asked, size)
            waiting.append((asked, wire.ask(w.READ, w.text(handle), place)))
            asked += size
        place_of, number = waiting.popleft()
        piece = wire.data(number)
        if place_of != at:
            continue
        if not piece:
            for _, late in waiting:
                wire.data(late)
            return
        at += len(piece)
        window = min(window * 2, _UNDER_WAY)
        if len(piece) < size:
            for _, late in waiting:
                wire.data(late)
            waiting.clear()
            asked = at
        yield piece


def _in_the_way(to: str, there: w.Attrs) -> HeadgateError:
    """What keeps a file from getting a name at which nothing was seen."""
    if there.is_folder:
        return DestinationError(f"{to} is a folder there", hint="Move it away, or have the file named otherwise.")
    return Changed(f"{to} is there now")


def _mode(permissions: int) -> bytes:
    """Permissions as requests have them."""
    return struct.pack(">II", w.MODE, permissions & PERMISSIONS)


def _stored(path: str, attrs: w.Attrs) -> Stored:
    changed = "" if attrs.modified is None else f"{attrs.modified}.{0:09}"
    modified = None if attrs.modified is None else attrs.modified * _NANOSECONDS
    permissions = None if attrs.mode is None else attrs.mode & PERMISSIONS
    return Stored(path, int(attrs.size or 0), changed, modified, permissions=permissions)
