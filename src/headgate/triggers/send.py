"""How somebody is told: by a post to an address, by e-mail, or through apprise.

Addresses and secrets are looked up when they are used, and stand in no message, no error and no ledger.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from headgate.app.references import resolve
from headgate.ledger.triggers import Notice
from headgate.model.errors import ConnectionFailed, HeadgateError, UsageError
from headgate.model.triggers import MailSpec, TargetSpec, WebhookTarget

SECONDS: Final = 15.0
"""How long an answer is waited for."""


def send(notice: Notice, target: TargetSpec, mail: MailSpec | None, base: Path) -> None:
    """Tell somebody.

    Args:
        base: folder that references to files start from.

    Raises:
        HeadgateError: it could not be; the message has no secrets.
    """
    if target.webhook is not None:
        _post(notice, target.webhook, base)
    elif target.email is not None:
        if mail is None:
            raise UsageError("no mail server is named", hint="Write mail: in headgate.yaml.")
        _mail(notice, target.email, mail, base)
    else:
        _apprise(notice, str(target.apprise), base)


def _post(notice: Notice, target: WebhookTarget, base: Path) -> None:
    try:
        import urllib3

        from headgate.spi.address import pools
    except ImportError:
        raise UsageError("posting needs more than is installed", hint="pip install 'headgate[server]'") from None
    url = str(resolve(target.url, base, "notify: webhook"))
    if not url.startswith(("https://", "http://")):
        raise UsageError("the address of a webhook begins with https:// or http://")
    body = json.dumps(notice.body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "headgate"}
    if target.secret is not None:
        headers |= signed(str(resolve(target.secret, base, "notify: secret")), notice.id, datetime.now(UTC), body)
    host = urllib3.util.parse_url(url).host
    try:
        with pools(private=target.private, ca=None) as manager:
            answer = manager.request(
                "POST", url, body=body, headers=headers, redirect=False, retries=False, timeout=SECONDS
            )
    except urllib3.exceptions.HTTPError as e:
        # The error's own text may have the address, and that a secret.
        raise ConnectionFailed(f"{host} cannot be reached: {type(e).__name__}", hint="Check the URL.") from None
    if not 200 <= answer.status < 300:
        raise ConnectionFailed(f"{host} answered {answer.status}")


def signed(secret: str, number: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows a message, as Standard Webhooks has them."""
    seconds = str(int(at.timestamp()))
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise UsageError("a secret that begins with whsec_ goes on in Base64") from None
    found = hmac.new(key, f"{number}.{seconds}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(found).decode()}"
    return {"webhook-id": number, "webhook-timestamp": seconds, "webhook-signature": signature}


def _mail(notice: Notice, to: list[str], mail: MailSpec, base: Path) -> None:
    message = EmailMessage()
    subject, text = words(notice.body)
    message["From"], message["To"], message["Subject"] = mail.sender, ", ".join(to), subject
    message["Message-ID"] = f"<{notice.id}@headgate>"
    message["Date"] = notice.created
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        context = ssl.create_default_context(cafile=str(base / mail.ca_file) if mail.ca_file else None)
        with _connected(mail, context) as client:
            if mail.security == "starttls":
                client.starttls(context=context)
            if mail.user is not None:
                user, password = (resolve(v, base, "mail") for v in (mail.user, mail.password))
                client.login(str(user), str(password))
            client.send_message(message)
    except smtplib.SMTPNotSupportedError:
        raise ConnectionFailed(
            f"{mail.host} does not offer what mail says: {mail.security}, and a login where there is one",
            hint="Correct mail: in headgate.yaml.",
        ) from None
    except smtplib.SMTPAuthenticationError as e:
        raise ConnectionFailed(
            f"{mail.host} refuses the login ({e.smtp_code})", hint="Check user and password."
        ) from None
    except smtplib.SMTPResponseException as e:
        raise ConnectionFailed(f"{mail.host} refuses the message ({e.smtp_code})") from None
    except smtplib.SMTPRecipientsRefused:
        raise ConnectionFailed(f"{mail.host} refuses all recipients") from None
    except (OSError, smtplib.SMTPException) as e:
        raise ConnectionFailed(
            f"{mail.host} cannot be used: {type(e).__name__}", hint="Check mail: in headgate.yaml."
        ) from None


def _connected(mail: MailSpec, context: ssl.SSLContext) -> smtplib.SMTP:
    if mail.security == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port or 465, timeout=SECONDS, context=context)
    return smtplib.SMTP(mail.host, mail.port or 587, timeout=SECONDS)


def _apprise(notice: Notice, url: str, base: Path) -> None:
    try:
        import apprise
    except ImportError:
        raise UsageError("apprise is not installed", hint="pip install 'headgate[apprise]'") from None
    subject, text = words(notice.body)
    kind = {"failure": "failure", "rejects": "warning", "recovery": "success"}[notice.event]
    told: Any = apprise.Apprise()
    if not told.add(str(resolve(url, base, "notify: apprise"))):
        raise UsageError("apprise does not know this kind of URL", hint="Correct notify: in the definition.")
    try:
        done = told.notify(title=subject, body=text, notify_type=kind)
    except Exception as e:  # noqa: BLE001 - plugins of strangers raise what they like
        raise HeadgateError(f"apprise failed: {type(e).__name__}") from None
    if not done:
        raise ConnectionFailed("apprise could not deliver it")


def words(body: Mapping[str, Any]) -> tuple[str, str]:
    """A notice for people: one line, and the whole."""
    data = body["data"]
    name, run = data["import"], data.get("run")
    first = {"failure": f"{name} fails", "rejects": f"{name} has rejects", "recovery": f"{name} is well again"}
    lines = [first[data["event"]] + "."]
    if run is not None:
        account = data["account"]
        counts = ", ".join(f"{n:,} {k}" for k, n in account.items() if n)
        lines += ["", f"Run {run}: {data['status']}. {counts or 'Nothing was read'}."]
        lines += [f"  {r['code']} {r['field']}: {r['records']:,}".rstrip() for r in data.get("rejects", ())]
        lines += ["", data.get("url") or f"headgate show {run} has the details."]
    else:
        lines += [
            "",
            f"It cannot be run: {data['trouble']}.",
            "",
            data.get("url") or "headgate triggers has the details.",
        ]
    return f"[headgate] {first[data['event']]}", "\n".join(lines) + "\n"
