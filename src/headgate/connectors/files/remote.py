"""Files that lie in a place: found by patterns, copied here, and moved or deleted there when they are imported."""

from __future__ import annotations

import difflib
import posixpath
from pathlib import Path, PurePosixPath

from headgate.model.errors import SourceError
from headgate.spi.place import Entry, Finds, Place, is_pattern, looked_in, matches


def fetch(place: Place, paths: str | list[str], folder: Path) -> dict[Path, str]:
    """Copy files here: each copy with its path in the place; patterns in name order, each file once.

    Raises:
        SourceError: there is none, or it changed while it was copied.
        ConnectionFailed: the place cannot be reached.
    """
    found: dict[str, Entry] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        for entry in _meant(place, path):
            found.setdefault(entry.path, entry)
    copies: dict[Path, str] = {}
    for n, entry in enumerate(found.values()):
        copy = folder / str(n) / PurePosixPath(entry.path).name
        copy.parent.mkdir()
        place.fetch(entry.path, copy)
        if entry.size >= 0 and copy.stat().st_size != entry.size:
            raise SourceError(
                f"{entry.path} changed while it was copied: {entry.size:,} bytes were listed, {copy.stat().st_size:,} came",
                hint="Somebody is still writing it; run again when it is whole.",
            )
        copies[copy] = entry.path
    return copies


def _meant(place: Place, path: str) -> list[Entry]:
    if isinstance(place, Finds) and not is_pattern(path) and (entry := place.find(path)) is not None:
        return [entry]
    folder, deep = looked_in(path)
    there = list(place.files(folder, deep=deep))
    if not is_pattern(path):
        chosen = [e for e in there if e.path == path]
    else:
        chosen = sorted((e for e in there if matches(path, e.path)), key=lambda e: e.path)
    if chosen:
        return chosen
    names = [e.path for e in there]
    near = difflib.get_close_matches(path, names, 3, 0.6)
    hint = (
        f"Did you mean {' or '.join(near)}?"
        if near
        else f"There are: {', '.join(sorted(names)[:5])}."
        if names
        else f"There is nothing in {folder or 'the folder'}."
    )
    what = f"no file matches {path}" if is_pattern(path) else f"there is no file {path}"
    raise SourceError(what, hint=hint)


def done(place: Place, path: str, folder: str | None) -> None:
    """Move a file into a folder of the place, or delete it; what has its name there already is kept beside it.

    Raises:
        SourceError, ConnectionFailed: it cannot be.
    """
    if folder is None:
        place.delete(path)
        return
    there = {e.path for e in place.files(folder.strip("/"), deep=False)}
    name = PurePosixPath(path)
    to, n = posixpath.join(folder.strip("/"), name.name), 1
    while to in there:
        n += 1
        to = posixpath.join(folder.strip("/"), f"{name.stem}-{n}{name.suffix}")
    place.move(path, to)
