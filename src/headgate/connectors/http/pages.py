"""Asking for all pages of a request."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from headgate.model.counting import counted
from headgate.model.request import AskSpec, OffsetPagination, PagePagination, RequestSpec

from .client import Client, excerpt, origin, with_query
from .document import Document, NoSuchPath, is_true, members, parse, text
from .exchange import MOST_BYTES, Answer, Call
from .paging import NoCursor, Page, Turn, pager, unsaid
from .xml import as_json

_PLACE = re.compile(r"\{(\w+)\}")
_JSON = "application/json"
# HTML is never what was asked for; as JSON it makes an error that shows it.
_MEDIA = (
    ("ndjson", "jsonl"), ("jsonl", "jsonl"), ("json-seq", "other"), ("json", "json"), ("html", "json"), ("xml", "xml"), ("csv", "csv"),
    ("tab-separated", "csv"),
)  # fmt: skip

Values = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """One page's records, or its answer as it is.

    Attributes:
        lines: records as JSON, each without a line end in it; none where the answer is left as it is.
        answer: what was answered.
        whole: whether the answer is left to a reader of files.
        page: the page, for what comes after it.
    """

    lines: list[bytes]
    answer: Answer
    whole: bool
    page: Page


class Asking:
    """All pages of a request.

    Args:
        client: the connection.
        format: what the definition says the answers are; None to tell it from the first.
        room: file that answers are written to, one after the other.
        send: sends a request, by default as the client does (`Client.send`).
    """

    def __init__(
        self, client: Client, format: str | None, room: Path, send: Callable[[Call, Path], Answer] | None = None
    ) -> None:
        self._client, self.format, self._room = client, format, room
        self._send = send or client.send
        self.found_path: str | None = None
        self.pages = 0
        """Pages that were answered, those of parents too."""
        self._followed = False
        self._doubt = ""

    @property
    def warnings(self) -> list[str]:
        """What is to be said of what was read: that it may be no more than a beginning."""
        return [self._doubt] if self._doubt and not self._followed else []

    def found(self, spec: RequestSpec, values: Values) -> Iterator[Found]:
        """The pages, for all parents where there are any.

        Args:
            values: what stands for names in braces, as JSON; `null` leaves a parameter out that is nothing but such a name.

        Raises:
            SourceError: a page cannot be had.
        """
        if spec.parent is None:
            yield from self.all(spec, values)
            return
        parents = Asking(self._client, self.format, self._room.with_name("parent"), self._send)
        for page in parents.all(spec.parent, values):
            self.pages += 1
            if page.whole:
                raise self._client.failure(page.answer.call, "parents are read from JSON only")
            for record in page.lines:
                taken = {name: self._taken(page, record, path) for name, path in spec.parent.take.items()}
                for name in _PLACE.findall(spec.path):
                    self._check_part(page, spec.parent.take.get(name, ""), taken.get(name))
                for found in self.all(spec, {**values, **taken}):
                    if found.whole:
                        raise self._client.failure(found.answer.call, "records of parents are read from JSON only")
                    yield Found(
                        [self._with(found, line, taken) for line in found.lines], found.answer, found.whole, found.page
                    )

    def all(self, spec: AskSpec, values: Values) -> Iterator[Found]:
        """The pages of one request, without parents (see `found`)."""
        turns = pager(spec.pagination)
        turn: Turn | None = turns.first()
        url = self._client.options.url + rooted(_filled(spec.path, values, escape=True))
        asked: set[object] = set()
        before = b""
        number = 1
        while turn is not None:
            call = self._call(spec, turn, number, values, url)
            asked_for = (turn.url, *sorted((k, str(v)) for k, v in turn.params.items()))
            if asked_for in asked:
                shown = turn.url or ", ".join(f"{k}={v}" for k, v in turn.params.items())
                raise self._client.failure(
                    call, f"page {number - 1} asks for a page that was read already ({shown})", _ENDLESS
                )
            if number > spec.max_pages:
                raise self._client.failure(
                    call, f"there are more than {spec.max_pages:,} pages", "Raise request.max_pages if that is right."
                )
            asked.add(asked_for)
            found = self._look(spec, self._send(call, self._room), number)
            self.pages += 1
            before = self._new(spec, found, before)
            yield found
            try:
                turn = turns.next(found.page)
            except NoCursor as e:
                raise self._client.failure(call, str(e), "Check request.pagination.") from None
            self._followed = self._followed or turn is not None
            if turn is None and spec.pagination is not None and (lacking := unsaid(spec.pagination, found.page)):
                self._doubt = (
                    f"there is no {lacking} in a page of {counted(found.page.count, 'record')}, so it was taken for the only one: "
                    "if there are more, correct request.pagination"
                )
            url = found.answer.call.url if turn is not None and turn.url else url
            number += 1

    def _new(self, spec: AskSpec, found: Found, before: bytes) -> bytes:
        """See that a page is another than the one before, where the API is trusted to count; its digest."""
        if not isinstance(spec.pagination, PagePagination | OffsetPagination) or not found.page.count:
            return b""
        data = found.answer.body.read_bytes() if found.whole else b"\n".join(found.lines)
        digest = hashlib.sha256(data).digest()
        if digest == before:
            raise self._client.failure(
                found.answer.call,
                f"page {found.page.number} has the same records as the page before",
                "The API seems to take no notice of the parameter; check request.pagination.param.",
            )
        return digest

    def _call(self, spec: AskSpec, turn: Turn, number: int, values: Values, url: str) -> Call:
        send = getattr(spec.pagination, "send", "query")
        headers: dict[str, str] = _filled(spec.headers, values)
        body, kind = _body(spec, turn, values)
        if kind and not any(k.lower() == "content-type" for k in headers):
            headers["Content-Type"] = kind
        if send == "header":
            headers |= {k: str(v) for k, v in turn.params.items()}
        if turn.url:
            call = Call(spec.verb, url, headers, body, number, spec.may_repeat)
            return Call(spec.verb, self._near(call, turn.url), headers, body, number, spec.may_repeat)
        query: dict[str, object] = dict(_filled(spec.query, values))
        if send == "query" and spec.graphql is None:
            query |= turn.params
        return Call(spec.verb, with_query(url, query), headers, body, number, spec.may_repeat)

    def _near(self, call: Call, target: str) -> str:
        """A URL that an answer names, if it is at the same place."""
        url = self._client.leads_to(call, target)
        here, there = origin(call.url), origin(url)
        if here == there:
            return url
        parts = urlsplit(url)
        if here[1] == there[1] and parts.scheme == "http":
            # APIs behind a proxy often do not know that they are reached by TLS, or at which port.
            at = urlsplit(call.url)
            return urlunsplit(parts._replace(scheme=at.scheme, netloc=at.netloc))
        raise self._client.failure(
            call,
            f"the next page is elsewhere ({self._client.secrets.url(url)})",
            "The login is not sent there. If that is where the API is, make it the connection's URL.",
        )

    def _look(self, spec: AskSpec, answer: Answer, number: int) -> Found:
        kind = self._kind(answer)
        nothing = Page(number, 0, None, b"", answer.headers)
        if kind not in ("json", "jsonl", "xml"):
            return Found([], answer, True, replace(nothing, count=self._rows(spec, answer)))
        size = answer.body.stat().st_size
        if size > MOST_BYTES:
            if spec.pagination is None and spec.errors is None:
                return Found([], answer, True, nothing)
            raise self._client.failure(
                answer.call, f"the page has {size >> 20:,} MiB, more than {MOST_BYTES >> 20}", "Ask for smaller pages."
            )
        if kind == "jsonl":
            lines = [line for line in answer.body.read_bytes().split(b"\n") if line.strip()]
            return self._listed(lines, answer, number)
        document = self._document(spec, answer)
        if document is None:
            return Found([], answer, False, nothing)
        self._check(spec, document, answer)
        try:
            records = document.records(self._path(spec, document, answer))
        except NoSuchPath as e:
            # In XML there is no element for records that are not there; on the first page the path may also be wrong.
            if kind == "xml" and (number > 1 or _is_blank(document, spec.records)):
                return self._listed([], answer, number, document)
            raise self._client.failure(answer.call, str(e), "Set request.records to the path of the records.") from None
        return self._listed([_one_line(r) for r in records], answer, number, document)

    def _listed(self, lines: list[bytes], answer: Answer, number: int, document: Document | None = None) -> Found:
        last = lines[-1] if lines else b""
        return Found(lines, answer, False, Page(number, len(lines), document, last, answer.headers))

    def _rows(self, spec: AskSpec, answer: Answer) -> int:
        """How many lines there are below the first, where it matters whether there are any."""
        if spec.pagination is None:
            return 0
        if self.format != "csv":
            raise self._client.failure(
                answer.call, "answers with further pages are read as JSON, JSON Lines, XML or CSV", _NOT_JSON
            )
        if isinstance(spec.pagination, OffsetPagination):
            # Records may go over several lines, so lines are no count of them.
            raise self._client.failure(
                answer.call, "pages of CSV cannot be asked for by offset", "Use type: page, link or cursor."
            )
        return max(0, sum(1 for line in answer.body.read_bytes().splitlines() if line.strip()) - 1)

    def _kind(self, answer: Answer) -> str:
        """What an answer is; of the first page, and then of all."""
        if self.format is None:
            media = answer.kind[0]
            with answer.body.open("rb") as f:
                first = f.read(1024).removeprefix(codecs.BOM_UTF8).lstrip()[:1]
            known = next((kind for word, kind in _MEDIA if word in media), "other")
            guess = {b"{": "json", b"[": "json", b"": "json", b"<": "xml"}.get(first, "other")
            self.format = guess if known == "other" else known
        return self.format

    def _document(self, spec: AskSpec, answer: Answer) -> Document | None:
        """The answer as JSON; None where it is that there is nothing (204)."""
        data = answer.body.read_bytes()
        if not data and answer.status == 204:
            return None
        charset = answer.kind[1]
        is_xml = self.format == "xml"
        try:
            other = bool(charset) and codecs.lookup(charset).name not in ("utf-8", "ascii")
            data = data.decode(charset).encode() if other else data.removeprefix(codecs.BOM_UTF8)
            return Document(as_json(data, "utf-8" if other else None, spec.records)) if is_xml else parse(data)
        except (ValueError, RecursionError, LookupError) as e:
            why = re.sub(r"^JSON is malformed: ", "", str(e)) if data else "it is empty"
            media = f" but {answer.kind[0]}" if answer.kind[0] and "json" not in answer.kind[0] else ""
            begins = f"; it begins: {excerpt(answer.body)}" if data else ""
            hint = "It may be a login page; check the URL and auth." if "html" in media else _NOT_JSON
            raise self._client.failure(
                answer.call, f"the answer is not {'XML' if is_xml else f'JSON{media}'} ({why}){begins}", hint
            ) from None

    def _check(self, spec: AskSpec, document: Document, answer: Answer) -> None:
        """Refuse an answer that says it is an error although its status does not."""
        if spec.errors is None:
            return
        path, sign, wanted = spec.errors.condition
        found = document.get(path)
        wrong = is_true(found) if not sign else ((text(found) or "null") == wanted) is (sign == "==")
        if not wrong:
            return
        said = text(document.get(spec.errors.message)) if spec.errors.message else None
        raise self._client.failure(
            answer.call,
            f"the answer is an error ({path} is {(text(found) or 'null')[:200]}): {(said or excerpt(answer.body))[:500]}",
            "Check the request and the login.",
        )

    def _path(self, spec: AskSpec, document: Document, answer: Answer) -> str:
        """Where the records are; the first page decides where the definition does not say."""
        if spec.records is not None:
            return spec.records
        if self.format == "xml":
            raise self._client.failure(
                answer.call,
                "it is not known which elements are the records",
                "Say in request.records: a path below the root.",
            )
        if self.found_path is None:
            lists = document.lists()
            if len(lists) > 1:
                raise self._client.failure(
                    answer.call,
                    f"the answer has several lists: {', '.join(lists)}",
                    "Say in request.records which to read.",
                )
            if not lists and spec.pagination is not None and not document.is_list:
                raise self._client.failure(
                    answer.call, "the answer has no list of records", "Say in request.records where the records are."
                )
            self.found_path = lists[0] if lists else ""
        return self.found_path

    def _taken(self, page: Found, record: bytes, path: str) -> bytes:
        try:
            found = Document(record).at(path)
        except NoSuchPath as e:
            raise self._client.failure(page.answer.call, f"of a parent {e}", "Check request.parent.take.") from None
        if text(found) is None:
            raise self._client.failure(page.answer.call, f"a parent's {path!r} is null", "Check request.parent.take.")
        return found

    def _check_part(self, page: Found, path: str, value: bytes | None) -> None:
        """Refuse what would make a URL's path another one."""
        if value is not None and (part := text(value)) in ("", ".", ".."):
            raise self._client.failure(
                page.answer.call,
                f"a parent's {path!r} is {part!r}, which a path cannot have",
                "Check request.parent.take.",
            )

    def _with(self, found: Found, line: bytes, values: Values) -> bytes:
        """A record with what was taken from its parent."""
        if line[:1] != b"{":
            return line
        there = members(line)
        if both := [name for name in values if name in there]:
            raise self._client.failure(
                found.answer.call,
                f"the records have a key {both[0]!r} of their own",
                "Take the parent's under another name (request.parent.take).",
            )
        more = b",".join(msgspec.json.encode(name) + b":" + raw for name, raw in values.items())
        return b"{" + more + (b"," if there else b"") + line[1:]


