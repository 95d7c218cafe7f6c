"""A definition from what a document says of a request."""

from __future__ import annotations

import re
import textwrap
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.app import yaml_file
from headgate.app.draft import ProposedField, field_lines, last_lines, matched, proposed, scalar
from headgate.app.oneline import from_options
from headgate.app.project import Project
from headgate.model.errors import DefinitionError
from headgate.model.spec import ImportSpec
from headgate.model.table import TableSchema

from .access import Proposed, connection
from .document import Api, Unreachable, listed
from .operations import Listing, Parameter, look, norm, one_line
from .pages import Paging, paging
from .shapes import MOST_FIELDS, Leaf, Shapes

_SINCE = frozenset({
    "updatedsince", "modifiedsince", "changedsince", "updatedafter", "modifiedafter", "changedafter", "since", "updatedatmin", "updatedatgte",
    "updatedfrom", "modifiedfrom", "lastmodifiedafter", "lastmodifiedsince", "ifmodifiedsince", "updatedgte", "updatedatafter",
})  # fmt: skip
_CHANGED = (
    "updatedat",
    "modifiedat",
    "changedat",
    "lastmodified",
    "lastmodifiedat",
    "updated",
    "modified",
    "changed",
    "lastupdated",
    "updatedon",
    "modifiedon",
)
_WIDTH = 120
_BY_LAST = 0.9
_HEADERS = ("accept", "authorization", "content-type")


@dataclass(slots=True)
class ApiDraft:
    """A proposed definition.

    Attributes:
        name: what the import may be called.
        connection: where the API is; it has options where it is a new one.
        remarks: what a person should look at; they are in the text too.
        unmatched: values of a record without a column in the table.
        uncovered: table columns that would get no value.
    """

    name: str
    text: str
    connection: Proposed
    fields: list[ProposedField]
    remarks: list[str]
    unmatched: list[str]
    uncovered: list[str]


@dataclass(slots=True)
class _Asked:
    """A request as a definition has it.

    Attributes:
        comments: by parameter, what is to be said beside it.
    """

    path: str
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    records: str = ""
    paging: Paging = field(default_factory=Paging)
    comments: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Parent:
    """The request whose records say what is asked for."""

    asked: _Asked
    name: str
    taken: Leaf


def propose_api(
    project: Project,
    api: Api,
    listing: Listing,
    into: str,
    *,
    key: tuple[str, ...],
    operation: str | None,
    name: str | None,
) -> ApiDraft:
    """Propose a definition.

    Args:
        into: ``CONNECTION#TABLE``.
        key: names of fields; none to propose one.
        name: of the connection; see `connection`.

    Raises:
        HeadgateError: the destination cannot be used, or something that was said has no sense.
    """
    there = connection(project, api, listing, name)
    leaves, remarks = _leaves(api, listing)
    asked = _asked(api, listing, there)
    parent = _parent(api, listing, asked, there, {v.keys[0] for v in leaves})
    types = ({parent.name: parent.taken.type} if parent else {}) | {v.path: v.type for v in leaves}
    data = from_options({"connection": there.name, "request": {"path": asked.path}}, into, key, operation, create=False)
    with closing(project.destination(data["destination"]["connection"], project.folder)) as destination:
        table: TableSchema | None = destination.inspect(data["destination"]["table"])
    fields = (
        (_matched(list(types), table) if table is not None and table.columns else proposed(list(types), types, table))
        if leaves
        else []
    )
    if not key and operation != "append":
        if found := _key(api, listing, fields, leaves):
            data["key"], data["operation"] = found, operation or "upsert"
        else:
            remarks.append("Which value says which record it is cannot be told, so records are added only: see key.")
    data["fields"] = {f.name: {"from": f.column, "type": str(f.type)} for f in fields}
    spec = yaml_file.parse(yaml_file.Document("<options>", data, {}, ""), ImportSpec)
    of_parent = [*parent.asked.remarks, *parent.asked.paging.remarks] if parent else []
    remarks = [*asked.remarks, *asked.paging.remarks, *(f"Of the parent: {r}" for r in of_parent), *remarks]
    lines = [
        *_first_lines(api, listing, remarks), *_source_lines(listing, there, asked, parent, leaves),
        *(field_lines(fields, {}) if fields else []), *last_lines(spec, create=table is None),
    ]  # fmt: skip
    text = "\n".join(lines) + "\n"
    yaml_file.parse(yaml_file.document(text, "the proposed definition"), ImportSpec)
    covered, taken = {f.name for f in fields}, {f.column for f in fields}
    uncovered = [c.name for c in table.columns if c.name not in covered and not c.generated] if table else []
    return ApiDraft(
        _import_name(listing.path), text, there, fields, remarks, [c for c in types if c not in taken], uncovered
    )


