"""Webhooks: `POST /hooks/{name}` takes an event in. The signature is the key, so these routes ask for no token."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from headgate.app.events import Event, Unreadable, can_be_read
from headgate.app.hooks import Delivery, Engine, Hook, resolved
from headgate.app.project import Project
from headgate.app.requests import request_run
from headgate.ledger.inbox import Inbox
from headgate.model.errors import HeadgateError
from headgate.model.event import Entry, Stage
from headgate.model.hook import HookSpec, PlaceSpec

from .access import unsecured
from .context import Context, context_of
from .deliveries import Deliveries
from .failures import Failures, place_of
from .guard import too_many
from .metrics import Metrics
from .problems import Problem
from .verify import NotVerified, Sent, challenge_answer, credential, handshake_answer, verify

LONGEST_ID: Final = 200
RETRY_AFTER: Final = "30"
_POLL: Final = 0.5
T = TypeVar("T")
_log = logging.getLogger("headgate.hooks")


class Hooks:
    """The hooks of a project, as their files are at the moment.

    Attributes:
        inbox: where events are kept.
        deliveries: what takes them out.
    """

    def __init__(self, project: Project, inbox: Inbox, deliveries: Deliveries) -> None:
        self.inbox, self.deliveries = inbox, deliveries
        self._project = project
        self._known: dict[str, tuple[tuple[int, int], HookSpec | None]] = {}
        self._right: set[bytes] = set()
        self._failures = Failures(20, 60.0)

    def find(self, name: str) -> Hook:
        """A hook by its name.

        Raises:
            Problem: 404 where there is none, whether there is an import of the name or not; 503 where it cannot be told.
        """
        try:
            found = self._read(name)
        except (HeadgateError, OSError) as e:
            raise _not_ready(name, e) from None
        if found is None:
            raise Problem(404, "not-found", "there is no such hook")
        return found

    def admitted(self, hook: Hook, request: Request, shown: str | None, check: Callable[[], T]) -> T:
        """Find out who sends. Who shows wrong tokens again and again is turned away for a while; who was right before is not.

        Args:
            shown: the token or password of the request; None where it is signed, as nobody can guess a signature.

        Returns:
            What the check gives.

        Raises:
            Problem: 401 with no more than the sender may know, 429, or 503 where nobody could be verified.
        """
        place = place_of(request.client.host if request.client else "")
        mark = sha256(f"{hook.name} {shown}".encode("utf-8", "surrogateescape")).digest()
        if shown is not None and mark not in self._right and (wait := self._failures.wait(place)):
            raise too_many(wait)
        try:
            found = check()
        except NotVerified as e:
            if shown is not None:
                self._right.discard(mark)
                self._failures.add(place)
            basic = {"WWW-Authenticate": 'Basic realm="headgate"'} if hook.spec.verify.style == "basic" else {}
            raise Problem(401, "not-verified", str(e), headers=basic) from None
        except HeadgateError as e:
            raise _not_ready(hook.name, e) from None
        if shown is not None:
            self._right.add(mark)
        return found

    def _read(self, name: str) -> Hook | None:
        """The definition is read again when its file has changed; secrets are looked up every time."""
        file = self._project.import_files.get(name)
        if file is None:
            return None
        stat = file.stat()
        version = stat.st_mtime_ns, stat.st_size
        known = self._known.get(name)
        if known is None or known[0] != version:
            self._known[name] = known = version, self._project.load(name).spec.hook
        return resolved(self._project, name, known[1]) if known[1] is not None else None


def add(context: Context, engine: Engine) -> Deliveries:
    """Put the hooks among the parts of the server.

    Args:
        engine: imports the events' records.

    Returns:
        What delivers them, beside requests.
    """
    project = context.project
    inbox = Inbox(project.ledger)
    delivery = Delivery(project, inbox, engine, lambda name: request_run(project, name, cause=f"hook {name}"))
    deliveries = Deliveries(inbox, delivery)
    context.parts[Hooks] = Hooks(project, inbox, deliveries)
    return deliveries


def routes() -> list[BaseRoute]:
    """What senders call."""
    why = "the sender is known by the signature, token or password that the definition asks for"
    return [
        unsecured("/hooks/{name}", receive, methods=["POST"], why=why),
        unsecured("/hooks/{name}", handshake, methods=["GET"], why=why),
    ]


async def handshake(request: Request) -> Response:
    """Answer a sender that asks whether the URL is ours."""
    hooks = context_of(request).part(Hooks)
    hook = await run_in_threadpool(hooks.find, request.path_params["name"])
    if hook.spec.challenge is None or hook.spec.challenge.style != "meta":
        raise Problem(404, "not-found", "there is no such hook")
    sent = _sent(request, b"")
    shown = next(iter(sent.query.get("hub.verify_token", ())), "")
    return _plain(hooks.admitted(hook, request, shown, lambda: handshake_answer(hook.token, sent)))


async def receive(request: Request) -> Response:
    """Take an event in: it is answered when it is where `accept` says."""
    context = context_of(request)
    hooks = context.part(Hooks)
    hook = await run_in_threadpool(hooks.find, request.path_params["name"])
    sent = _sent(request, await _body(request, context.options.max_body))
    shown = credential(hook.spec.verify, sent)
    events = context.part(Metrics).events
    try:
        hooks.admitted(hook, request, shown, lambda: verify(hook.spec.verify, hook.secrets, sent, time.time()))
    except Problem:
        events.labels(hook.name, "refused").inc()
        raise
    taken = await run_in_threadpool(_take_in, hooks.inbox, hook, sent)
    if isinstance(taken, Response):
        events.labels(hook.name, "ignored").inc()
        return taken
    entry, new = taken
    events.labels(hook.name, "accepted" if new else "repeated").inc()
    if hook.spec.accept == "inbox":
        hooks.deliveries.wake()
        return _json(202 if new else 200, _told(entry) | {"duplicate": not new})
    if not entry.settled:
        entry = await _at_destination(hooks, entry, context.options.deadline)
    return _answer(entry, new=new)


def _take_in(inbox: Inbox, hook: Hook, sent: Sent) -> Response | tuple[Entry, bool]:
    """Keep an event of which it is known who sent it, if it is one that is wanted.

    Returns:
        It and whether it is new; or the answer, where there is nothing to be delivered.

    Raises:
        Problem: it cannot be looked into, or not be kept.
    """
    spec = hook.spec
    content_type, *_ = sent.headers.get("content-type", ("",))
    if not spec.start and (not can_be_read(content_type) or "content-encoding" in sent.headers):
        raise Problem(415, "content-unknown", "an event is JSON or a form, and not compressed")
    if (answer := challenge_answer(spec.challenged, sent.body)) is not None:
        return _plain(answer)
    event = Event(content_type, sent.body)
    kind = _found(spec.event, sent, event)
    try:
        # One that cannot be read is kept, for somebody to see.
        if spec.event is not None and kind not in spec.event.accept and (spec.event.header or event.readable):
            inbox.count_ignored(hook.name)
            return _json(200, {"state": "ignored", "duplicate": False})
        number = _id(_found(spec.id_place, sent, event))
        return inbox.add(hook.name, number, (kind or "")[:LONGEST_ID], content_type[:LONGEST_ID], sent.body)
    except HeadgateError as e:
        _log.error("an event of %s cannot be kept: %s", hook.name, e)
        raise Problem(503, "not-kept", "the event could not be kept", headers={"Retry-After": RETRY_AFTER}) from None


async def _body(request: Request, most: int) -> bytes:
    """The body as it comes.

    Raises:
        Problem: 413 it is too large; read no further than that.
    """
    too_large = Problem(413, "too-large", f"the body has more than {most:,} bytes")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most):
        raise too_large
    pieces, size = [], 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise too_large
            pieces.append(piece)
    except ClientDisconnect:
        raise Problem(400, "cut-off", "the body ended before it was complete") from None
    return b"".join(pieces)


def _sent(request: Request, body: bytes) -> Sent:
    headers: dict[str, list[str]] = {}
    for name, value in request.scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("utf-8", "surrogateescape"))
    query: dict[str, list[str]] = {}
    for key, text in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(key, []).append(text)
    return Sent(headers, query, body)


def _not_ready(name: str, e: Exception) -> Problem:
    """What a sender hears of a mistake on this side; what it is stands in the log."""
    _log.error("hook %s cannot be used: %s", name, e)
    return Problem(503, "not-ready", "this hook cannot be used at the moment", headers={"Retry-After": RETRY_AFTER})


def _found(place: PlaceSpec | None, sent: Sent, event: Event) -> str | None:
    """What stands at a place of an event; None where there is nothing."""
    if place is None:
        return None
    if place.header is not None:
        return next(iter(sent.headers.get(place.header.lower(), ())), None)
    try:
        return event.value(place.path or "")
    except Unreadable:
        return None


def _id(found: str | None) -> str:
    """What is kept of an event's id: a name of our own where it has none, and of a long one its hash."""
    if not found:
        return f"~{uuid.uuid4().hex}"
    return found if len(found) <= LONGEST_ID else f"sha256:{sha256(found.encode('utf-8', 'surrogatepass')).hexdigest()}"


