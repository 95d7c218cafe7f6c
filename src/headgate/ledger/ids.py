"""The ids that a destination gives records of its own, by the records' keys (`headgate.spi.destination.GivesIds`).

They belong to an import at its destination, whichever of its runs, retries and undos told them last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from .ledger import Ledger
from .rows import to_text

Key = tuple[str, ...]

_PIECE: Final = 10_000
_SHORT: Final = 200
"""Characters of a key up to which it is its own mark: an index of PostgreSQL has no room for long ones."""
_LEARN: Final = """
insert into {table} (import_name, destination, mark, key, id) values (?, ?, ?, ?, ?)
on conflict (import_name, destination, mark) do update set id = excluded.id where {table}.id <> excluded.id
"""
_FORGET: Final = "delete from {table} where import_name = ? and destination = ? and mark = ?"
_KNOWN: Final = "headgate_id"
_WRITTEN: Final = "headgate_id_written"
_PAGE: Final = """
select mark, key, id from headgate_id where import_name = ? and destination = ? and mark > ? order by mark limit ?
"""
# What is known and not written so, and what was written and is not known any more.
_UNWRITTEN: Final = """
select mark, key, id from (
  select i.mark, i.key, i.id from headgate_id i where i.import_name = ? and i.destination = ? and i.mark > ? and not exists (
    select 1 from headgate_id_written w
    where w.import_name = i.import_name and w.destination = i.destination and w.mark = i.mark and w.id = i.id)
  union all
  select w.mark, w.key, null from headgate_id_written w where w.import_name = ? and w.destination = ? and w.mark > ? and not exists (
    select 1 from headgate_id i
    where i.import_name = w.import_name and i.destination = w.destination and i.mark = w.mark)
) unwritten order by mark limit ?
"""
_ENCODE: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class Ids:
    """The part of a ledger that knows the ids of one import.

    Args:
        ledger: where they are kept.
        import_name, destination: as its runs have them.
    """

    def __init__(self, ledger: Ledger, import_name: str, destination: str) -> None:
        self._ledger = ledger
        self._of = to_text(import_name), to_text(destination)

    def learn(self, told: Mapping[Key, str | None]) -> None:
        """Keep ids by their keys, each in the place of what was known of its key; None: there is no such record (any more).

        It is on the disk when this returns. Said again, it changes nothing.
        """
        self._keep(_KNOWN, told.items())

    def pages(self) -> Iterator[list[tuple[Key, str]]]:
        """All keys with their ids, some thousands at a time; nothing is made where there is no ledger yet."""
        yield from self._pages(_PAGE, 1)

    def unwritten(self) -> Iterator[list[tuple[Key, str | None]]]:
        """Keys with the ids that the import's source has not been told (`wrote`), likewise; None: it is to forget the one it has."""
        yield from self._pages(_UNWRITTEN, 2)

    def wrote(self, told: Iterable[tuple[Key, str | None]]) -> None:
        """Note that the import's source has been told these."""
        self._keep(_WRITTEN, told)

    def _keep(self, table: str, told: Iterable[tuple[Key, str | None]]) -> None:
        # In one order, so that two who learn the same do not wait for each other.
        remaining = iter(sorted(told))
        while piece := list(islice(remaining, _PIECE)):
            marked = [(*_marked(key), id_) for key, id_ in piece]
            learned = [(*self._of, mark, whole, to_text(id_)) for mark, whole, id_ in marked if id_ is not None]
            forgotten = [(*self._of, mark) for mark, _, id_ in marked if id_ is None]
            with self._ledger.store().transaction() as session:
                if learned:
                    session.many(_LEARN.format(table=table), learned)
                if forgotten:
                    session.many(_FORGET.format(table=table), forgotten)

    def _pages(self, statement: str, parts: int) -> Iterator[list[tuple[Key, Any]]]:
        last = ""
        while rows := self._ledger.look(statement, [*(*self._of, last) * parts, _PIECE]):
            yield [(_DECODE(mark if key is None else key), id_) for mark, key, id_ in rows]
            last = rows[-1][0]


def _marked(key: Key) -> tuple[str, str | None]:
    """What tells a key from others, and the key where that is not the same."""
    text = _ENCODE([to_text(part) for part in key]).decode()
    if len(text) <= _SHORT:
        return text, None
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[: _SHORT - len(digest)]}{digest}", text
