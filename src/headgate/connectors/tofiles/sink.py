"""Bytes of one file, compressed on their way."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
from pathlib import Path
from typing import IO, Any

import pyarrow as pa


class Sink:
    """A file that is being written.

    Args:
        path: where.
        compression: one of `options.Compression`.
        after: a file whose bytes come first, as they are.

    Raises:
        OSError: as every method: the disk is full, or what else there is.
    """

    def __init__(self, path: Path, compression: str, after: Path | None = None) -> None:
        if after is not None:
            shutil.copyfile(after, path)
        self._file = path.open("ab")
        self._stream = _packed(self._file, compression)

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes."""
        self._stream.write(data)

    def close(self) -> None:
        """End it."""
        try:
            if self._stream is not self._file:
                self._stream.close()
        finally:
            if not self._file.closed:
                self._file.close()


def _packed(file: IO[bytes], compression: str) -> Any:
    match compression:
        case "gzip":  # without a time in it, so that the same records are the same file
            return gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0)
        case "bzip2":
            return bz2.BZ2File(file, "wb")
        case "xz":
            return lzma.LZMAFile(file, "wb")
        case "zstd":
            return pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd")
        case _:
            return file


def unpacked(path: Path, compression: str) -> Any:
    """A file's bytes, to be read."""
    match compression:
        case "gzip":
            return gzip.open(path, "rb")
        case "bzip2":
            return bz2.open(path, "rb")
        case "xz":
            return lzma.open(path, "rb")
        case "zstd":
            return pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd")
        case _:
            return path.open("rb")


def settle(path: Path) -> str:
    """See to it that a file is on the disk; its SHA-256."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path: Path) -> str | None:
    """A file's SHA-256; None where there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def sync_folder(path: Path) -> None:
    """See to it that a folder's names are on the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
