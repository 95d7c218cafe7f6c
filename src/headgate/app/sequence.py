"""Several imports in one command: in which order, and what becomes of the others when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from headgate.model.errors import Cancelled, HeadgateError, UsageError
from headgate.model.run import Run

from .project import Definition, Project
from .refusals import place_of


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one import of a command; `run` is None where it failed or was not begun.

    Attributes:
        error: why there is no run.
        begun: whether it was begun at all.
    """

    name: str
    run: Run | None = None
    error: HeadgateError | None = None
    begun: bool = True


def needs(project: Project, definitions: Sequence[Definition]) -> list[list[int]]:
    """For each import, the places of those that write a table it looks up in, or by whose ids. It is none of them itself."""
    writes = [
        ("", d.name)
        if d.spec.moves_files
        else place_of(project, d.spec.destination.connection, d.spec.destination.table)
        for d in definitions
    ]
    found = []
    for mine, definition in zip(writes, definitions, strict=True):
        spec = definition.spec
        used = [spec.lookups[f.lookup] for f in spec.fields.values() if f.lookup is not None]
        reads = {place_of(project, u.connection, u.table) for u in used if u.connection and u.table} - {mine}
        ids = {u.ids for u in used} - {definition.name}
        found.append([i for i, place in enumerate(writes) if place in reads or definitions[i].name in ids])
    return found


def order(definitions: Sequence[Definition], needed: Sequence[Sequence[int]]) -> list[int]:
    """The places of the imports such that each comes after those it needs, otherwise as given.

    Raises:
        UsageError: some need each other; the message names them.
    """
    done: list[int] = []
    while len(done) < len(definitions):
        left = [i for i in range(len(definitions)) if i not in done]
        following = next((i for i in left if all(n in done for n in needed[i])), None)
        if following is None:
            circle = " -> ".join(definitions[i].name for i in _circle(left, needed))
            raise UsageError(
                f"these imports look up in what each other write: {circle}",
                hint="Say the order yourself: --keep-order runs them as they are named.",
            )
        done.append(following)
    return done


def _circle(left: Sequence[int], needed: Sequence[Sequence[int]]) -> list[int]:
    """From one of those that are left to what it needs, until one comes again."""
    way = [left[0]]
    while way[-1] not in way[:-1]:
        way.append(next(n for n in needed[way[-1]] if n in left))
    return way[way.index(way[-1]) :]


def run_in_order(
    definitions: Sequence[Definition],
    needed: Sequence[Sequence[int]],
    places: Sequence[int],
    one: Callable[[Definition], Run],
    *,
    stop: bool,
) -> Iterator[Ran]:
    """Run imports one after the other. Those that need one that failed are not begun; others are, unless `stop`.

    Args:
        needed: as `needs` gave it.
        places: the order.
        one: runs one of them.

    Raises:
        Cancelled: by hand; nothing further is begun.
    """
    failed: list[int] = []
    for place in places:
        name = definitions[place].name
        lost = next((f for f in failed if stop or f in needed[place]), None)
        if lost is not None:
            why = HeadgateError(f"not begun, because {definitions[lost].name} failed")
            failed.append(place)
            yield Ran(name, error=why, begun=False)
            continue
        try:
            run = one(definitions[place])
        except Cancelled:
            raise
        except HeadgateError as e:
            failed.append(place)
            yield Ran(name, error=e)
        else:
            yield Ran(name, run)
