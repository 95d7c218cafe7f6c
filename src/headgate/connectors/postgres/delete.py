"""Deleting by key from a plain table: the rows are found and deleted in one pass.

Deciding first and deleting afterwards would read the table twice. The deletion is done at the match, under a savepoint, and
taken back when somebody wants to see what it would change, or when it turns out that it needs a decision after all.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from headgate.model.outcome import Account, Outcome
from headgate.model.write import Matched, Operation, WriteSpec
from headgate.sql import MISSING, STAGE, Refused, Target

from .catalog import Relation
from .connection import PostgresSession, identifier
from .dialect import PostgresDialect
from .encode import direct
from .ways import ByStage

_DELETED = "pg_temp._hg_deleted"


class Deleting(ByStage):
    """Stage, then delete what the stage names."""

    def __init__(
        self, session: PostgresSession, spec: WriteSpec, target: Target, dialect: PostgresDialect, lock: str | None
    ) -> None:
        super().__init__(session, spec, target, dialect, lock)
        self._done: Matched | None = None
        columns = (target.columns[c] for c in self.images().columns) if spec.journal else ()
        self._images = [dialect.image(f"t.{identifier(c.name)}", c) for c in columns]

    @staticmethod
    def fits(spec: WriteSpec, relation: Relation, target: Target) -> bool:
        """Whether every staged key names one row at most, and no trigger can keep a row from being deleted unseen."""
        plain = all(direct(spec.field(k).type, target.columns[k].type) is not None for k in spec.key)
        return spec.operation is Operation.DELETE and not spec.planned and target.unique and relation.simple and plain

    def _decide(self, *, deletions: bool) -> Matched:
        kept = "".join(f", o{i} text" for i in range(len(self._images)))
        self._session.run(
            f"set constraints all immediate; create temporary table _hg_deleted (_n bigint{kept}) on commit drop; "
            "savepoint hg_delete"
        )
        self._done = self._delete()
        if self._done is not None:
            return self._done
        self._session.run("rollback to savepoint hg_delete")
        return super()._decide(deletions=deletions)

    def _delete(self) -> Matched | None:
        """Delete; None when records share keys or the database refuses, so that each one must be looked at."""
        on = " and ".join(
            f"t.{identifier(f.name)} = s.f{i}" for i, f in enumerate(self._spec.fields) if f.name in self._spec.key
        )
        rows = self._session.rows
        returned = ", ".join(["s._n", *(f"{image} as o{i}" for i, image in enumerate(self._images))])
        try:
            self._session.attempt(
                f"with d as (delete from {self._target.name} t using pg_temp.{STAGE} s where {on} returning {returned}) "
                f"insert into {_DELETED} select * from d"
            )
        except Refused:
            return None
        matched = Matched(Account())
        matched.account.read = self._read
        deleted = int(rows(f"select count(*) from {_DELETED}")[0][0])
        matched.account.add(Outcome.DELETED, deleted)
        if missing := self._read - deleted:
            if rows(self._staged.statements.count_repeated())[0][0]:
                return None
            self._turn_away(matched, missing)
        return matched

    def _turn_away(self, matched: Matched, count: int) -> None:
        skip = self._spec.missing == "skip"
        listing = (
            f"select s._n from pg_temp.{STAGE} s where not exists (select from {_DELETED} d where d._n = s._n) order by 1 limit "
            f"{self._spec.listed_skips if skip else 'all'}"
        )
        numbers = [int(n) for (n,) in self._session.rows(listing)]
        matched.account.add(Outcome.SKIPPED if skip else MISSING.outcome, count, reason=MISSING.skip)
        turn = MISSING.skipped if skip else MISSING.refusal
        matched.refusals = [turn(n, self._spec.key) for n in numbers]

    def changes(self) -> Iterator[pa.RecordBatch]:
        """Take the deletion back, and show it."""
        if self._done is not None:
            self._session.run("rollback to savepoint hg_delete")
            self._done = None
            super()._decide(deletions=True)
        yield from super().changes()

    def before(self) -> Iterator[pa.RecordBatch]:
        """Records that were deleted, as they were."""
        if self._done is None:
            return super().before()
        items = ["null"] * len(self._images) + [f"o{i}" for i in range(len(self._images))]
        return self._journaled(f"select _n, 'deleted', {', '.join(items)} from {_DELETED}")

    def after(self) -> Iterator[pa.RecordBatch]:
        """Nothing is created."""
        return iter(())

    def apply(self) -> Matched:
        """It is done, unless it was taken back."""
        return self._done if self._done is not None else super().apply()
