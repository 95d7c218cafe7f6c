"""What tells one request from another, and how its answer is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.engine.mapped import Request
from headgate.ledger.answers import KeptAnswer
from headgate.model.answer import Answer, RecordOutcome
from headgate.model.errors import HeadgateError
from headgate.model.record import Fault


def fingerprint(records: Sequence[Any]) -> str:
    """A mark of what is asked: equal for equal records."""
    return hashlib.sha256(msgspec.json.encode(list(records), enc_hook=str, order="sorted")).hexdigest()[:32]


def body_of(records: Sequence[Any]) -> str:
    """Records as text that outlives the process."""
    return msgspec.json.encode([r.raw if isinstance(r, Fault) else r for r in records], enc_hook=str).decode()


def answer_of(request: Request) -> list[dict[str, Any]] | None:
    """What is kept of a request's answer; None where there is nothing to be kept: it was kept before, or is tried again."""
    if request.answer is not None:
        return None if request.answer.repeated else [o.as_dict() for o in request.answer.outcomes]
    if request.late and request.error is not None and not request.error.retryable:
        return [{"error": request.error.message, "hint": request.error.hint}]
    return None


def outcomes_of(kept: KeptAnswer, request: Request) -> None:
    """Answer a request with what was kept of its first answer."""
    found = kept.outcomes or []
    if found and "error" in found[0]:
        request.error = HeadgateError(found[0]["error"], hint=found[0]["hint"])
        return
    request.answer = Answer([RecordOutcome.from_dict(o) for o in found], kept.run, repeated=True)
