"""Telling people, with real servers that hear it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import subprocess
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from headgate.ledger.triggers import Notice
from headgate.model.errors import HeadgateError
from headgate.model.triggers import MailSpec, TargetSpec
from headgate.triggers.send import send, signed
from support.hearing import listening
from support.ports import free_port

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = {
    "type": "import.failed",
    "timestamp": "2026-03-01T12:00:00+00:00",
    "data": {
        "import": "products", "event": "failure", "run": 7, "status": "failed", "finished": "2026-03-01T11:59:00",
        "account": {"read": 1200, "created": 0, "invalid": 3}, "rejects": [{"code": "TY02", "field": "price", "records": 3}],
    },
}  # fmt: skip
NOTICE = Notice("msg_1", "products", "failure", "t", BODY, "waiting", 1, NOW, "", NOW)
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


@pytest.fixture
def hearing():
    with listening() as server:
        yield server


def hook(hearing, **more):
    return TargetSpec.model_validate({"webhook": {"url": hearing.url, "private": True} | more})


def test_a_webhook_is_posted_and_can_be_verified(hearing, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    send(NOTICE, hook(hearing, secret="${env:SECRET}"), None, tmp_path)
    ((headers, body),) = hearing.heard
    assert json.loads(body) == BODY
    assert headers["webhook-id"] == "msg_1"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 300
    meant = f"msg_1.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"0123456789abcdef", meant, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_standard_webhooks():
    # The example of the specification's own libraries.
    found = signed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), b'{"test": 2432232314}')  # fmt: skip
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
def test_an_answer_that_is_not_good_is_no_delivery_and_shows_no_secret(hearing, tmp_path, status):
    hearing.status = status
    with pytest.raises(HeadgateError, match=f"127.0.0.1 answered {status}") as e:
        send(NOTICE, hook(hearing), None, tmp_path)
    assert "s3cret" not in str(e.value)
    assert len(hearing.heard) == 1


def test_nobody_listening_is_told_without_the_address(tmp_path):
    target = TargetSpec.model_validate({"webhook": {"url": "http://127.0.0.1:9/x?token=s3cret", "private": True}})
    with pytest.raises(HeadgateError, match="127.0.0.1 cannot be reached") as e:
        send(NOTICE, target, None, tmp_path)
    assert "s3cret" not in str(e.value)


def test_addresses_that_are_not_public_are_refused_unless_they_are_meant(hearing, tmp_path):
    with pytest.raises(HeadgateError, match="not a public address"):
        send(NOTICE, TargetSpec.model_validate({"webhook": hearing.url}), None, tmp_path)
    target = TargetSpec.model_validate({"webhook": {"url": "http://169.254.169.254/x", "private": True}})
    with pytest.raises(HeadgateError, match="never connected to"):
        send(NOTICE, target, None, tmp_path)
    assert hearing.heard == []


class Box:
    """Takes messages."""

    def __init__(self):
        self.messages, self.logins = [], []

    async def handle_DATA(self, server, session, envelope):
        self.messages.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"

    def login(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "cert"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def mail_server(certificate, monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "right")
    running = []

    def start(**options):
        box = Box()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate / "cert", certificate / "key")
        tls = {"tls_context": context} if options.pop("starttls", False) else {}
        port = free_port()
        server = Controller(box, "localhost", port, authenticator=box.login, **tls, **options)
        server.start()
        running.append(server)
        return box, port

    yield start
    for server in running:
        server.stop()


def mail(port, **more):
    return MailSpec.model_validate({"host": "localhost", "port": port, "from": "headgate@example.com"} | more)


LOGIN = {"user": "shop", "password": "${env:MAIL_PASSWORD}"}
TO = TargetSpec.model_validate({"email": ["ann@example.com", "bob@example.com"]})


def test_mail_goes_by_starttls_after_a_login(mail_server, certificate, tmp_path):
    box, port = mail_server(starttls=True, auth_required=True)
    send(NOTICE, TO, mail(port, ca_file=str(certificate / "cert"), **LOGIN), tmp_path)
    ((to, message),) = box.messages
    assert box.logins == [(b"shop", b"right")]
    assert to == ["ann@example.com", "bob@example.com"]
    assert message["Subject"] == "[headgate] products fails"
    assert message["Message-ID"] == "<msg_1@headgate>"
    text = message.get_content()
    assert "Run 7: failed. 1,200 read, 3 invalid." in text
    assert "TY02 price: 3" in text
    assert "headgate show 7" in text


def test_mail_is_not_sent_where_starttls_is_not_offered(mail_server, tmp_path):
    box, port = mail_server()
    with pytest.raises(HeadgateError, match="does not offer"):
        send(NOTICE, TO, mail(port), tmp_path)
    assert box.messages == []
    send(NOTICE, TO, mail(port, security="none"), tmp_path)
    assert len(box.messages) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(mail_server, tmp_path):
    box, port = mail_server(starttls=True)
    with pytest.raises(HeadgateError, match="localhost cannot be used: SSLCertVerificationError"):
        send(NOTICE, TO, mail(port, **LOGIN), tmp_path)
    assert (box.messages, box.logins) == ([], [])


def test_a_refused_login_shows_no_password(mail_server, certificate, tmp_path, monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", "wr0ng")
    _, port = mail_server(starttls=True)
    with pytest.raises(HeadgateError, match="refuses the login") as e:
        send(NOTICE, TO, mail(port, ca_file=str(certificate / "cert"), **LOGIN), tmp_path)
    assert "wr0ng" not in str(e.value)


def test_a_mail_server_that_is_away_is_told(tmp_path):
    with pytest.raises(HeadgateError, match="localhost cannot be used: ConnectionRefusedError"):
        send(NOTICE, TO, mail(9), tmp_path)
    with pytest.raises(HeadgateError, match="no mail server"):
        send(NOTICE, TO, None, tmp_path)


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")  # what apprise imports
def test_apprise_tells_whomever_it_knows(hearing, tmp_path):
    target = TargetSpec(apprise=hearing.url.replace("http://", "json://"))
    send(NOTICE, target, None, tmp_path)
    told = json.loads(hearing.heard[0][1])
    assert (told["title"], told["type"]) == ("[headgate] products fails", "failure")
    assert "Run 7: failed" in told["message"]
    hearing.status = 500
    with pytest.raises(HeadgateError, match="could not deliver"):
        send(NOTICE, target, None, tmp_path)
    with pytest.raises(HeadgateError, match="does not know") as e:
        send(NOTICE, TargetSpec(apprise="nosuch://s3cret"), None, tmp_path)
    assert "s3cret" not in str(e.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "one of webhook, email and apprise"),
        ({"webhook": "https://x", "apprise": "json://x"}, "one of webhook"),
        ({"webhook": {"url": "https://x", "secret": "plain"}}, "not written down here"),
        ({"email": "nobody"}, "no e-mail address"),
        ({"email": "a@b, c@d"}, "no e-mail address"),
    ],
)
def test_what_is_nobody_to_tell_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        TargetSpec.model_validate(given)


def test_a_password_is_a_reference_and_needs_a_secret_connection():
    with pytest.raises(ValueError, match="not written down here"):
        mail(25, user="a", password="b")
    with pytest.raises(ValueError, match="not secret"):
        mail(25, security="none", **LOGIN)
    with pytest.raises(ValueError, match="a user and a password"):
        mail(25, user="a")
