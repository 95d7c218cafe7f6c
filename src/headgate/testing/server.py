"""An HTTP API for tests of what reads APIs: every way of paging, of logging in, of saying that something is wrong, and faults.

    with ApiServer(records, login="bearer") as api:
        api.fault("429", page=2)
        ...  # read from api.url + "/link", with the token api.TOKEN

All of these give the same records, `size` at a time:

    GET  /all                              all of them, as a list
    GET  /several                          {"items": […], "others": […]}
    GET  /page?page=1&per_page=            {"items": […], "pages": 4, "more": true}; past the end no items
    GET  /offset?offset=0&limit=           {"data": {"items": […]}, "total": 35}
    GET  /cursor?cursor=                   {"items": […], "meta": {"next_cursor": "…"}}, and the header X-Next-Cursor
    GET  /after?starting_after=            {"data": […], "has_more": true}; the cursor is the last record's id
    GET  /changed?since=                   {"items": […]}: records whose `changed` is this or later
    GET  /link                             a list, and a header Link with rel="next"
    GET  /next                             {"items": […], "paging": {"next": "…"}}
    POST /search                           as /cursor, {"cursor": …} in the body
    POST /graphql                          {"data": {"items": {"edges": [{"node": …}], "pageInfo": {…}}}}, variables.after
    GET  /csv?page=1                       the same as CSV with a header
    GET  /xml?page=1                       the same as XML: <answer pages="4"><items><item>…, records' lists as repeated elements
    GET  /lines                            all of them, one JSON object a line
    GET  /records/ID/parts                 {"parts": […]}: `parts` of the record with this id
    POST /token                            OAuth 2: client credentials and refresh tokens
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

LoginKind = Literal["", "bearer", "basic", "api_key", "api_key_query", "oauth2"]
FaultKind = Literal[
    "429", "500", "503", "401", "403", "404", "cut", "cut_chunked", "hang", "not_json", "html", "empty", "envelope", "redirect", "same",
    "elsewhere",
]  # fmt: skip


@dataclass(slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        kind: a status; ``cut`` and ``cut_chunked`` (the connection is lost in the middle of the body), ``hang`` (no answer
            until the server is closed), ``not_json``, ``html``, ``empty``; ``envelope`` (status 200, and the body says that
            it is an error); ``redirect`` (to `to`); ``same`` (the next page is this one); ``elsewhere`` (the next page is
            at `to`).
        page: on which page, from 1; 0 for all.
        times: how often it still goes wrong.
        headers: sent with it.
        to: a URL.
    """

    kind: FaultKind
    page: int = 0
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    to: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the server has seen."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


