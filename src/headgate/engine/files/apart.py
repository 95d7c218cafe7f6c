"""Both ends in one place: what is put there must be no file of the source, or every run would have more to send than the one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from headgate.model.errors import UsageError
from headgate.model.source import MoveSpec
from headgate.spi.place import below, is_pattern, looked_in, matches
from headgate.spi.store import Addressed, Here, Store

from .moves import Ends, Move, printable


class Taken:
    """What the source means, as seen from other places.

    Args:
        source: where it is.
        connection: by which; None for folders of this machine.
        paths: its files and patterns.
    """

    def __init__(self, source: Store, connection: str | None, paths: Sequence[str]) -> None:
        self._source, self._connection = source, connection or ""
        self._patterns = [below(path) for path in paths]
        self._folders: dict[Path, Path] = {}
        self._addresses: dict[str, str | None] = {}

    def has(self, place: Store, connection: str | None, path: str) -> bool:
        """Whether a path of a place is, or would be, a file of the source."""
        if isinstance(self._source, Here) and isinstance(place, Here):
            file = place.here(path)
            return any(self._means(one, self._folder(file.parent) / file.name) for one in self._patterns)
        if self._connection == (connection or ""):
            return self.moved_to(path)
        above = self._address(self._source, self._connection)
        if above is None:
            return False
        full = f"{self._address(place, connection)}/{path}"
        return full.startswith(f"{above}/") and self.moved_to(full[len(above) + 1 :])

    def _address(self, place: Store, connection: str | None) -> str | None:
        """What a place's paths are below; None where it does not say."""
        name = connection or ""
        if name not in self._addresses:
            self._addresses[name] = place.address().rstrip("/") if isinstance(place, Addressed) else None
        return self._addresses[name]

    def moved_to(self, path: str) -> bool:
        """The same of a path of the source's own place."""
        if isinstance(self._source, Here):
            return self.has(self._source, None, path)
        return any(_is(one, path) for one in self._patterns)

    def _means(self, meant: str, file: Path) -> bool:
        """Whether a pattern means a file of this machine, whose folders may have other names in it."""
        assert isinstance(self._source, Here), "whoever asks has looked"
        inner, _ = looked_in(meant)
        folder = self._folder(self._source.here(inner))
        rest = meant[len(inner) + 1 :] if inner else meant
        return file.is_relative_to(folder) and _is(rest, file.relative_to(folder).as_posix())

    def _folder(self, path: Path) -> Path:
        if path not in self._folders:
            self._folders[path] = path.resolve()
        return self._folders[path]


def check_apart(taken: Taken, moves: Iterable[Move], ends: Ends, destination: Store, backup: Store | None) -> None:
    """Refuse what would make files of the source.

    Args:
        backup: where what is overwritten is kept, if not at the destination.

    Raises:
        UsageError: the destination, the folder that is kept, or the one that files are moved to, lies within the source.
    """
    spec = ends.spec
    into, done, keeps = spec.destination.connection, spec.source.done, spec.transfer.backup
    for move in moves:
        if move.source is None or move.problem is not None:
            continue
        if taken.has(destination, into, move.to):
            raise UsageError(
                f"{printable(move.to)}, where a file would be put, is a file of the source itself, and would be sent again by the next run",
                hint="Choose a folder in destination.path that source.path does not mean.",
            )
        if keeps is not None and taken.has(backup or destination, keeps.connection or into, ends.kept(1, move.to)):
            raise UsageError(
                f"what is kept in {keeps.path} would be files of the source, and would be sent by the next run",
                hint="Choose a folder in transfer.backup that source.path does not mean.",
            )
        name = PurePosixPath(move.source.path).name
        if isinstance(done, MoveSpec) and taken.moved_to(f"{done.move.strip('/')}/{name}"):
            raise UsageError(
                f"files that are moved to {done.move} would be files of the source still, and would be sent again by the next run",
                hint="Choose a folder in source.done that source.path does not mean.",
            )


def _is(wanted: str, path: str) -> bool:
    return matches(wanted, path) if is_pattern(wanted) else wanted == path
