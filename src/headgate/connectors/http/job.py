"""What a connection says of jobs: many records in one file, which the API works through by itself."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from headgate.model.strict import Scalar, Strict


class StepSpec(Strict):
    """One step of a job. Templates name what the API says of the job (`/jobs/{id}`)."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(description="Method.")
    path: str = Field(description="Path from the connection's URL.")
    body: Any = Field(None, description="Body, as JSON; the file's own step has none.")


class ResultSpec(Strict):
    """One of the files that say what became of the records: their columns, and more."""

    path: str = Field(description="Path of the file.")
    what: Literal["done", "refused", "undone"] = Field(description="What became of the records in it.")
    id: str | None = Field(None, description="Column with the API's own id.")
    created: str | None = Field(None, description="Column that is true where an upsert has created the record.")
    reason: str | None = Field(None, description="Column with the reason of a refusal.")
    pattern: str | None = Field(
        None, description="Regular expression of a reason, with the groups `code`, `message` and `field`."
    )

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            re.compile(value)
        return value


class JobSpec(Strict):
    """How records are handed over as a CSV file. The endpoint's own request makes the job, which does nothing before it is closed."""

    upload: StepSpec = Field(description="Hands the file over.")
    close: StepSpec = Field(description="Says that it is whole, and has the API begin.")
    abort: StepSpec = Field(description="Gives the job up.")
    state: str = Field(description="Path at which the job is asked about.")
    open: dict[str, Scalar | list[Scalar]] = Field(description="What a job has that was not closed, by path.")
    done: dict[str, Scalar | list[Scalar]] = Field(description="What it has when it is at its end, well or not.")
    message: str = Field(description="Path at which it says why it ended early.")
    results: list[ResultSpec] = Field(min_length=1, description="The files that say what became of the records.")
    own: str = Field(description="Column of the API's own id, for records that are there.")
    clear: str = Field("", description="What stands for no value, where an empty one changes nothing.")
    again: list[str] = Field([], description="Codes of refusals that may well be none the next time.")
    missing: list[str] = Field([], description="Codes of refusals of records that are not there any more.")
    most_bytes: int = Field(100_000_000, ge=1, description="Largest file.")
    every: float = Field(2, gt=0, description="Seconds between two questions.")
    wait: float = Field(86_400, gt=0, description="Seconds after which the run ends; the next one asks on.")
