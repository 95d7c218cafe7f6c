"""Limits that stop a run before anything of it is kept."""

from __future__ import annotations

from headgate.model.errors import LimitExceeded
from headgate.model.outcome import Account
from headgate.model.spec import ImportSpec
from headgate.model.write import Matched, Operation


def allowed(limit: int | str, total: int) -> int:
    """How many a limit lets pass: the number itself, or the share of `total`, rounded down."""
    if isinstance(limit, str):
        return int(float(limit[:-1]) * total / 100)
    return limit


def kept(spec: ImportSpec) -> str:
    """What is at the destination after a run that did not come to its end, for people."""
    return "nothing was kept" if spec.commit == "run" else "the batches committed before are kept"


def check_rejects(spec: ImportSpec, account: Account, *, finished: bool) -> None:
    """Stop when there are more rejects than the definition bears.

    Args:
        finished: everything was read; a share can only be judged then.

    Raises:
        LimitExceeded: with the numbers.
    """
    limit = spec.rejects.limit
    if limit is None or (isinstance(limit, str) and not finished):
        return
    if account.rejects > allowed(limit, account.read):
        raise LimitExceeded(
            f"{account.rejects:,} of {account.read:,} records were refused, more than rejects.limit: {limit}; {kept(spec)}",
            hint="Look at the rejects, mend the source or the definition, or raise the limit.",
        )


def check_mirror(spec: ImportSpec, matched: Matched) -> None:
    """Stop a mirror that would delete more than the definition lets it.

    Raises:
        LimitExceeded: with the numbers.
    """
    limit = spec.limits.deletes
    if spec.operation is not Operation.MIRROR or limit is None:
        return
    deletes = matched.account.mirror_deleted
    if deletes > allowed(limit, matched.in_scope):
        raise LimitExceeded(
            f"mirror would delete {deletes:,} of {matched.in_scope:,} records, more than limits.deletes: {limit}; nothing was kept",
            hint="If that is right, raise limits.deletes for this run (null for no limit).",
        )
