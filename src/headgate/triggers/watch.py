"""Which files are whole and new where an import's source looks.

A file is known by its path and its stamp: size and time of change. One whose stamp changes is waited for anew, so a file that is
still being written is left alone, and one whose run failed is tried again when it has changed. What a run reads of it is its
content's business: the ledger knows contents that were imported (`source.again`), whatever they are called.
"""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from headgate.app.project import Definition, Project, lies_here
from headgate.ledger.triggers import Watched
from headgate.model.incremental import seconds_of
from headgate.model.triggers import WatchSpec
from headgate.spi.place import Entry, Place, below, is_pattern, looked_in, matches


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that is there.

    Attributes:
        stamp: tells one content from the next.
        done: the stamp of its done-file; empty where none is there, or none is asked for.
    """

    path: str
    stamp: str
    done: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look came to.

    Attributes:
        files: what to remember.
        due: paths of files that are whole and new.
        ripe: when the next of those that wait may be whole, if none changes.
    """

    files: dict[str, Watched]
    due: list[str]
    ripe: datetime | None


def look(spec: WatchSpec, listed: Iterable[Listed], before: Mapping[str, Watched], now: datetime) -> Seen:
    """Which files are whole and new.

    Args:
        listed: the files that are there now.
        before: what was remembered of them.
    """
    settled = timedelta(seconds=seconds_of(spec.settled))
    files: dict[str, Watched] = {}
    due: list[str] = []
    ripe: datetime | None = None
    for file in listed:
        known = before.get(file.path)
        if known is None or known.stamp != file.stamp:
            # A done-file that is still there from the last time says nothing of what came since.
            known = Watched(file.path, file.stamp, now, known.done if known else "")
        if not known.started:
            if spec.done_file is not None:
                whole = file.done not in ("", known.done)
            else:
                whole = known.since + settled <= now
                ripe = min(ripe or known.since + settled, known.since + settled) if not whole else ripe
            if whole:
                due.append(file.path)
                known = replace(known, started=True, done=file.done)
        files[file.path] = known
    # A file that is gone is forgotten, but not the done-file it was started with.
    files |= {p: replace(w, stamp="", started=False) for p, w in before.items() if p not in files and w.done}
    return Seen(files, sorted(due), ripe)


# ---- looking -----------------------------------------------------------------------------------------------------------


def listing(project: Project, definition: Definition) -> list[Listed]:
    """The files that an import's source means, in name order.

    Raises:
        HeadgateError: where they lie cannot be looked at.
    """
    source, watch = definition.spec.source, definition.spec.watch
    assert watch is not None
    place, paths = project.place(source)
    paths = list(map(below, paths)) if definition.spec.moves_files else paths
    if place is None:
        return sorted(_local(paths, definition.base, watch.done_file), key=lambda f: f.path)
    with closing(place):
        return sorted(_remote(place, paths, watch.done_file), key=lambda f: f.path)


def folders(project: Project, definition: Definition) -> list[Path]:
    """The folders of this machine in which files may arrive; none for files that lie elsewhere."""
    if not lies_here(definition.spec.source):
        return []
    _, paths = project.place(definition.spec.source)
    fixed = (looked_in(Path(below(p)).expanduser().as_posix())[0] for p in paths)
    return sorted({definition.base / folder for folder in fixed})


def _local(paths: Iterable[str], base: Path, done_file: str | None) -> Iterator[Listed]:
    found: dict[Path, str] = {}
    for path in paths:
        full = base / Path(path).expanduser()
        if not glob.has_magic(path) or full.exists():
            found.setdefault(full, path)
        else:  # as the source finds them
            for name in glob.glob(str(Path(path).expanduser()), root_dir=base, recursive=True):  # noqa: PTH207
                found.setdefault(base / name, name)
    for full, name in found.items():
        stamp = _stamp(full)
        if stamp and not _is_done_file(full.name, done_file):
            done = _stamp(full.with_name(_done_name(full.name, done_file))) if done_file else ""
            yield Listed(name, stamp, done)


def _stamp(path: Path) -> str:
    """Size and time of change of a file; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}" if S_ISREG(found.st_mode) else ""


def _remote(place: Place, paths: Iterable[str], done_file: str | None) -> Iterator[Listed]:
    there: dict[str, Entry] = {}
    wanted: dict[str, Entry] = {}
    for path in paths:
        folder, deep = looked_in(path)
        entries = {e.path: e for e in place.files(folder, deep=deep)}
        there |= entries
        wanted |= {p: e for p, e in entries.items() if (matches(path, p) if is_pattern(path) else p == path)}
    for path, entry in wanted.items():
        folder, name = posixpath.split(path)
        if _is_done_file(name, done_file):
            continue
        beside = there.get(posixpath.join(folder, _done_name(name, done_file))) if done_file else None
        yield Listed(path, f"{entry.size} {entry.changed}", f"{beside.size} {beside.changed}" if beside else "")


def _done_name(name: str, done_file: str) -> str:
    return done_file.replace("{name}", name).replace("{stem}", PurePosixPath(name).stem)


def _is_done_file(name: str, done_file: str | None) -> bool:
    """Whether a name is that of a done-file: a pattern such as ``inbox/*`` means those too."""
    if done_file is None:
        return False
    mark = "{name}" if "{name}" in done_file else "{stem}"
    before, _, after = done_file.partition(mark)
    return name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
