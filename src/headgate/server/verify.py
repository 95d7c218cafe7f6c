"""Who sent an event: signatures, tokens and passwords, checked over the body as it came.

The ways of signing are those their inventors describe:

    standard   https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    github     https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    shopify    https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
    stripe     https://docs.stripe.com/webhooks#verify-manually
    slack      https://docs.slack.dev/authentication/verifying-requests-from-slack
    meta       https://developers.facebook.com/docs/graph-api/webhooks/getting-started

What is expected never leaves this module, and texts are compared in a time that does not tell how much of them is right.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headgate.model.errors import UsageError
from headgate.model.hook import ChallengeSpec, VerifySpec
from headgate.model.incremental import seconds_of

MISSING: Final = "the request is not signed in the way that is expected here"
WRONG: Final = "the signature, token or password of the request is not right"
STALE: Final = "the request was signed too long ago, or a clock is wrong"


class NotVerified(Exception):
    """It is not known who sent a request; the text says no more than the sender may know."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came.

    Attributes:
        headers: all values of each header, by its name in small letters; bytes that are no UTF-8 as lone surrogates.
        query: all values of each parameter.
        body: not decoded in any way.
    """

    headers: Mapping[str, Sequence[str]]
    query: Mapping[str, Sequence[str]]
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header.

        Raises:
            NotVerified: there is none, or several, of which another reader may take another one.
        """
        return _only(self.headers.get(name.lower(), ()))

    def parameter(self, name: str) -> str:
        """The value of a parameter of the URL, likewise."""
        return _only(self.query.get(name, ()))


def _only(values: Sequence[str]) -> str:
    if len(values) != 1:
        raise NotVerified(MISSING)
    return values[0]


def verify(spec: VerifySpec, secrets: Sequence[str], sent: Sent, now: float) -> None:
    """Refuse a request that does not come from somebody who knows one of the secrets.

    Args:
        spec: how that is shown.
        secrets: resolved.
        now: seconds since 1970.

    Raises:
        NotVerified: it does not.
        UsageError: a secret is of no use; nothing could ever be verified, or anybody could.
    """
    if spec.style == "none":
        return
    if any(not secret.strip() for secret in secrets):
        raise UsageError(
            "a secret of a hook is empty, so that anybody could sign with it",
            hint="Set the variable or file it comes from.",
        )
    signed = _STYLES[spec.style](spec, secrets, sent)
    if signed is not None and abs(now - signed) > seconds_of(spec.tolerance):
        raise NotVerified(STALE)


def credential(spec: VerifySpec, sent: Sent) -> str | None:
    """What somebody could guess: the token or password of a request as it is shown; None where it is signed instead."""
    if spec.style == "basic" or (spec.style == "token" and spec.header):
        return " ".join(sent.headers.get((spec.header or "Authorization").lower(), ()))
    return " ".join(sent.query.get(spec.query or "", ())) if spec.style == "token" else None


def _standard(spec: VerifySpec, secrets: Sequence[str], sent: Sent) -> int:
    """`webhook-signature` has several signatures with blanks between them: `v1` with a secret, `v1a` with a key pair."""
    prefix = spec.header or "webhook"
    number, time, given = (sent.header(f"{prefix}-{part}") for part in ("id", "timestamp", "signature"))
    content = b".".join((_bytes(number), _bytes(time), sent.body))
    versions = [part.partition(",") for part in given.split()]
    symmetric = [_base64(text) for version, _, text in versions if version == "v1"]
    asymmetric = [_base64(text) for version, _, text in versions if version == "v1a"]
    for secret in secrets:
        if secret.startswith("whpk_"):
            good = any(_ed25519(_key(secret, "whpk_"), one, content) for one in asymmetric)
        else:
            good = _among(hmac.digest(_key(secret, "whsec_"), content, "sha256"), symmetric)
        if good:
            return _seconds(time)
    raise NotVerified(WRONG)


