"""Which files there are: paths and patterns, compressed files and their members, standard input."""

from __future__ import annotations

import difflib
import glob
import gzip
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from headgate.model.errors import SourceError

from .formats import is_workbook

STDIN = "standard input"
# A file that grows beyond both is a bomb, or has nothing in it worth reading.
_LARGE = 1 << 30
_RATIO = 200
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One file to be read, perhaps still compressed.

    Attributes:
        name: as a person would name it (``inbox/a.csv``, ``a.zip: b.csv``).
        path: the file, or the archive it is in.
        compression: ``none``, ``gzip`` or ``zip``.
        member: its name inside a zip archive.
        size: bytes when uncompressed, 0 if that is not known.
    """

    name: str
    path: Path
    compression: str = "none"
    member: str = ""
    size: int = 0


def find(paths: str | list[str], base: Path) -> list[tuple[str, Path]]:
    """Files by name, patterns in name order, each file once.

    Raises:
        SourceError: there is no such file, it is a folder, or nothing matches a pattern.
    """
    found: dict[Path, str] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        full = base / Path(path).expanduser()
        if not glob.has_magic(path) or full.exists():
            _check(path, full)
            found.setdefault(full, path)
            continue
        # Not Path.glob: it follows other rules for absolute patterns and hidden files.
        matches = sorted(glob.glob(str(Path(path).expanduser()), root_dir=base, recursive=True))  # noqa: PTH207
        files = [m for m in matches if (base / m).is_file()]
        if not files:
            raise SourceError(f"no file matches {path}", hint=f"Looked in {base}. {_near(full)}".strip())
        for name in files:
            found.setdefault(base / name, name)
    return [(name, path) for path, name in found.items()]


def _check(name: str, path: Path) -> None:
    try:
        if path.is_dir():
            raise SourceError(
                f"{name} is a folder", hint=f"Name a file in it, or all of one kind: {name.rstrip('/')}/*.csv"
            )
        with path.open("rb"):
            return
    except FileNotFoundError:
        raise SourceError(f"there is no file {name}", hint=_near(path)) from None
    except PermissionError:
        raise SourceError(
            f"{name} may not be read: permission denied", hint="Give this user the right to read it."
        ) from None
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        raise SourceError(
            f"{name} cannot be opened: {getattr(e, 'strerror', None) or e}", hint="Check the path."
        ) from e


def _near(path: Path) -> str:
    """What is there that looks like it."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        missing, folder = folder, folder.parent
        if folder.is_dir():
            return f"There is no folder {missing.name!r} in {folder}."
    try:
        names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    except OSError:
        return ""
    folded = {n.casefold(): n for n in names}
    close = [folded[n] for n in difflib.get_close_matches(path.name.casefold(), folded, 3, 0.6)]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    files = [n for n in names if (folder / n).is_file()][:5]
    return f"There are: {', '.join(files)}." if files else "The folder is empty."


def pieces(name: str, path: Path, compression: str | None, file_format: str | None) -> list[Piece]:
    """The files in a file: itself, what gzip has packed, or the members of a zip archive in their order.

    Args:
        compression: what the definition says; by default told from the content.

    Raises:
        SourceError: an archive is damaged, encrypted or empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        size = path.stat().st_size
    except OSError as e:
        raise SourceError(
            f"{name} cannot be read: {e.strerror or e}", hint="Check the file and its permissions."
        ) from e
    if compression is None:
        zipped = head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and file_format != "xlsx" and not is_workbook(path)
        compression = "gzip" if head.startswith(b"\x1f\x8b") else "zip" if zipped else "none"
    if compression == "none":
        return [Piece(name, path, size=size)]
    if compression == "gzip":
        return [Piece(name, path, "gzip")]
    return _members(name, path)


def _members(name: str, path: Path) -> list[Piece]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                i for i in archive.infolist()
                if not i.is_dir() and not i.filename.startswith("__MACOSX/") and not Path(i.filename).name.startswith(".")
            ]  # fmt: skip
    except zipfile.BadZipFile as e:
        raise SourceError(f"{name} is not a whole zip archive: {e}", hint="Copy or download it again.") from None
    if not members:
        raise SourceError(f"{name} has no files in it", hint="Check that it is the right archive.")
    if any(i.flag_bits & 1 for i in members):
        raise SourceError(f"{name} is encrypted", hint="Unpack it with its password first.")
    return [Piece(f"{name}: {i.filename}", path, "zip", i.filename, i.file_size) for i in members]


def unpack(piece: Piece, to: Path) -> None:
    """Write the uncompressed bytes of a piece to a file.

    Raises:
        SourceError: the data is damaged, is a decompression bomb, or there is no room.
    """
    try:
        with to.open("wb") as out:
            limit = max(_LARGE, _RATIO * piece.path.stat().st_size)
            done = 0
            for data in _unpacked(piece):
                done += len(data)
                if done > limit:
                    raise SourceError(
                        f"{piece.name} unpacks to more than {limit >> 20:,} MiB, over {_RATIO} times its size",
                        hint="That is not data; unpack it yourself if you trust it.",
                    )
                out.write(data)
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, NotImplementedError, KeyError) as e:
        raise SourceError(
            f"{piece.name} cannot be unpacked: {e}", hint="The file is damaged or cut short; get it again."
        ) from None
    except OSError as e:
        raise SourceError(
            f"{piece.name} cannot be unpacked to {to.parent}: {e.strerror or e}",
            hint="Make room there, or set TMPDIR to another folder.",
        ) from e


def _unpacked(piece: Piece) -> Iterator[bytes]:
    if piece.compression == "gzip":
        with gzip.open(piece.path) as file:
            yield from _chunks(file)
    else:
        with zipfile.ZipFile(piece.path) as archive, archive.open(piece.member) as member:
            yield from _chunks(member)


def _chunks(file: IO[bytes] | gzip.GzipFile) -> Iterable[bytes]:
    while data := file.read(_CHUNK):
        yield data


def spool(to: Path) -> None:
    """Write standard input to a file.

    Raises:
        SourceError: there is no room, or nobody gives input.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError("standard input is a terminal", hint="Send a file to it: headgate run - … < file.csv")
    try:
        with to.open("wb") as out:
            shutil.copyfileobj(sys.stdin.buffer, out, _CHUNK)
    except OSError as e:
        raise SourceError(
            f"standard input cannot be kept in {to.parent}: {e.strerror or e}",
            hint="Make room there, or set TMPDIR to another folder.",
        ) from e
