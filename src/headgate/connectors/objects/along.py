"""What goes along with a file's content into a bucket, and what a bucket says of it: times of change, and metadata.

A bucket keeps no time but the one at which an object was put. The file's own is metadata of the name ``mtime``, in the form
that rclone uses for that kind of bucket, so that each of both knows what the other has put.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from headgate.spi.store import HEADERS, Sending

MTIME: Final = "mtime"
_SECONDS: Final = re.compile(r"-?\d{1,10}(\.\d+)?", re.ASCII)
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NANOSECONDS: Final = 1_000_000_000
# What says how the bucket stores it rather than what it is, and what goes along by itself.
_OURS: Final = ("storage-class", MTIME)


def attributes(to: str, how: Sending, scheme: str) -> dict[str, str]:
    """All that an object is put with, by the names of `HEADERS`; every other name is its user metadata.

    Args:
        scheme: of the bucket's URL.
    """
    found = {"Content-Type": mimetypes.guess_type(to)[0] or "application/octet-stream"}
    for name, value in how.metadata.items():
        found[name if name in HEADERS else _named(name, scheme)] = value
    if how.modified_ns is not None:
        found[MTIME] = _written(how.modified_ns, scheme)
    return found


def metadata(said: Mapping[str, str]) -> dict[str, str]:
    """What of an object's attributes goes along to another one."""
    return {name: value for name, value in said.items() if name.lower() not in _OURS}


def modified_ns(said: Mapping[str, str], put: datetime) -> int:
    """When the file changed that an object is a copy of, or, where it does not say so, when the object was put."""
    own = _read(said.get(MTIME, ""))
    return nanoseconds(put) if own is None else own


def nanoseconds(at: datetime) -> int:
    """A moment as nanoseconds since 1970."""
    return int(at.replace(microsecond=0).timestamp()) * _NANOSECONDS + at.microsecond * 1_000


def _named(name: str, scheme: str) -> str:
    """User metadata's name; Azure's are identifiers."""
    return re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII) if scheme.startswith("az") else name


def _written(at: int, scheme: str) -> str:
    seconds, rest = divmod(at, _NANOSECONDS)
    if scheme.startswith("s3"):
        return f"{Decimal(at).scaleb(-9):f}".rstrip("0").rstrip(".") if rest else str(seconds)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _read(text: str) -> int | None:
    """A time as rclone writes it; None for what is none."""
    if _SECONDS.fullmatch(text):
        return int(Decimal(text).scaleb(9))
    if found := _MOMENT.fullmatch(text):
        whole, fraction, zone = found.groups()
        try:
            at = datetime.fromisoformat(whole + zone)
        except ValueError:
            return None
        return int(at.timestamp()) * _NANOSECONDS + int(Decimal(fraction or 0).scaleb(9))
    return None