_ENDLESS = "The list would have no end; check request.pagination."
_NOT_JSON = "Check the request; if its answers are no JSON, say in source.format what they are."


def _one_line(record: bytes) -> bytes:
    """A record without line ends, which JSON has only between its values."""
    return record.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in record or b"\r" in record else record


def rooted(path: str) -> str:
    """A path that can be nothing but one: `@elsewhere` behind a host would be another host."""
    return path if not path or path[0] in "/?" else f"/{path}"


def _body(spec: AskSpec, turn: Turn, values: Values) -> tuple[bytes | None, str]:
    """What is sent, and its media type."""
    if spec.graphql is not None:
        asked = {"query": spec.graphql, "variables": _filled(spec.variables, values, kept=True) | dict(turn.params)}
        return msgspec.json.encode(asked), _JSON
    if spec.body is None:
        return None, ""
    if isinstance(spec.body, str):
        return _filled(spec.body, values).encode(), ""
    body: Any = _filled(spec.body, values, kept=True)
    if getattr(spec.pagination, "send", "query") == "body":
        for name, value in turn.params.items():
            body = _set(body, name, value)
    return msgspec.json.encode(body), _JSON


def _set(body: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    step, _, rest = path.partition(".")
    inner = body.get(step)
    return {**body, step: _set(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value}


def _filled(value: Any, values: Values, *, escape: bool = False, kept: bool = False) -> Any:
    """A part of a request with what stands for names in braces put in; members with nothing for them are left out.

    Args:
        escape: as a part of a URL's path.
        kept: a text that is nothing but a place becomes what stands there, as written.
    """
    if not values:
        return value
    if isinstance(value, dict):
        return {k: _filled(v, values, kept=kept) for k, v in value.items() if not _is_left_out(v, values)}
    if isinstance(value, list):
        return [_filled(v, values, kept=kept) for v in value]
    if not isinstance(value, str):
        return value
    alone = _PLACE.fullmatch(value)
    if kept and alone and alone[1] in values:
        return msgspec.Raw(values[alone[1]])

    def put(m: re.Match[str]) -> str:
        if m[1] not in values:
            return m[0]
        found = text(values[m[1]]) or ""
        return quote(found, safe="") if escape else found

    return _PLACE.sub(put, value)


def _is_left_out(value: object, values: Values) -> bool:
    return isinstance(value, str) and any(values.get(name) == b"null" for name in _PLACE.findall(value))


def _is_blank(document: Document, path: str | None) -> bool:
    """Whether the XML element that would hold the records at the path is there, with no element in it."""
    holder = document.get((path or "").rpartition(".")[0])
    if holder[:1] == b'"':
        return not (text(holder) or "").strip()
    return holder[:1] == b"{" and all(name.startswith("@") for name in members(holder))
