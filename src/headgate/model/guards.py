"""The guards of an import: how many rejects, how much writing, which totals, which columns, how unlike the last runs."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from .strict import Strict


class RejectSpec(Strict):
    """How many rejects are bearable."""

    limit: int | str | None = Field(
        None, description="Most rejects, as a number or a share (`1%`); past it the run fails and nothing is kept."
    )

    @field_validator("limit")
    @classmethod
    def _share(cls, value: int | str | None) -> int | str | None:
        return _limit(value)


def _limit(value: int | str | None, most: float | None = 100) -> int | str | None:
    if isinstance(value, str):
        if not value.endswith("%"):
            raise ValueError("a limit is a number or a share such as 1%")
        try:
            share = float(value[:-1])
        except ValueError:
            raise ValueError(f"{value!r} is not a share such as 1%") from None
        if not 0 <= share <= (most or math.inf) or math.isinf(share):
            raise ValueError("a share is between 0% and 100%" if most else "a share is 0% or more")
    elif value is not None and value < 0:
        raise ValueError("a limit is not negative")
    return value


class LimitSpec(Strict):
    """Guards against doing too much."""

    deletes: int | str | None = Field(
        None,
        description="Most deletions, as a number or a share of the records read (mirror: of the records in scope); null for no limit. "
        "Left out: `10%` for mirror, no limit otherwise.",
    )
    changes: int | str | None = Field(
        None,
        description="Most updates and deletions together, as a number or a share of the records read; null for no limit.",
    )
    creates: int | str | None = Field(
        None, description="Most records created, as a number or a share of the records read; null for no limit."
    )

    @field_validator("deletes", "changes", "creates")
    @classmethod
    def _share(cls, value: int | str | None) -> int | str | None:
        return _limit(value)


Total = int | str
Expected = Total | tuple[Total, Total]


class TotalSpec(Strict):
    """What the values of one field come to: each a value, or the least and the most (`[10, 20]`)."""

    sum: Expected | None = Field(
        None,
        description="Sum of a number; a `double` is compared at the decimals written here.",
    )
    min: Expected | None = Field(None, description="Smallest value.")
    max: Expected | None = Field(None, description="Largest value.")
    count: int | tuple[int, int] | None = Field(None, description="How many records have a value.")
    distinct: int | tuple[int, int] | None = Field(None, description="How many different values there are.")

    @model_validator(mode="after")
    def _some(self) -> TotalSpec:
        if not self.given:
            raise ValueError("give at least one of sum, min, max, count, distinct")
        return self

    @property
    def given(self) -> dict[str, tuple[Total, ...]]:
        """What is expected, by its name: one value, or the least and the most."""
        pairs = ((name, getattr(self, name)) for name in ("sum", "min", "max", "count", "distinct"))
        return {name: e if isinstance(e, tuple) else (e,) for name, e in pairs if e is not None}


class ExpectSpec(Strict):
    """Control totals: what whoever made the source says is in it."""

    rows: int | tuple[int, int] | None = Field(
        None,
        description="How many records the source has, refused and filtered ones too: a number, or the least and the most (`[400, 600]`).",
    )
    fields: dict[str, TotalSpec] = Field(
        {}, description="Totals of fields, over the records that were not refused or filtered."
    )

    @field_validator("rows")
    @classmethod
    def _range(cls, value: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
        least, most = value if isinstance(value, tuple) else (value or 0, value or 0)
        if not 0 <= least <= most:
            raise ValueError("rows is a number, or the least and the most; neither is negative")
        return value


MEASURES = ("read", "created", "updated", "unchanged", "deleted", "rejects")


class AnomalySpec(Strict):
    """How far a run may be from the median of the last ones: a number of records, or a share of the median (`50%`).

    It is judged once there are three earlier runs that were done.
    """

    read: int | str | None = Field(None, description="Records read.")
    created: int | str | None = Field(None, description="Records created.")
    updated: int | str | None = Field(None, description="Records updated.")
    unchanged: int | str | None = Field(None, description="Records that did not differ.")
    deleted: int | str | None = Field(None, description="Records deleted, or marked by mirror.")
    rejects: int | str | None = Field(None, description="Records refused.")
    runs: int = Field(10, ge=3, le=1000, description="With how many earlier runs it is compared.")
    then: Literal["warn", "stop"] = Field(
        "warn", description="What an unusual run does: it goes on with a warning, or fails and keeps nothing."
    )

    @field_validator(*MEASURES)
    @classmethod
    def _distance(cls, value: int | str | None) -> int | str | None:
        return _limit(value, most=None)

    @model_validator(mode="after")
    def _some(self) -> AnomalySpec:
        if not self.measures:
            raise ValueError(f"give at least one of {', '.join(MEASURES)}")
        return self

    @property
    def measures(self) -> dict[str, int | str]:
        """What is compared, with how far it may be off."""
        return {name: value for name in MEASURES if (value := getattr(self, name)) is not None}


class SchemaSpec(Strict):
    """What is done when the source's columns are not those that were expected; it is said before anything is written."""

    new_columns: Literal["ignore", "add", "reject"] | None = Field(
        None,
        description="Columns of the source that no field takes: leave them out, write them under their own names (the table gets the "
        "columns it lacks), or stop. Left out: they are ignored, or, of a definition without fields, refused where the table, or the first file, has no such column.",
    )
    missing_columns: Literal["reject", "null"] = Field(
        "reject",
        description="Columns that a field takes and the source does not have: stop, or every record is without the value (`default`, `blank` "
        "and `required` say what that means). A key cannot be missing.",
    )
    types: Literal["reject", "widen"] = Field(
        "reject",
        description="Values that the table's column is too small for: rejects, or the column gets a larger type of its kind.",
    )