def _leaves(api: Api, listing: Listing) -> tuple[list[Leaf], list[str]]:
    """The values of a record, and what is to be said about them."""
    shapes = Shapes(api)
    leaves = list({v.path: v for v in shapes.leaves(listing.entry)}.values())
    remarks = [f"Left out: {one_line(w)}." for w in shapes.left_out]
    if len(leaves) > MOST_FIELDS:
        remarks.append(f"A record has {len(leaves):,} values; these are the first {MOST_FIELDS}.")
    if not leaves:
        remarks.append("What a record has is not said, so every value is taken under its own name.")
    return leaves[:MOST_FIELDS], remarks


def _asked(api: Api, listing: Listing, there: Proposed) -> _Asked:
    """The request with what it cannot be sent without."""
    pages = paging(api, listing)
    paged = pages.found or {}
    asked = _Asked(there.prefix + listing.path, records=listing.records or "", paging=pages)
    for p in listing.parameters:
        is_paging = p.place == "query" and p.name in (paged.get("param"), paged.get("size_param"))
        is_login = p.name == there.options.get("auth", {}).get("name")
        is_ours = p.place == "path" or (p.place == "header" and p.name.lower() in _HEADERS)
        if not p.required or is_paging or is_login or is_ours:
            continue
        value, words = _value(p)
        if p.place == "query":
            asked.query[p.name] = value
        else:
            asked.headers[p.name] = str(value)
        asked.comments[p.name] = words
        if words.startswith("fill in"):
            asked.remarks.append(f"{one_line(p.name)} has to be filled in.")
    return asked


def _value(p: Parameter) -> tuple[Any, str]:
    """A value for a parameter that has to have one, and what to say about it."""
    choices = [v for v in listed(p.schema.get("enum")) if isinstance(v, str | int)]
    told = [p.node.get("example"), p.schema.get("example"), p.schema.get("default"), *choices]
    value = next((v for v in told if isinstance(v, str | int) and v != ""), None)
    about = f"; {one_line(p.node['description'], 60)}" if p.node.get("description") else ""
    among = f"; one of {', '.join(one_line(c, 20) for c in choices[:8])}" if choices else ""
    if value is None:
        return "FILL_IN", f"fill in; required{among}{about}"
    return value, f"required{among}{about}"


def _parent(api: Api, listing: Listing, asked: _Asked, there: Proposed, keys: set[str]) -> _Parent | None:
    """The list that a path's last parameter is of; parameters that no list is found for are put in by hand."""
    parent = None
    places = listing.places
    above, _, _ = listing.path.rpartition(f"/{{{places[-1]}}}") if places else ("", "", "")
    if above:
        parent = _parent_at(api, above, listing, there, keys)
    for place in places:
        if parent is not None and place == places[-1]:
            asked.path = asked.path.replace(f"{{{place}}}", f"{{{parent.name}}}")
            continue
        _fill(asked, place, listing)
        if parent is not None:
            _fill(parent.asked, place, listing, tell=False)
    return parent


def _fill(asked: _Asked, place: str, listing: Listing, *, tell: bool = True) -> None:
    given = next((p for p in listing.parameters if p.place == "path" and p.name == place), None)
    value = str(_value(given)[0]) if given is not None else "FILL_IN"
    if tell:
        asked.remarks.append(f"{{{one_line(place)}}} of the path is {one_line(value)} here.")
    asked.path = asked.path.replace(f"{{{place}}}", re.sub(r"[^\w.~-]", "_", value))


def _parent_at(api: Api, above: str, listing: Listing, there: Proposed, keys: set[str]) -> _Parent | None:
    path = next((str(p) for p in api.root["paths"] if str(p).rstrip("/") == above.rstrip("/")), None)
    try:
        found = look(api, path) if path is not None else None
        if found is None or found.records is None:
            return None
        leaves = list(Shapes(api).leaves(found.entry))
    except (Unreachable, DefinitionError):
        return None
    place = listing.places[-1]
    one = _singular(above.rstrip("/").rpartition("/")[2])
    taken = _identity(place, one, leaves)
    if taken is None:
        return None
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", place).lower()
    wanted = [snake] if snake not in ("id", "key", "uuid") else []
    plain = re.sub(r"\W+", "_", one)
    wanted += [f"{plain}_id", f"parent_{snake}", f"of_parent_{snake}"]
    name = next((n for n in wanted if re.fullmatch(r"[a-z]\w*", n, re.ASCII) and n not in (*keys, "since")), None)
    return _Parent(_asked(api, found, there), name, taken) if name is not None else None


def _singular(name: str) -> str:
    lower = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if lower.endswith("ies"):
        return f"{lower[:-3]}y"
    return lower.removesuffix("es") if lower.endswith(("sses", "xes", "ches")) else lower.removesuffix("s")


def _identity(place: str, one: str, leaves: list[Leaf]) -> Leaf | None:
    """Which value of a record a path's parameter stands for."""
    by_norm = {norm(v.path): v for v in reversed(leaves) if len(v.keys) == 1 and v.shape.kind in ("value", "any")}
    wanted = norm(place)
    for name in (wanted, wanted.removeprefix(norm(one)), *(("id",) if wanted.endswith("id") else ())):
        if name in by_norm:
            return by_norm[name]
    return None


