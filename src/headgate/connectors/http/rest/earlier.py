"""What a process that is gone has sent, when its records come again."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from msgspec import structs

from headgate.connectors.http.resource import EndpointSpec, ResourceSpec
from headgate.model.outcome import Outcome
from headgate.model.sent import NEVER_SENT, Sent
from headgate.spi.deciding import Change, Row

from .answers import AGAIN, DONE, REFUSED, UNKNOWN, Verdict, verdicts
from .jobs import Jobs
from .polling import waited
from .requests import Item, Parcel, comes_later
from .sender import End, Reply, Sender
from .template import ENCODER, Values

_MARKER: Final = msgspec.json.Encoder(enc_hook=str)


def concluded(
    sent: Sequence[Sent], endpoints: Mapping[str, EndpointSpec], jobs: Jobs, sender: Sender, resource: ResourceSpec
) -> tuple[list[Sent], dict[str, Any]]:
    """What was sent, without what is known never to have been done, and the answers of jobs that had none yet, which are waited for.

    Raises:
        ConnectionFailed, Cancelled: a job, or an answer that comes later, cannot be asked about.
    """
    notes = {one.what["of"]: one.what for one in sent if "of" in one.what}
    found: list[Sent] = []
    answers: dict[str, Any] = {}
    for one in sent:
        if "of" in one.what:
            continue
        name = one.what["endpoint"]
        endpoint = endpoints.get(name)
        if one.answer is None and endpoint is not None and endpoint.job is not None:
            # A job without a note has no file.
            said = jobs.conclude(endpoint, name, notes[one.id]) if one.id in notes else None
            if said is None:
                continue
            answers[one.id] = [structs.replace(v, what=REFUSED if v.what == AGAIN else v.what).as_json() for v in said]
        if one.answer is None and endpoint is not None and endpoint.poll is not None and one.id in notes:
            reply = waited(sender, notes[one.id]["url"], endpoint)
            if reply.end is End.REFUSED:
                continue
            answers[one.id] = [v.as_json() for v in _came(one, reply, endpoint, resource)]
        found.append(replace(one, answer=answers.get(one.id, one.answer)))
    return found, answers


def mark(record: Row) -> int:
    """What tells a record from another one with the same number."""
    return zlib.crc32(_MARKER.encode(list(record.values())))


def _came(one: Sent, reply: Reply, endpoint: EndpointSpec, resource: ResourceSpec) -> list[Verdict]:
    """What an answer that came later says of the records of a request, of which no more is known than what was kept."""
    items = [
        Item(Change(Outcome(action), number, {}), (), Values(id_, {}, {}))
        for number, _, action, id_, _ in one.what["items"]
    ]
    if reply.end is End.UNKNOWN:
        return [Verdict(UNKNOWN, reason=reply.said) for _ in items]
    found = verdicts(reply, Parcel(one.id, one.what["endpoint"], endpoint, items), resource)
    return [structs.replace(v, what=REFUSED) if v.what == AGAIN else v for v in found]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record that was sent.

    Attributes:
        mark: what it was.
        old: the API's record before, as undo keeps it; None where there was none.
        verdict: None where it is not known.
    """

    request: str
    endpoint: str
    mark: int
    action: Outcome
    id: Any
    old: dict[str, str | None] | None
    verdict: Verdict | None


class Earlier:
    """Knows what was sent since the last checkpoint.

    Args:
        sent: it, in order; of several requests about a record the last counts.
        endpoints: by name.
    """

    def __init__(self, sent: Sequence[Sent], endpoints: Mapping[str, EndpointSpec]) -> None:
        self._endpoints = endpoints
        self._entries: dict[int, _Entry] = {}
        self._groups: dict[str, list[int]] = {}
        swept: dict[bytes, tuple[Any, dict[str, str | None]]] = {}
        for one in sent:
            if one.answer == NEVER_SENT:
                continue
            self._groups[one.id] = []
            answers = one.answer or [None] * len(one.what["items"])
            if self._repeatable(one.what["endpoint"]) and all(a is None or a[0] == UNKNOWN for a in answers):
                answers = [None] * len(answers)  # nobody has been told of it yet, and it may be sent once more
            for (number, mark, action, id_, old), answer in zip(one.what["items"], answers, strict=True):
                if number is None:
                    which = ENCODER.encode(old if id_ is None else id_)
                    swept.pop(which, None)
                    if answer is None or answer[0] in (DONE, UNKNOWN):
                        swept[which] = id_, old or {}
                    continue
                verdict = Verdict(*answer) if answer is not None else None
                entry = _Entry(one.id, one.what["endpoint"], mark, Outcome(action), id_, old, verdict)
                self._entries[number] = entry
                self._groups[one.id].append(number)
            if any(number is None for number, *_ in one.what["items"]):
                del self._groups[
                    one.id
                ]  # what mirror deletes or marks is found anew, and it would not be the same request
        self.swept = list(swept.values())
        """Mirror's deletions that were done, or may have been: the API's own id, and what undo keeps of the record."""

    def _repeatable(self, endpoint: str) -> bool:
        found = self._endpoints.get(endpoint)
        return found is not None and bool(found.repeatable)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def settled(
        self, number: int, mark: int, is_done: Callable[[Outcome], bool | None]
    ) -> tuple[Outcome, Verdict] | None:
        """What became of a record; None where it is to be decided anew.

        Args:
            mark: what the record is now.
            is_done: whether it looks as if it had been done; None where nobody can look.
        """
        entry = self._entries.get(number)
        if entry is None or entry.mark != mark:
            return None
        done = is_done(entry.action)
        if done is None:
            if entry.verdict is not None:
                return entry.action, entry.verdict
            if self._repeatable(entry.endpoint):
                return None
            return entry.action, Verdict(UNKNOWN, reason="the process ended before the answer came")
        if not done:
            if self._may_still_come(entry):
                return entry.action, Verdict(UNKNOWN, reason="it was sent before, and may still be under way")
            return None
        verdict = entry.verdict if entry.verdict is not None and entry.verdict.what == DONE else Verdict(DONE)
        return entry.action, verdict

    def _may_still_come(self, entry: _Entry) -> bool:
        open_ = entry.verdict is None or entry.verdict.what == UNKNOWN
        return open_ and entry.endpoint in self._endpoints and comes_later(self._endpoints[entry.endpoint])

    def image(self, number: int | None) -> dict[str, str | None] | None:
        """The API's record before it was changed, as undo keeps it."""
        entry = self._entries.get(number) if number is not None else None
        return entry.old if entry is not None else None

    def first(self, items: Sequence[tuple[str, Item]]) -> tuple[list[Parcel], list[tuple[str, Item]]]:
        """What was not answered once more as it was, under the keys it had; and the other items."""
        by_number = {item.change.number: (name, item) for name, item in items}
        for number, (_, item) in by_number.items():
            item.earlier = number in self._entries
        again: list[Parcel] = []
        taken: set[int] = set()
        for request, numbers in self._groups.items():
            entries = [self._entries[n] for n in numbers]
            known = all(e.request == request and e.verdict is None for e in entries)
            same = known and all(n in by_number and by_number[n][1].mark == self._entries[n].mark for n in numbers)
            if not numbers or not same:
                continue
            name = entries[0].endpoint
            if all(by_number[n][0] == name for n in numbers):
                endpoint, same_items = self._endpoints[name], [by_number[n][1] for n in numbers]
                again.append(Parcel(request, name, endpoint, same_items, again=True))
                taken |= set(numbers)
        return again, [(name, item) for name, item in items if item.change.number not in taken]
