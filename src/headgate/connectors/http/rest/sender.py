"""Sending single requests: at the pace that the API allows, again where that does no harm, and with a word for how it ended."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from headgate.connectors.http import client as http
from headgate.connectors.http.client import Client, backoff, phrase, retry_after
from headgate.connectors.http.exchange import MOST_BYTES, Answer, Call, LostError, UndoneError
from headgate.connectors.http.resource import AnswerSpec, EndpointSpec, FindSpec, QuotaSpec
from headgate.model.errors import Cancelled, ConnectionFailed

from .paths import at
from .values import DECODER, matches

_EXCERPT: Final = 300
_HEAD: Final = 40
"""So many times as long is the text in which secrets are looked for, so that no part of one is left at the end."""
_BUSY: Final = (408, 425, 429)
_NEVER: Final = (501, 505)
"""Statuses of servers that cannot do such a thing at all; with every other from 500 on it may have been done."""
_NOT_DONE: Final = (425, 429)
"""Statuses of requests that the API has not looked at."""
_FAILED: Final = 300
_PAGE: Final = 1_000
"""Characters in which a page says that it is one."""
_IN_A_ROW: Final = 5
"""So many requests that failed one after another, and the API is taken to be down."""
_SEARCHING_IN_A_ROW: Final = 50
"""The same of parts of a request that failed, which are sent to find the records that are why: several of them fail in a row."""
_LATER: Final = "Run it again when the API works: it goes on where it was."
_REMAINING: Final = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
_RESET: Final = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")
_USED: Final = re.compile(r"(\d+)\s*/\s*(\d+)")
_EPOCH: Final = 1_000_000_000
_SLOWER, _FASTER, _LEAST, _MOST = 2.0, 0.8, 0.005, 30.0


class End(Enum):
    """How a request ended."""

    DONE = "done"
    """There is an answer that says what became of it."""
    REFUSED = "refused"
    """The API does not take it, and has done nothing."""
    UNKNOWN = "unknown"
    """It was sent, and whether it was done is not known."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended, with the answer.

    Attributes:
        status: 0 where there was no answer.
        body: JSON as Python has it, or the text of something else; None where it is empty.
        said: what went wrong, for people, without secrets.
        pending: whether it may still be under way.
    """

    end: End
    status: int = 0
    headers: Mapping[str, str] | None = None
    body: Any = None
    said: str = ""
    pending: bool = False


@dataclass(slots=True)
class Attempts:
    """What is known of how often a request was sent.

    Attributes:
        doubtful: whether the API may have done it, apart from what its last answer says.
        searching: whether it is a part of a request that failed, and fails perhaps for the same record.
        pages: whether a page for people may be the API's answer to what is written, as to a form.
    """

    doubtful: bool = False
    searching: bool = False
    pages: bool = False


class Pace:
    """How often an API may be asked, shared by all imports of a process that use the same connection.

    It goes slower while the API says that it is too often, and then faster again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due = self._until = 0.0
        self._spacing = 0.0

    def wait(self) -> float:
        """Seconds to wait before the next request, whose turn is taken with this."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._until, self._due)
            self._due = at + self._spacing
            return at - now

    def hold(self, seconds: float) -> None:
        """Nobody may ask for so long."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def too_often(self) -> None:
        """The API has said so."""
        with self._lock:
            self._spacing = min(max(self._spacing * _SLOWER, _LEAST * 2), _MOST)

    def well(self) -> None:
        """A request went through."""
        if self._spacing:
            with self._lock:
                self._spacing = self._spacing * _FASTER if self._spacing > _LEAST else 0.0


_PACES: dict[str, Pace] = {}
_PACES_LOCK = threading.Lock()


def pace_of(url: str) -> Pace:
    """The pace of the API at a URL."""
    with _PACES_LOCK:
        return _PACES.setdefault(url, Pace())


