"""Limits that stop a run before anything of it is kept."""

from __future__ import annotations

from headgate.model.counting import counted
from headgate.model.errors import LimitExceeded
from headgate.model.outcome import Account, Outcome
from headgate.model.spec import ImportSpec
from headgate.model.write import Matched, Operation


def allowed(limit: int | str, total: int) -> int:
    """How many a limit lets pass: the number itself, or the share of `total`, rounded down."""
    if isinstance(limit, str):
        return int(float(limit[:-1]) * total / 100)
    return limit


def kept(spec: ImportSpec) -> str:
    """What is at the destination after a run that did not come to its end, for people."""
    if spec.moves_files:
        return "what was sent before is kept"
    return "nothing was kept" if spec.commit == "run" else "the batches committed before are kept"


def check_rejects(spec: ImportSpec, account: Account, *, finished: bool, stays: str = "") -> None:
    """Stop when there are more rejects than the definition bears.

    Args:
        finished: everything was read; a share can only be judged then.
        stays: what is at the destination then, for people; by default what the definition's commits leave.

    Raises:
        LimitExceeded: with the numbers.
    """
    limit = spec.rejects.limit
    if limit is None or (isinstance(limit, str) and not finished):
        return
    if account.rejects > allowed(limit, account.read):
        raise LimitExceeded(
            f"{account.rejects:,} of {account.read:,} records were refused, more than rejects.limit: {limit}; {stays or kept(spec)}",
            hint="Look at the rejects, mend the source or the definition, or raise the limit.",
        )


def check_expected(spec: ImportSpec, account: Account) -> None:
    """Stop when the source, read to its end, does not have as many records as the definition expects.

    Raises:
        LimitExceeded: with both numbers.
    """
    rows = spec.expect.rows
    if rows is None:
        return
    least, most = rows if isinstance(rows, tuple) else (rows, rows)
    if not least <= account.read <= most:
        wanted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        raise LimitExceeded(
            f"the source has {counted(account.read, 'record')}, and expect.rows is {wanted}; {kept(spec)}",
            hint="Ask whoever made the source whether it is whole. If it is, change expect.rows.",
        )


def together(account: Account, matched: Matched) -> Account:
    """The run's account as it will be when what was matched is written."""
    both = Account.from_dict(account.as_dict())
    both.merge_outcomes(matched.account)
    return both


def check_writes(spec: ImportSpec, account: Account, in_scope: int) -> None:
    """Stop a run that would write more than the definition lets it.

    Args:
        account: what the run did and is about to do; shares are of its `read`, except for mirror's deletions.
        in_scope: of mirror: how many destination records are in its charge.

    Raises:
        LimitExceeded: with the numbers.
    """
    done = account.outcomes
    deletes = done[Outcome.DELETED] + account.mirror_deleted
    mirror = spec.operation is Operation.MIRROR
    who, total = ("mirror", in_scope) if mirror else ("the run", account.read)
    _check(spec, "deletes", spec.limits.deletes, f"{who} would delete", deletes, total)
    changes = done[Outcome.UPDATED] + deletes
    _check(spec, "changes", spec.limits.changes, "the run would change or delete", changes, account.read)
    _check(spec, "creates", spec.limits.creates, "the run would create", done[Outcome.CREATED], account.read)


def _check(spec: ImportSpec, name: str, limit: int | str | None, what: str, count: int, total: int) -> None:
    if limit is None or count <= allowed(limit, total):
        return
    of = "" if count > total else f" of {total:,}"  # mirror may delete more than there are records in the source
    raise LimitExceeded(
        f"{what} {count:,}{of} records, more than limits.{name}: {limit}; {kept(spec)}",
        hint=f"If that is right, raise limits.{name} for this run (null for no limit).",
    )
