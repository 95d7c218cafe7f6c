"""Writing down who did what."""

from __future__ import annotations

from collections.abc import Mapping

from headgate.ledger.access import AccessLedger
from headgate.model.access import Entry

from .access import Principal
from .context import Context


def audit(
    context: Context,
    principal: Principal,
    action: str,
    subject: object,
    detail: Mapping[str, object] | None = None,
    *,
    result: str = "done",
) -> None:
    """Write one entry of the audit log. It waits for the ledger: an endpoint calls it in a thread
    (``await run_in_threadpool(audit, …)``).

    Args:
        principal: who did it; what does things by itself names itself (``Principal("schedule nightly", Role.OPERATOR)``).
        action: the kind of thing, and the verb: ``run.start``, ``trigger.pause``.
        subject: what it was done to, by its name or number.
        detail: what else there is to know; no secrets, no values of records.
        result: ``done``, or why not, in a word.
    """
    entry = Entry(principal.actor, action, str(subject), result, detail or {})
    AccessLedger(context.project.ledger.store()).enter(entry)
