"""Folders of this machine as a place that files are put into: ``file:///folder``."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote, urlsplit

from headgate.model.errors import DestinationError, SourceError, UsageError
from headgate.spi.options import check_options
from headgate.spi.place import Entry
from headgate.spi.store import PERMISSIONS, Can, Changed, Sending, Stored

_PIECE: Final = 8 << 20
_OWN: Final = 0o600


class LocalFolder:
    """A folder of this machine (`headgate.spi.store.Store`).

    Args:
        options: ``url``: ``file://`` and its absolute path.

    Raises:
        UsageError: an option is unknown, or the path is not absolute.
    """

    can = Can(permissions=os.name == "posix")

    def __init__(self, options: Mapping[str, Any]) -> None:
        check_options(options, ("url",), "a connection to files of this machine")
        url = urlsplit(str(options["url"]))
        if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
            raise UsageError(f"{options['url']} names no folder of this machine", hint="Write file:///absolute/folder.")
        self.name = str(Path(unquote(url.path)))

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """See `Place`."""
        return (Entry(s.path, s.size, s.changed) for s in self.listed(folder, deep=deep))

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        """See `Store`. Links to files are followed, links to folders are not."""
        folders = [folder]
        while folders:
            here = folders.pop()
            with self._acting(here):
                try:
                    with os.scandir(self._at(here)) as entries:
                        found = list(entries)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                for entry in found:
                    path = f"{here}/{entry.name}" if here else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders += [path] if deep else []
                    elif entry.is_file():
                        yield _stored(path, entry.stat())

    def look(self, path: str) -> Stored | None:
        """See `Store`."""
        with self._acting(path):
            try:
                found = os.stat(self._text(path))  # noqa: PTH116 - this is done three times a file
            except (FileNotFoundError, NotADirectoryError):
                return None
        return _stored(path, found) if stat.S_ISREG(found.st_mode) else None

    def here(self, path: str) -> Path:
        """See `headgate.spi.store.Here`."""
        return self._at(path)

    def read(self, path: str) -> Iterator[bytes]:
        """See `Store`."""
        with self._acting(path), self._at(path).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield piece

    def fetch(self, path: str, to: Path) -> None:
        """See `Place`."""
        with self._acting(path):
            shutil.copyfile(self._at(path), to)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        """See `Store`. What was sent is on the disk when this returns."""
        with self._acting(to):
            target = self._at(to)
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb", buffering=0) as file, _opened(target, how) as out:
                out.truncate(how.at)
                file.seek(how.at)
                out.seek(how.at)
                while count := _copy(file.fileno(), out.fileno()):
                    how.told(count)
                if how.permissions is not None:
                    os.fchmod(out.fileno(), how.permissions & PERMISSIONS)
                os.fsync(out.fileno())
                if how.modified_ns is not None:
                    os.utime(out.fileno(), ns=(how.modified_ns, how.modified_ns))
                return _stored(to, os.fstat(out.fileno()))

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        """See `Store`."""
        with self._acting(to):
            old, new = self._at(part), self._at(to)
            if over is not None:
                there = self.look(to)
                if there is not None and not there.same(over):
                    raise Changed(f"{to} changed at the destination")
                old.replace(new)
            else:
                try:
                    os.link(old, new)
                except FileExistsError:
                    raise _in_the_way(to, new) from None
                except OSError:  # a file system without links
                    if new.exists():
                        raise _in_the_way(to, new) from None
                    old.replace(new)
                else:
                    old.unlink()
            return _stored(to, new.stat())

    def copy(self, path: str, to: str) -> None:
        """See `Store`: a second name for the same content, which nobody writes to who replaces files; or a copy."""
        with self._acting(path):
            old, new = self._at(path), self._at(to)
            new.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(old, new)
            except FileExistsError:
                raise
            except OSError:
                shutil.copy2(old, new)

    def move(self, path: str, to: str) -> None:
        """See `Place`."""
        with self._acting(path):
            new = self._at(to)
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._at(path), new)

    def delete(self, path: str) -> None:
        """See `Place`."""
        with self._acting(path):
            self._at(path).unlink()

    def close(self) -> None:
        """Nothing to disconnect."""

    def _at(self, path: str) -> Path:
        return Path(self._text(path))

    def _text(self, path: str) -> str:
        return os.path.join(self.name, os.path.expanduser(path) if path.startswith("~") else path)  # noqa: PTH111, PTH118

    @contextmanager
    def _acting(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise SourceError(f"there is no file {path}") from None
        except PermissionError:
            raise SourceError(f"{path}: permission denied", hint="Give this user the right to it.") from None
        except OSError as e:
            raise DestinationError(f"{path}: {e.strerror or e}", hint="Make room there, or check the path.") from None
        except ValueError as e:  # a NUL in the name
            raise SourceError(f"{path!r} is no path: {e}") from None


def _in_the_way(to: str, there: Path) -> DestinationError:
    """What keeps a file from getting a name at which nothing was seen."""
    if there.is_dir():
        return DestinationError(f"{to} is a folder there", hint="Move it away, or have the file named otherwise.")
    return Changed(f"{to} is there now")


def _opened(target: Path, how: Sending) -> IO[bytes]:
    """A file that is written; one with permissions is for nobody else's eyes before it has them."""
    if how.permissions is None:
        return target.open("r+b" if how.at else "wb", buffering=0)
    flags = os.O_RDWR if how.at else os.O_RDWR | os.O_CREAT | os.O_TRUNC
    with suppress(FileNotFoundError):  # it may have been left with permissions by which it cannot be written
        target.chmod(_OWN)
    return os.fdopen(os.open(target, flags, _OWN), "r+b", buffering=0)


def _copy(of: int, to: int) -> int:
    """Copy some bytes from where one file is to where the other is; how many, 0 at the end."""
    try:
        return os.copy_file_range(of, to, _PIECE)
    except (AttributeError, OSError):  # not between these two
        piece = memoryview(os.read(of, _PIECE))
        count = len(piece)
        while piece:
            piece = piece[os.write(to, piece) :]
        return count


def _stored(path: str, found: os.stat_result) -> Stored:
    changed = f"{found.st_mtime_ns // 1_000_000_000}.{found.st_mtime_ns % 1_000_000_000:09}"
    return Stored(path, found.st_size, changed, found.st_mtime_ns, permissions=found.st_mode & PERMISSIONS)