def _matched(paths: list[str], table: TableSchema) -> list[ProposedField]:
    """The values that a table has a column for: by their whole path, and what is left over by its last key."""
    found = matched(paths, table)
    covered, done = {f.name for f in found}, {f.column for f in found}
    left = tuple(c for c in table.columns if c.name not in covered)
    last: dict[str, list[str]] = {}
    for path in paths:
        if "." in path and path not in done:
            last.setdefault(path.rpartition(".")[2], []).append(path)
    only = {name: there[0] for name, there in last.items() if len(there) == 1}
    for f in matched(list(only), replace(table, columns=left)):
        found.append(replace(f, column=only[f.column], confidence=round((f.confidence or 0) * _BY_LAST, 2)))
    return sorted(found, key=lambda f: paths.index(f.column))


def _key(api: Api, listing: Listing, fields: list[ProposedField], leaves: list[Leaf]) -> list[str]:
    """The field that says which record it is: what the path of a single one is made with, or `id`."""
    by_column = {f.column: f.name for f in fields}
    one = _singular(listing.path.rstrip("/").rpartition("/")[2])
    for path in api.root["paths"]:
        m = re.fullmatch(re.escape(listing.path.rstrip("/")) + r"/\{([^{}/]+)\}/?", str(path))
        if m and (leaf := _identity(m[1], one, leaves)) is not None and leaf.path in by_column:
            return [by_column[leaf.path]]
    return [name for column, name in by_column.items() if column.lower() == "id"][:1]


def _first_lines(api: Api, listing: Listing, remarks: list[str]) -> list[str]:
    """What it is, and what to look at."""
    origin = f"{one_line(api.file.name, 200)}, GET {one_line(listing.path, 200)}"
    return [
        f"# Proposed by `headgate new` from {origin}: look it over; it is yours now.",
        *([f"# {listing.summary}"] if listing.summary else []),
        *(line for r in remarks for line in textwrap.wrap(r, _WIDTH, initial_indent="# - ", subsequent_indent="#   ")),
    ]


def _source_lines(
    listing: Listing, there: Proposed, asked: _Asked, parent: _Parent | None, leaves: list[Leaf]
) -> list[str]:
    """The source as a definition has it. Its columns are named: what the first records do not have may come later."""
    lines = ["source:", f"  connection: {scalar(there.name)}"]
    if leaves:
        lines += _flow("  columns: ", [*([parent.name] if parent else []), *dict.fromkeys(v.keys[0] for v in leaves)])
    lines += ["  request:", *_request_lines(asked, "    ")]
    if parent is not None:
        lines += ["    parent:", *_request_lines(parent.asked, "      ")]
        lines.append(f"      take: {{ {parent.name}: {scalar(parent.taken.path)} }}")
    return lines + _incremental(listing, leaves)


def _request_lines(asked: _Asked, indent: str) -> list[str]:
    lines = [f"{indent}path: {scalar(asked.path)}"]
    for title, values in (("query", asked.query), ("headers", asked.headers)):
        lines += [f"{indent}{title}:"] if values else []
        for name, value in values.items():
            lines.append(f"{indent}  {scalar(name)}: {scalar(value)}  # {asked.comments[name]}")
    lines += [f"{indent}records: {scalar(asked.records)}"] if asked.records else []
    if asked.paging.found is not None:
        said = ", ".join(f"{k}: {scalar(v)}" for k, v in asked.paging.found.items())
        lines.append(f"{indent}pagination: {{ {said} }}")
    return lines


def _incremental(listing: Listing, leaves: list[Leaf]) -> list[str]:
    """What asks only for what is new, to be taken in by hand: whether the API means it so, no document says."""
    since = next((p for p in listing.parameters if p.place in ("query", "header") and p.norm in _SINCE), None)
    by_norm = {norm(v.path): v.path for v in reversed(leaves) if len(v.keys) == 1}
    column = next((by_norm[n] for n in _CHANGED if n in by_norm), None)
    if since is None or column is None:
        return []
    place = "query" if since.place == "query" else "headers"
    lines = [
        f'  # Only what is new: say under request {place}: {{ {scalar(since.name)}: "{{since}}" }}, and here',
        f"  # incremental: {{ column: {scalar(column)}, overlap: 5m }}",
    ]
    return [one_line(line, 300).replace("# ", "  # ", 1) for line in lines]


def _flow(start: str, names: list[str]) -> list[str]:
    """A list in brackets, over as many lines as it takes."""
    lines, line = [], f"{start}["
    for n, name in enumerate(names):
        word = scalar(name) + ("," if n < len(names) - 1 else "]")
        if len(line) + len(word) > _WIDTH:
            lines.append(line.rstrip())
            line = "    "
        line += word + (" " if word.endswith(",") else "")
    return [*lines, line.rstrip()]


def _import_name(path: str) -> str:
    """A name from the last fixed part of a path."""
    fixed = [p for p in path.split("/") if p and "{" not in p]
    return re.sub(r"[^a-z0-9]+", "-", fixed[-1].lower()).strip("-") or "records" if fixed else "records"
