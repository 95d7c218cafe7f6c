"""The grounds on which matching turns records away, worded once for every SQL database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headgate.model.outcome import Outcome
from headgate.model.write import Refusal


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a record gets no further.

    Attributes:
        outcome: of a record that is refused for it.
        code: a code of `headgate.model.codes`.
        words: the reason; ``{key}`` stands for the key's fields.
        skip: the reason's name where such records are skipped instead.
    """

    outcome: Outcome
    code: str
    words: str
    skip: str = ""

    def refusal(self, number: int, key: tuple[str, ...]) -> Refusal:
        """A record refused for it."""
        return Refusal(number, self.outcome, self.code, self._reason(key), key[0] if len(key) == 1 else "")

    def skipped(self, number: int, key: tuple[str, ...]) -> Refusal:
        """A record skipped for it."""
        return Refusal(number, Outcome.SKIPPED, self.skip, self._reason(key))

    def _reason(self, key: tuple[str, ...]) -> str:
        return self.words.format(key=" and ".join(key))


REPEATED: Final = Ground(Outcome.INVALID, "KY02", "an earlier record of the run has the same {key}")
DUPLICATE: Final = Ground(Outcome.SKIPPED, "", "another record of the run has the same {key} and counts", "duplicate")
EXISTING: Final = Ground(Outcome.REJECTED, "KY03", "the destination already has a record with this {key}", "existing")
MISSING: Final = Ground(Outcome.REJECTED, "KY04", "the destination has no record with this {key}", "missing")
AMBIGUOUS: Final = Ground(Outcome.REJECTED, "KY05", "the destination has several records with this {key}")
HELD: Final = Ground(Outcome.HELD, "HE01", "the destination's record is no longer what it was when the plan was made")