class ApiServer:
    """A server on a free port of 127.0.0.1, in a thread of its own.

    Args:
        records: objects, or their JSON where it matters how values are written.
        size: records a page.
        login: what every request but that for a token must have.
        parts: by the id of a record, what `/records/ID/parts` gives.
        lives: how many requests an OAuth 2 token is good for.
        paths: other names of the paths above (`{"/customers": "/cursor"}`).
        documents: JSON by path that is given as it is (`{"/openapi.json": "…"}`).
        port: 0 for a free one.
        tls: files with a certificate and its key; https then.

    Attributes:
        asked: every request, in order.
    """

    TOKEN: ClassVar = "s3cret-bearer-token"  # noqa: S105
    USER: ClassVar = "reader"
    PASSWORD: ClassVar = "s3cret-password"  # noqa: S105
    KEY: ClassVar = "s3cret-api-key"
    CLIENT: ClassVar = "headgate"
    SECRET: ClassVar = "s3cret-client-secret"  # noqa: S105
    REFRESH: ClassVar = "s3cret-refresh-token"

    def __init__(
        self,
        records: Sequence[dict[str, Any] | str] = (),
        *,
        size: int = 10,
        login: LoginKind = "",
        parts: dict[str, list[dict[str, Any]]] | None = None,
        lives: int = 1_000_000,
        paths: dict[str, str] | None = None,
        documents: dict[str, str] | None = None,
        port: int = 0,
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.records = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        self.size, self.login, self.parts, self.lives = size, login, parts or {}, lives
        self.paths, self.documents = paths or {}, documents or {}
        self.asked: list[Asked] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._came = threading.Condition()
        self._closing = threading.Event()
        self._tokens: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="api-server", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def fault(self, kind: FaultKind, page: int = 0, times: int = 1, *, to: str = "", **headers: str) -> None:
        """Have something go wrong; underscores in names of headers are hyphens."""
        self._faults.append(Fault(kind, page, times, {k.replace("_", "-"): v for k, v in headers.items()}, to))

    def wait_for(self, requests: int, seconds: float = 60) -> bool:
        """Wait until so many requests have come; False if they did not."""
        with self._came:
            return self._came.wait_for(lambda: len(self.asked) >= requests, seconds)

    def note(self, asked: Asked) -> None:
        """A request has come."""
        with self._came:
            self.asked.append(asked)
            self._came.notify_all()

    def close(self) -> None:
        """Stop. May be called twice."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def allows(self, headers: dict[str, str], query: dict[str, str]) -> bool:
        """Whether a request is logged in."""
        given = headers.get("authorization", "")
        match self.login:
            case "bearer":
                return given == f"Bearer {self.TOKEN}"
            case "basic":
                return given == f"Basic {base64.b64encode(f'{self.USER}:{self.PASSWORD}'.encode()).decode()}"
            case "api_key":
                return headers.get("x-api-key") == self.KEY
            case "api_key_query":
                return query.get("api_key") == self.KEY
            case "oauth2":
                token = given.removeprefix("Bearer ")
                with self._lock:
                    left = self._tokens.get(token, 0)
                    self._tokens[token] = left - 1
                return left > 0
        return True

    def token(self, form: dict[str, str], headers: dict[str, str]) -> dict[str, Any] | None:
        """A new token, if the client may have one."""
        sent = headers.get("authorization", "").removeprefix("Basic ")
        user, _, secret = base64.b64decode(sent).decode().partition(":")
        who = (user, secret) if sent else (form.get("client_id"), form.get("client_secret"))
        if who != (self.CLIENT, self.SECRET):
            return None
        if form.get("grant_type") == "refresh_token" and form.get("refresh_token") != self.REFRESH:
            return None
        with self._lock:
            token = f"s3cret-access-{len(self._tokens) + 1}"
            self._tokens[token] = self.lives
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def due(self, page: int) -> Fault | None:
        """What goes wrong with this page this time."""
        with self._lock:
            for fault in self._faults:
                if fault.times and fault.page in (0, page):
                    fault.times -= 1
                    return fault
        return None

    def wait_for_end(self) -> None:
        """Do nothing until the server is closed."""
        self._closing.wait()


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        server_of = api

    return Handler


@dataclass(frozen=True, slots=True)
class _Cut:
    """A page: the records from `start`, how many there are, and where the next begins, if there is one."""

    items: list[str]
    start: int
    next: int | None
    number: int


class _Handler(BaseHTTPRequestHandler):
    server_of: ApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        """Answer."""
        self._answer("")

    def do_POST(self) -> None:
        """Answer."""
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def _answer(self, body: str) -> None:
        api = self.server_of
        parts = urlsplit(self.path)
        self._query = {k: v[-1] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {k.lower(): v for k, v in self.headers.items()}
        self._body = body
        api.note(Asked(self.command, parts.path, self._query, headers, body))
        if parts.path == "/token":
            given = api.token({k: v[-1] for k, v in parse_qs(body).items()}, headers)
            self._json(json.dumps(given or {"error": "invalid_client"}), 200 if given else 401)
            return
        if not api.allows(headers, self._query):
            self._json('{"error": "not logged in"}', 401)
            return
        if (text := api.documents.get(parts.path)) is not None:
            self._json(text, 200)
            return
        path = api.paths.get(parts.path, parts.path).strip("/")
        route = self._routes.get(path.partition("/")[0])
        if route is None:
            self._json('{"error": "no such path"}', 404)
            return
        route(self)

    def _page_at(self, start: int, size: int | None = None) -> _Cut:
        api = self.server_of
        size = min(size or api.size, api.size)
        end = start + size
        number = start // size + 1
        return _Cut(api.records[start:end], start, end if end < len(api.records) else None, number)

    def _all(self) -> None:
        self._send(_list(self.server_of.records), 1)

    def _changed(self) -> None:
        since = self._query.get("since", "")
        items = [r for r in self.server_of.records if str(json.loads(r).get("changed", "")) >= since]
        self._send(f'{{"items": {_list(items)}}}', 1)

    def _several(self) -> None:
        items = _list(self.server_of.records)
        self._send(f'{{"items": {items}, "others": {items}}}', 1)

    def _lines(self) -> None:
        self._send("".join(f"{r}\n" for r in self.server_of.records), 1, "application/x-ndjson")

    def _page(self) -> None:
        api = self.server_of
        size = min(int(self._query.get("per_page", api.size)), api.size)
        cut = self._page_at((int(self._query.get("page", 1)) - 1) * size, size)
        pages = -(-len(api.records) // size)
        more = json.dumps(cut.next is not None)
        self._send(f'{{"items": {_list(cut.items)}, "pages": {pages}, "more": {more}}}', cut.number)

    def _offset(self) -> None:
        api = self.server_of
        cut = self._page_at(int(self._query.get("offset", 0)), int(self._query.get("limit", api.size)))
        self._send(f'{{"data": {{"items": {_list(cut.items)}}}, "total": {len(api.records)}}}', cut.number)

    def _cursor(self) -> None:
        self._by_cursor(self._query.get("cursor"))

    def _search(self) -> None:
        self._by_cursor(json.loads(self._body).get("cursor"))

    def _by_cursor(self, cursor: str | None) -> None:
        cut = self._page_at(int(str(cursor or "c0")[1:]))
        following = self._following(cut, f"c{cut.next}", f"c{cut.start}")
        text = f'{{"items": {_list(cut.items)}, "meta": {{"next_cursor": {json.dumps(following)}}}}}'
        self._send(text, cut.number, headers={"X-Next-Cursor": following} if following else {})

    def _after(self) -> None:
        records = self.server_of.records
        ids = [str(json.loads(r)["id"]) for r in records]
        last = self._query.get("starting_after")
        cut = self._page_at(ids.index(last) + 1 if last else 0)
        self._send(f'{{"data": {_list(cut.items)}, "has_more": {json.dumps(cut.next is not None)}}}', cut.number)

    def _link(self) -> None:
        cut = self._page_at(int(self._query.get("from", 0)))
        url = self._following(cut, f"{self.server_of.url}/link?from={cut.next}", f"{self.server_of.url}{self.path}")
        headers = (
            {"Link": f'<{self.server_of.url}/link>; rel="first", <{url}>; title="a, b"; rel="next"'} if url else {}
        )
        self._send(_list(cut.items), cut.number, headers=headers)

    def _next(self) -> None:
        cut = self._page_at(int(self._query.get("from", 0)))
        following = self._following(cut, f"/next?from={cut.next}", self.path)
        self._send(f'{{"items": {_list(cut.items)}, "paging": {{"next": {json.dumps(following)}}}}}', cut.number)

    def _graphql(self) -> None:
        asked = json.loads(self._body)
        if "items" not in asked["query"]:
            self._send('{"data": null, "errors": [{"message": "there is no such field"}]}', 1)
            return
        cut = self._page_at(int((asked.get("variables") or {}).get("after") or 0))
        edges = _list([f'{{"node": {r}}}' for r in cut.items])
        info = json.dumps({"hasNextPage": cut.next is not None, "endCursor": str(cut.start + len(cut.items))})
        self._send(f'{{"data": {{"items": {{"edges": {edges}, "pageInfo": {info}}}}}}}', cut.number)

    def _csv(self) -> None:
        number = int(self._query.get("page", 1))
        cut = self._page_at((number - 1) * self.server_of.size)
        out = io.StringIO()
        names = list(json.loads(self.server_of.records[0]))
        rows = csv.DictWriter(out, names)
        rows.writeheader()
        rows.writerows(json.loads(r) for r in cut.items)
        self._send(out.getvalue(), number, "text/csv; charset=utf-8")

    def _xml(self) -> None:
        number = int(self._query.get("page", 1))
        cut = self._page_at((number - 1) * self.server_of.size)
        pages = -(-len(self.server_of.records) // self.server_of.size)
        items = "".join(_element("item", json.loads(r)) for r in cut.items)
        text = f'<?xml version="1.0"?>\n<answer pages="{pages}">\n  <items>{items}</items>\n</answer>'
        self._send(text, number, "application/xml")

    def _records(self) -> None:
        name = urlsplit(self.path).path.split("/")[2]
        found = self.server_of.parts.get(name)
        if found is None:
            self._json('{"error": "no such record"}', 404)
            return
        self._send(json.dumps({"parts": found}), 1)

    def _following(self, cut: _Cut, following: str, this: str) -> str | None:
        """What leads to the next page; a fault may lead elsewhere."""
        faults = [f for f in self.server_of._faults if f.times and f.page in (0, cut.number)]
        if any(f.kind == "same" for f in faults):
            return this
        if away := next((f.to for f in faults if f.kind == "elsewhere"), ""):
            return away
        return following if cut.next is not None else None

    def _send(
        self, text: str, page: int, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        fault = self.server_of.due(page)
        if fault is None or fault.kind in ("same", "elsewhere"):
            self._write(text.encode(), 200, kind, headers)
            return
        match fault.kind:
            case "cut" | "cut_chunked":
                self._break_off(text.encode(), kind, chunked=fault.kind == "cut_chunked")
            case "hang":
                self.server_of.wait_for_end()
                self.close_connection = True
            case "not_json":
                self._write(text[: len(text) // 2].encode(), 200, kind, headers)
            case "html":
                self._write(b"<!doctype html><h1>Please log in</h1>", 200, "text/html", headers)
            case "empty":
                self._write(b"", 200, kind, headers)
            case "envelope":
                self._json('{"status": "error", "errors": [{"message": "the quota is used up"}]}', 200)
            case "redirect":
                self._write(b"", 307, kind, {"Location": fault.to})
            case _:
                self._write(b'{"error": "as asked for"}', int(fault.kind), "application/json", fault.headers)

    def _json(self, text: str, status: int) -> None:
        self._write(text.encode(), status, "application/json", None)

    def _write(self, body: bytes, status: int, kind: str, headers: dict[str, str] | None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _break_off(self, body: bytes, kind: str, *, chunked: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        half = body[: max(1, len(body) // 2)]
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            half = f"{len(half):x}\r\n".encode() + half + b"\r\n"
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(half)
        self.close_connection = True

    _routes: ClassVar[dict[str, Callable[[_Handler], None]]] = {
        "all": _all, "changed": _changed, "several": _several, "lines": _lines, "page": _page, "offset": _offset, "cursor": _cursor, "after": _after,
        "link": _link, "next": _next, "search": _search, "graphql": _graphql, "csv": _csv, "xml": _xml, "records": _records,
    }  # fmt: skip


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_element(name, v) for v in value)
    held = "".join(_element(k, v) for k, v in value.items()) if isinstance(value, dict) else escape(str(value))
    return f"<{name}>{held}</{name}>"


def _list(items: Sequence[str]) -> str:
    return f"[{', '.join(items)}]"
