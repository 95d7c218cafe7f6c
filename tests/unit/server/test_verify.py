"""Who sent an event: published examples, and everything that must not pass."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from headgate.model.errors import UsageError
from headgate.model.hook import ChallengeSpec, VerifySpec
from headgate.server.verify import MISSING, STALE, WRONG, NotVerified, Sent, challenge_answer, handshake_answer, verify

NOW = 1_700_000_000
BODY = b'{"id": "evt_1", "price": 1.10}'
SECRET = "s3cret-\u00e9"
KEY = base64.b64encode(b"k" * 24).decode()


def sent(body: bytes = BODY, query: dict[str, list[str]] | None = None, **headers: str | list[str]) -> Sent:
    named = {k.replace("_", "-").lower(): [v] if isinstance(v, str) else v for k, v in headers.items()}
    return Sent(named, query or {}, body)


def spec(style: str, **more: Any) -> VerifySpec:
    return VerifySpec(style=style, secret=["${env:SECRET}"], **more)  # type: ignore[arg-type]


def hexed(content: bytes, secret: str = SECRET, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), content, algorithm).hexdigest()


def b64ed(content: bytes, key: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


# ---- what the inventors publish ------------------------------------------------------------------------------------


def test_the_example_of_standard_webhooks():
    # The reference vector of its libraries.
    given = sent(
        b'{"test": 2432232314}', webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )  # fmt: skip
    verify(spec("standard"), ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], given, 1614265330)


def test_the_example_of_github():
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, "Testing the webhook payload validation"
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    given = sent(b"Hello, World!", x_hub_signature_256=signature)
    verify(spec("github"), ["It's a Secret to Everybody"], given, NOW)


def test_the_example_of_slack():
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    given = sent(body, x_slack_request_timestamp="1531420618", x_slack_signature=signature)
    verify(spec("slack"), ["8f742231b10e8888abcd99yyyzzz85a5"], given, 1531420618)


# ---- each style: right, and in every way wrong ---------------------------------------------------------------------


def standard(body: bytes = BODY, at: int = NOW, key: str = KEY) -> dict[str, str]:
    content = f"msg_1.{at}.".encode() + body
    return {
        "webhook_id": "msg_1",
        "webhook_timestamp": str(at),
        "webhook_signature": f"v1,{b64ed(content, base64.b64decode(key))}",
    }


def github(body: bytes = BODY, at: int = NOW, key: str = SECRET) -> dict[str, str]:
    return {"x_hub_signature_256": f"sha256={hexed(body, key)}"}


def shopify(body: bytes = BODY, at: int = NOW, key: str = SECRET) -> dict[str, str]:
    return {"x_shopify_hmac_sha256": b64ed(body, key.encode())}


def stripe(body: bytes = BODY, at: int = NOW, key: str = SECRET) -> dict[str, str]:
    return {"stripe_signature": f"t={at},v1={hexed(f'{at}.'.encode() + body, key)},v0={'0' * 64}"}


def slack(body: bytes = BODY, at: int = NOW, key: str = SECRET) -> dict[str, str]:
    return {"x_slack_request_timestamp": str(at), "x_slack_signature": f"v0={hexed(f'v0:{at}:'.encode() + body, key)}"}


def own(body: bytes = BODY, at: int = NOW, key: str = SECRET) -> dict[str, str]:
    return {"x_time": str(at), "x_sign": f"sha512={hexed(f'{at}|'.encode() + body + b'|', key, 'sha512')}"}


OWN = spec(
    "hmac", header="X-Sign", algorithm="sha512", prefix="sha512=", signed="{timestamp}|{body}|", timestamp="X-Time"
)
STYLES: dict[str, tuple[Any, VerifySpec, str]] = {
    "standard": (standard, spec("standard"), f"whsec_{KEY}"),
    "github": (github, spec("github"), SECRET),
    "shopify": (shopify, spec("shopify"), SECRET),
    "stripe": (stripe, spec("stripe"), SECRET),
    "slack": (slack, spec("slack"), SECRET),
    "hmac": (own, OWN, SECRET),
}
TIMED = ("standard", "stripe", "slack", "hmac")
OTHER = base64.b64encode(b"o" * 24).decode()


@pytest.mark.parametrize("style", STYLES)
def test_what_is_signed_with_one_of_the_secrets_passes(style):
    sign, how, secret = STYLES[style]
    verify(how, [secret], sent(**sign()), NOW)
    verify(how, [OTHER, secret], sent(**sign()), NOW)
    verify(how, [secret], sent(b"", **sign(b"")), NOW)


@pytest.mark.parametrize("style", STYLES)
def test_what_is_signed_with_another_secret_does_not(style):
    sign, how, secret = STYLES[style]
    with pytest.raises(NotVerified, match=WRONG):
        verify(how, [secret], sent(**sign(key=OTHER)), NOW)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"1.10", b"9.10"), BODY[:-1]])
def test_a_body_that_was_changed_does_not(style, body):
    sign, how, secret = STYLES[style]
    with pytest.raises(NotVerified, match=WRONG):
        verify(how, [secret], sent(body, **sign()), NOW)


@pytest.mark.parametrize("style", STYLES)
def test_every_header_is_needed_once(style):
    sign, how, secret = STYLES[style]
    for name, value in sign().items():
        rest = {k: v for k, v in sign().items() if k != name}
        for wrong in ({}, {name: [value, value]}, {name: ""}, {name: "x"}, {name: "\udcff\u00e9=, v1=\u0661"}):
            with pytest.raises(NotVerified):
                verify(how, [secret], sent(**rest, **wrong), NOW)


@pytest.mark.parametrize("style", STYLES)
def test_a_signature_that_was_cut_or_lengthened_does_not_pass(style):
    sign, how, secret = STYLES[style]
    name, value = list(sign().items())[-1]
    for wrong in (value[:-1], value[:-2], value + "0", value + "==", value.replace(value[-6:], "000000")):
        if style == "stripe":
            wrong = wrong.rpartition(",v0")[0][:-2]
        with pytest.raises(NotVerified):
            verify(how, [secret], sent(**sign() | {name: wrong}), NOW)


@pytest.mark.parametrize("style", TIMED)
@pytest.mark.parametrize("off", [-301, 301, -100_000_000, 100_000_000])
def test_what_was_signed_at_another_time_is_stale(style, off):
    sign, how, secret = STYLES[style]
    with pytest.raises(NotVerified, match=STALE):
        verify(how, [secret], sent(**sign(at=NOW + off)), NOW)


@pytest.mark.parametrize("style", TIMED)
@pytest.mark.parametrize("off", [-300, 300])
def test_clocks_may_differ_by_the_tolerance(style, off):
    sign, how, secret = STYLES[style]
    verify(how, [secret], sent(**sign(at=NOW + off)), NOW)


@pytest.mark.parametrize("style", TIMED)
def test_a_time_that_was_changed_is_no_longer_signed(style):
    """A stranger who repeats an old event must say a new time, and cannot sign it."""
    sign, how, secret = STYLES[style]
    old = sign(at=NOW - 9_000)
    fresh = {k: v.replace(str(NOW - 9_000), str(NOW)) for k, v in old.items()}
    with pytest.raises(NotVerified, match=WRONG):
        verify(how, [secret], sent(**fresh), NOW)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_an_empty_secret_is_refused_before_anything_is_compared(style, empty):
    sign, how, secret = STYLES[style]
    with pytest.raises(UsageError, match="empty"):
        verify(how, [secret, empty], sent(**sign()), NOW)


# ---- what is particular ---------------------------------------------------------------------------------------------


def test_standard_webhooks_may_have_several_signatures_and_other_names():
    several = standard() | {"webhook_signature": f"v1,AAAA v2,xyz v1a,AAAA {standard()['webhook_signature']} nonsense"}
    verify(spec("standard"), [f"whsec_{KEY}"], sent(**several), NOW)
    svix = {k.replace("webhook", "svix"): v for k, v in standard().items()}
    verify(spec("standard", header="svix"), [KEY], sent(**svix), NOW)
    with pytest.raises(NotVerified, match=MISSING):
        verify(spec("standard"), [KEY], sent(**svix), NOW)


def test_standard_webhooks_ask_for_a_secret_in_base64():
    with pytest.raises(UsageError, match="Base64"):
        verify(spec("standard"), ["whsec_not base64!"], sent(**standard()), NOW)


def test_standard_webhooks_with_a_key_pair():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = ed25519.Ed25519PrivateKey.from_private_bytes(b"p" * 32)
    public = f"whpk_{base64.b64encode(private.public_key().public_bytes_raw()).decode()}"
    content = f"msg_1.{NOW}.".encode() + BODY
    signature = base64.b64encode(private.sign(content)).decode()
    right = standard() | {"webhook_signature": f"v1a,{signature}"}
    verify(spec("standard"), [public], sent(**right), NOW)
    for wrong in (
        sent(BODY + b" ", **right),
        sent(**right | {"webhook_signature": f"v1,{signature}"}),
        sent(**right | {"webhook_signature": "v1a,AAAA"}),
    ):
        with pytest.raises(NotVerified, match=WRONG):
            verify(spec("standard"), [public], wrong, NOW)
    with pytest.raises(UsageError, match="public key"):
        verify(spec("standard"), ["whpk_AAAA"], sent(**right), NOW)


def test_a_public_key_is_no_secret_of_a_symmetric_signature():
    """Everybody knows it: it must not be taken for a shared secret."""
    public = f"whpk_{KEY}"
    with pytest.raises(NotVerified, match=WRONG):
        verify(spec("standard"), [public], sent(**standard()), NOW)


def test_stripe_may_have_several_signatures_while_a_secret_is_replaced():
    content = f"{NOW}.".encode() + BODY
    two = f"t={NOW},v1={hexed(content, 'the old one')},v1={hexed(content)}"
    verify(spec("stripe"), [SECRET], sent(stripe_signature=two), NOW)
    for wrong in (f"t={NOW},v0={hexed(content)}", f"t={NOW},t={NOW},v1={hexed(content)}", f"v1={hexed(content)}"):
        with pytest.raises(NotVerified):
            verify(spec("stripe"), [SECRET], sent(stripe_signature=wrong), NOW)


def test_hexadecimal_may_be_in_capitals():
    verify(spec("github"), [SECRET], sent(x_hub_signature_256=f"sha256={hexed(BODY).upper()}"), NOW)


def test_any_hmac_without_a_time():
    verify(spec("hmac", header="X-S", encoding="base64"), [SECRET], sent(x_s=b64ed(BODY, SECRET.encode())), NOW)
    sha1 = spec("hmac", header="X-Hub-Signature", prefix="sha1=", algorithm="sha1")
    verify(sha1, [SECRET], sent(x_hub_signature=f"sha1={hexed(BODY, algorithm='sha1')}"), NOW)


TOKENS = {
    "header": (spec("token", header="X-Gitlab-Token"), lambda t: sent(x_gitlab_token=t)),
    "bearer": (spec("token", header="Authorization", prefix="Bearer "), lambda t: sent(authorization=f"Bearer {t}")),
    "query": (spec("token", query="key"), lambda t: sent(query={"key": [t]})),
    "basic": (
        spec("basic", user="shop"),
        lambda t: sent(authorization=f"Basic {base64.b64encode(f'shop:{t}'.encode()).decode()}"),
    ),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_tokens_and_passwords(kind):
    how, make = TOKENS[kind]
    verify(how, ["other", SECRET], make(SECRET), NOW)
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.upper(), " " + SECRET):
        with pytest.raises(NotVerified):
            verify(how, [SECRET], make(wrong), NOW)
    with pytest.raises(NotVerified, match=MISSING):
        verify(how, [SECRET], sent(), NOW)


def test_a_password_goes_with_its_user_and_its_scheme():
    login = base64.b64encode(f"other:{SECRET}".encode()).decode()
    for header in (f"Basic {login}", f"Bearer {SECRET}", "Basic", "Basic !!!", ""):
        with pytest.raises(NotVerified):
            verify(spec("basic", user="shop"), [SECRET], sent(authorization=header), NOW)


def test_several_parameters_of_a_name_are_none():
    with pytest.raises(NotVerified, match=MISSING):
        verify(spec("token", query="key"), [SECRET], sent(query={"key": [SECRET, SECRET]}), NOW)


def test_without_verification_everything_passes():
    verify(VerifySpec(style="none"), [], sent(), NOW)


def test_the_challenge_of_slack_is_answered_and_nothing_else():
    slack_asks = ChallengeSpec(style="slack")
    asked = b'{"token": "x", "challenge": "3eZbrw1a", "type": "url_verification"}'
    assert challenge_answer(slack_asks, asked) == "3eZbrw1a"
    assert challenge_answer(None, asked) is None
    for other in (b'{"type": "event_callback", "challenge": "url_verification"}', b"url_verification", b"[" * 100_000 + b"url_verification",
                  b'{"type": "url_verification"}', b'{"type": "url_verification", "challenge": 7}', b'["url_verification"]'):  # fmt: skip
        assert challenge_answer(slack_asks, other) is None


def asks(**more: str) -> Sent:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "meatyhamhock"} | more
    return sent(b"", {k: [v] for k, v in query.items() if v})


def test_the_handshake_of_meta():
    assert handshake_answer("meatyhamhock", asks()) == "1158201444"
    for wrong in (
        {"hub.verify_token": "meatyhamhocK"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
    ):
        with pytest.raises(NotVerified):
            handshake_answer("meatyhamhock", asks(**wrong))
    with pytest.raises(UsageError, match="empty"):
        handshake_answer("", asks(**{"hub.verify_token": " "}))
