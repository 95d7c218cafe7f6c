"""Folding rows that follow each other into one record, as definitions write it (`source.group`)."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from .strict import Strict


class GroupSpec(Strict):
    """Rows that follow each other become one record with a list of lines: the inverse of `explode`."""

    by: list[str] | None = Field(
        None,
        min_length=1,
        description="Columns that all rows of a record have in common (`order_no`). What is not taken into the lines must be the same in all of them.",
    )
    header: str | None = Field(
        None,
        description="In place of `by`: which rows are headers (`type = 'H'`); the rows up to the next one are its lines.",
    )
    as_: str = Field(alias="as", min_length=1, description="Name of the column with the list of lines, as JSON.")
    take: list[str] | dict[str, str] | None = Field(
        None,
        min_length=1,
        description="What a line has: columns, or names with the column of each (`{ sku: b, qty: c }`). By default all columns, but those of `by`.",
    )
    numbers: list[str] = Field(
        [],
        description="Which of them are written as numbers, digit by digit, where the source has text; a line in which one is none makes the record a reject [RD14].",
    )
    max_rows: int = Field(
        100_000,
        ge=1,
        description="Most rows of one record; one with more is a reject [RD13], as is one beyond `max_record`.",
    )

    @field_validator("by", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_way(self) -> GroupSpec:
        if (self.by is None) == (self.header is None):
            raise ValueError("group has either by or header")
        if self.take is not None:
            if lost := [n for n in self.numbers if n not in self.take]:
                raise ValueError(f"numbers names {lost[0]!r}, which is not in take")
            taken = self.take if isinstance(self.take, list) else list(self.take.values())
            if lost := [c for c in self.by or () if c in taken]:
                raise ValueError(f"{lost[0]!r} is in by, which every line has in common, and so not in take")
        return self
