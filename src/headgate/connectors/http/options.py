"""What a connection to an API can say."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from headgate.model.errors import UsageError
from headgate.model.strict import Strict

from .presets import filled
from .resource import AnswerSpec, EndpointSpec, FindSpec, PollSpec, ResourceSpec

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class BearerAuth(Strict):
    """A token in the header `Authorization`."""

    type: Literal["bearer"] = Field(description="A token in the header `Authorization`.")
    token: str = Field(min_length=1, description="The token.")


class BasicAuth(Strict):
    """A user's name and password."""

    type: Literal["basic"] = Field(description="User and password.")
    user: str = Field(description="The user's name.")
    password: str = Field("", description="The password.")


class ApiKeyAuth(Strict):
    """A key in a header or a parameter of the URL."""

    type: Literal["api_key"] = Field(description="A key in a header or a parameter of the URL.")
    name: str = Field("X-Api-Key", description="Name of the header or parameter.")
    key: str = Field(min_length=1, description="The key.")
    send: Literal["header", "query"] = Field("header", description="Where it goes.")


class OAuth2(Strict):
    """A token that is fetched from a token URL and fetched again when it expires."""

    type: Literal["oauth2"] = Field(description="OAuth 2: client credentials, or a refresh token.")
    token_url: str = Field(description="Where tokens are given; may be relative to the connection's URL.")
    client_id: str = Field(description="The client's id.")
    client_secret: str = Field("", description="The client's secret.")
    refresh_token: str | None = Field(
        None,
        description="Refresh token; with it tokens are refreshed, without it they are given for the client's credentials.",
    )
    scope: str = Field("", description="What is asked for; several separated by blanks.")
    send: Literal["basic", "body"] = Field("basic", description="How the client's id and secret are sent.")
    params: dict[str, str] = Field({}, description="What else the token URL wants (`audience`).")
    header: str = Field("", description="Header that has the token; by default `Authorization`, as a bearer token.")


Auth = Annotated[BearerAuth | BasicAuth | ApiKeyAuth | OAuth2, Field(discriminator="type")]


class PutOptions(Strict):
    """How files are put on a server."""

    method: Literal["PUT", "POST"] = Field("PUT", description="What a file is sent with, to its own address.")
    form: str | None = Field(
        None,
        description="POST: the file is a field of this name in a form (`multipart/form-data`), sent to its folder's address.",
    )
    headers: dict[str, str] = Field({}, description="Headers beside those of every request.")

    @model_validator(mode="after")
    def _posted(self) -> PutOptions:
        if self.form is not None and self.method != "POST":
            raise ValueError("a form goes with method: POST")
        return self


class UsageSpec(Strict):
    """Where answers say how much of a quota is used, and when to stop."""

    header: str = Field(description="Header that says how many of how many requests are used (`api-usage=18/5000`).")
    stop: float = Field(
        100, gt=0, le=100, description="Percent of the quota; when so much is used, nothing more is sent."
    )


class ApiOptions(Strict):
    """A connection to an HTTP API."""

    url: str = Field(description="Where every path starts from (`https://api.example.com/v1`).")
    auth: Auth | None = Field(None, description="How it is logged in.")
    headers: dict[str, str] = Field({}, description="Headers of every request.")
    rate: str | None = Field(
        None,
        description="Most requests in a time: `5/s`, `100/m`, `1000/h`. They are evenly spaced, and shared by all imports of a process that use the connection.",
    )
    timeout: float = Field(30, gt=0, description="Seconds to wait for a connection, and for each part of an answer.")
    retries: int = Field(
        5,
        ge=0,
        description="How often a request is sent again: after 429 and 503 with `Retry-After`, and, where it can do no harm, after 408, 500, 502, 503, 504 and a lost connection.",
    )
    max_wait: float = Field(
        300,
        ge=0,
        description="Longest wait in seconds that an answer's `Retry-After` may ask for; past it the run fails.",
    )
    private: bool = Field(
        False, description="Whether the API may be at an address that is not public (127.0.0.1, 10.0.0.1)."
    )
    put: PutOptions = Field(PutOptions(), description="How files are put there (`operation: upload`).")
    ca: str | None = Field(None, description="File with certificates of authorities, for an API with one of your own.")
    concurrency: int = Field(4, ge=1, le=64, description="Destination: most requests that are under way at once.")
    usage: UsageSpec | None = Field(
        None, description="Destination: where answers say how much of a quota is used, and when to stop."
    )
    resources: dict[str, ResourceSpec] = Field(
        {}, description="Destination: what records can be sent to, by the name that `destination.table` has."
    )

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        _ = parts.port  # looked at, as a port that is none is told only then
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the URL of an API is https://HOST/PATH")
        if parts.username or parts.password:
            raise ValueError("the user and password of an API go into auth: {type: basic, …}, not into the URL")
        if parts.query or parts.fragment:
            raise ValueError("parameters go into the request's query, a key into auth: {type: api_key, send: query, …}")
        return value.rstrip("/")

    @field_validator("rate")
    @classmethod
    def _is_rate(cls, value: str | None) -> str | None:
        if value is not None:
            spacing(value)
        return value


_WITHIN = sorted({n for of in (ResourceSpec, FindSpec, EndpointSpec, AnswerSpec, PollSpec) for n in of.model_fields})
"""Keys that stand within a connection's resources."""


def spacing(rate: str) -> float:
    """Seconds between two requests.

    Raises:
        ValueError: it is no rate.
    """
    m = _RATE.fullmatch(rate.strip())
    if m is None or not float(m[1]):
        raise ValueError(f"{rate!r} is no rate; write 5/s, 100/m or 1000/h")
    return _SECONDS[m[2]] / float(m[1])


def read(options: Mapping[str, Any]) -> ApiOptions:
    """A connection's options.

    Raises:
        UsageError: one is not known or has no sense; the message has no values, which may be secrets.
    """
    options = filled(options)
    try:
        return ApiOptions.model_validate({k: v for k, v in options.items() if k != "type"})
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        known = ", ".join(ApiOptions.model_fields)
        what = first["msg"].removeprefix("Value error, ")
        hint = ""
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(first["loc"][-1]), _WITHIN, n=1) if len(first["loc"]) > 1 else []
            hint = f"Did you mean {near[0]!r}?" if near else f"A connection to an API knows {known}."
        raise UsageError(f"the connection's {place or 'options'}: {what}", hint=hint) from None
