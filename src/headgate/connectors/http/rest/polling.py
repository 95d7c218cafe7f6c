"""Answers that come later: 202, or a job that has to be asked about.

Where it is asked is kept before it is asked, so that whoever comes after a crash asks on: until such a job is at its end, nobody can tell
by looking for its records whether they are still to come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urljoin

from headgate.connectors.http.client import origin
from headgate.connectors.http.exchange import Call
from headgate.connectors.http.resource import EndpointSpec, PollSpec
from headgate.model.errors import DestinationError
from headgate.model.sent import Sent

from .sender import End, Reply, Sender
from .template import Many, Values, path
from .values import matches


def note(request: str, url: str) -> Sent:
    """Where a request is asked about, as the outbox keeps it beside the request."""
    return Sent(f"{request}/later", {"of": request, "url": url})


def polled(sender: Sender, asked: Call, first: Reply, endpoint: EndpointSpec, keep: Callable[[str], None]) -> Reply:
    """The answer that a first one leads to; the first itself where it is the answer already.

    Args:
        keep: keeps the URL that is asked; it is on the disk when this returns.

    Raises:
        DestinationError: it leads nowhere.
        ConnectionFailed, Cancelled: as `Sender.send`.
    """
    spec = _poll(endpoint)
    if not _is_over(first, spec):
        url = _where(sender, asked, first, spec.url)
        keep(url)
        return waited(sender, url, endpoint, first)
    return _ended(sender, first, endpoint)


def waited(sender: Sender, url: str, endpoint: EndpointSpec, first: Reply | None = None) -> Reply:
    """The answer that is at a URL when it is there.

    Args:
        first: what was said before; None where that is not known, and it is asked at once.

    Raises:
        ConnectionFailed, Cancelled: as `Sender.send`.
    """
    spec = _poll(endpoint)
    reply, until = first, time.monotonic() + spec.wait
    while reply is None or not _is_over(reply, spec):
        if reply is not None:
            if time.monotonic() > until:
                said = f"it was not done within {spec.wait:g} s; last: {reply.said}"
                return Reply(End.UNKNOWN, reply.status, said=said, pending=True)
            sender.pause(spec.every)
        reply = sender.send(Call("GET", url), endpoint)
        if reply.end is not End.DONE:
            return Reply(End.UNKNOWN, reply.status, reply.headers, reply.body, reply.said, pending=True)
    return _ended(sender, reply, endpoint)


def _poll(endpoint: EndpointSpec) -> PollSpec:
    assert endpoint.poll is not None, "whoever asks has looked"
    return endpoint.poll


def _is_over(reply: Reply, spec: PollSpec) -> bool:
    return matches(reply.body, spec.done) or _has_failed(reply, spec)


def _has_failed(reply: Reply, spec: PollSpec) -> bool:
    return not matches(reply.body, spec.done) and bool(spec.failed) and matches(reply.body, spec.failed)


def _ended(sender: Sender, reply: Reply, endpoint: EndpointSpec) -> Reply:
    """What the last answer comes to, with its result where that stands elsewhere."""
    spec = _poll(endpoint)
    if _has_failed(reply, spec):
        return Reply(End.REFUSED, reply.status, reply.headers, reply.body, reply.said)
    if not spec.result:
        return reply
    result = sender.send(Call("GET", _filled(sender, reply, spec.result)), endpoint)
    if result.end is not End.DONE:
        return Reply(End.UNKNOWN, result.status, result.headers, result.body, result.said, pending=True)
    return result


def _filled(sender: Sender, reply: Reply, template: str) -> str:
    fields = reply.body if isinstance(reply.body, dict) else {}
    return sender.client.options.url + path(template, Many([Values(fields.get("id"), fields, fields)]))


def _where(sender: Sender, asked: Call, reply: Reply, template: str) -> str:
    """The URL to be asked, which may lead only to where the API is."""
    if template:
        return _filled(sender, reply, template)
    target = (reply.headers or {}).get("location", "")
    url = urljoin(asked.url, target)
    if not target or origin(url) != origin(asked.url):
        raise DestinationError(
            f"{asked.method} {sender.client.secrets.url(asked.url)}: {reply.status}, with no place to ask about it",
            hint="Say poll.url in the endpoint.",
        )
    return url
