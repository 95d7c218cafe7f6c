"""Passwords: kept as scrypt hashes that say how they were made."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata
from typing import Final

from headgate.model.errors import UsageError

# OWASP's Password Storage Cheat Sheet counts N = 2^15, r = 8, p = 3 as good as N = 2^17, p = 1, its least for scrypt: a quarter
# of the memory (32 MiB) for as much work.
_N: Final = 1 << 15
_R: Final = 8
_P: Final = 3
_SALT_BYTES: Final = 16
# NIST SP 800-63B-4 asks for 15 characters where a password is all there is.
SHORTEST: Final = 15
LONGEST: Final = 256


def hash_of(password: str) -> str:
    """What is kept of a password.

    Raises:
        UsageError: it is too short or too long.
    """
    password = _normal(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(
            f"the password has {len(password)} characters; it must have {SHORTEST} to {LONGEST}",
            hint="Some words with spaces between them make a good one.",
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt${_N}${_R}${_P}${_base64(salt)}${_base64(_scrypt(password, salt, _N, _R, _P))}"


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is the one of which this was kept. It takes as long when nothing was kept (there is no such user)."""
    kind, n, r, p, salt, key = (kept or _NOBODY).split("$")
    assert kind == "scrypt"
    found = _scrypt(_normal(password)[:LONGEST], base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(key)) and kept is not None


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    memory = 128 * r * (n + p + 2)
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, n=n, r=r, p=p, maxmem=2 * memory, dklen=32)


def _normal(password: str) -> str:
    """The same text from every keyboard."""
    return unicodedata.normalize("NFC", password)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_NOBODY: Final = f"scrypt${_N}${_R}${_P}${_base64(bytes(_SALT_BYTES))}${_base64(bytes(32))}"
