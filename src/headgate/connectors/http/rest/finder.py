"""Reading records of an API by their keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from headgate.connectors.http.client import origin
from headgate.connectors.http.exchange import Call
from headgate.connectors.http.resource import FindSpec, ResourceSpec
from headgate.model.errors import DestinationError
from headgate.model.types import FieldType

from .answers import is_graphql
from .paths import at, drop, put
from .requests import call, check_fits, varies
from .sender import End, Reply, Sender
from .soql import condition
from .template import Many, Values, names, text

_MISSING: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
"""Statuses that mean that there is no such record, where nothing else is said and the path names the record: any other path that is not
there is a mistake, and to take it for an answer would create every record once more."""
_DEEP: Final = 3
_TOO_LONG: Final = (414, 431)
"""Statuses of requests whose URL has too many keys in it."""
Key = tuple[object, ...]
KeyOf = Callable[[Any], Key]
"""Gives the key of a record of the API's, as fields hold it."""


class Finder:
    """Finds records by their keys.

    Args:
        sender: sends the requests.
        resource: has a `find`.
        key_of: gives the key of a record.
        types: of the fields by name.
        general: what else templates may name.
    """

    def __init__(
        self,
        sender: Sender,
        resource: ResourceSpec,
        key_of: KeyOf,
        types: Mapping[str, FieldType],
        general: Mapping[str, Any],
    ) -> None:
        assert resource.find is not None, "whoever asks has looked"
        self._sender, self._resource, self._key_of = sender, resource, key_of
        self._types = {n: of for n, of in types.items() if n not in resource.write_only}
        self._general = general
        endpoint = resource.endpoint("find")
        assert isinstance(endpoint, FindSpec)
        self._spec = endpoint
        self._varies = varies(endpoint)
        self._missing: Sequence[int] = _MISSING if names(endpoint.path) - {"table"} else ()
        if endpoint.missing is not None:
            self._missing = endpoint.missing

    @property
    def batch(self) -> int:
        """Most keys of a request."""
        return self._spec.batch

    def find(self, wanted: Sequence[tuple[Key, Values]], pool: ThreadPoolExecutor) -> dict[Key, list[Any]]:
        """The records that have these keys, several where several have one; from several threads at once.

        Raises:
            ConnectionFailed, DestinationError: the API cannot be asked, or does not answer.
        """
        n = self._spec.batch
        pieces = [wanted[i : i + n] for i in range(0, len(wanted), n)]
        found: dict[Key, list[Any]] = {}
        for piece in pool.map(self.find_some, pieces):
            for key, records in piece.items():
                found.setdefault(key, []).extend(records)
        return found

    def find_some(self, wanted: Sequence[tuple[Key, Values]]) -> dict[Key, list[Any]]:
        """The same by one request."""
        asked = self._call([values for _, values in wanted])
        reply = self._sender.send(asked, self._spec)
        if reply.status in _TOO_LONG and len(wanted) > 1:
            middle = len(wanted) // 2
            return self.find_some(wanted[:middle]) | self.find_some(wanted[middle:])
        if reply.status in self._missing:
            return {}
        keys = {key for key, _ in wanted}
        found: dict[Key, list[Any]] = {}
        for record in self._pages(asked, reply):
            key = self._key_of(record)
            if key not in keys and len(wanted) == 1 and all(part is None for part in key):
                self._check_place(asked, record, keys)
                key = wanted[0][0]  # it was asked for by its key, and does not repeat it
            # Lists that were asked for twice, or go on, may have an entry twice.
            if key in keys and (self._spec.each is None or key not in found):
                found.setdefault(key, []).append(record)
        if not found and self._spec.records and at(reply.body, self._spec.records) is None:
            self._check_place(asked, reply.body, keys)
        return found

    def check(self, values: Values) -> None:
        """Make sure that a record can be asked for.

        Raises:
            UnfitError: its key cannot stand where the request has it.
        """
        if self._varies:
            check_fits(self._spec, Many([values], list(self._types), self._general))

    def _check_place(self, asked: Call, body: Any, keys: Collection[Key]) -> None:
        """Refuse to overlook records that are there, in another place of the answer than is said: they would be created once more.

        Raises:
            DestinationError: there are some.
        """
        if self._spec.records == "" or (place := self._place(body, keys)) is None:
            return
        said = "the answer itself" if self._spec.records is None else f"{self._spec.records!r}, which is not there"
        raise DestinationError(
            f"{asked.method} {self._sender.client.secrets.url(asked.url)}: the records stand at {place!r} of the answer, and find looks for them at {said}",
            hint=f"Say records: {place} in find.",
        )

    def _place(self, body: Any, keys: Collection[Key], deep: int = _DEEP) -> str | None:
        """Where a list with one of the records stands."""
        for name, value in body.items() if isinstance(body, Mapping) and deep else ():
            if isinstance(value, list) and any(isinstance(one, dict) and self._key_of(one) in keys for one in value):
                return str(name)
            if (inner := self._place(value, keys, deep - 1)) is not None:
                return f"{name}.{inner}"
        return None

    def _call(self, each: Sequence[Values]) -> Call:
        general = {**self._general, "where": condition(each, self._types)}
        many = Many(each, list(self._types), general)
        return call(self._sender.client.options.url, self._resource, self._spec, many)

    def _pages(self, asked: Call, reply: Reply) -> Iterator[Any]:
        """The records of an answer, and of those at the URLs that it leads to."""
        while True:
            if reply.end is not End.DONE or _says_no(reply, self._spec):
                raise self._failure(asked, reply)
            for record in _records(reply.body, self._spec.records):
                yield from self._entries(record)
            target = at(reply.body, self._spec.next) if self._spec.next else None
            if not isinstance(target, str) or not target:
                return
            url = self._sender.client.leads_to(asked, target)
            if origin(url) != origin(asked.url):
                raise self._failure(asked, replace(reply, said=f"it leads to {url}, which is another host"))
            asked = Call("GET", url)
            reply = self._sender.send(asked, self._spec)

    def _entries(self, record: Any) -> Iterator[Any]:
        """The records that what stands there is: itself, or one for each entry of its list."""
        spec = self._spec
        if spec.each is None:
            yield record
            return
        seen: set[str] = set()
        while True:
            listed, bare = at(record, spec.each), deepcopy(record)
            drop(bare, spec.each)
            for entry in listed if isinstance(listed, list) else ():
                one = deepcopy(bare)
                put(one, spec.each, entry)
                yield one
            after = text(at(record, spec.rest.path)) if spec.rest is not None else ""
            if not after or after in seen:
                return
            seen.add(after)
            record = self._rest_of(record)

    def _rest_of(self, record: Any) -> Any:
        """The same with the entries that come next."""
        assert self._spec.rest is not None, "whoever asks has looked"
        endpoint = self._spec.model_copy(update={"body": self._spec.rest.body})
        many = Many([Values(None, record, record, there=partial(at, record))], list(self._types), self._general)
        asked = call(self._sender.client.options.url, self._resource, endpoint, many)
        reply = self._sender.send(asked, endpoint)
        if reply.end is not End.DONE or _says_no(reply, endpoint):
            raise self._failure(asked, reply)
        return next(iter(_records(reply.body, self._spec.records)), None)

    def _failure(self, asked: Call, reply: Reply) -> DestinationError:
        where = f"{asked.method} {self._sender.client.secrets.url(asked.url)}"
        hint = "Check find of the resource, and what this login may read."
        if reply.status in _MISSING:
            hint = "Check path of find; where the API says so that it has no such record, say missing: [404] in find."
        return DestinationError(f"records cannot be found: {where}: {reply.said}", hint=hint)


def _says_no(reply: Reply, spec: FindSpec) -> bool:
    body = reply.body
    if spec.graphql is not None:
        return not is_graphql(body) or bool(body.get("errors"))
    return isinstance(body, str)  # no JSON: whoever has answered, it was not the API


def _records(body: Any, path: str | None) -> Iterable[Any]:
    found = at(body, path or "")
    if isinstance(found, list):
        return [one for one in found if isinstance(one, dict)]
    return [found] if isinstance(found, dict) else []
