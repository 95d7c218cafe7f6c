"""Files that were moved: what is needed to take that back, and to know again what was put where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from headgate.model.run import Run

from . import leases, statements
from .ledger import Ledger

_PIECE: Final = 5_000
_MEAN: Final = "insert into headgate_moved (run_id, number, state, body) values (?, ?, 'meant', ?)"
_DONE: Final = "update headgate_moved set state = 'done', body = ? where run_id = ? and number = ?"
_UNDONE: Final = "update headgate_moved set state = 'undone' where run_id = ? and number = ?"
_FORGET: Final = "delete from headgate_moved where run_id = ? and state = 'meant'"
_ALL: Final = "select number, state, body from headgate_moved where run_id = ? and number > ? and state <> 'undone' order by number limit ?"
_ANY: Final = "select 1 from headgate_moved where run_id = ? limit 1"
_KNOWN: Final = "select path, body from headgate_sent where lease = ? and path > ? order by path limit ?"
_KNOW: Final = "insert into headgate_sent (lease, path, body) values (?, ?, ?) on conflict (lease, path) do update set body = excluded.body"
_UNKNOW: Final = "delete from headgate_sent where lease = ? and path = ?"

Body = dict[str, Any]


class Moved:
    """The part of a ledger that knows files.

    Args:
        ledger: where they are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store()

    def mean(self, run_id: int, meant: Iterable[tuple[int, Body]]) -> None:
        """Note what is about to be done, before anything of it is."""
        remaining = iter(meant)
        while piece := list(islice(remaining, _PIECE)):
            with self._store.transaction() as session:
                session.many(_MEAN, [(run_id, number, json.dumps(body)) for number, body in piece])

    def done(self, run: Run, done: Sequence[tuple[int, Body]], sent: Sequence[tuple[str, Body | None]]) -> None:
        """Note what was done, and what lies at the destination now; None where nothing does.

        Raises:
            Fenced: another run has taken the import over.
        """
        with self._store.transaction() as session:
            if run.lease and not leases.held(run, session.query(statements.LEASE, [run.lease])):
                raise leases.taken_over(run)
            session.many(_DONE, [(json.dumps(body), run.id, number) for number, body in done])
            session.many(_KNOW, [(run.lease, path, json.dumps(body)) for path, body in sent if body is not None])
            session.many(_UNKNOW, [(run.lease, path) for path, body in sent if body is None])

    def undone(self, undo: Run, run_id: int, number: int, path: str) -> None:
        """Note that what a run did with a file was taken back.

        Raises:
            Fenced: another run has taken the import over.
        """
        with self._store.transaction() as session:
            if undo.lease and not leases.held(undo, session.query(statements.LEASE, [undo.lease])):
                raise leases.taken_over(undo)
            session.query(_UNDONE, [run_id, number])
            session.query(_UNKNOW, [undo.lease, path])

    def forget_meant(self, run_id: int) -> None:
        """Forget what was not done after all, of a run that came to its end."""
        with self._store.transaction() as session:
            session.query(_FORGET, [run_id])

    def of_run(self, run_id: int) -> Iterator[tuple[int, bool, Body]]:
        """What a run did or was about to do and was not taken back: its number, whether it is known to be done, and what."""
        last = -1
        while rows := self._store.query(_ALL, [run_id, last, _PIECE]):
            yield from ((int(number), state == "done", json.loads(body)) for number, state, body in rows)
            last = int(rows[-1][0])

    def any_of(self, run_id: int) -> bool:
        """Whether a run moved files."""
        return bool(self._store.query(_ANY, [run_id]))

    def known(self, lease: str) -> Iterator[tuple[str, Body]]:
        """What an import has put at its destination, by path."""
        last = ""
        while rows := self._store.query(_KNOWN, [lease, last, _PIECE]):
            yield from ((str(path), json.loads(body)) for path, body in rows)
            last = str(rows[-1][0])