class Sender:
    """Sends requests of one connection. From any thread.

    Args:
        client: sends them.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._pace = pace_of(client.options.url)
        self._stopped = threading.Event()
        self._failed: Counter[tuple[int, bool]] = Counter()
        """By endpoint: several may have one path, and that records can be found says nothing of whether they can be created."""
        self._used = ""

    def cancel(self) -> None:
        """Break off every wait; whoever waits raises `Cancelled`."""
        self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Cancelled: it was broken off.
        """
        if self._stopped.wait(seconds) if seconds > 0 else self._stopped.is_set():
            raise Cancelled("the run was cancelled")

    def send(self, call: Call, endpoint: EndpointSpec, attempts: Attempts | None = None) -> Reply:
        """Send a request, and again where that does no harm.

        Args:
            attempts: is kept up to date, also when this raises.

        Raises:
            ConnectionFailed: the API cannot be reached, has failed many times in a row, or refuses the login.
            Cancelled: `cancel` was called; whether it was done is not known.
        """
        attempt, renewed = 0, False
        attempts = attempts or Attempts()
        until = time.monotonic() + self.client.options.max_wait
        answer = endpoint.answer or AnswerSpec()
        while True:
            self._check_usage()
            self.pause(self._pace.wait())
            since, before = http.clock(), attempts.doubtful
            try:
                status, headers, raw = self._exchange(call, attempts)
            except LostError as e:
                if attempt < self.client.options.retries and not e.hopeless and (e.unsent or call.repeatable):
                    self.pause(backoff(attempt))
                    attempt += 1
                    continue
                if e.unsent or e.hopeless:
                    raise ConnectionFailed(str(self.client.failure(call, str(e))), hint=e.hint) from e.__cause__
                return self._failing(call, endpoint, Reply(End.UNKNOWN, said=str(e)), attempts)
            if status == HTTPStatus.UNAUTHORIZED:
                attempts.doubtful = before
                if not renewed and self.client.renew(since):
                    renewed = True
                    continue
                raise self._no_entry(call, status, raw)
            body = _decoded(raw)
            reply = Reply(End.DONE, status, headers, body, self._words(status, raw))
            open_ = _is_open(reply, answer) or (_writes(call, endpoint) and _is_foreign(reply, pages=attempts.pages))
            if not (_is_busy(status) or open_) or _untouched(reply, answer):
                attempts.doubtful = before
            wait = self._wait(reply, answer, attempt, open_=open_)
            if wait is None:
                self._learn(reply, answer)
                return self._ended(endpoint, reply)
            if _untouched(reply, answer):
                if time.monotonic() + wait > until:
                    raise self._too_often(call, reply)
            elif attempt >= self.client.options.retries or not call.repeatable:
                return self._failing(call, endpoint, reply, attempts)
            self.pause(wait)
            attempt += 1

    def fetch(self, call: Call, to: Path, answer: AnswerSpec) -> Answer:
        """Ask for a page of a list: as `Client.send`, at the API's pace, and again where an answer with a good status says: later.

        Raises:
            SourceError: there is no good answer.
            ConnectionFailed: the API puts it off for too long.
            Cancelled: `cancel` was called.
        """
        attempt = 0
        until = time.monotonic() + self.client.options.max_wait
        while True:
            self._check_usage()
            self.pause(self._pace.wait())
            found = self.client.send(call, to, answer.busy_status)
            raw = found.body.read_bytes() if found.body.stat().st_size <= MOST_BYTES else b""
            reply = Reply(End.DONE, found.status, found.headers, _decoded(raw), self._words(found.status, raw))
            wait = self._wait(reply, answer, attempt, open_=_is_open(reply, answer))
            if wait is None:
                self._learn(reply, answer)
                self._pace.well()
                return found
            if _untouched(reply, answer):
                if time.monotonic() + wait > until:
                    raise self._too_often(call, reply)
            elif attempt >= self.client.options.retries:
                return found  # which says itself that it is an error
            self.pause(wait)
            attempt += 1

    def _exchange(self, call: Call, attempts: Attempts) -> tuple[int, Mapping[str, str], bytes]:
        """One exchange (`Client.exchange`), with word of whether it may have been done."""
        before, attempts.doubtful = attempts.doubtful, True
        try:
            return self.client.exchange(call, self.pause)
        except (UndoneError, Cancelled):
            attempts.doubtful = before
            raise
        except LostError as e:
            attempts.doubtful = before or not e.unsent
            raise

    def _wait(self, reply: Reply, answer: AnswerSpec, attempt: int, *, open_: bool) -> float | None:
        """Seconds to wait before it is sent again; None where there is an answer to go by.

        Args:
            open_: whether its status is good and does not say what became of it.
        """
        if answer.spent and reply.status >= _FAILED and matches(reply.body, answer.spent):
            raise ConnectionFailed(
                f"{self.client.secrets.url(self.client.options.url)}: its quota is used up: {reply.said}", hint=_LATER
            )
        busy = _busy(reply, answer)
        if not busy and not _is_busy(reply.status):
            return backoff(attempt) if open_ else None
        told = retry_after((reply.headers or {}).get("retry-after", ""))
        if busy or reply.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            self._pace.too_often()
        if told is None and answer.quota is not None:
            told = _until_restored(answer.quota, reply.body, 1) or None
        if told is None:
            return backoff(attempt)
        if told > self.client.options.max_wait:
            raise ConnectionFailed(
                f"{self.client.secrets.url(self.client.options.url)}: it asks to wait for {told:,.0f} s",
                hint=f"That is longer than the connection's max_wait ({self.client.options.max_wait:,.0f} s). {_LATER}",
            )
        self._pace.hold(told)
        return 0.0

    def _check_usage(self) -> None:
        if self._used:
            raise ConnectionFailed(
                f"{self.client.secrets.url(self.client.options.url)}: its quota is used up: {self._used}",
                hint=f"How much of it may be used the connection's usage.stop says, in percent. {_LATER}",
            )

    def _too_often(self, call: Call, reply: Reply) -> ConnectionFailed:
        return ConnectionFailed(
            f"{call.method} {self.client.secrets.url(call.url)}: it was put off for {self.client.options.max_wait:,.0f} s: {reply.said}",
            hint=f"Say in the connection how often it may be asked (rate: 5/s), or raise max_wait. {_LATER}",
        )

    def _ended(self, endpoint: EndpointSpec, reply: Reply) -> Reply:
        for searching in (False, True):
            self._failed.pop((id(endpoint), searching), None)
        self._pace.well()
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return reply
        return Reply(End.REFUSED, reply.status, reply.headers, reply.body, reply.said)

    def _failing(self, call: Call, endpoint: EndpointSpec, reply: Reply, attempts: Attempts) -> Reply:
        """A request that failed for good; of many in a row the API is to blame."""
        most = _SEARCHING_IN_A_ROW if attempts.searching else _IN_A_ROW
        self._failed[id(endpoint), attempts.searching] += 1
        if self._failed[id(endpoint), attempts.searching] >= most:
            raise ConnectionFailed(
                f"{call.method} {self.client.secrets.url(call.url)}: {most} requests in a row have failed, the last so: {reply.said}",
                hint=f"What was sent is kept. {_LATER}",
            )
        return Reply(End.UNKNOWN, reply.status, reply.headers, reply.body, reply.said)

    def _no_entry(self, call: Call, status: int, raw: bytes) -> ConnectionFailed:
        auth = self.client.options.auth
        hint = f"Check the connection's auth ({auth.type})." if auth else "Say in the connection how to log in (auth)."
        said = self._words(status, raw)
        return ConnectionFailed(f"{call.method} {self.client.secrets.url(call.url)}: {said}", hint=hint)

    def _words(self, status: int, raw: bytes) -> str:
        head = raw[: _HEAD * _EXCERPT].decode(errors="replace")
        if not head.isprintable():  # character by character takes longer than the rest of a good answer
            head = "".join(c if c.isprintable() else " " for c in head)
        text = self.client.secrets.hide(" ".join(head.split()))
        text = text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
        return f"{status} {phrase(status)}{f': {text}' if text else ''}"

    def _learn(self, reply: Reply, answer: AnswerSpec) -> None:
        """Hold back where the API says that its quota is used up."""
        if answer.quota is not None:
            # The others that are under way cost as much.
            self._pace.hold(_until_restored(answer.quota, reply.body, self.client.options.concurrency))
        headers = reply.headers or {}
        usage = self.client.options.usage
        if usage is not None and (m := _USED.search(headers.get(usage.header.lower(), ""))) is not None:
            used, whole = int(m[1]), int(m[2])
            self._used = f"{used:,} of {whole:,} requests" if used * 100 >= whole * usage.stop else ""
        left = next((headers[n] for n in _REMAINING if n in headers), "")
        if not left.strip().isdigit() or int(left) > 0:
            return
        reset = next((headers[n] for n in _RESET if n in headers), "")
        try:
            seconds = float(reset)
        except ValueError:
            return
        if seconds > _EPOCH:
            seconds -= time.time()
        self._pace.hold(min(max(seconds, 0.0), self.client.options.max_wait))


