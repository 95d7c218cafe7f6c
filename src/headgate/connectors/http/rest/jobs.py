"""Sending many records as a job: one file, which the API works through by itself.

A job is made, gets its file and is closed; only then it begins. Its id is kept before the file is sent, so that whoever comes after a
crash asks about it: a job that was not closed is given up, nothing of it was done; any other is waited for, and what it says of its
records is what became of them.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from headgate.connectors.http.exchange import Call
from headgate.connectors.http.job import JobSpec, ResultSpec, StepSpec
from headgate.connectors.http.resource import EndpointSpec, ResourceSpec
from headgate.model.errors import ConnectionFailed, DestinationError
from headgate.model.sent import Sent

from .answers import AGAIN, DONE, MISSING, NEEDS, REFUSED, UNKNOWN, Verdict
from .paths import at
from .requests import Parcel, call, many_of
from .sender import End, Reply, Sender
from .table import mark, row, rows, table
from .template import ENCODER, Many, Values, filled, path
from .values import matches

_CLOSINGS: Final = 3
_LATER: Final = "Run it again: it asks on about this job, and makes no second one."


@dataclass(frozen=True, slots=True)
class Note:
    """What is kept of a job.

    Attributes:
        id: the API's own of it.
        by, marks: see `headgate.connectors.http.rest.table.Table`.
    """

    id: str
    by: Sequence[str]
    marks: Sequence[str]

    def sent(self, request: str) -> Sent:
        """As the outbox keeps it, beside the request that it is of."""
        what = {"of": request, "job": self.id, "by": list(self.by), "marks": list(self.marks)}
        return Sent(f"{request}/{self.id}", what)


class TooLargeError(Exception):
    """The file would be larger than the API takes."""


class Jobs:
    """Sends parcels as jobs.

    Args:
        sender: sends the requests.
        resource: where to.
        names, general: what templates may name.
        key: names of the key's fields.
    """

    def __init__(
        self,
        sender: Sender,
        resource: ResourceSpec,
        names: Sequence[str],
        general: Mapping[str, Any],
        key: Sequence[str],
    ) -> None:
        self._sender, self._resource = sender, resource
        self._names, self._general, self._key = names, general, key

    def unfit(self, parcel: Parcel) -> dict[int, str]:
        """Why records cannot stand in a file, by their places."""
        job, found = _job(parcel.endpoint), dict[int, str]()
        for place, item in enumerate(parcel.items):
            try:
                row(job, parcel.name, item.values.id, item.values.record)
            except ValueError as e:
                found[place] = str(e)
        return found

    def run(self, parcel: Parcel, keep: Callable[[Sent], None]) -> list[Verdict]:
        """What became of each record.

        Args:
            keep: keeps the job's id; it is on the disk when this returns.

        Raises:
            TooLargeError: see there.
            ConnectionFailed, DestinationError: it cannot be made, or not be asked about; what was kept is asked about by who comes.
            Cancelled: likewise.
        """
        endpoint, job = parcel.endpoint, _job(parcel.endpoint)
        file = table(job, parcel, self._key)
        if len(file.data) > job.most_bytes:
            raise TooLargeError
        told = self._make(parcel)
        note = Note(str(told["id"]), file.by, file.marks)
        keep(note.sent(parcel.id))
        upload = self._call(job.upload, told, file.data)
        reply = self._sender.send(upload, endpoint)
        if reply.end is not End.DONE:
            self._sender.send(self._call(job.abort, told), endpoint)
            what = AGAIN if reply.end is End.UNKNOWN else REFUSED
            return [Verdict(what, reason=f"the job's file was not taken: {reply.said}") for _ in parcel.items]
        self._close(endpoint, job, told)
        return self._results(endpoint, job, note, self._ended(endpoint, job, note.id), parcel.name)

    def conclude(self, endpoint: EndpointSpec, name: str, what: Mapping[str, Any]) -> list[Verdict] | None:
        """What became of the records of a job of somebody who is gone; None where nothing was done and never will be.

        Args:
            name: of the endpoint.
            what: the job's note, as the outbox has it.

        Raises:
            ConnectionFailed, Cancelled: it cannot be asked about, or is not at its end.
        """
        job, note = _job(endpoint), Note(what["job"], what["by"], what["marks"])
        reply = self._ask(endpoint, job, note.id)
        if reply.end is End.REFUSED:
            return [Verdict(UNKNOWN, reason=f"the job {note.id} is not known any more") for _ in note.marks]
        if matches(reply.body, job.open):
            self._sender.send(self._call(job.abort, {"id": note.id}), endpoint)
            reply = self._ask(endpoint, job, note.id)
            if matches(reply.body, job.open):
                raise ConnectionFailed(f"the job {note.id} cannot be given up: {reply.said}", hint=_LATER)
            return None
        found = self._results(endpoint, job, note, self._ended(endpoint, job, note.id), name, undone=AGAIN)
        return None if all(v.what == AGAIN for v in found) else found

    # Steps

    def _make(self, parcel: Parcel) -> Mapping[str, Any]:
        many = many_of(parcel.items, self._names, self._general)
        asked = call(self._sender.client.options.url, self._resource, parcel.endpoint, many)
        # Once too often does no harm: a job without a file does nothing.
        asked = Call(asked.method, asked.url, asked.headers, asked.body)
        reply = self._sender.send(asked, parcel.endpoint)
        if reply.end is not End.DONE or not isinstance(reply.body, Mapping) or not reply.body.get("id"):
            raise DestinationError(
                f"no job can be made: {asked.method} {self._sender.client.secrets.url(asked.url)}: {reply.said}",
                hint="Check what this login may do there, and the resource's path and body.",
            )
        return reply.body

    def _call(self, step: StepSpec, told: Mapping[str, Any], data: bytes | None = None) -> Call:
        many = _many(told)
        url = self._sender.client.options.url + path(step.path, many)
        if data is not None:
            return Call(step.method, url, {"Content-Type": "text/csv; charset=UTF-8"}, data, repeatable=False)
        body = ENCODER.encode(filled(step.body, many))
        return Call(step.method, url, {"Content-Type": "application/json"}, body, repeatable=False)

    def _close(self, endpoint: EndpointSpec, job: JobSpec, told: Mapping[str, Any]) -> None:
        for _ in range(_CLOSINGS):
            reply = self._sender.send(self._call(job.close, told), endpoint)
            if reply.end is End.DONE:
                return
            now = self._ask(endpoint, job, str(told["id"]))
            if now.end is End.DONE and not matches(now.body, job.open):
                return
        raise ConnectionFailed(f"the job {told['id']} cannot be closed: {reply.said}", hint=_LATER)

    def _ask(self, endpoint: EndpointSpec, job: JobSpec, id_: str) -> Reply:
        """How a job is; refused where there is none.

        Raises:
            ConnectionFailed: there is no answer.
        """
        url = self._sender.client.options.url + path(job.state, _many({"id": id_}))
        reply = self._sender.send(Call("GET", url), endpoint)
        if reply.end is End.UNKNOWN:
            raise ConnectionFailed(f"the job {id_} cannot be asked about: {reply.said}", hint=_LATER)
        return reply

    def _ended(self, endpoint: EndpointSpec, job: JobSpec, id_: str) -> Reply:
        until = time.monotonic() + job.wait
        while True:
            reply = self._ask(endpoint, job, id_)
            if reply.end is End.REFUSED:
                raise ConnectionFailed(f"the job {id_} cannot be asked about: {reply.said}", hint=_LATER)
            if matches(reply.body, job.done):
                return reply
            if time.monotonic() > until:
                raise ConnectionFailed(f"the job {id_} is not done after {job.wait:,.0f} s: {reply.said}", hint=_LATER)
            self._sender.pause(job.every)

    # Results

    def _results(
        self, endpoint: EndpointSpec, job: JobSpec, note: Note, end: Reply, name: str, undone: str = REFUSED
    ) -> list[Verdict]:
        places: dict[str, deque[int]] = defaultdict(deque)
        for place, of in enumerate(note.marks):
            places[of].append(place)
        unsaid = Verdict(UNKNOWN, reason=f"the job {note.id} says nothing of it")
        found = [unsaid for _ in note.marks]
        for result in job.results:
            url = self._sender.client.options.url + path(result.path, _many({"id": note.id}))
            reply = self._sender.send(Call("GET", url, {"Accept": "text/csv"}), endpoint)
            if reply.end is not End.DONE:
                raise ConnectionFailed(f"what became of the job {note.id} cannot be read: {reply.said}", hint=_LATER)
            for one in rows(reply.body):
                if left := places[mark(_known(job, result, note.by, one), note.by)]:
                    found[left.popleft()] = _verdict(job, result, one, end, name, undone)
        return found


def _many(told: Mapping[str, Any]) -> Many:
    return Many([Values(told.get("id"), told, told)])


def _job(endpoint: EndpointSpec) -> JobSpec:
    assert endpoint.job is not None, "whoever asks has looked"
    return endpoint.job


def _known(job: JobSpec, result: ResultSpec, by: Sequence[str], one: Mapping[str, str]) -> Mapping[str, str]:
    """A row of results with the own id, which may stand in a column of the API's only."""
    if list(by) != [job.own] or one.get(job.own) or result.id is None:
        return one
    return {job.own: one.get(result.id, "")}


def _verdict(job: JobSpec, result: ResultSpec, one: Mapping[str, str], end: Reply, name: str, undone: str) -> Verdict:
    id_ = (one.get(result.id) or None) if result.id else None
    if result.what == "done":
        created = one.get(result.created, "").lower() == "true" if result.created and name == "upsert" else None
        return Verdict(DONE, id_, None, created)
    if result.what == "undone":
        reason = at(end.body, job.message)
        return Verdict(undone, reason=f"the job ended before it: {reason or end.said}")
    reason = one.get(result.reason or "", "")
    m = re.fullmatch(result.pattern, reason, re.DOTALL) if result.pattern else None
    groups = {k: (v or "").strip() for k, v in m.groupdict().items()} if m is not None else {}
    code, said = groups.get("code", ""), groups.get("message", reason)
    if code in job.missing and name in NEEDS:
        return Verdict(MISSING, reason=f"{code}: {said}")
    what = AGAIN if code in job.again else REFUSED
    return Verdict(
        what, reason=f"{code}: {said}" if code else said, field=groups.get("field", "").rpartition(",")[2].strip()
    )
