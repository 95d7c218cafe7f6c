"""Which files there are: paths and patterns, compressed files and their members, standard input."""

from __future__ import annotations

import difflib
import glob
import shutil
import sys
from pathlib import Path

from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from . import packed
from .base import Piece
from .formats import is_workbook

STDIN = "standard input"
_CHUNK = 1 << 20


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


def pieces(name: str, path: Path, options: SourceSpec) -> list[Piece]:
    """The files in a file: itself, what is packed in it, or the members of a zip archive in their order.

    Args:
        options: the definition's source; its compression is believed, by default it is told from the content.

    Raises:
        SourceError: an archive is damaged, encrypted, empty or a bomb.
    """
    try:
        with path.open("rb") as file:
            head = file.read(packed.HEAD)
        size = path.stat().st_size
    except OSError as e:
        raise SourceError(
            f"{name} cannot be read: {e.strerror or e}", hint="Check the file and its permissions."
        ) from e
    compression: str = options.compression or packed.told(head)
    if options.compression is None and compression == "zip" and (options.told_format == "xlsx" or is_workbook(path)):
        compression = "none"
    if compression == "none":
        return [Piece(name, path, size=size)]
    if compression == "zip":
        return packed.members(name, path, options.max_unpacked)
    return [Piece(name, path, compression)]


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


def sign(path: Path) -> object:
    """What tells a file from the one that has its name later; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def done(path: Path, folder: Path | None) -> None:
    """Move a file into a folder, or delete it; what has its name there already is kept beside it.

    Raises:
        OSError: it cannot be.
    """
    if folder is None:
        path.unlink()
        return
    folder.mkdir(parents=True, exist_ok=True)
    to, n = folder / path.name, 1
    while to.exists():
        n += 1
        to = folder / f"{path.stem}-{n}{path.suffix}"
    shutil.move(path, to)