async def _at_destination(hooks: Hooks, entry: Entry, seconds: float) -> Entry:
    """The event once it was tried, here or by another server, or when the time is over."""
    outcome = asyncio.wrap_future(hooks.deliveries.outcome(entry))
    end, pause = time.monotonic() + seconds, 0.02  # it may have been delivered before anybody waited for it
    try:
        while not outcome.done() and (left := end - time.monotonic()) > 0:
            await asyncio.wait([outcome], timeout=min(left, pause))
            pause = min(2 * pause, _POLL)
            if not outcome.done() and (found := await run_in_threadpool(hooks.inbox.entry, entry.id)).settled:
                return found
        return outcome.result() if outcome.done() else entry
    except HeadgateError:  # the ledger cannot be asked; the event is kept
        return entry
    finally:
        outcome.cancel()


def _answer(entry: Entry, *, new: bool) -> Response:
    """The answer of `accept: destination`."""
    if entry.settled:
        return _json(200, _told(entry) | {"duplicate": not new})
    raise Problem(
        503,
        "not-delivered",
        "the event is not at the destination yet; it is kept and tried again",
        hint="Send it again: it is known by its id, and the answer then says what became of it.",
        headers={"Retry-After": RETRY_AFTER},
        **_told(entry),
    )


def _told(entry: Entry) -> dict[str, object]:
    """What a sender hears of an event."""
    told: dict[str, object] = {"id": entry.id, "event_id": entry.named, "state": entry.stage.value}
    if entry.stage is Stage.REJECTED:
        told["reason"] = entry.reason
    return told | dict(entry.answer)


def _json(status: int, content: Mapping[str, object]) -> Response:
    text = json.dumps(content, ensure_ascii=False, default=str)
    return Response(text.encode("utf-8", "backslashreplace"), status, media_type="application/json")


def _plain(text: str) -> Response:
    """A text of the sender's own, which no browser must take for a page."""
    return PlainTextResponse(text, headers={"X-Content-Type-Options": "nosniff"})
