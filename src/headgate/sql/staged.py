"""The procedure: what is run in which order, and the account of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headgate.model.errors import DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.write import Matched, Operation, Refusal, WriteSpec
from headgate.spi.grounds import AMBIGUOUS, DUPLICATE, EXISTING, HELD, MISSING, REPEATED, Ground

from . import statements as st
from .dialect import Dialect, Target
from .journal import JournaledStatements
from .session import Refused, Session

_APPLIED = ((st.REMOVE, Outcome.DELETED), (st.UPDATE, Outcome.UPDATED), (st.CREATE, Outcome.CREATED))
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """Records of a temporary table from one number to another, and how many they are."""

    low: int
    high: int
    count: int


class Staged:
    """Matches and applies the records of the stage.

    A connector calls `create_stage`, loads it, then `match`, `apply` and `forget`; and again for the next records.

    Args:
        dialect: how the database spells things.
        session: the transaction everything happens in.
        spec: what the engine asked for.
        target: the table it is asked for.
    """

    def __init__(self, dialect: Dialect, session: Session, spec: WriteSpec, target: Target) -> None:
        self.statements = JournaledStatements(dialect, spec, target)
        self._session = session
        self._quote = dialect.quote
        self._spec = spec
        self._target = target
        self._matched = Matched(Account())
        self._expected: dict[str, int] = {}
        self._gone = 0

    def create_stage(self) -> None:
        """Make the stage, empty."""
        self._session.run(self.statements.create_stage())

    def forget(self) -> None:
        """Remove the temporary tables."""
        for sql in self.statements.drops():
            self._session.run(sql)

    # Match

    def match(self, read: int, *, deletions: bool = True) -> Matched:
        """Decide what becomes of every staged record.

        Args:
            read: how many records were staged, mirror's deletions of a plan not counted.
            deletions: whether mirror may take what the source does not have for gone.
        """
        self._matched = Matched(Account())
        self._matched.account.read = read
        complete = self._refuse_uncastable()
        if self._spec.key and not self._spec.planned:
            self._drop_repeated()
        self._session.run(self.statements.create_decided())
        if (
            self._spec.key
            and not self._target.unique
            and (self._spec.planned or self._spec.operation is not Operation.INSERT)
        ):
            self._refuse_ambiguous()
        self._count()
        if self._spec.operation is Operation.MIRROR:
            self._find_gone(deletions and complete)
        return self._matched

    def _refuse_uncastable(self) -> bool:
        """Take records out of the stage whose values are none of their columns'; False if there were some, which mirror
        must not take for gone.
        """
        before = len(self._matched.refusals)
        for field, probe in self.statements.castable():
            whole = self._span(st.STAGE)
            refused: list[Refusal] = []

            def hold(part: Range, probe: Callable[[int, int], str] = probe) -> None:
                self._session.attempt(probe(part.low, part.high))

            def refuse(number: int, e: Refused, name: str = field.name, refused: list[Refusal] = refused) -> None:
                refused.append(Refusal(number, Outcome.REJECTED, e.code, e.reason, name))

            self._divide(st.STAGE, "", whole, hold, refuse)
            self._refuse(refused)
            for i in range(0, len(refused), _CHUNK):
                self._session.run(self.statements.unstage([r.number for r in refused[i : i + _CHUNK]]))
        return len(self._matched.refusals) == before

    def _drop_repeated(self) -> None:
        if not self._session.rows(self.statements.count_repeated())[0][0]:
            return
        self._session.run(self.statements.create_kept())
        self._session.run(self.statements.create_extra())
        dropped = self._session.run(self.statements.drop_extra())
        if self._spec.duplicates == "reject":
            self._reject_all(self.statements.extra_numbers(None), REPEATED)
        else:
            self._skip(dropped, self.statements.extra_numbers(self._spec.listed_skips), DUPLICATE)

    def _refuse_ambiguous(self) -> None:
        # A plan refuses what is ambiguous, so what has become so since then is no longer what it was.
        ground = HELD if self._spec.planned else AMBIGUOUS
        numbers = self._reject_all(self.statements.ambiguous(), ground)
        for i in range(0, len(numbers), _CHUNK):
            self._session.run(self.statements.unstage(numbers[i : i + _CHUNK], st.DECIDED))

    def _count(self) -> None:
        counts: dict[str, int] = {str(o): int(n) for o, n in self._session.rows(self.statements.counts())}
        self._expected = {o: counts.get(o, 0) for o, _ in _APPLIED}
        self._gone = counts.get(st.MARKED, 0)
        self._matched.account.mirror_deleted = self._gone
        for decision, outcome in (*_APPLIED, (st.SAME, Outcome.UNCHANGED)):
            self._matched.account.add(outcome, counts.get(decision, 0))
        self._turned_away(st.EXISTS, counts, self._spec.existing, EXISTING)
        self._turned_away(st.MISSING, counts, self._spec.missing, MISSING)
        if counts.get(st.HELD, 0):
            self._reject_all(self.statements.decided_as(st.HELD, None), HELD)

    def _turned_away(self, decision: str, counts: dict[str, int], policy: str, ground: Ground) -> None:
        count = counts.get(decision, 0)
        if count and policy == "skip":
            self._skip(count, self.statements.decided_as(decision, self._spec.listed_skips), ground)
        elif count:
            self._reject_all(self.statements.decided_as(decision, None), ground)

    def _find_gone(self, deletions: bool) -> None:
        self._matched.in_scope = int(self._session.rows(self.statements.count_in_scope())[0][0])
        if self._spec.planned:
            return
        self._session.run(self.statements.create_gone(deletions=deletions))
        self._gone = int(self._session.rows(self.statements.count_gone())[0][0])
        self._matched.account.mirror_deleted = self._gone

    # Apply

    def apply(self) -> Matched:
        """Carry out what `match` decided; what the destination refuses becomes ``rejected``.

        Raises:
            DestinationError: it refuses a deletion by mirror, for which there is no record to reject.
        """
        self._apply_gone()
        for decision, outcome in _APPLIED:
            if self._expected[decision]:
                refused = self._carry_out(decision)
                self._refuse(refused)
                self._matched.account.outcomes[outcome] -= len(refused)
        self._matched.account.outcomes = +self._matched.account.outcomes
        return self._matched

    def _apply_gone(self) -> None:
        if not self._gone:
            return
        try:
            self._session.attempt(self.statements.apply_gone())
        except Refused as e:
            what = "mark" if self._spec.mark else "delete"
            raise DestinationError(
                f"the destination refuses to {what} a record that the source has no more: {e.reason}",
                hint="Mark such records instead (delete: {set: ...}), narrow the scope, or remove what refers to them first.",
            ) from e

    def _carry_out(self, decision: str) -> list[Refusal]:
        expected = self._expected[decision]
        try:
            self._session.attempt(self.statements.apply(decision), expected)
        except Refused:
            return self._isolate(decision)
        return []

    def _isolate(self, decision: str) -> list[Refusal]:
        """Find the records that are refused, and land all others."""
        self._session.run(self.statements.index_decided())
        where = f"s._o = '{decision}'"
        refused: list[Refusal] = []

        def land(part: Range) -> None:
            self._session.attempt(self.statements.apply(decision, part.low, part.high), part.count)

        def refuse(number: int, e: Refused) -> None:
            refused.append(Refusal(number, Outcome.REJECTED, e.code, e.reason, e.field))

        self._divide(st.DECIDED, where, self._span(st.DECIDED, where), land, refuse)
        return self._again(decision, refused)

    def _again(self, decision: str, refused: list[Refusal]) -> list[Refusal]:
        """Records may refer to each other: try those a foreign key stood against until no more of them land."""
        while True:
            still: list[Refusal] = []
            for r in refused:
                if r.code != "DE01":
                    still.append(r)
                    continue
                try:
                    self._session.attempt(self.statements.apply(decision, r.number, r.number), 1)
                except Refused as e:
                    still.append(Refusal(r.number, Outcome.REJECTED, e.code, e.reason, e.field))
            if len(still) == len(refused):
                return still
            refused = still

    def drop(self) -> bool:
        """Remove the table if it holds no records and nothing refers to it."""
        if self._session.rows(self.statements.any_record()):
            return False
        self.forget()
        try:
            self._session.attempt(f"drop table {self._target.name}")
        except Refused:
            return False
        return True

    def drop_columns(self, names: Sequence[str]) -> list[str]:
        """Remove columns that hold nothing and that nothing refers to."""
        self.forget()
        return [n for n in names if self._drop_column(n)]

    def _drop_column(self, name: str) -> bool:
        column = self._quote(name)
        if self._session.rows(f"select 1 from {self._target.name} where {column} is not null limit 1"):
            return False
        try:
            self._session.attempt(f"alter table {self._target.name} drop column {column}")
        except Refused:
            return False
        return True

    # What both need

    def _divide(
        self,
        table: str,
        where: str,
        whole: Range,
        hold: Callable[[Range], None],
        refuse: Callable[[int, Refused], None],
    ) -> None:
        """Try a range; where it is refused, try its halves, down to single records; in order."""
        ranges = [whole] if whole.count else []
        while ranges:
            part = ranges.pop()
            try:
                hold(part)
            except Refused as e:
                if part.count == 1:
                    refuse(part.low, e)
                else:
                    ranges += reversed(self._halves(table, where, part))

    def _halves(self, table: str, where: str, part: Range) -> tuple[Range, Range]:
        first = part.count // 2
        middle = int(self._session.rows(self.statements.median(table, part.low, part.high, part.count, where))[0][0])
        return Range(part.low, middle - 1, first), Range(middle, part.high, part.count - first)

    def _span(self, table: str, where: str = "") -> Range:
        low, high, count = self._session.rows(self.statements.span(table, where))[0]
        return Range(int(low or 0), int(high or 0), int(count))

    def _numbers(self, sql: str) -> list[int]:
        return [int(n) for (n,) in self._session.rows(sql)]

    def _reject_all(self, listing: str, ground: Ground) -> list[int]:
        numbers = self._numbers(listing)
        self._refuse([ground.refusal(n, self._spec.key) for n in numbers])
        return numbers

    def _refuse(self, refusals: list[Refusal]) -> None:
        self._matched.refusals += refusals
        for r in refusals:
            self._matched.account.add(Outcome(r.outcome))

    def _skip(self, count: int, listing: str, ground: Ground) -> None:
        self._matched.account.add(Outcome.SKIPPED, count, reason=ground.skip)
        self._matched.refusals += [ground.skipped(n, self._spec.key) for n in self._numbers(listing)]
