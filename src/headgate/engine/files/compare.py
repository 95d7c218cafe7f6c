"""Looking at both ends: which files there are, and what is to be done with each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from headgate.model.counting import counted, verb
from headgate.model.errors import LimitExceeded, SourceError, UsageError
from headgate.model.outcome import Outcome
from headgate.model.record import Problem, record_number
from headgate.model.transfer import Named, NotListedError
from headgate.model.write import Operation
from headgate.spi.place import below, is_pattern, looked_in, matches
from headgate.spi.store import PART, Here, Store, Stored

from .apart import Taken, check_apart
from .manifest import Manifest, read
from .moves import Ends, Move, printable

_T = TypeVar("_T")
_DELETIONS: Final = 1
"""The partition that files have their numbers in which only the destination has."""


@dataclass(slots=True)
class Compared:
    """What was found.

    Attributes:
        moves: one for every file of the source, in its order.
        gone: of a mirror: files of the destination that the source has no more.
        in_scope: of a mirror: files of the destination in its charge.
        parts: files at the destination that are not whole yet, with their sizes.
        warnings: for people.
    """

    moves: list[Move] = field(default_factory=list)
    gone: list[Move] = field(default_factory=list)
    in_scope: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def compare(ends: Ends, known: dict[str, dict[str, Any]], started: datetime, told: Callable[[int], None]) -> Compared:
    """Look at both ends and decide.

    Args:
        known: what the import has put there in earlier runs, by path.
        started: when the run did.
        told: is called with how many files were compared, again and again.

    Raises:
        SourceError: there is no such file, or the source cannot be listed.
        LimitExceeded: a mirror has an empty source.
        UsageError: the source would have what is put at the destination, or permissions are to be kept where there are none.
    """
    found = Compared()
    spec = ends.spec
    with closing(ends.source()) as source, closing(ends.destination()) as destination:
        keeps = spec.transfer.permissions == "keep" and spec.operation is not Operation.DELETE
        if keeps:
            _check_permissions(source, destination)
        files = list(_files(source, ends.paths, found.warnings))
        if keeps and (silent := [one for _, one in files if one.permissions is None]):
            found.warnings.append(
                f"{source.name} does not say the permissions of {counted(len(silent), 'file')}, which {verb(len(silent), 'gets', 'get')} those of new files"
            )
        if spec.operation is Operation.MIRROR and not files:
            raise LimitExceeded(
                "the source has no files, and mirror does not take that for an order to delete everything",
                hint="Check the source. To empty the folder, do it at the destination.",
            )
        manifest = _manifest(ends, files)
        escapes = destination.can.addresses and not source.can.addresses
        named = list(_named(ends, files, started, manifest, escapes=escapes))
        found.warnings += manifest.warnings if manifest is not None else []
        taken = Taken(source, spec.source.connection, ends.paths)
        if spec.operation is not Operation.DELETE:
            _check_apart(ends, taken, destination, named)
        there = _there(ends, destination, [m.to for m in named if m.to], found)
        for n, move in enumerate(named):
            found.moves.append(_decided(ends, source, destination, move, there.get(move.to), known.get(move.to)))
            if n % 100 == 0:
                told(n)
        if spec.operation is Operation.MIRROR:
            there = {
                path: one
                for path, one in there.items()
                if not taken.has(destination, spec.destination.connection, path)
            }
            _gone(ends, there, found)
    return found


def _check_permissions(source: Store, destination: Store) -> None:
    """Refuse to keep permissions where one end knows none."""
    for store in (source, destination):
        if not store.can.permissions:
            raise UsageError(
                f"transfer.permissions: keep is for folders and SFTP servers, and {store.name} has no permissions",
                hint="Leave transfer.permissions out.",
            )


def _check_apart(ends: Ends, taken: Taken, destination: Store, named: list[Move]) -> None:
    if ends.backup is None:
        check_apart(taken, named, ends, destination, None)
        return
    with closing(ends.backup()) as backup:
        check_apart(taken, named, ends, destination, backup)


def _files(source: Store, paths: list[str], warnings: list[str]) -> Iterator[tuple[str, Stored]]:
    """Files of the source, each once, with their paths from where their pattern begins."""
    seen: set[str] = set()
    for path in paths:
        meant = below(path)
        folder, deep = looked_in(meant)
        if not is_pattern(meant):
            one = source.look(meant)
            if one is None:
                raise SourceError(
                    f"{source.name}: there is no file {meant}",
                    hint=f"Check source.path; the files of a folder are {meant}/.",
                )
            chosen = [one]
        elif not source.can.lists:
            raise SourceError(
                f"{source.name} does not list its files", hint="Name the files without * and ? in source.path."
            )
        else:
            there = source.listed(folder, deep=deep)
            chosen = sorted((s for s in there if matches(meant, s.path)), key=lambda s: s.path)
        chosen = [s for s in chosen if not PART.fullmatch(PurePosixPath(s.path).name)]
        if not chosen:
            warnings.append(f"no file matches {path}")
        for one in chosen:
            if one.path not in seen:
                seen.add(one.path)
                yield one.path[len(folder) + 1 :] if folder else one.path.lstrip("/"), one


def _manifest(ends: Ends, files: list[tuple[str, Stored]]) -> Manifest | None:
    spec = ends.spec.transfer.manifest
    if ends.manifest is None or spec is None:
        return None
    return read(ends.manifest(), spec.file, ends.template.columns, [path for path, _ in files])


def _named(
    ends: Ends, files: list[tuple[str, Stored]], started: datetime, manifest: Manifest | None, *, escapes: bool
) -> Iterator[Move]:
    """Files with their names at the destination.

    Args:
        escapes: whether those are parts of addresses, which the files' own are not.
    """
    template, taken = ends.template, dict[str, str]()
    for n, (path, one) in enumerate(files):
        number = record_number(0, n)
        if ends.is_manifest(one.path):
            yield Move(number, Outcome.SKIPPED, "", one, reason="manifest")
            continue
        changed = datetime.fromtimestamp(one.modified, UTC) if one.modified is not None else None
        try:
            row = manifest.row(path) if manifest is not None else {}
            if escapes:
                row = {name: value and value.replace("%", "%25") for name, value in row.items()}
            to = template.name(Named(path.replace("%", "%25") if escapes else path, started, changed, row))
        except NotListedError as e:
            yield Move(number, Outcome.INVALID, "", one, problem=Problem("FI08", printable(str(e)), column="path"))
            continue
        except ValueError as e:
            problem = Problem("FI05", f"its name would be none: {printable(str(e))}", column="path")
            yield Move(number, Outcome.INVALID, "", one, problem=problem)
            continue
        if (first := taken.setdefault(to, one.path)) != one.path:
            problem = Problem("FI06", f"it would be {to}, as {printable(first)} is", column="path")
            yield Move(number, Outcome.INVALID, "", one, problem=problem)
            continue
        yield Move(number, Outcome.CREATED, to, one)


def _there(ends: Ends, destination: Store, names: list[str], found: Compared) -> dict[str, Stored]:
    """What lies at the destination under these names; of a mirror, everything in its folder."""
    if not destination.can.lists:
        return _looked_at(ends, names)
    if ends.spec.operation is Operation.MIRROR:
        entries = list(destination.listed(ends.template.folder, deep=True))
    else:
        entries = _listed(ends, destination, sorted({name.rpartition("/")[0] for name in names}))
    found.parts |= {e.path: e.size for e in entries if PART.fullmatch(e.path.rpartition("/")[2])}
    return {e.path: e for e in entries if e.path not in found.parts}


def _listed(ends: Ends, destination: Store, folders: list[str]) -> list[Stored]:
    if len(folders) <= ends.spec.transfer.parallel:
        return [e for folder in folders for e in destination.listed(folder, deep=False)]
    return [e for some in _spread(ends, folders, lambda s, f: list(s.listed(f, deep=False))) for e in some]


def _looked_at(ends: Ends, names: list[str]) -> dict[str, Stored]:
    found = _spread(ends, names, lambda store, name: store.look(name))
    return {one.path: one for one in found if one is not None}


def _spread(ends: Ends, what: list[str], look: Callable[[Store, str], _T]) -> list[_T]:
    """Look at many things by several connections, each in a thread."""
    from concurrent.futures import ThreadPoolExecutor

    parallel = min(ends.spec.transfer.parallel, len(what)) or 1

    def some(first: int) -> list[_T]:
        with closing(ends.destination()) as store:
            return [look(store, one) for one in what[first::parallel]]

    with ThreadPoolExecutor(parallel, "headgate-look") as pool:
        return [one for part in pool.map(some, range(parallel)) for one in part]


def _decided(
    ends: Ends, source: Store, destination: Store, move: Move, there: Stored | None, known: dict[str, Any] | None
) -> Move:
    """What is done with a file, as both ends are."""
    if move.problem is not None or move.source is None or not move.to:
        return move
    spec = ends.spec
    if spec.operation is Operation.DELETE:
        return _deleted(move, there, spec.missing or "skip")
    if there is None:
        return move
    if _equal(source, destination, move.source, there, known):
        return Move(move.number, Outcome.UNCHANGED, move.to, move.source, there)
    match spec.transfer.existing:
        case "skip":
            return Move(move.number, Outcome.SKIPPED, move.to, move.source, there, reason="existing")
        case "reject":
            problem = Problem("KY03", f"{move.to} is there already, with another content", column="path")
            return Move(move.number, Outcome.REJECTED, move.to, move.source, there, problem)
    return Move(move.number, Outcome.UPDATED, move.to, move.source, there)


def _deleted(move: Move, there: Stored | None, missing: str) -> Move:
    if there is not None:
        return Move(move.number, Outcome.DELETED, move.to, move.source, there)
    if missing == "skip":
        return Move(move.number, Outcome.SKIPPED, move.to, move.source, reason="missing")
    problem = Problem("KY04", f"the destination has no {move.to}", column="path")
    return Move(move.number, Outcome.REJECTED, move.to, move.source, problem=problem)


def _equal(source: Store, destination: Store, one: Stored, there: Stored, known: dict[str, Any] | None) -> bool:
    """Whether the destination has a file already. In doubt it has not."""
    if -1 not in (one.size, there.size) and one.size != there.size:
        return False
    noted = known is not None and bool(there.changed) and known["there"] == [there.size, there.changed]
    # Under a name that a list makes may lie what was another file, with the same size and time.
    its_own = noted and known is not None and known.get("path", one.path) == one.path
    if its_own and known is not None and one.changed and known["source"] == [one.size, one.changed]:
        return True
    by_time = not noted and destination.can.modified and there.size >= 0
    if by_time and not destination.can.noted and one.as_old(there):
        return True
    if (same := _same_content(source, destination, one, there)) is not None:
        return same
    if not by_time or not (source.can.noted or destination.can.noted):
        return False
    # What was given to a file for its time of change, lists of a bucket do not say.
    own, theirs = (
        store.look(seen.path) if store.can.noted else seen for store, seen in ((source, one), (destination, there))
    )
    return own is not None and theirs is not None and one.same(own) and there.same(theirs) and bool(own.as_old(theirs))


def _same_content(source: Store, destination: Store, one: Stored, there: Stored) -> bool | None:
    """Whether two files are the same by their digests; None where one has none that the other's can be compared with."""
    if one.digest and there.digest:
        return one.digest == there.digest
    if there.digest and isinstance(source, Here):
        return there.digest == digest(source, there, one.path)
    if one.digest and isinstance(destination, Here):
        return one.digest == digest(destination, one, there.path)
    return None


def digest(store: Here, other: Stored, path: str) -> str:
    """The digest of a file here, by the algorithm that the other end's was made with."""
    algorithm = other.digest.partition(":")[0]
    if algorithm not in hashlib.algorithms_available:
        return ""
    try:
        with store.here(path).open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
    except OSError:
        return ""


def _gone(ends: Ends, there: dict[str, Stored], found: Compared) -> None:
    """Files in a mirror's folder that the source has no more; hidden ones are nobody's, as no pattern means them."""
    wanted = {m.to for m in found.moves}
    backup = ends.spec.transfer.backup
    kept = f"{backup.path.strip('/')}/" if backup is not None and backup.connection is None else None
    charge = [
        e
        for e in sorted(there.values(), key=lambda e: e.path)
        if not (kept and e.path.startswith(kept)) and not any(p.startswith(".") for p in e.path.split("/"))
    ]
    found.in_scope = len(charge)
    gone = (e for e in charge if e.path not in wanted)
    found.gone = [Move(record_number(_DELETIONS, n), Outcome.DELETED, e.path, there=e) for n, e in enumerate(gone)]
