"""The SFTP protocol, version 3, as OpenSSH and nearly everybody speaks it (draft-ietf-secsh-filexfer-02).

Requests are numbered, and many may be under way before the first is answered: a server does them in their order, so a small
file costs two turns of the way there and back instead of six.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from headgate.model.errors import ConnectionFailed

OPEN, CLOSE, READ, WRITE, LSTAT, SETSTAT, FSETSTAT = 3, 4, 5, 6, 7, 9, 10
OPENDIR, READDIR, REMOVE, MKDIR, REALPATH, STAT, RENAME, EXTENDED = 11, 12, 13, 14, 16, 17, 18, 200
_VERSION, _STATUS, _HANDLE, _DATA, _NAME, _ATTRS = 2, 101, 102, 103, 104, 105
FOR_READING, FOR_WRITING, CREATE, TRUNCATE = 0x1, 0x2, 0x8, 0x10
_OK, _END = 0, 1
NO_FILE, DENIED, UNSUPPORTED = 2, 3, 8
POSIX_RENAME, HARDLINK, LIMITS = "posix-rename@openssh.com", "hardlink@openssh.com", "limits@openssh.com"
MODE, TIMES = 0x4, 0x8
_SIZE, _OWNER, _MORE = 0x1, 0x2, 0x80000000
# What every server takes, and the most we ask for where one says that it takes more.
_SAFE, _MOST, _LARGEST_ANSWER = 32_768, 255 << 10, 1 << 20
_GATHERED: Final = 1 << 15


class Refused(Exception):
    """A request that the server refused.

    Args:
        code: of SSH_FX_*.
        words: the server's own.
    """

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class Pipe(Protocol):
    """Bytes to a server's SFTP subsystem and back. Every act may raise `ConnectionFailed`."""

    def write(self, *pieces: bytes) -> None:
        """Send bytes."""
        ...

    def read(self) -> bytes:
        """Some bytes that came, at least one."""
        ...

    def close(self) -> None:
        """Hang up. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class Attrs:
    """What a server says of a file; None for what it does not say. `modified` is in seconds since 1970."""

    size: int | None = None
    mode: int | None = None
    modified: int | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is one as far as the server says."""
        return self.mode is None or stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        """Whether it is one."""
        return self.mode is not None and stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is one."""
        return self.mode is not None and stat.S_ISLNK(self.mode)


class _Reader:
    """An answer, taken apart from its beginning."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self._at = data, at

    def number(self) -> int:
        (value,) = struct.unpack_from(">I", self._data, self._at)
        self._at += 4
        return int(value)

    def long(self) -> int:
        (value,) = struct.unpack_from(">Q", self._data, self._at)
        self._at += 8
        return int(value)

    def text(self) -> bytes:
        size = self.number()
        self._at += size
        if self._at > len(self._data):
            raise struct.error("a text goes beyond its answer")
        return self._data[self._at - size : self._at]

    def attrs(self) -> Attrs:
        flags = self.number()
        size = self.long() if flags & _SIZE else None
        if flags & _OWNER:
            self.long()
        mode = self.number() if flags & MODE else None
        modified = None
        if flags & TIMES:
            self.number()
            modified = self.number()
        for _ in range(self.number() if flags & _MORE else 0):
            self.text()
            self.text()
        return Attrs(size, mode, modified)

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


def text(words: str | bytes) -> bytes:
    """A text as requests have it."""
    data = words.encode(errors="surrogateescape") if isinstance(words, str) else words
    return struct.pack(">I", len(data)) + data


