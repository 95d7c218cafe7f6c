"""The container of an Avro file: its header, and its blocks one by one, unpacked with a limit.

Written down in https://avro.apache.org/docs/current/specification/#object-container-files.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import pyarrow as pa

MAGIC: Final = b"Obj\x01"
_SYNC: Final = 16
# Writers make blocks of some ten kilobytes to some megabytes.
_LARGEST: Final = 256 << 20
_EMPTY: Final = 1_000_000
_HEADER: Final = 16 << 20


class ContainerError(Exception):
    """The file is not as an Avro file is; the message says how."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the blocks.

    Attributes:
        schema: of the records, as JSON.
        codec: how blocks are compressed.
        sync: what stands behind every block.
        end: byte at which the first block begins.
    """

    schema: bytes
    codec: str
    sync: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Block:
    """Records that were written together: how many, their bytes, and the byte of the file behind them."""

    count: int
    data: bytes
    end: int


def header(file: BinaryIO) -> Header:
    """Read the header of a file that is open at its beginning.

    Raises:
        ContainerError: there is none.
    """
    if _exactly(file, len(MAGIC)) != MAGIC:
        raise ContainerError("it does not begin as Avro files do")
    found: dict[str, bytes] = {}
    while count := _long(file):
        if count < 0:
            _long(file)  # the number of bytes, for readers that pass over them
        for _ in range(min(abs(count), 1000)):
            key = _sized(file, _HEADER).decode("utf-8", "replace")
            found[key] = _sized(file, _HEADER)
    sync = _exactly(file, _SYNC)
    if "avro.schema" not in found:
        raise ContainerError("its header has no schema")
    codec = found.get("avro.codec", b"null").decode("utf-8", "replace")
    return Header(found["avro.schema"], codec, sync, file.tell())


def blocks(file: BinaryIO, head: Header) -> Iterator[Block]:
    """The blocks of a file that is open at the end of its header.

    Raises:
        ContainerError: the file is damaged or cut short, or a block is larger than any that is meant.
    """
    while first := file.read(1):
        count = _long(file, first)
        packed = _sized(file, _LARGEST)
        data = _unpacked(packed, head.codec)
        # Only records without any value take no room.
        if not 0 <= count <= len(data) + _EMPTY:
            raise ContainerError(f"a block says that it has {count:,} records")
        if _exactly(file, _SYNC) != head.sync:
            raise ContainerError("a block does not end where it should")
        yield Block(count, data, file.tell())


def as_long(value: int) -> bytes:
    """A number as Avro writes it."""
    value = value << 1 if value >= 0 else (~value << 1) | 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ContainerError("it ends too early")
    return data


def _long(file: BinaryIO, first: bytes = b"") -> int:
    value = shift = 0
    for _ in range(10):
        byte = (first or _exactly(file, 1))[0]
        first = b""
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
    raise ContainerError("a number in it has no end")


def _sized(file: BinaryIO, most: int) -> bytes:
    size = _long(file)
    if not 0 <= size <= most:
        raise ContainerError(f"a block says that it has {size:,} bytes, and at most {most >> 20} MiB are read")
    return _exactly(file, size)


def _unpacked(data: bytes, codec: str) -> bytes:
    try:
        match codec:
            case "null":
                return data
            case "deflate":
                stream = zlib.decompressobj(-15)
                return _whole(stream.decompress(data, _LARGEST), bool(stream.unconsumed_tail), stream.eof)
            case "bzip2":
                pressed = bz2.BZ2Decompressor()
                return _whole(pressed.decompress(data, _LARGEST), not pressed.needs_input, pressed.eof)
            case "xz":
                small = lzma.LZMADecompressor(memlimit=_LARGEST)
                return _whole(small.decompress(data, _LARGEST), not small.needs_input, small.eof)
            case "zstandard":
                with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as zstd:
                    out = bytes(zstd.read(_LARGEST))
                    more = bool(zstd.read(1))
                    return _whole(out, more, not more)
            case "snappy":
                return _snappy(data)
    except (zlib.error, lzma.LZMAError, pa.ArrowException, OSError, EOFError) as e:
        raise ContainerError(f"a block cannot be unpacked: {e}") from None
    raise ContainerError(f"its blocks are compressed with {codec!r}, which is not known")


def _whole(data: bytes, more: bool, ended: bool) -> bytes:
    if ended:
        return data
    raise ContainerError(
        f"a block unpacks to more than {_LARGEST >> 20} MiB"
        if more
        else "a block cannot be unpacked: it ends too early"
    )


def _snappy(data: bytes) -> bytes:
    """Snappy says first how long the data is, and is followed by a checksum of it."""
    size = shift = 0
    for byte in data[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > _LARGEST:
        raise ContainerError(f"a block unpacks to more than {_LARGEST >> 20} MiB")
    out = bytes(pa.Codec("snappy").decompress(data[:-4], size, asbytes=True))
    if zlib.crc32(out) != int.from_bytes(data[-4:], "big"):
        raise ContainerError("a block does not have the checksum that stands behind it")
    return out
