"""The requests that records are sent with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from urllib3 import encode_multipart_formdata

from headgate.connectors.http.client import with_query
from headgate.connectors.http.exchange import Call
from headgate.connectors.http.resource import EndpointSpec, ResourceSpec
from headgate.model.errors import DestinationError
from headgate.spi.deciding import Change

from . import xml_body
from .template import EACH, ENCODER, RECORD, Many, UnfitError, Values, filled, names, path, query, text
from .template import headers as filled_headers

_PARTS: Final = "multipart/form-data"


class Item(msgspec.Struct, eq=False):
    """A record that is to be sent. (There is one for every record, and this kind of class is made the quickest.)

    Attributes:
        change: what is to be done.
        key: as fields hold it.
        values: what templates are filled in with.
        old: the API's record as it was; None where there was none.
        mark: what tells the record from another one with its number (`headgate.spi.outbox`).
        earlier: whether a process that ended before all was sent has sent it.
    """

    change: Change
    key: tuple[object, ...]
    values: Values
    old: Any = None
    mark: int = 0
    earlier: bool = False


@dataclass(slots=True)
class Parcel:
    """One request, with the records it is about.

    Attributes:
        id: unlike that of any other; the key by which the API may know a repeat.
        name: of the endpoint: ``create``, ``update``, ``upsert``, ``delete``.
        round: how often it was found out that it had not been done, and sent again.
        again: whether it, or another one about these records, was sent before and may yet have been done.
        split: whether it is a part of one that failed.
        handed: whether it was given to a thread that sends it.
        entered: when it was entered in the outbox, by `time.monotonic`.
    """

    id: str
    name: str
    endpoint: EndpointSpec
    items: list[Item] = field(default_factory=list)
    round: int = 0
    again: bool = False
    split: bool = False
    handed: bool = False
    entered: float = 0.0

    @property
    def searches(self) -> bool:
        """Whether it is sent to find out which record a request failed for: a failure then says little of the API. Of a single record
        only the first one does, and none of one that was there when a run ended: several that fail must not end each run anew."""
        return any(i.earlier for i in self.items) or (self.split and (len(self.items) > 1 or self.round > 0))


def call(url: str, resource: ResourceSpec, endpoint: EndpointSpec, many: Many, key: str = "") -> Call:
    """A request.

    Args:
        url: the connection's.
        many: the records it is about.
        key: by which the API may know a repeat, where the endpoint names a header for it.

    Raises:
        DestinationError: a template names what there is not, or what it makes is no request.
        UnfitError: as `check_fits`.
    """
    target = with_query(url + path(endpoint.path, many), query(endpoint.query, many))
    headers = filled_headers(endpoint.headers, many)
    if endpoint.idempotency and key:
        headers[endpoint.idempotency] = key
    kind, body = _body(resource, endpoint, many)
    if body is not None:
        headers = {"Content-Type": kind} | headers
    method = endpoint.method or "POST"
    return Call(method, target, headers, body, repeatable=bool(endpoint.repeatable))


def _body(resource: ResourceSpec, endpoint: EndpointSpec, many: Many) -> tuple[str, bytes | None]:
    if endpoint.graphql is not None:
        asked = {"query": endpoint.graphql, "variables": filled(endpoint.variables, many)}
        return "application/json", ENCODER.encode(asked)
    template = endpoint.body
    if template is None:
        if endpoint.method in ("GET", "DELETE"):
            return "", None
        one: Any = {resource.nested: RECORD} if resource.nested else RECORD
        template = one if endpoint.batch == 1 else {EACH: one}
    body = filled(template, many)
    if endpoint.format == "json":
        return "application/json", ENCODER.encode(body)
    if endpoint.format == "xml":
        return "application/xml", xml_body.packed(endpoint.root, body)
    if not isinstance(body, Mapping):
        raise DestinationError(f"a body as {endpoint.format} has names and values; this one is a {type(body).__name__}")
    pairs = [(n, text(v)) for n, value in body.items() for v in (value if isinstance(value, list) else [value])]
    if endpoint.format == "form":
        return "application/x-www-form-urlencoded", urlencode(pairs).encode()
    packed, kind = encode_multipart_formdata(pairs)
    return kind, packed


def varies(endpoint: EndpointSpec) -> bool:
    """Whether a record's values stand in the path, in headers or in XML, where not every value can."""
    return endpoint.format == "xml" or bool((names(endpoint.path) | names(endpoint.headers)) - {"table"})


def check_fits(endpoint: EndpointSpec, many: Many) -> None:
    """Make sure that the values can stand in the path, in headers and in XML.

    Raises:
        UnfitError: one cannot.
        DestinationError: a template names what there is not.
    """
    path(endpoint.path, many)
    filled_headers(endpoint.headers, many)
    if endpoint.format == "xml":
        for name, value in ((n, v) for one in many.each for n, v in one.fields.items()):
            if why := xml_body.unfit(value):
                raise UnfitError(why, name)


def comes_later(endpoint: EndpointSpec) -> bool:
    """Whether what such a request does may come after its answer, and twice if it were sent again."""
    return endpoint.poll is not None and not endpoint.repeatable


def many_of(items: Sequence[Item], fields: Sequence[str], general: Mapping[str, Any]) -> Many:
    """What the templates of a request about these records are filled in with."""
    return Many([i.values for i in items], fields, general)
