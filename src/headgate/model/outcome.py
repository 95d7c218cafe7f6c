"""What can become of a record, and the account that must balance."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from .errors import NotBalanced


class Outcome(StrEnum):
    """What became of one record read. Exactly one per record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    SKIPPED = "skipped"
    INVALID = "invalid"
    REJECTED = "rejected"
    HELD = "held"
    UNKNOWN = "unknown"


REJECTS = (Outcome.INVALID, Outcome.REJECTED, Outcome.HELD, Outcome.UNKNOWN)


class Account:
    """Counts of a run (or of one batch): `read` on one side, the outcomes on the other.

    Attributes:
        read: records read from the source.
        outcomes: how many records ended in each outcome.
        skips: how many were skipped, by reason (``filter``, ``duplicate``, ``existing``, ``missing``).
        mirror_deleted: destination records deleted (or marked) by mirror because the source has them no more;
            they are no records of the source and so are counted apart.
    """

    def __init__(self) -> None:
        self.read = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.skips: Counter[str] = Counter()
        self.mirror_deleted = 0

    def add(self, outcome: Outcome, count: int = 1, *, reason: str = "") -> None:
        """Count `count` records under `outcome`; a skip needs its reason."""
        if count:
            self.outcomes[outcome] += count
        if outcome is Outcome.SKIPPED and count:
            self.skips[reason] += count

    def merge_outcomes(self, other: Account) -> None:
        """Add every outcome `other` counted; what was read is counted by whoever read it."""
        self.outcomes.update(other.outcomes)
        self.skips.update(other.skips)
        self.mirror_deleted += other.mirror_deleted

    @property
    def rejects(self) -> int:
        """Records that did not get through and need somebody's attention."""
        return sum(self.outcomes[o] for o in REJECTS)

    @property
    def balance(self) -> int:
        """Records read less records with an outcome; zero when nothing is unaccounted for."""
        return self.read - sum(self.outcomes.values())

    def check(self, what: str) -> None:
        """Refuse an account that does not balance.

        Raises:
            NotBalanced: naming both sides.
        """
        if self.balance or sum(self.skips.values()) != self.outcomes[Outcome.SKIPPED]:
            raise NotBalanced(
                f"{what} does not balance: {self.read} read, {dict(self.outcomes)}, skips {dict(self.skips)}"
            )

    def as_dict(self) -> dict[str, object]:
        """The account as JSON shows it: every outcome, zero or not, in the order of the words."""
        return {
            "read": self.read,
            **{o.value: self.outcomes[o] for o in Outcome},
            "mirror_deleted": self.mirror_deleted,
            "skips": dict(self.skips),
            "balance": self.balance,
        }

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Account:
        """The account `as_dict` was made of."""
        account = cls()
        account.read = int(str(data["read"]))
        for o in Outcome:
            if n := int(str(data.get(o.value, 0))):
                account.outcomes[o] = n
        skips = data.get("skips")
        account.skips.update({str(k): int(v) for k, v in skips.items()} if isinstance(skips, dict) else {})
        account.mirror_deleted = int(str(data.get("mirror_deleted", 0)))
        return account