def _key(secret: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except binascii.Error:
        raise UsageError(
            f"a secret of Standard Webhooks is {prefix} and Base64, and the one of this hook is not",
            hint="Copy it as a whole; for other secrets there is style: hmac.",
        ) from None


def _ed25519(key: bytes, signature: bytes, content: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise UsageError(
            "signatures with a key pair (whpk_) need more than is installed",
            hint="Install it: pip install cryptography.",
        ) from None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    except ValueError:
        raise UsageError(
            "a secret of this hook begins with whpk_ and is no public key of 32 bytes", hint="Copy it as a whole."
        ) from None
    return True


def _github(_: VerifySpec, secrets: Sequence[str], sent: Sent) -> None:
    """`X-Hub-Signature-256` is `sha256=` and hexadecimal; Meta signs in the same way."""
    given = sent.header("X-Hub-Signature-256")
    _one_of((hmac.digest(s.encode(), sent.body, "sha256") for s in secrets), [_hex(_after(given, "sha256="))])


def _shopify(_: VerifySpec, secrets: Sequence[str], sent: Sent) -> None:
    """`X-Shopify-Hmac-Sha256` is Base64."""
    given = sent.header("X-Shopify-Hmac-Sha256")
    _one_of((hmac.digest(s.encode(), sent.body, "sha256") for s in secrets), [_base64(given)])


def _stripe(_: VerifySpec, secrets: Sequence[str], sent: Sent) -> int:
    """`Stripe-Signature` is `t=TIME,v1=HEX`, with several `v1` while a secret is being replaced; other versions prove nothing."""
    pairs = [part.strip().partition("=") for part in sent.header("Stripe-Signature").split(",")]
    time = _only([value for name, _, value in pairs if name == "t"])
    content = _bytes(time) + b"." + sent.body
    given = [_hex(value) for name, _, value in pairs if name == "v1"]
    _one_of((hmac.digest(s.encode(), content, "sha256") for s in secrets), given)
    return _seconds(time)


def _slack(_: VerifySpec, secrets: Sequence[str], sent: Sent) -> int:
    """`X-Slack-Signature` is `v0=HEX` of `v0:TIME:BODY`."""
    time = sent.header("X-Slack-Request-Timestamp")
    content = b":".join((b"v0", _bytes(time), sent.body))
    given = _hex(_after(sent.header("X-Slack-Signature"), "v0="))
    _one_of((hmac.digest(s.encode(), content, "sha256") for s in secrets), [given])
    return _seconds(time)


def _hmac(spec: VerifySpec, secrets: Sequence[str], sent: Sent) -> int | None:
    """As the definition says."""
    text = _after(sent.header(spec.header or ""), spec.prefix)
    given = _hex(text) if spec.encoding == "hex" else _base64(text)
    time = sent.header(spec.timestamp) if spec.timestamp is not None else ""
    before, _, behind = spec.signed.partition("{body}")
    around = [_bytes(part.replace("{timestamp}", time)) for part in (before, behind)]
    content = around[0] + sent.body + around[1]
    _one_of((hmac.digest(s.encode(), content, spec.algorithm) for s in secrets), [given])
    return _seconds(time) if spec.timestamp is not None else None


def _token(spec: VerifySpec, secrets: Sequence[str], sent: Sent) -> None:
    """A text in a header or a parameter."""
    found = sent.parameter(spec.query) if spec.query else _after(sent.header(spec.header or ""), spec.prefix)
    _one_of((_digest(s) for s in secrets), [_digest(found)])


def _basic(spec: VerifySpec, secrets: Sequence[str], sent: Sent) -> None:
    """Name and password as RFC 7617 has them."""
    scheme, _, given = sent.header("Authorization").partition(" ")
    if scheme.lower() != "basic":
        raise NotVerified(MISSING)
    login = _base64(given.strip())
    _one_of((_digest(f"{spec.user}:{s}") for s in secrets), [hashlib.sha256(login).digest()])


_STYLES: Final[dict[str, Callable[[VerifySpec, Sequence[str], Sent], int | None]]] = {
    "standard": _standard,
    "github": _github,
    "shopify": _shopify,
    "stripe": _stripe,
    "slack": _slack,
    "hmac": _hmac,
    "token": _token,
    "basic": _basic,
}


def _one_of(expected: Iterator[bytes], given: Sequence[bytes]) -> None:
    if not any(_among(one, given) for one in expected):
        raise NotVerified(WRONG)


def _among(expected: bytes, given: Sequence[bytes]) -> bool:
    return any(hmac.compare_digest(expected, one) for one in given)


def _digest(text: str) -> bytes:
    """So that texts of any length take the same time to compare."""
    return hashlib.sha256(_bytes(text)).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _after(text: str, prefix: str) -> str:
    if not text.startswith(prefix):
        raise NotVerified(MISSING)
    return text[len(prefix) :]


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if text.isalnum() else b""
    except ValueError:
        return b""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise NotVerified(MISSING)
    return int(text)


def challenge_answer(challenge: ChallengeSpec | None, document: bytes) -> str | None:
    """What to answer to a signed event that asks whether the URL is ours; None for every other event.

    Slack: https://docs.slack.dev/reference/events/url_verification
    """
    if challenge is None or challenge.style != "slack" or b"url_verification" not in document:
        return None
    try:
        asked = json.loads(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(asked, dict) or asked.get("type") != "url_verification":
        return None
    answer = asked.get("challenge")
    return answer if isinstance(answer, str) else None


def handshake_answer(token: str, sent: Sent) -> str:
    """What to answer to Meta's GET that asks whether the URL is ours.

    Raises:
        NotVerified: it does not have the token.
        UsageError: the token is empty.
    """
    if not token.strip():
        raise UsageError("the token of a hook's challenge is empty", hint="Set the variable or file it comes from.")
    if sent.parameter("hub.mode") != "subscribe":
        raise NotVerified(MISSING)
    _one_of(iter([_digest(token)]), [_digest(sent.parameter("hub.verify_token"))])
    return sent.parameter("hub.challenge")
