"""Compressed files: told from their content, and unpacked no further than is sensible."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Protocol

import pyarrow as pa

from headgate.model.errors import SourceError

from .base import Piece

HEAD = 16
# A file that grows beyond both is a bomb, or has nothing in it worth reading.
_LARGE = 1 << 30
_RATIO = 200
_CHUNK = 1 << 20
# What `xz -9` needs is a quarter of it; a file can ask for gigabytes.
_WINDOW = 256 << 20
_SIGNS: Final = (
    (re.compile(rb"\x1f\x8b"), "gzip"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\0"), "xz"),
    # Parallel compressors begin with a frame that is passed over.
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), "zstd"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "zip"),
)
_ENDINGS: Final = {"gzip": ".gz", "bzip2": ".bz2", "xz": ".xz", "zstd": ".zst"}
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError, NotImplementedError, KeyError,
    pa.ArrowException,
)  # fmt: skip


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def told(head: bytes) -> str:
    """The compression a file has by its first `HEAD` bytes: ``gzip``, ``bzip2``, ``xz``, ``zstd``, ``zip`` or ``none``."""
    return next((name for sign, name in _SIGNS if sign.match(head)), "none")


def inner_name(name: str, compression: str) -> str:
    """What the file is called once it is unpacked (`a.csv.gz` holds `a.csv`)."""
    ending = _ENDINGS.get(compression, "")
    return name[: -len(ending)] if ending and name.lower().endswith(ending) else name


def members(name: str, path: Path, most: int | None) -> list[Piece]:
    """The files in a zip archive, in its order.

    Args:
        most: bytes all of them together may unpack to; by default what is sensible.

    Raises:
        SourceError: it is damaged, encrypted, empty or a bomb, or has several files of one name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [
                i for i in archive.infolist()
                if not i.is_dir() and not i.filename.startswith("__MACOSX/") and not Path(i.filename).name.startswith(".")
            ]  # fmt: skip
    except zipfile.BadZipFile as e:
        raise SourceError(f"{name} is not a whole zip archive: {e}", hint="Copy or download it again.") from None
    if not found:
        raise SourceError(f"{name} has no files in it", hint="Check that it is the right archive.")
    if any(i.flag_bits & 1 for i in found):
        raise SourceError(f"{name} is encrypted", hint="Unpack it with its password first.")
    twice, times = Counter(i.filename for i in found).most_common(1)[0]
    if times > 1:
        raise SourceError(
            f"{name} has {times} files called {twice}, and it cannot be told which is meant",
            hint="Unpack it, and give the files.",
        )
    # No member unpacks to more than the archive says it does.
    if sum(i.file_size for i in found) > (limit := limit_of(path, most)):
        raise bomb(name, limit, most)
    return [Piece(f"{name}: {i.filename}", path, "zip", i.filename, i.file_size) for i in found]


def unpack(piece: Piece, to: Path, most: int | None) -> None:
    """Write the uncompressed bytes of a piece to a file.

    Args:
        most: bytes it may have; by default what is sensible.

    Raises:
        SourceError: the data is not so compressed, is damaged, is a bomb, or there is no room.
    """
    limit = limit_of(piece.path, most)
    try:
        with to.open("wb") as out:
            done = 0
            for data in _unpacked(piece):
                done += len(data)
                if done > limit:
                    raise bomb(piece.name, limit, most)
                out.write(data)
    except _BROKEN as e:
        raise _broken(piece, e) from None
    except OSError as e:
        if e.errno is None:  # Arrow and bz2 tell so of damaged data
            raise _broken(piece, e) from None
        raise SourceError(
            f"{piece.name} cannot be unpacked to {to.parent}: {e.strerror or e}",
            hint="Make room there, or set TMPDIR to another folder.",
        ) from e


def limit_of(path: Path, most: int | None) -> int:
    """Bytes a file may unpack to: `most`, by default what is sensible."""
    return max(_LARGE, _RATIO * path.stat().st_size) if most is None else most


def bomb(name: str, limit: int, most: int | None) -> SourceError:
    """What is said of a file that unpacks to more than `limit` bytes."""
    if most is not None:
        return SourceError(
            f"{name} unpacks to more than source.max_unpacked, {limit:,} bytes", hint="Raise it if that is meant."
        )
    return SourceError(
        f"{name} unpacks to more than {limit >> 20:,} MiB, over {_RATIO} times its size",
        hint="That is hardly data. If you trust it, set source.max_unpacked to the bytes it may have.",
    )


def _broken(piece: Piece, e: BaseException) -> SourceError:
    with piece.path.open("rb") as file:
        if told(file.read(HEAD)) != piece.compression:
            return SourceError(
                f"{piece.name} is not compressed with {piece.compression}",
                hint="Leave source.compression out: it is told from the content.",
            )
    reason = str(e).partition("\n")[0] or type(e).__name__
    return SourceError(
        f"{piece.name} cannot be unpacked: {reason}",
        hint="Have it packed again with a smaller window."
        if "memory" in reason.lower()
        else "The file is damaged or cut short; get it again.",
    )


def _unpacked(piece: Piece) -> Iterator[bytes]:
    match piece.compression:
        case "gzip":
            with gzip.open(piece.path) as file:
                yield from _chunks(file)
        case "bzip2":
            with bz2.open(piece.path) as file:
                yield from _chunks(file)
        case "xz":
            with piece.path.open("rb") as file:
                yield from _xz(file)
        case "zstd":
            with pa.OSFile(str(piece.path)) as raw, pa.CompressedInputStream(raw, "zstd") as file:
                yield from _chunks(file)
        case _:
            with zipfile.ZipFile(piece.path) as archive, archive.open(piece.member) as file:
                yield from _chunks(file)


def _chunks(file: _Readable) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        yield data


def _xz(file: IO[bytes]) -> Iterator[bytes]:
    """Like `lzma.open`, which knows no limit of memory."""
    data = file.read(_CHUNK)
    while data:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _WINDOW)
        while not stream.eof:
            if stream.needs_input and not (data := data or file.read(_CHUNK)):
                raise EOFError("it ends before its end is marked")
            yield stream.decompress(data, _CHUNK)
            data = b""
        # Streams may follow each other, with zeros between them.
        data = stream.unused_data.lstrip(b"\0")
        while not data and (more := file.read(_CHUNK)):
            data = more.lstrip(b"\0")
