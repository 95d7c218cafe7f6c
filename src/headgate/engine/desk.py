"""Importing requests while their callers wait: mapped, written and committed together, each record with its own outcome.

Requests that come while a commit is under way form the next group. Within a group no request sees another: a bad record is a
reject of its own request, and requests that concern the same destination record go into groups after one another, in the
order in which they came.

The order at every group is that of a run: rejects to the ledger, the destination's commit with the checkpoint in it, the
callers. So whoever was answered is in the destination, and what a dead process had committed its destination knows.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from headgate.ledger import Ledger
from headgate.model.errors import ConnectionFailed, HeadgateError
from headgate.model.outcome import Account, Outcome
from headgate.model.record import Problem
from headgate.model.run import PartitionRead, Run
from headgate.model.write import ACTION, NUMBER, Operation, Refusal, Ticket
from headgate.spi.destination import Decided, Prompt, Prompts, Writer

from .delivery import Checkpoint
from .identified import keep_ids
from .mapped import Going, Mapper, Request
from .prepare import Prepared
from .prompt import apply
from .received import NAME


class Desk:
    """One import, kept ready. Used by one thread.

    Args:
        prepared: with a source of `headgate.engine.received`, its definition made `headgate.engine.mapped.for_requests`.
        run: begun in the ledger; its account is that of all requests.
        ticket: the right to commit, where the destination keeps checkpoints.
    """

    def __init__(self, prepared: Prepared, ledger: Ledger, run: Run, ticket: Ticket | None) -> None:
        self.run = run
        self._prepared = prepared
        self._ledger = ledger
        self._ticket = ticket
        self._write = replace(prepared.write, journal=False, batched=True, ticket=ticket, listed_skips=sys.maxsize)
        self._mapper = Mapper(prepared, self._write)
        self._group = 0
        self._writer: Writer | None = None
        self._prompt: Prompt | None = None
        self._no_prompt = False
        self._unanswered: list[Going] = []
        self._trouble: HeadgateError | None = None

    def serve(self, requests: Sequence[Request]) -> list[Request]:
        """Import requests: each has its answer or its error afterwards, but for those that are given back.

        Returns:
            Requests that have to wait for the next group, because a record of theirs is in this one. In their order.
        """
        self.find_out()
        self._mapper.refresh()
        requests = [r for r in requests if r.error is None]
        for request in requests:
            if request.dry:
                self._look(request)
        first, group, later = self.run.account.read, list[Going](), list[Request]()
        taken: set[tuple[Any, ...]] = set()
        for request in requests:
            if request.dry:
                continue
            going = None if later else self._mapper.map(request, first)
            if going is None or not taken.isdisjoint(going.keys):
                later.append(request)
                continue
            taken |= going.keys
            first += len(going.outcomes)
            group.append(going)
        if group:
            self._try(group)
        return later

    # Without waiting

    def begin(self, requests: Sequence[Request]) -> bool:
        """Send a group off, if all of it can go the short way at once; otherwise it is for `serve`. Does not wait.

        When `fileno` can be read from, `ready` says whether the answer is there, and `end` gives it.
        """
        if self._prompt is None or self._unanswered:
            return False
        first, group = self.run.account.read, list[Going]()
        taken: set[tuple[Any, ...]] = set()
        for request in requests:
            going = None if request.dry or request.keyed else self._mapper.map_plain(request, first)
            if going is None or not taken.isdisjoint(going.keys):
                return False
            taken |= going.keys
            first += len(going.outcomes)
            group.append(going)
        text = self._checkpoint(group, Account(), counted=True)
        self._unanswered = group
        try:
            self._prompt.begin([row for one in group for row in one.rows.values()], text)
        except HeadgateError as e:
            self._trouble = e
        return True

    def fileno(self) -> int:
        """What can be read from when there may be an answer; -1 when there will be none."""
        return self._prompt.fileno() if self._prompt is not None and self._trouble is None else -1

    def ready(self) -> bool:
        """Whether `end` need not wait."""
        if self._trouble is None and self._prompt is not None:
            try:
                return self._prompt.ready()
            except HeadgateError as e:
                self._trouble = e
        return True

    def end(self) -> list[Request]:
        """Give the requests of `begin` their answers.

        Returns:
            Those that have none: they are for `serve`, which first asks what became of them where that is not known.
        """
        group = self._unanswered
        decided = None
        if self._trouble is None and self._prompt is not None:
            try:
                decided = self._prompt.finish()
            except HeadgateError as e:
                self._trouble = e
        if decided is None:
            self._unanswered = group if self._trouble is not None else []
            return [one.request for one in group]
        self._unanswered = []
        self._take(group, decided)
        self._sum_up(group)
        self._answer(group)
        return []

    def find_out(self) -> None:
        """Say of a group whose answer was lost what became of it; what was not committed is done again."""
        if self._trouble is None:
            return
        trouble, group, self._trouble, self._unanswered = self._trouble, self._unanswered, None, []
        self._drop()
        if (done := self._asked()) is not None:
            self.run.account = done
            _fail(group, _lost(trouble))
        elif self.run.in_doubt:
            _fail(group, trouble)

    def close(self) -> None:
        """Release the destination; the run is closed by whoever began it."""
        self._drop()
        self._prepared.close()

    # A group

    def _try(self, group: list[Going], *, again: bool = True) -> None:
        """Commit a group and give each request its answer or its error.

        A connection that was lost before the commit (the server was restarted while nobody asked) is tried once again.
        """
        try:
            self._commit(group)
        except HeadgateError as e:
            self._drop()
            if isinstance(e, ConnectionFailed) and (done := self._asked()) is not None:
                self.run.account = done
                if all(o is not None for one in group for o in one.outcomes):
                    self._answer(group)
                else:
                    _fail(group, _lost(e))
                return
            with suppress(HeadgateError):  # the destination's trouble is the one to be told
                self._ledger.forget_rejects(self.run.id, group[0].first)
            if isinstance(e, ConnectionFailed) and again and self._ticket is not None and not self.run.in_doubt:
                self._try([self._mapper.map(one.request, one.first) for one in group], again=False)
                return
            _fail(group, e)
        else:
            self._answer(group)

    def _answer(self, group: list[Going]) -> None:
        for one in group:
            one.request.answer = one.answer(self.run.id)

    def _drop(self) -> None:
        """Let go of connections in an unknown state."""
        prompt, writer, self._prompt, self._writer = self._prompt, self._writer, None, None
        with suppress(HeadgateError):
            if prompt is not None:
                prompt.close()
        with suppress(HeadgateError):
            if writer is not None:
                writer.abort()

    def _asked(self) -> Account | None:
        """What the destination says of a commit that it did not answer: the account with it, or None if it was not done."""
        if self._ticket is None:
            return None
        try:
            found = self._prepared.destination.claim(self._ticket)
        except HeadgateError:
            self.run.in_doubt = True
            return None
        last = Checkpoint.of(found) if found else None
        committed = last is not None and last.run == self.run.id and last.group == self._group
        return last.account if committed and last is not None else None

    def _commit(self, group: list[Going]) -> None:
        prompt = self._prompt_for(group)
        if prompt is None or not self._by_prompt(prompt, group):
            self._match(group)
            account = _account(group)
            text = self._checkpoint(group, account)
            if self._writer is not None:
                keep_ids(self._ledger, self.run, self._writer)
                self._writer.commit(text)
        self._sum_up(group)

    def _sum_up(self, group: list[Going]) -> None:
        account = _account(group)
        self.run.account.read += account.read
        self.run.account.merge_outcomes(account)

    def _checkpoint(self, group: list[Going], account: Account, *, counted: bool = False) -> str:
        """Rejects to the ledger; then what says that the group was committed.

        Args:
            account: of the group, as far as it is known.
            counted: the destination adds the rest.
        """
        account.check("A group of requests")
        rejects = [r for one in group for r in one.rejects()]
        if rejects:
            self._ledger.record_rejects(self.run.id, rejects)
        total = Account.from_dict(self.run.account.as_dict())
        total.read += account.read
        total.merge_outcomes(account)
        self._group += 1
        return Checkpoint(
            self.run.id,
            True,
            total,
            [PartitionRead(NAME, {"format": NAME}, total.read)],
            (0, total.read),
            0,
            list(self.run.warnings),
            group=self._group,
            requests=[one.request.id for one in group if one.request.id],
            answers={one.request.id: one.kept() for one in group if one.request.keyed},
            counted="<counts>" if counted else {},
        ).text()

    # The short way

    def _prompt_for(self, group: list[Going]) -> Prompt | None:
        """The short way, where all of a group can go it. Answers that must be in the checkpoint are not known before."""
        if not any(one.rows for one in group) or any(one.special or one.request.keyed for one in group):
            return None
        if self._prompt is None and not self._no_prompt:
            destination = self._prepared.destination
            self._prompt = destination.prompt(self._write) if isinstance(destination, Prompts) else None
            self._no_prompt = self._prompt is None
        return self._prompt

    def _by_prompt(self, prompt: Prompt, group: list[Going]) -> bool:
        """Write all at once and commit it; whether that could be done."""
        text = self._checkpoint(group, _account(group), counted=True)
        decided = apply(prompt, [row for one in group for row in one.rows.values()], text)
        if decided is None:
            self._ledger.forget_rejects(self.run.id, group[0].first)
            return False
        self._take(group, decided)
        return True

    def _take(self, group: list[Going], decided: list[Decided]) -> None:
        answers = iter(decided)
        for one in group:
            for place in one.rows:
                self._decide(one, place, next(answers))

    def _decide(self, one: Going, place: int, found: Decided) -> None:
        reason = ""
        if found.outcome is Outcome.SKIPPED:
            reason = "existing" if self._write.operation is Operation.INSERT else "missing"
        one.decide(place, found.outcome, found.id, reason)

    # The long way

    def _match(self, group: list[Going], *, looking: bool = False) -> None:
        """Find out what becomes of records, and do it, but for the commit.

        Args:
            looking: nothing of it is to last; where what is applied cannot be taken back, it is only decided.
        """
        batch, places = self._mapper.batch(group)
        if not places:
            return
        if self._writer is None:
            self._writer = self._prepared.destination.open(self._write)
        writer = self._writer
        writer.write(batch)
        matched = writer.match(deletions=False)
        changes: dict[int, str] = {}
        for part in writer.changes():
            changes.update(zip(part.column(NUMBER).to_pylist(), part.column(ACTION).to_pylist(), strict=True))
        whole = self._prepared.destination.capabilities.transactional
        applied = writer.apply() if whole or not looking else matched
        refused = {r.number: r for r in applied.refusals}
        for number, (one, place) in places.items():
            if (refusal := refused.get(number)) is not None:
                self._refuse(one, place, refusal)
            else:
                one.decide(place, Outcome(changes.get(number, "unchanged")))

    def _refuse(self, one: Going, place: int, refusal: Refusal) -> None:
        outcome = Outcome(refusal.outcome)
        if outcome is Outcome.SKIPPED:
            one.decide(place, outcome, reason=refusal.code)
            return
        one.decide(place, outcome, problems=(Problem(refusal.code, refusal.reason, refusal.field),))

    def _look(self, request: Request) -> None:
        """What would become of a request; nothing is written."""
        try:
            one = self._mapper.map(request, self.run.account.read)
            if one.rows:
                self._drop()
                self._match([one], looking=True)
        except HeadgateError as e:
            request.error = e
        else:
            request.answer = one.answer(None)
        finally:
            self._drop()


def _account(group: Sequence[Going]) -> Account:
    """Of all records of which the outcome is known."""
    account = Account()
    for one in group:
        for o in one.outcomes:
            if o is not None:
                account.read += 1
                account.add(o.outcome, reason=o.reason)
    return account


def _fail(group: Sequence[Going], error: HeadgateError) -> None:
    for one in group:
        one.request.error = error


def _lost(e: HeadgateError) -> ConnectionFailed:
    return ConnectionFailed(
        f"{e.message}; the destination says that the records were committed, but not what became of each",
        hint="A request with an Idempotency-Key can be asked again for its answer.",
    )
