"""Sending the changes of a match: several requests at once, none of them blindly twice, and every record with a verdict."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

from msgspec import structs

from headgate.connectors.http.client import backoff
from headgate.connectors.http.resource import AnswerSpec, EndpointSpec, ResourceSpec
from headgate.model.errors import DestinationError, Fenced
from headgate.model.outcome import Outcome
from headgate.model.sent import NEVER_SENT, Sent
from headgate.model.write import Ticket
from headgate.spi.outbox import Outbox

from .answers import AGAIN, DONE, MISSING, NEEDS, REFUSED, UNKNOWN, Verdict, refusal, verdicts
from .finder import Finder
from .jobs import Jobs, TooLargeError
from .polling import note, polled
from .requests import Item, Parcel, call, comes_later, many_of
from .sender import Attempts, End, Reply, Sender

_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_NO_ENDPOINT: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_TOGETHER: Final = 0.03
"""Seconds in which answers are kept together."""
_ROUNDS: Final = 2
"""How often a record that was found not to have been written is sent again."""

_LONG_AGO: Final = 1.0
"""Seconds after which what was entered may have been taken over by another process."""
_LONGEST: Final = 500

IsDone = Callable[[Item, Sequence[Any]], bool]
"""Whether records with an item's key are what is left when it has been done."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What it takes to send.

    Attributes:
        sender: sends requests.
        resource: where to.
        names: of the fields.
        general: what else templates may name.
        finder: reads records back; None where the resource cannot be asked.
        is_done: looks at what was read back.
        outbox, ticket: where what is sent is kept, and in whose name; None where nothing is.
        images: what of an item is kept that undo needs.
        jobs: sends many records as a file.
    """

    sender: Sender
    resource: ResourceSpec
    names: Sequence[str]
    general: Mapping[str, Any]
    finder: Finder | None
    is_done: IsDone
    outbox: Outbox
    ticket: Ticket | None
    images: Callable[[Item], Any]
    jobs: Jobs


@dataclass(slots=True)
class Told:
    """What a request came to: verdicts, and what is to be sent instead."""

    verdicts: list[tuple[Item, Verdict]] = field(default_factory=list)
    again: list[Parcel] = field(default_factory=list)


class UntouchedError(Exception):
    """A request has not been sent, or the API has not looked at it; the cause says why."""


class Sending:
    """Sends items, each by the endpoint of its change.

    Args:
        desk: what it takes.
        pool: runs as many requests at once as the connection allows.
        take: is given records with their verdicts as they come; the order is not fixed.
    """

    def __init__(
        self, desk: Desk, pool: ThreadPoolExecutor, take: Callable[[Sequence[tuple[Item, Verdict]]], None]
    ) -> None:
        self._desk, self._pool, self._take_in = desk, pool, take
        self._begun: list[Parcel] = []
        self._answers: dict[str, Any] = {}
        """Those that are not kept yet; they are together with what is entered next, as the disk is waited for each time."""
        self._step = desk.sender.client.options.concurrency
        self._window = 2 * self._step

    def run(self, parcels: Iterator[Parcel]) -> None:
        """Send them; the order in which they arrive is not fixed. They are taken as there is room for them.

        Raises:
            ConnectionFailed, DestinationError: the rest cannot be sent; what was is in the outbox.
            Cancelled: likewise.
        """
        going: dict[Future[Told], Parcel] = {}
        again: deque[Parcel] = deque()
        made: deque[Parcel] = deque()
        try:
            # So many as go at once; the others are made while these are under way.
            self._begin(made, parcels, again, going)
            while True:
                self._begin(made, parcels, again, going)
                if not going:
                    return
                made += islice(parcels, self._step - len(made))
                self._take_in(self._taken(self._some(going), again, going))
        except BaseException:
            self._desk.sender.cancel()
            self._take_rest(going)
            raise

    def _begin(
        self, made: deque[Parcel], parcels: Iterator[Parcel], again: deque[Parcel], going: dict[Future[Told], Parcel]
    ) -> None:
        """Have as many on their way as the window takes, each entered before it is sent. What is sent again comes after what
        was not sent yet, so that what goes well is seen between failures."""
        room = min(self._step, self._window - len(going))
        chosen = [made.popleft() for _ in range(min(room, len(made)))]
        chosen += islice(parcels, room - len(chosen))
        chosen += [again.popleft() for _ in range(min(room - len(chosen), len(again)))]
        self._begun = chosen
        self._keep_all(chosen)
        for parcel in chosen:  # a signal may come between any two
            parcel.handed = True
            going[self._pool.submit(self._send, parcel)] = parcel

    def _keep_all(self, chosen: Sequence[Parcel]) -> None:
        """Enter what is about to be sent, with the answers that have come."""
        outbox, ticket = self._desk.outbox, self._desk.ticket
        if ticket is not None and chosen:
            outbox.enter(ticket, [Sent(p.id, self._entry(p)) for p in chosen], self._answers)
            for parcel in chosen:
                parcel.entered = time.monotonic()
        elif ticket is not None:
            outbox.answered(ticket, self._answers)
        self._answers = {}

    def _some(self, going: dict[Future[Told], Parcel]) -> set[Future[Told]]:
        """Requests that have ended: as many as half of the window at once where they come quickly, as keeping their answers takes a
        moment each time."""
        done, rest = wait(going, return_when=FIRST_COMPLETED)
        until = time.monotonic() + _TOGETHER
        while rest and len(done) < self._window // 2 and (left := until - time.monotonic()) > 0:
            wait(rest, left, FIRST_COMPLETED)
            done, rest = wait(going, 0)
        return done

    def _entry(self, parcel: Parcel) -> dict[str, Any]:
        items = [
            [i.change.number, i.mark, i.change.action.value, i.values.id, self._desk.images(i)] for i in parcel.items
        ]
        return {"endpoint": parcel.name, "items": items}

    def _taken(
        self, done: Iterable[Future[Told]], again: deque[Parcel], going: dict[Future[Told], Parcel]
    ) -> list[tuple[Item, Verdict]]:
        said, failed = self._take(done, again, going)
        if failed is not None:
            raise failed
        return said

    def _take(
        self, done: Iterable[Future[Told]], again: deque[Parcel], going: dict[Future[Told], Parcel]
    ) -> tuple[list[tuple[Item, Verdict]], BaseException | None]:
        """What the requests that have ended came to, and what the sending has to end with, if it has to."""
        said: list[tuple[Item, Verdict]] = []
        answers = self._answers
        failed: BaseException | None = None
        for future in done:
            parcel = going.pop(future)
            try:
                told = future.result()
            except UntouchedError as e:
                failed = failed or e.__cause__
                if not isinstance(e.__cause__, Fenced):  # whoever has taken over may have sent it
                    answers[parcel.id] = NEVER_SENT
                continue
            except BaseException as e:  # noqa: BLE001 - raised again once the others' answers are kept
                failed = failed or e
                continue
            verdicts_ = [(i, self._in_words(v) if v.reason else v) for i, v in told.verdicts]
            said += verdicts_
            again.extend(told.again)
            answers[parcel.id] = self._answer(parcel, verdicts_)
        return said, failed

    def _in_words(self, verdict: Verdict) -> Verdict:
        """The verdict with a reason that can be shown: APIs repeat what they were sent."""
        reason = self._desk.sender.client.secrets.hide(verdict.reason)
        reason = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
        return verdict if reason == verdict.reason else structs.replace(verdict, reason=reason)

    @staticmethod
    def _answer(parcel: Parcel, said: Sequence[tuple[Item, Verdict]]) -> list[Any]:
        """A verdict for each record of the request; null for what is sent again by another one."""
        of = {id(item): verdict for item, verdict in said}
        return [v.as_json() if (v := of.get(id(item))) else None for item in parcel.items]

    def _take_rest(self, going: dict[Future[Told], Parcel]) -> None:
        """Wait for what is on its way when the sending ends early, so that its answers are kept."""
        never = [p for p in self._begun if not p.handed]
        never += [going.pop(future) for future in list(going) if future.cancel()]
        wait(going)
        self._take(list(going), deque(), going)
        if self._desk.ticket is not None:
            never_sent = {p.id: NEVER_SENT for p in never if not p.again}
            self._desk.outbox.answered(self._desk.ticket, self._answers | never_sent)

    # In the pool's threads

    def _send(self, parcel: Parcel) -> Told:
        desk, endpoint = self._desk, parcel.endpoint
        # Who answers a form with a page, and cannot be asked, must be believed.
        pages = endpoint.format in ("form", "multipart") and desk.finder is None
        attempts = Attempts(parcel.again, parcel.searches, pages)
        try:
            self._check_held(parcel)
            if endpoint.job is not None:
                attempts.doubtful = True
                return self._send_job(parcel)
            many = many_of(parcel.items, desk.names, desk.general)
            asked = call(desk.sender.client.options.url, desk.resource, endpoint, many, parcel.id)
            reply = desk.sender.send(asked, endpoint, attempts)
        except BaseException as e:
            if not attempts.doubtful:
                raise UntouchedError from e
            raise
        parcel.again = attempts.doubtful
        if reply.end is End.DONE and endpoint.poll is not None and reply.status != HTTPStatus.NO_CONTENT:
            reply = polled(desk.sender, asked, reply, endpoint, lambda url: self._keep(note(parcel.id, url)))
        if reply.end is End.UNKNOWN and comes_later(endpoint):
            reply = replace(reply, pending=True)  # what is not there yet may still come
        if reply.end is End.REFUSED:
            return self._refused(parcel, reply)
        if reply.end is End.UNKNOWN:
            return self._look(parcel, parcel.items, reply)
        return self._told(parcel, reply)

    def _check_held(self, parcel: Parcel) -> None:
        """Ask once more whether it may be sent, where it has waited: another process may have taken the import over.

        Raises:
            Fenced: it has.
        """
        if self._desk.ticket is not None and time.monotonic() - parcel.entered > _LONG_AGO:
            self._desk.outbox.enter(self._desk.ticket, [Sent(parcel.id, self._entry(parcel))])

    def _send_job(self, parcel: Parcel) -> Told:
        unfit = self._desk.jobs.unfit(parcel)
        told = Told([(parcel.items[place], Verdict(REFUSED, reason=why)) for place, why in unfit.items()])
        fit = [item for place, item in enumerate(parcel.items) if place not in unfit]
        if not fit:
            return told
        if unfit:
            return Told(told.verdicts, [_fresh(parcel, fit, parcel.round, again=parcel.again)])
        try:
            return self._settled(parcel, self._desk.jobs.run(parcel, self._keep), Reply(End.UNKNOWN))
        except TooLargeError:
            if len(parcel.items) > 1:
                return Told(again=_halves(parcel))
            return Told([(parcel.items[0], Verdict(REFUSED, reason="it is larger than a job's file may be"))])

    def _keep(self, sent: Sent) -> None:
        if self._desk.ticket is not None:
            self._desk.outbox.enter(self._desk.ticket, [sent])

    def _told(self, parcel: Parcel, reply: Reply) -> Told:
        found = verdicts(reply, parcel, self._desk.resource)
        if parcel.again:
            found = [self._second(parcel, i, v) for i, v in zip(parcel.items, found, strict=True)]
        if len(parcel.items) > 1 and all(v.what == REFUSED for v in found) and len({v.reason for v in found}) == 1:
            return Told(again=_halves(parcel))  # perhaps just one of them is why
        return self._settled(parcel, found, reply)

    def _settled(self, parcel: Parcel, found: Sequence[Verdict], reply: Reply) -> Told:
        """What is to be done about the records of a request whose verdicts are known."""
        told = Told([(i, v) for i, v in zip(parcel.items, found, strict=True) if v.what not in (UNKNOWN, AGAIN)])
        if put_off := [(i, v) for i, v in zip(parcel.items, found, strict=True) if v.what == AGAIN]:
            if parcel.round < self._desk.sender.client.options.retries:
                self._desk.sender.pause(backoff(parcel.round))
                told.again.append(_fresh(parcel, [i for i, _ in put_off], parcel.round + 1, again=parcel.again))
            else:
                told.verdicts += [(i, structs.replace(v, what=REFUSED)) for i, v in put_off]
        if open_ := [i for i, v in zip(parcel.items, found, strict=True) if v.what == UNKNOWN]:
            more = self._look(parcel, open_, replace(reply, said="the answer says nothing of it"))
            told = Told(told.verdicts + more.verdicts, told.again + more.again)
        return told

    def _refused(self, parcel: Parcel, reply: Reply) -> Told:
        if len(parcel.items) > 1:
            return Told(again=_halves(parcel))
        (item,) = parcel.items
        if parcel.name in NEEDS and reply.status in _GONE:
            gone = refusal(parcel.endpoint.answer or AnswerSpec(), reply)
            return Told([(item, self._second(parcel, item, structs.replace(gone, what=MISSING)))])
        if parcel.name == "create" and reply.status in _NO_ENDPOINT:
            raise DestinationError(
                f"there is nothing that creates records: {parcel.endpoint.method} {parcel.endpoint.path}: {reply.said}",
                hint="Check path and method of the resource's create.",
            )
        refused = refusal(parcel.endpoint.answer or AnswerSpec(), reply)
        return Told([(item, self._second(parcel, item, refused))])

    def _second(self, parcel: Parcel, item: Item, verdict: Verdict) -> Verdict:
        """What an answer means to a request that may have been done before: that it was may be why it is refused now."""
        finder = self._desk.finder
        if not parcel.again or verdict.what == UNKNOWN:
            return verdict
        if verdict.what == DONE:
            known = finder is not None and item.change.action is Outcome.CREATED
            return structs.replace(verdict, created=None) if known else verdict
        if parcel.name == "delete" and verdict.what == MISSING:
            return Verdict(DONE)
        if finder is not None:
            (records,) = self._read_back(finder, [item])
            return _as_done(item, records) if self._desk.is_done(item, records) else verdict
        if parcel.name == "create":
            return Verdict(UNKNOWN, reason=f"{verdict.reason}, but it may have been done when it was sent first")
        return verdict

    def _look(self, parcel: Parcel, items: Sequence[Item], reply: Reply) -> Told:
        """Find out what became of records whose request was not answered."""
        finder, said = self._desk.finder, reply.said
        if finder is None:
            if len(items) > 1 and _harmless(parcel.endpoint):
                return Told(again=_halves(_fresh(parcel, items, again=True)))
            return Told([(i, Verdict(UNKNOWN, reason=said)) for i in items])
        found = self._read_back(finder, items)
        told = Told()
        open_ = []
        for item, records in zip(items, found, strict=True):
            if self._desk.is_done(item, records):
                told.verdicts.append((item, _as_done(item, records)))
            elif reply.pending:
                told.verdicts.append((item, Verdict(UNKNOWN, reason=said)))
            else:
                open_.append(item)
        if not open_:
            return told
        if len(open_) > 1:
            told.again = _halves(_fresh(parcel, open_, again=True))
        elif parcel.round < _ROUNDS:
            told.again = [_fresh(parcel, open_, parcel.round + 1, again=True)]
        else:
            told.verdicts += [(i, Verdict(REFUSED, reason=f"{said}, and it was not done")) for i in open_]
        return told

    def _read_back(self, finder: Finder, items: Sequence[Item]) -> list[Sequence[Any]]:
        by_key: dict[Any, Sequence[Any]] = {}
        wanted = [(i.key, i.values) for i in items]
        step = finder.batch
        for start in range(0, len(wanted), step):
            by_key |= finder.find_some(wanted[start : start + step])
        return [by_key.get(key, ()) for key, _ in wanted]


def parcels(items: Iterable[tuple[str, Item]], endpoints: Mapping[str, EndpointSpec]) -> Iterator[Parcel]:
    """Items with the names of their endpoints as requests of as many records as those take, in their order."""
    filling: dict[str, Parcel] = {}
    for name, item in items:
        if name not in filling:
            filling[name] = Parcel(uuid.uuid4().hex, name, endpoints[name])
        parcel = filling[name]
        parcel.items.append(item)
        if len(parcel.items) >= parcel.endpoint.batch:
            yield filling.pop(name)
    yield from filling.values()


def _fresh(parcel: Parcel, items: Sequence[Item], round_: int = 0, *, again: bool) -> Parcel:
    """The same for some of its records. What was found not to be done is another request, with a key of its own."""
    return Parcel(uuid.uuid4().hex, parcel.name, parcel.endpoint, list(items), round_, again, parcel.split)


def _as_done(item: Item, records: Sequence[Any]) -> Verdict:
    """What was read back is what was sent."""
    created = item.change.action is Outcome.CREATED or None
    return Verdict(DONE, record=records[0] if records else None, created=created)


def _harmless(endpoint: EndpointSpec) -> bool:
    """Whether it may be sent again under another key."""
    return bool(endpoint.repeatable) and (endpoint.idempotency is None or endpoint.method != "POST")


def _halves(parcel: Parcel) -> list[Parcel]:
    middle = (len(parcel.items) + 1) // 2
    whole = replace(parcel, split=True)
    return [
        _fresh(whole, half, parcel.round, again=parcel.again)
        for half in (parcel.items[:middle], parcel.items[middle:])
        if half
    ]
