"""What a definition says of the events that other systems send to its import: webhooks."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from .incremental import seconds_of
from .strict import Strict

Style = Literal["standard", "github", "shopify", "stripe", "slack", "hmac", "token", "basic", "none"]

_KEYS: Final[dict[str, frozenset[str]]] = {
    "standard": frozenset({"secret", "header", "tolerance"}),
    "github": frozenset({"secret"}),
    "shopify": frozenset({"secret"}),
    "stripe": frozenset({"secret", "tolerance"}),
    "slack": frozenset({"secret", "tolerance"}),
    "hmac": frozenset({"secret", "header", "algorithm", "encoding", "prefix", "signed", "timestamp", "tolerance"}),
    "token": frozenset({"secret", "header", "prefix", "query"}),
    "basic": frozenset({"secret", "user"}),
    "none": frozenset(),
}
"""What can be said beside `style`."""


class VerifySpec(Strict):
    """How it is known that an event comes from who it should come from."""

    style: Style = Field(
        description="Whose way of signing: Standard Webhooks, GitHub's (also Meta's), Shopify's, Stripe's, Slack's, any other HMAC of the body, a token, a password (`basic`), or `none`: whoever knows the URL may send."
    )
    secret: list[str] = Field(
        [],
        description="The secret, as a reference (`${env:NAME}`, `${file:PATH}`). Several are all good, for the time in which one replaces another.",
    )
    header: str | None = Field(
        None,
        description="hmac: header with the signature. token: header with the token. standard: what the names of the headers begin with (`svix`), if not `webhook`.",
    )
    query: str | None = Field(
        None, description="token: parameter of the URL with the token; a header is better, as URLs are logged."
    )
    user: str | None = Field(None, description="basic: name of the user; the secret is the password.")
    algorithm: Literal["sha256", "sha512", "sha1"] = Field("sha256", description="hmac: hash that is used.")
    encoding: Literal["hex", "base64"] = Field("hex", description="hmac: how the signature is written.")
    prefix: str = Field("", description="hmac, token: what stands before it in the header (`sha256=`, `Bearer `).")
    signed: str = Field(
        "{body}",
        description="hmac: what is signed; `{timestamp}` stands for the header `timestamp` (`{timestamp}.{body}`).",
    )
    timestamp: str | None = Field(
        None, description="hmac: header with the time of sending in seconds since 1970, where that is signed too."
    )
    tolerance: str = Field(
        "5m",
        description="How far the signed time may be from this server's clock, to either side; an event that is older may be a repeat by a stranger (`90s`, `5m`).",
    )

    @field_validator("secret", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("secret")
    @classmethod
    def _referred(cls, value: list[str]) -> list[str]:
        if any("${" not in text for text in value):
            raise ValueError(
                "a secret is a reference, so that it is not in the definition: ${env:NAME} or ${file:PATH}"
            )
        return value

    @field_validator("tolerance")
    @classmethod
    def _duration(cls, value: str) -> str:
        seconds_of(value)
        return value

    @model_validator(mode="after")
    def _fits_style(self) -> VerifySpec:
        if lost := sorted(self.model_fields_set - {"style"} - _KEYS[self.style]):
            raise ValueError(f"{lost[0]} does not go with style: {self.style}")
        if self.style != "none" and not self.secret:
            raise ValueError(f"style: {self.style} needs a secret")
        if self.style == "hmac":
            self._signs()
        if self.style == "token" and (self.header is None) == (self.query is None):
            raise ValueError("a token is either in a header or in a parameter of the URL (query)")
        if self.style == "token" and self.query is not None and self.prefix:
            raise ValueError("prefix goes with a header")
        if self.style == "basic" and not self.user:
            raise ValueError("style: basic needs a user")
        return self

    def _signs(self) -> None:
        if self.header is None:
            raise ValueError("style: hmac needs the header that has the signature")
        if self.signed.count("{body}") != 1:
            raise ValueError("signed has {body} once")
        if ("{timestamp}" in self.signed) != (self.timestamp is not None):
            raise ValueError(
                "the header timestamp and {timestamp} in signed go together: a time nobody signed proves nothing"
            )


class PlaceSpec(Strict):
    """Where in an event something is: in its body, or in a header."""

    path: str | None = Field(None, min_length=1, description="Keys of the body, joined by dots (`data.id`).")
    header: str | None = Field(None, min_length=1, description="Name of a header.")

    @model_validator(mode="after")
    def _one(self) -> PlaceSpec:
        if (self.path is None) == (self.header is None):
            raise ValueError("it is either at a path or in a header")
        return self


class EventSpec(PlaceSpec):
    """Which events are wanted; all others are answered as received, and only counted."""

    accept: list[str] = Field(alias="in", min_length=1, description="What may stand there (`[invoice.paid]`).")

    @field_validator("accept", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class ChallengeSpec(Strict):
    """How a sender asks whether the URL is ours, before it sends anything."""

    style: Literal["slack", "meta"] = Field(
        description="`slack`: a signed event `url_verification`. `meta`: a GET with `hub.challenge` and a token."
    )
    token: str | None = Field(None, description="meta: the verify token, as a reference.")

    @model_validator(mode="after")
    def _token(self) -> ChallengeSpec:
        if (self.style == "meta") != (self.token is not None):
            raise ValueError("style: meta, and only that, needs the token it asks with")
        if self.token is not None and "${" not in self.token:
            raise ValueError("a token is a reference, so that it is not in the definition: ${env:NAME} or ${file:PATH}")
        return self


_IDS: Final = {
    "github": PlaceSpec(header="X-GitHub-Delivery"),
    "shopify": PlaceSpec(header="X-Shopify-Webhook-Id"),
    "stripe": PlaceSpec(path="id"),
    "slack": PlaceSpec(path="event_id"),
}


class HookSpec(Strict):
    """Events that are sent to `/hooks/NAME` of the server, NAME being the import's."""

    verify: VerifySpec = Field(description="How it is known who sends.")
    records: str | None = Field(
        None,
        description="Where the records are, as keys joined by dots (`data.items`): a list of them, or a single one. By default the body itself.",
    )
    event: EventSpec | None = Field(None, description="Which events are wanted; by default all.")
    id: PlaceSpec | None = Field(
        None,
        description="What tells an event from every other, so that one that is sent again is not imported again; a bare text is a path. By default as the style has it (`webhook-id`, `X-GitHub-Delivery`, `X-Shopify-Webhook-Id`, Stripe's `id`, Slack's `event_id`); other styles have none.",
    )
    keep: str = Field("7d", description="How long events that were imported are kept, and known when they come again.")
    challenge: ChallengeSpec | None = Field(
        None,
        description="How the sender asks whether the URL is ours; a bare text is the style. Slack's by default where `verify` is.",
    )
    accept: Literal["inbox", "destination"] = Field(
        "inbox",
        description="When the sender hears that an event was received: once it is in the inbox of the ledger, from which it is imported as soon as can be (202), or once it is at the destination (200).",
    )
    start: bool = Field(
        False,
        description="Start a run of the import, from its own source, for each event; what the event has is not read.",
    )

    @field_validator("id", mode="before", json_schema_input_type=str | PlaceSpec)
    @classmethod
    def _path_only(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("challenge", mode="before", json_schema_input_type=Literal["slack"] | ChallengeSpec)
    @classmethod
    def _style_only(cls, value: object) -> object:
        return {"style": value} if isinstance(value, str) else value

    @field_validator("keep")
    @classmethod
    def _duration(cls, value: str) -> str:
        seconds_of(value)
        return value

    @model_validator(mode="after")
    def _fits(self) -> HookSpec:
        if self.start and "records" in self.model_fields_set:
            raise ValueError("with start, a run reads the import's own source; records would not be looked at")
        if self.start and self.accept == "destination":
            raise ValueError("a run that is started comes later; accept: destination cannot be")
        return self

    @property
    def id_place(self) -> PlaceSpec | None:
        """Where an event's id is; None where nothing tells events apart."""
        if self.id is None and self.verify.style == "standard":
            return PlaceSpec(header=f"{self.verify.header or 'webhook'}-id")
        return self.id or _IDS.get(self.verify.style)

    @property
    def challenged(self) -> ChallengeSpec | None:
        """How the sender asks whether the URL is ours, if it does."""
        if self.challenge is None and self.verify.style == "slack":
            return ChallengeSpec(style="slack")
        return self.challenge
