"""The requests of an API that answer with a list of records."""

from __future__ import annotations

import difflib
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headgate.model.errors import DefinitionError, UsageError

from .document import Api, Node, Unreachable, listed, mapping
from .shapes import Part, Shape, Shapes

WELL_KNOWN = ("data", "items", "results", "records", "value", "values", "entries", "rows", "content", "list", "hits")
_BESIDE = frozenset(
    {"errors", "warnings", "links", "included", "messages", "facets", "aggregations", "filters", "fields"}
)
_DEEPEST = 3
_PLACE = re.compile(r"\{([^{}/]+)\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request.

    Attributes:
        place: ``query``, ``header`` or ``path``.
        schema: its schema, references not followed.
        node: all that is said of it.
    """

    name: str
    place: str
    required: bool
    schema: Node
    node: Node

    @property
    def norm(self) -> str:
        """The name without signs and capitals."""
        return norm(self.name)


@dataclass(frozen=True, slots=True)
class Listing:
    """A GET request that answers with records.

    Attributes:
        path: as the document has it.
        node: the operation.
        answer: what the answer is.
        records: path in the answer to the records, empty for the answer itself; None where it is not known.
        lists: the paths of all lists of objects in it.
        entry: a record.
        links: whether the answer has a header ``Link``.
    """

    path: str
    node: Node
    parameters: tuple[Parameter, ...]
    answer: Shape
    records: str | None
    lists: tuple[str, ...]
    entry: Shape
    links: bool

    @property
    def places(self) -> list[str]:
        """Names of the path's parameters."""
        return _PLACE.findall(self.path)

    @property
    def summary(self) -> str:
        """What the document calls it, in one line."""
        return one_line(self.node.get("summary") or self.node.get("operationId") or "")


def norm(name: str) -> str:
    """A name without signs and capitals."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def one_line(text: object, most: int = 100) -> str:
    """A text in one line, without what cannot be printed; its beginning where it is longer."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listings(api: Api) -> list[Listing]:
    """All there are; those that cannot be understood are left out."""
    found = []
    for path in api.root["paths"]:
        try:
            listing = look(api, str(path))
        except (Unreachable, DefinitionError):
            continue
        if listing is not None and listing.records is not None:
            found.append(listing)
    return found


def choose(api: Api, path: str | None, records: str | None = None) -> Listing | None:
    """The request that is meant; None if it is to be chosen, as there are several or none.

    Args:
        path: what was said; None for the only one there is.
        records: where the records are, if that was said.

    Raises:
        HeadgateError: there is no such path, or its answer has no list of records that could be told.
    """
    if path is None:
        there = listings(api)
        return there[0] if len(there) == 1 else None
    written = _written(api, path)
    where = ("paths", written, "get")
    try:
        listing = look(api, written, records)
    except Unreachable as e:
        hint = "Make one file of it first (tools for OpenAPI call that bundling)." if "another file" in str(e) else ""
        raise api.mistake(where, f"GET {written}: {e}", hint) from None
    if listing is None:
        raise api.mistake(
            where, f"GET {written} is not said to answer with JSON", "Without its schema, write the definition by hand."
        )
    if listing.records is None:
        lists = ", ".join(listing.lists)
        raise api.mistake(
            where,
            f"the answer of GET {written} has {f'several lists ({lists})' if lists else 'no list of records'}",
            f"Say which: --set source.request.records={listing.lists[0]}" if lists else "Choose another path.",
        )
    return listing


def _written(api: Api, path: str) -> str:
    """A path as the document has it."""
    paths = [str(p) for p in api.root["paths"]]
    wanted = _alike(path)
    found = [p for p in paths if p == path] or [p for p in paths if _alike(p) == wanted]
    if not found:
        near = difflib.get_close_matches(path, paths, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Without --path, those that answer with a list are listed."
        raise UsageError(f"{api.file.name} has no path {path}", hint=hint)
    item = api.must_follow(api.root["paths"][found[0]], ("paths", found[0]))
    if "get" not in item:
        methods = ", ".join(m.upper() for m in item if m in ("post", "put", "patch", "delete")) or "nothing"
        raise api.mistake(
            ("paths", found[0]),
            f"{found[0]} has no GET, but {methods}",
            "A search by POST is written by hand: method and body in source.request.",
        )
    return found[0]


def _alike(path: str) -> str:
    return "/" + _PLACE.sub("{}", path).strip("/")


def look(api: Api, path: str, records: str | None = None) -> Listing | None:
    """The GET request of a path; None where there is none, or it does not answer with JSON.

    Raises:
        Unreachable: a reference cannot be followed.
        DefinitionError: its schemas are too involved.
    """
    item = api.follow(api.root["paths"][path])
    node = mapping(item.get("get"))
    answer, links = _answer(api, node)
    if answer is None:
        return None
    shapes = Shapes(api)
    shape = shapes.of(Part(answer))
    lists = dict(_lists(shapes, shape))
    chosen = records if records is not None else _chosen(path, shape, list(lists))
    entry = shapes.of(lists[chosen]) if chosen in lists else Shape("any")
    if chosen is not None and chosen not in lists:
        raise UsageError(
            f"the answer of GET {path} has no list of objects at {chosen!r}",
            hint=f"There are: {', '.join(p or 'the answer itself' for p in lists) or 'none'}.",
        )
    return Listing(path, node, tuple(_parameters(api, item, node)), shape, chosen, tuple(lists), entry, links)


def _answer(api: Api, node: Node) -> tuple[Node | None, bool]:
    """The schema of a good answer, and whether it has a header `Link`."""
    responses = {str(k).upper(): v for k, v in mapping(node.get("responses")).items()}
    good = sorted(k for k in responses if k.startswith("2"))
    for code in [
        *(k for k in ("200", "2XX") if k in responses),
        *good,
        *(["DEFAULT"] if "DEFAULT" in responses else []),
    ]:
        response = api.follow(responses[code])
        links = any(str(h).lower() == "link" for h in mapping(response.get("headers")))
        if api.old and isinstance(response.get("schema"), dict):
            return response["schema"], links
        for kind, content in mapping(response.get("content")).items():
            if _is_json(str(kind).lower()) and isinstance(schema := mapping(content).get("schema"), dict):
                return schema, links
    return None, False


def _is_json(kind: str) -> bool:
    return kind.startswith("*/*") or ("json" in kind and not any(w in kind for w in ("ndjson", "jsonl", "json-seq")))


def _lists(shapes: Shapes, answer: Shape) -> Iterator[tuple[str, Part]]:
    """The lists of objects in an answer by their path, those above first."""
    waiting: deque[tuple[tuple[str, ...], Shape]] = deque([((), answer)])
    while waiting:
        keys, shape = waiting.popleft()
        if shape.kind == "list" and shape.entries is not None:
            try:
                entry = shapes.of(shape.entries)
            except Unreachable:
                if not keys:
                    raise
                continue
            if entry.kind == "object":
                yield ".".join(keys), shape.entries
        for name, part in shape.members.items() if shape.kind == "object" and len(keys) < _DEEPEST else ():
            try:
                waiting.append(((*keys, name), shapes.of(part)))
            except Unreachable:
                continue


def _chosen(path: str, answer: Shape, lists: list[str]) -> str | None:
    """Which list has the records, where that is clear."""
    if answer.kind == "list":
        return "" if "" in lists else None
    segments = [s for s in path.split("/") if s and not _PLACE.search(s)]
    own = {norm(segments[-1])} if segments else set()
    own |= {f"{n}s" for n in own} | {n.removesuffix("s") for n in own}
    by_depth = sorted(lists, key=lambda p: p.count("."))
    for names in (own if not path.endswith("}") else set(), set(WELL_KNOWN)):
        if fits := [p for p in by_depth if norm(p.rpartition(".")[2]) in names]:
            top = [p for p in fits if p.count(".") == fits[0].count(".")]
            return top[0] if len(top) == 1 else None
    others = [p for p in lists if norm(p.rpartition(".")[2]) not in _BESIDE]
    if len(others) == 1 and not path.endswith("}") and "id" not in answer.members:
        return others[0]
    return None


def _parameters(api: Api, item: Node, node: Node) -> Iterator[Parameter]:
    """Those of the path and of the operation, which comes first; what cannot be followed is left out."""
    seen: set[tuple[str, str]] = set()
    for one in [*listed(node.get("parameters")), *listed(item.get("parameters"))]:
        try:
            given = api.follow(one)
            name, place = str(given.get("name") or ""), str(given.get("in") or "")
            if not name or place not in ("query", "header", "path") or (name, place) in seen:
                continue
            seen.add((name, place))
            content: Any = next(iter(mapping(given.get("content")).values()), {})
            schema: Any = given if api.old else given.get("schema") or mapping(content).get("schema")
            yield Parameter(name, place, given.get("required") is True, api.follow(schema), given)
        except Unreachable:
            continue
