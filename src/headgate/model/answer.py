"""What a caller who waits is told of each record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .outcome import Account, Outcome
from .record import Problem
from .text import text_form


@dataclass(slots=True)
class RecordOutcome:
    """What became of one record of a request.

    Attributes:
        outcome: see `Outcome`.
        key: the key's fields and their values; empty where there is no key, or the record did not come so far.
        id: the destination's own key of the record, where it is one column: given by the destination, or a field's value.
        problems: what is wrong with a record that was refused.
        reason: why it was skipped.
        values: its fields as they were written, where they were asked for.
    """

    outcome: Outcome
    key: Mapping[str, Any] = field(default_factory=dict)
    id: Any = None
    problems: tuple[Problem, ...] = ()
    reason: str = ""
    values: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON has it; what is empty is left out."""
        found: dict[str, Any] = {"outcome": self.outcome.value}
        if self.key:
            found["key"] = {k: plain(v) for k, v in self.key.items()}
        if self.id is not None:
            found["id"] = plain(self.id)
        if self.reason:
            found["reason"] = self.reason
        if self.problems:
            found["problems"] = [problem_dict(p) for p in self.problems]
        if self.values is not None:
            found["record"] = {k: plain(v) for k, v in self.values.items()}
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RecordOutcome:
        """The outcome `as_dict` was made of; values are as JSON has them."""
        problems = tuple(
            Problem(p["code"], p["reason"], p.get("field", ""), p.get("column", ""), p.get("value"))
            for p in data.get("problems", ())
        )
        return cls(
            Outcome(data["outcome"]),
            data.get("key", {}),
            data.get("id"),
            problems,
            data.get("reason", ""),
            data.get("record"),
        )


@dataclass(slots=True)
class Answer:
    """What became of a request.

    Attributes:
        outcomes: one a record, in the order of the request.
        run: the run of the ledger in whose account they are; None for a request that wrote nothing.
        dry: nothing was written: the outcomes are what they would have been.
        repeated: the request was answered before, with this.
    """

    outcomes: list[RecordOutcome]
    run: int | None = None
    dry: bool = False
    repeated: bool = False

    @property
    def account(self) -> Account:
        """The sum of the outcomes."""
        account = Account()
        account.read = len(self.outcomes)
        for one in self.outcomes:
            account.add(one.outcome, reason=one.reason)
        return account


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers and truth as they are but for decimals, which keep their digits as text."""
    return value if value is None or isinstance(value, str | int | float | bool) else text_form(value)


def problem_dict(problem: Problem) -> dict[str, Any]:
    """A problem as JSON has it; what is empty is left out."""
    found = {"code": problem.code, "reason": problem.reason, "field": problem.field, "column": problem.column}
    return {k: v for k, v in found.items() if v} | ({} if problem.value is None else {"value": problem.value})