def _is_busy(status: int) -> bool:
    """Whether a status says that it may be otherwise the next time, and nothing of the record."""
    return status in _BUSY or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER)


def _untouched(reply: Reply, answer: AnswerSpec) -> bool:
    """Whether an answer that is worth another try says that nothing was done: later, please."""
    later = reply.status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in (reply.headers or {})
    return later or reply.status in _NOT_DONE or _busy(reply, answer)


def _busy(reply: Reply, answer: AnswerSpec) -> bool:
    """Whether an answer says so in the API's own way."""
    said = bool(answer.busy) and matches(reply.body, answer.busy)
    return said or reply.status in answer.busy_status


def _is_open(reply: Reply, answer: AnswerSpec) -> bool:
    """Whether an answer with a good status says that it is not known what became of the request."""
    return reply.status < _FAILED and bool(answer.unknown) and matches(reply.body, answer.unknown)


def _writes(call: Call, endpoint: EndpointSpec) -> bool:
    """Whether a request is to do something. What only asks may be asked again by whoever sees that there is no answer."""
    return call.method != "GET" and not isinstance(endpoint, FindSpec)


def _is_foreign(reply: Reply, *, pages: bool) -> bool:
    """Whether an answer with a good status is not the API's: the page of a login or of a proxy, or one that was cut off."""
    if not isinstance(reply.body, str) or reply.status >= _FAILED:
        return False
    head = reply.body[:_PAGE].lstrip("\ufeff \t\r\n").lower()
    if head.startswith(("{", "[")):
        return not reply.body.rstrip().endswith(("}", "]"))
    kind = (reply.headers or {}).get("content-type", "").lower()
    return not pages and ("text/html" in kind or "<html" in head or head.startswith("<!doctype html"))


def _until_restored(quota: QuotaSpec, body: Any, times: int) -> float:
    """Seconds until there are points for so many requests like the one that was answered."""
    try:
        left, restore, cost = (float(at(body, path)) for path in (quota.left, quota.restore, quota.cost))
    except (TypeError, ValueError):
        return 0.0
    return max(cost * times - left, 0.0) / restore if restore > 0 else 0.0


def _decoded(raw: bytes) -> Any:
    if not raw.strip():
        return None
    try:
        return DECODER.decode(raw)
    except ValueError:
        return raw.decode(errors="replace")
