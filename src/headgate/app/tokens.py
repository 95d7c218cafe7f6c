"""Texts that let somebody in: made at random, told from typing errors by a checksum, kept nowhere."""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib
from typing import Final

PREFIX: Final = "hg_"
"""What every token begins with, so that scanners of repositories and logs know one."""
_RANDOM_BYTES: Final = 32
_RANDOM_CHARACTERS: Final = 43
_SUM_CHARACTERS: Final = 6


def new_token() -> str:
    """A new token: the prefix, 256 random bits, and a checksum."""
    random = secrets.token_urlsafe(_RANDOM_BYTES)
    return PREFIX + random + _sum(random)


def new_session() -> str:
    """What the browser of somebody who signs in is given."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def digest_of(text: str | bytes) -> str:
    """Under what a text is known: nobody can find the text from it, as it is random and long."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def is_whole(text: str) -> bool:
    """Whether a text can be a token at all: of the right length, with the right checksum."""
    random, check = text[len(PREFIX) : -_SUM_CHARACTERS], text[-_SUM_CHARACTERS:]
    return text.startswith(PREFIX) and len(random) == _RANDOM_CHARACTERS and check == _sum(random)


def _sum(random: str) -> str:
    number = zlib.crc32(random.encode("utf-8", "replace"))
    return base64.urlsafe_b64encode(number.to_bytes(4, "big")).decode()[:_SUM_CHARACTERS]
