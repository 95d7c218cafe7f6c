"""The server's own description: an OpenAPI 3.1 document, and a page made of it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from headgate import __version__
from headgate.model.access import Role

from .access import SecuredRoute, secured
from .described import JSON, OPERATIONS, SCHEMAS, Operation

PROBLEM: Final = "application/problem+json"
_MEANING: Final = {
    400: "The request cannot be read.", 401: "No valid token or session.", 403: "It may not be touched.", 404: "There is none.",
    409: "Not as things stand.", 413: "Too large.", 415: "A body of another kind.", 422: "It cannot be done.",
    429: "Too many.", 500: "It failed.", 503: "Not now; see Retry-After.",
}  # fmt: skip
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
TAGS: Final = ("records", "runs", "webhooks", "triggers", "access", "server")


def plain_path(path: str) -> str:
    """A route's path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", path)


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The document.

    Args:
        routes: of the application: they say who may call what.
    """
    roles = {(m, plain_path(r.path)): r.role for r in routes if isinstance(r, SecuredRoute) for m in r.methods or ()}
    roles["POST", "/api/imports/{name}/records"] = Role.OPERATOR
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, roles.get((method, path)))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headgate",
            "version": __version__,
            "description": "Brings data into applications. Errors are problem details (RFC 9457).",
        },
        "tags": [{"name": tag} for tag in TAGS],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "headgate tokens new"},
                "session": {"type": "apiKey", "in": "cookie", "name": "headgate"},
            },
        },
    }


def _operation(method: str, path: str, of: Operation, role: Role | None) -> dict[str, Any]:
    name = re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")
    found: dict[str, Any] = {"operationId": name, "summary": of.summary, "tags": [of.tag]}
    if parameters := _parameters(path, of):
        found["parameters"] = parameters
    if of.body or of.bodies:
        content: dict[str, Any] = {JSON: {"schema": _schema(of.body)}} if of.body else {}
        content |= {kind: {"schema": {"type": "string"}} for kind in of.bodies}
        found["requestBody"] = {"required": not of.optional, "content": content}
    found["responses"] = _responses(of, role)
    found["security"] = [{"token": []}, {"session": []}] if role is not None else []
    if role is not None:
        found["description"] = f"Needs the role {role.word}."
    return found


def _parameters(path: str, of: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": n, "in": "path", "required": True, "schema": {"type": "integer" if n == "number" else "string"}}
        for n in _PARAMETER.findall(path)
    ]
    for name, (kind, text) in of.query.items():
        least = {"minimum": 1} if kind == "integer" and name in ("limit", "before") else {}
        found.append({"name": name, "in": "query", "description": text, "schema": {"type": kind, **least}})
    found += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in of.headers.items()
    ]
    return found


def _responses(of: Operation, role: Role | None) -> dict[str, Any]:
    content = {JSON: {"schema": _schema(of.answer)}} if of.answer else {}
    content |= {kind: {"schema": {"type": "string"}} for kind in of.answers}
    found: dict[str, Any] = {str(of.status): {"description": "Done.", **({"content": content} if content else {})}}
    for status, (meaning, schema) in of.more.items():
        more = {"content": {JSON: {"schema": _schema(schema)}}} if schema else {}
        found[str(status)] = {"description": meaning, **more}
    always = (401, 403, 429) if role is not None else ()
    for status in sorted({*of.problems, *always, 400, 405}):
        meaning = _MEANING.get(status, "No such method.")
        found[str(status)] = {"description": meaning, "content": {PROBLEM: {"schema": _schema("Problem")}}}
    return found


def _schema(name: str) -> dict[str, Any]:
    if name.startswith("["):
        return {"type": "array", "items": _schema(name[1:-1])}
    return {"$ref": f"#/components/schemas/{name}"}


# ---- served ----------------------------------------------------------------------------------------------------------


def routes() -> list[BaseRoute]:
    """What this part serves."""
    return [
        secured("/api/openapi.json", _document, methods=["GET"], role=Role.VIEWER, narrows=True),
        secured("/api/docs", _page, methods=["GET"], role=Role.VIEWER, narrows=True),
    ]


async def _document(request: Request) -> Response:
    return Response(msgspec.json.encode(document(request.app.routes)), media_type=JSON)


async def _page(request: Request) -> Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return Response(
        page(document(request.app.routes)), media_type="text/html", headers={"content-security-policy": policy}
    )


def page(of: dict[str, Any]) -> str:
    """The document as a page that needs nothing else: no script, no font, no picture."""
    parts = []
    for tag in TAGS:
        shown = [_shown(p, m, o) for p, methods in of["paths"].items() for m, o in methods.items() if tag in o["tags"]]
        parts.append(f"<section id={tag}><h2>{tag.capitalize()}</h2>{''.join(shown)}</section>")
    links = " ".join(f'<a href="#{t}">{t}</a>' for t in TAGS)
    return (
        _PAGE.replace("LINKS", links)
        .replace("VERSION", html.escape(of["info"]["version"]))
        .replace("PARTS", "".join(parts))
    )


def _shown(path: str, method: str, of: dict[str, Any]) -> str:
    rows = [(p["name"], p["in"], p.get("description", "")) for p in of.get("parameters", ()) if p["in"] != "path"]
    rows += [(kind, "body", _named(c["schema"])) for kind, c in of.get("requestBody", {}).get("content", {}).items()]
    answers = [(status, r["description"], ", ".join(r.get("content", {}))) for status, r in of["responses"].items()]
    needs = html.escape(of.get("description", "Open."))
    return (
        f"<details><summary><b class={method}>{method.upper()}</b> <code>{html.escape(path)}</code>"
        f" <span>{_marked(of['summary'])}</span></summary><p>{needs}</p>{_table(rows)}{_table(answers)}</details>"
    )


def _marked(text: str) -> str:
    """Text with what stands between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _named(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _table(rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<tr>{''.join(f'<td>{_marked(c)}</td>' for c in row)}</tr>" for row in rows)
    return f"<div class=wide><table>{cells}</table></div>"


_PAGE: Final = """<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">
<title>Headgate: HTTP API</title><style>
:root{color-scheme:light dark;--line:light-dark(#d5d8dd,#3a3f47);--soft:light-dark(#f4f5f7,#20242a);--ink:light-dark(#1b1f24,#e7e9ec);
--paper:light-dark(#fff,#15181c);--dim:light-dark(#555c66,#a7adb6);--mark:light-dark(#0b5cad,#7fb7f0)}
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
h1{margin:0}h2{margin:2rem 0 .5rem}nav a{color:var(--mark);margin-right:.8rem}p,span{color:var(--dim)}
details{border:1px solid var(--line);border-radius:.4rem;margin:.4rem 0;padding:.5rem .8rem}details[open]{background:var(--soft)}
summary{cursor:pointer;overflow-wrap:anywhere}summary:focus-visible{outline:2px solid var(--mark)}b{display:inline-block;min-width:4.2rem;color:var(--mark)}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0;width:100%}td{border-top:1px solid var(--line);padding:.3rem .6rem .3rem 0;vertical-align:top}
td:first-child{font-family:ui-monospace,monospace;white-space:nowrap}</style>
<h1>Headgate</h1><p>HTTP API, version VERSION. The same as an OpenAPI document: <code>/api/openapi.json</code>.</p><nav>LINKS</nav>PARTS"""
