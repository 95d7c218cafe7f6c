"""Certificate and key, looked at before the server begins."""

from __future__ import annotations

import ssl

from headgate.model.errors import UsageError


def check(certfile: str, keyfile: str | None) -> None:
    """See that a certificate and its key can be used.

    Raises:
        UsageError: they cannot, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = keyfile or certfile
    try:
        context.load_cert_chain(certfile, keyfile, password=_no_password)
    except ssl.SSLError as e:
        raise _told(e, certfile, key) from None
    except OSError as e:
        raise UsageError(
            f"{certfile} or {key} cannot be read: {e.strerror}", hint="Allow this user reading both."
        ) from None


def _no_password() -> str:
    raise UsageError(
        "the key is protected by a password, and nobody is here to type it",
        hint="Write it without one: openssl pkey -in KEY -out PLAIN.",
    )


def _told(error: ssl.SSLError, certfile: str, key: str) -> UsageError:
    if error.reason == "KEY_VALUES_MISMATCH":
        return UsageError(
            f"{key} is not the key of the certificate in {certfile}", hint="Give the key that it was made with."
        )
    if error.reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
        return UsageError(
            f"the certificate in {certfile} is too weak", hint="Make one with a key of 2048 bits or more."
        )
    return UsageError(
        f"{certfile} and {key} are no certificate and key in PEM ({error.reason or error})",
        hint="The certificate begins with -----BEGIN CERTIFICATE-----; --keyfile names its key if that is elsewhere.",
    )
