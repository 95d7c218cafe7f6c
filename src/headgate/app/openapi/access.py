"""The connection that a document describes: where the API is, and how it is logged in. Secrets become references."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from headgate.app.project import Project
from headgate.app.references import resolve, without_secrets
from headgate.model.errors import HeadgateError, UsageError

from .document import Api, Node, Unreachable, listed, mapping
from .hosts import is_private
from .operations import Listing, one_line

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_GENERIC = frozenset(
    {
        "api",
        "rest",
        "the",
        "openapi",
        "swagger",
        "service",
        "public",
        "v1",
        "v2",
        "v3",
        "specification",
        "documentation",
    }
)
_NO_LOGIN_KNOWN = "How to log in is not something that could be told: see auth of a connection."


@dataclass(slots=True)
class Proposed:
    """A connection.

    Attributes:
        options: what headgate.yaml has under its name; none where it is there already.
        prefix: what the document's paths begin with below the connection's URL.
        remarks: what a person should look at.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    prefix: str = ""
    remarks: list[str] = field(default_factory=list)


def connection(project: Project, api: Api, listing: Listing, name: str | None) -> Proposed:
    """The connection for a request: one of the project that leads there, or a new one.

    Args:
        name: what it is to be called, or the one of the project that is to be used.

    Raises:
        UsageError: the document says what no connection can have.
    """
    url = base(api, listing)
    known = project.settings.connections
    if name is not None and name in known:
        return Proposed(name, prefix=_below(project, name, url) or "")
    if name is None:
        for there in known:
            if (prefix := _below(project, there, url)) is not None:
                return Proposed(there, prefix=prefix)
    if name is not None and not re.fullmatch(r"[A-Za-z][\w-]*", name, re.ASCII):
        raise UsageError(
            f"--connection {name}: a connection cannot be called so", hint="Write a name: --connection crm."
        )
    found = Proposed(name or _name(api, url, set(known)))
    variable = re.sub(r"\W", "_", found.name).upper()
    host = urlsplit(url).hostname
    if host is None:
        found.remarks.append(f"The document does not say where the API is: set {variable}_URL to it.")
        url = f"${{env:{variable}_URL}}{url}"
    found.options["url"] = url
    if host is not None and (is_private(host) or (api.near and host == urlsplit(api.url).hostname)):
        found.options["private"] = True
    _log_in(api, listing, found, variable)
    return found


def base(api: Api, listing: Listing) -> str:
    """Where paths start from: a URL without a slash at its end; only a path where nobody says more.

    Raises:
        UsageError: it is no URL that a connection could have.
    """
    url = urljoin(api.url, _server(api, listing)).rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at, as a port that is none is told only then
    except ValueError as e:
        raise _no_url(api, url, str(e)) from None
    if variable := _VARIABLE.search(url.replace("${", "")):
        raise _no_url(api, url, f"{variable[1]} has no default")
    if "${" in url:
        raise _no_url(api, url, "it has a reference of Headgate's in it")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise _no_url(api, url, "it has a login or parameters in it")
    if (
        parts.scheme not in ("http", "https", "")
        or (bool(parts.scheme) is not bool(parts.hostname))
        or not url.isprintable()
    ):
        raise _no_url(api, url, "it is not https://HOST/PATH")
    return url


def _no_url(api: Api, url: str, why: str) -> UsageError:
    return UsageError(
        f"{api.file.where(('servers',))}: the API's URL {without_secrets(one_line(url))!r} cannot be used: {why}",
        hint="Make the connection in headgate.yaml by hand, and name it: --connection NAME.",
    )


def _server(api: Api, listing: Listing) -> str:
    if api.old:
        host, schemes = str(api.root.get("host") or ""), [str(s) for s in listed(api.root.get("schemes"))]
        path = "/" + str(api.root.get("basePath") or "").strip("/")
        if not host:
            return path
        here = urlsplit(api.url).scheme
        scheme = "https" if "https" in schemes or not (schemes or here) else (schemes or [here])[0]
        return f"{scheme}://{host}{path}"
    item = mapping(api.root["paths"].get(listing.path))
    servers = next((s for s in (listed(n.get("servers")) for n in (listing.node, item, api.root)) if s), [])
    server = mapping(servers[0]) if servers else {}
    variables = mapping(server.get("variables"))
    return _VARIABLE.sub(
        lambda m: str(mapping(variables.get(m[1])).get("default", m[0])), str(server.get("url") or "/")
    )


def _below(project: Project, name: str, url: str) -> str | None:
    """What of a URL is below a connection's; None where it is elsewhere, or that cannot be known."""
    try:
        there = str(resolve(project.connection(name), project.folder, f"connection {name}")["url"]).rstrip("/")
    except HeadgateError:
        return None
    if not there.startswith(("http://", "https://")):
        return None
    return url[len(there) :] if url == there or url.startswith(f"{there}/") else None