class Wire:
    """A conversation with a server. Used by one thread.

    Args:
        pipe: to its subsystem.
        name: of the server, for people.

    Raises:
        ConnectionFailed: what answers there does not speak SFTP.
    """

    def __init__(self, pipe: Pipe, name: str) -> None:
        self._pipe, self._name = pipe, name
        self._in = bytearray()
        self._out: list[bytes] = []
        self._gathered = self._number = 0
        self._early: dict[int, tuple[int, bytes]] = {}
        pipe.write(struct.pack(">IBI", 5, 1, 3))
        kind, data = self._packet()
        if kind != _VERSION:
            raise self._nonsense()
        found = _Reader(data, 4)
        self._extensions = set()
        while found.more:
            self._extensions.add(found.text().decode(errors="replace"))
            found.text()
        self.piece = self._limits() if LIMITS in self._extensions else _SAFE

    def offers(self, extension: str) -> bool:
        """Whether the server has an extension of that name."""
        return extension in self._extensions

    def ask(self, kind: int, *body: bytes) -> int:
        """Send a request, at the latest when an answer is waited for.

        Returns:
            Its number.
        """
        self._number = (self._number + 1) & 0xFFFFFFFF
        size = sum(map(len, body))
        self._out += [struct.pack(">IBI", 5 + size, kind, self._number), *body]
        self._gathered += size
        if self._gathered >= _GATHERED:
            self._flush()
        return self._number

    def extended(self, name: str, *body: bytes) -> int:
        """Send a request of an extension."""
        return self.ask(EXTENDED, text(name), *body)

    def done(self, number: int) -> None:
        """Wait until a request is answered by being done.

        Raises:
            Refused: it is not.
        """
        kind, data = self._answer(number)
        if kind != _STATUS:
            raise self._nonsense()
        self._status(data)

    def handle(self, number: int) -> bytes:
        """The handle that a request is answered with.

        Raises:
            Refused: it is answered with none.
        """
        return _Reader(self._expect(number, _HANDLE), 4).text()

    def attrs(self, number: int) -> Attrs:
        """What a request about a file is answered with.

        Raises:
            Refused: it is answered with nothing.
        """
        return _Reader(self._expect(number, _ATTRS), 4).attrs()

    def data(self, number: int) -> bytes:
        """What was read; nothing at the end of the file.

        Raises:
            Refused: it cannot be read.
        """
        kind, data = self._answer(number)
        if kind == _STATUS and struct.unpack_from(">I", data, 4)[0] == _END:
            return b""
        if kind == _STATUS:
            self._status(data)
        if kind != _DATA:
            raise self._nonsense()
        return _Reader(data, 4).text()

    def names(self, number: int) -> list[tuple[str, Attrs]]:
        """Some entries of a folder; none at its end.

        Raises:
            Refused: it cannot be listed.
        """
        kind, data = self._answer(number)
        if kind == _STATUS and struct.unpack_from(">I", data, 4)[0] == _END:
            return []
        if kind == _STATUS:
            self._status(data)
        if kind != _NAME:
            raise self._nonsense()
        found = _Reader(data, 4)
        return list(_entries(found, found.number()))

    def close(self) -> None:
        """Hang up."""
        self._pipe.close()

    def _limits(self) -> int:
        _, data = self._answer(self.extended(LIMITS))
        found = _Reader(data, 4)
        largest, _, most = found.long(), found.long(), found.long()
        most = most or largest - 1024
        return min(most, _MOST) if most > 0 else _SAFE

    def _expect(self, number: int, kind: int) -> bytes:
        got, data = self._answer(number)
        if got == _STATUS:
            self._status(data)
        if got != kind:
            raise self._nonsense()
        return data

    def _status(self, data: bytes) -> None:
        found = _Reader(data, 4)
        if (code := found.number()) != _OK:
            raise Refused(code, found.text().decode(errors="replace") if found.more else f"error {code}")

    def _answer(self, number: int) -> tuple[int, bytes]:
        self._flush()
        while number not in self._early:
            kind, data = self._packet()
            self._early[struct.unpack_from(">I", data)[0]] = kind, data
        return self._early.pop(number)

    def _flush(self) -> None:
        if self._out:
            out, self._out, self._gathered = self._out, [], 0
            self._pipe.write(*out)

    def _packet(self) -> tuple[int, bytes]:
        while len(self._in) < 5:
            self._in += self._pipe.read()
        (size,) = struct.unpack_from(">I", self._in)
        if not 5 <= size <= _LARGEST_ANSWER:
            raise self._nonsense()
        while len(self._in) < 4 + size:
            self._in += self._pipe.read()
        kind, data = self._in[4], bytes(self._in[5 : 4 + size])
        del self._in[: 4 + size]
        return kind, data

    def _nonsense(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self._name}: what answers there does not speak SFTP",
            hint="Check host and port; a login script of the server must print nothing.",
        )


def _entries(found: _Reader, count: int) -> Iterator[tuple[str, Attrs]]:
    for _ in range(count):
        name = found.text().decode(errors="surrogateescape")
        found.text()  # the same as ls -l would show it
        yield name, found.attrs()
