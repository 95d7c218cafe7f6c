"""Reading only what is new: how definitions write it, and where a run begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from pydantic import Field, field_validator

from .strict import Strict

WATERMARK = "watermark"
"""The finding with the highest value of an incremental source's column; the next run begins there."""

STATE = "state"
"""The finding with what a source that keeps account itself of what is new wants to be told by the next run."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Since:
    """Where an incremental source goes on.

    Attributes:
        value: the highest of the last run, as the source gave it.
        ties: whether records with just that value are read again, because more of them may have come.
    """

    value: str | int | float
    ties: bool = True


class IncrementalSpec(Strict):
    """Reading only what is new or changed since the last run, by a column that grows."""

    column: str = Field(description="Column whose values grow: when a record was changed, or a number that only rises.")
    start: str | int | float | None = Field(
        None, description="Where the first run begins, this value included; by default with all records."
    )
    overlap: str | int | None = Field(
        None,
        description="How far behind the highest value of the last run the next one begins, so that what was committed late is not missed: `90s`, `15m`, `6h`, `2d`, or a number for numbers.",
    )

    @field_validator("overlap")
    @classmethod
    def _distance(cls, value: str | int | None) -> str | int | None:
        if isinstance(value, str):
            seconds_of(value)
        elif value is not None and value < 0:
            raise ValueError("an overlap is not negative")
        return value


def seconds_of(duration: str) -> int:
    """Seconds of a duration as definitions write it (``90s``, ``15m``, ``6h``, ``2d``).

    Raises:
        ValueError: it is none.
    """
    m = re.fullmatch(r"(\d+)\s*([smhd])", duration.strip())
    if m is None:
        raise ValueError(f"{duration!r} is no duration; write 90s, 15m, 6h or 2d")
    return int(m[1]) * _SECONDS[m[2]]


def before(value: str | float, overlap: str | int | None) -> str | int | float:
    """A value so much earlier, written as it was; times to the microsecond, rounded to the earlier.

    Args:
        value: a number, or a date or time as ISO 8601 writes it, its parts separated by ``T`` or a blank.

    Raises:
        ValueError: it is neither, or the overlap is of the other kind.
    """
    if overlap is None:
        return value
    if isinstance(overlap, str):
        text = str(value)
        try:
            moment = datetime.fromisoformat(text) - timedelta(seconds=seconds_of(overlap))
        except OverflowError:
            return "0001-01-01"
        except ValueError:
            raise ValueError(f"{text!r} is no date or time, of which {overlap} could be taken") from None
        if len(text) == len("2024-12-31"):
            return str(moment.date())
        shown = moment.isoformat(sep="T" if "T" in text else " ")
        return f"{shown.removesuffix('+00:00')}Z" if text.endswith("Z") else shown
    if not isinstance(value, str):
        return value - overlap
    try:
        return str(Decimal(value) - overlap)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number, of which {overlap} could be taken") from None