def _name(api: Api, url: str, taken: set[str]) -> str:
    """A name from the title, or from the host."""
    words = [w for w in re.findall(r"[a-z][a-z0-9]*", api.title.lower()) if w not in _GENERIC]
    host = [w for w in (urlsplit(url).hostname or "").split(".") if w.isalpha() and w not in (*_GENERIC, "www", "com")]
    name = wanted = "_".join(words[:2]) or (host[-2] if len(host) > 1 else host[0] if host else "api")
    n = 1
    while name in taken:
        n += 1
        name = f"{wanted}_{n}"
    return name


def _log_in(api: Api, listing: Listing, found: Proposed, variable: str) -> None:
    """Add what logs in: the first of the ways there are that a connection knows."""
    wanted = listing.node.get("security", api.root.get("security"))
    ways = [mapping(w) for w in listed(wanted)]
    if not ways or {} in ways:
        return
    defined = (
        api.root.get("securityDefinitions") if api.old else mapping(api.root.get("components")).get("securitySchemes")
    )
    unknown = []
    for way in ways:
        made = [
            _scheme(api, mapping(defined).get(n), [str(s) for s in listed(s)], variable, found) for n, s in way.items()
        ]
        auths = [m["auth"] for m in made if m and "auth" in m]
        headers = {k: v for m in made if m for k, v in m.get("headers", {}).items()}
        if None in made or len(auths) > 1:
            unknown.append(" and ".join(one_line(n, 40) for n in way))
            continue
        found.options |= {"auth": auths[0]} if auths else {}
        found.options |= {"headers": headers} if headers else {}
        return
    found.remarks.append(f"{_NO_LOGIN_KNOWN} The document names {', '.join(unknown)}.")


def _scheme(api: Api, node: object, scopes: list[str], variable: str, found: Proposed) -> dict[str, Any] | None:
    """What a security scheme is in a connection; None for what there is no way for."""
    try:
        scheme = api.follow(node)
    except Unreachable:
        return None
    kind, how = str(scheme.get("type") or "").lower(), str(scheme.get("scheme") or "").lower()
    if kind == "basic" or (kind, how) == ("http", "basic"):
        return {"auth": {"type": "basic", "user": _env(variable, "USER"), "password": _env(variable, "PASSWORD")}}
    if (kind, how) == ("http", "bearer") or kind == "openidconnect":
        return {"auth": {"type": "bearer", "token": _env(variable, "TOKEN")}}
    if kind == "apikey":
        return _api_key(scheme, variable)
    return _oauth(api, scheme, scopes, variable, found) if kind == "oauth2" else None


def _api_key(scheme: Node, variable: str) -> dict[str, Any] | None:
    name, place = str(scheme.get("name") or ""), scheme.get("in")
    if not name or not re.fullmatch(r"[!#%&'*+.^_`|~0-9A-Za-z\[\]-]+", name):
        return None
    if place == "cookie":
        return {"headers": {"Cookie": f"{name}={_env(variable, 'COOKIE')}"}}
    if (
        place == "header"
        and name.lower() == "authorization"
        and "bearer" in str(scheme.get("description") or "").lower()
    ):
        return {"auth": {"type": "bearer", "token": _env(variable, "TOKEN")}}
    if place not in ("header", "query"):
        return None
    send = {"send": "query"} if place == "query" else {}
    return {"auth": {"type": "api_key", "name": name, "key": _env(variable, "KEY")} | send}


def _oauth(api: Api, scheme: Node, scopes: list[str], variable: str, found: Proposed) -> dict[str, Any] | None:
    """A client's credentials where they are enough; otherwise a refresh token, which a person gets once."""
    flows = {str(k): mapping(v) for k, v in mapping(scheme.get("flows")).items()}
    if api.old:
        flows = {str(scheme.get("flow") or ""): scheme}
    own = flows.get("clientCredentials") or flows.get("application")
    flow = own or next((f for f in flows.values() if f.get("tokenUrl")), None)
    if flow is None:
        return {"auth": {"type": "bearer", "token": _env(variable, "TOKEN")}}
    url = urljoin(api.url, str(flow.get("tokenUrl") or ""))
    if not url or "${" in url + " ".join(scopes) or not url.isprintable():
        return None
    auth = {
        "type": "oauth2", "token_url": url, "client_id": _env(variable, "CLIENT_ID"),
        "client_secret": _env(variable, "CLIENT_SECRET"),
    }  # fmt: skip
    if own is None:
        auth["refresh_token"] = _env(variable, "REFRESH_TOKEN")
        found.remarks.append("The login is one of a person: get a refresh token once, by hand.")
    if scopes:
        auth["scope"] = " ".join(scopes)
    return {"auth": auth}


def _env(variable: str, what: str) -> str:
    return f"${{env:{variable}_{what}}}"
