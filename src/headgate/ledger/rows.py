"""Runs and rejects as the ledger's rows, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from headgate.model.outcome import Account, Outcome
from headgate.model.record import Origin, Problem, Reject, State
from headgate.model.run import Kind, PartitionRead, Run, Status
from headgate.model.table import SchemaChange

from .store import Row

_encoder: Final = msgspec.json.Encoder(enc_hook=str)


class _Body(msgspec.Struct, array_like=True):
    """A reject's `body`: a JSON list, whose last entries older ones do not have."""

    file: str
    sheet: str
    row: int | None
    line: int | None
    problems: list[tuple[str, str, str, str, str | None]]
    raw: dict[str, str | None]
    mended: str = ""
    until: int | None = None


_body: Final = msgspec.json.Decoder(_Body)
_partitions: Final = msgspec.json.Decoder(list[PartitionRead])
_schema_changes: Final = msgspec.json.Decoder(list[SchemaChange])
_texts: Final = msgspec.json.Decoder(list[str])
_anything: Final = msgspec.json.Decoder(dict[str, Any])


def to_json(value: object) -> str:
    """JSON text; what JSON has no word for (paths, dates) becomes text, and half a character pair its escape."""
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return _encoder.encode(_whole(msgspec.to_builtins(value, enc_hook=str))).decode()


def to_text(text: str) -> str:
    """The same with what a database cannot hold written as escapes: lone surrogates (file names may have them), NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _whole(value: object) -> object:
    if isinstance(value, str):
        return to_text(value)
    if isinstance(value, dict):
        return {_whole(k): _whole(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(v) for v in value]
    return value


def account_json(account: Account) -> str:
    """The account as it is stored."""
    return to_json(account.as_dict())


def time_text(at: datetime) -> str:
    """A time as it is stored: UTC, microseconds, always of one length."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00"


def run_row(run: Run) -> list[object]:
    """The values of `statements.RUN_COLUMNS`."""
    return [
        run.id,
        to_text(run.import_name),
        run.kind.value,
        to_text(run.operation),
        to_text(run.destination),
        to_text(run.fingerprint),
        run.plan_id,
        run.parent_id,
        run.status.value,
        account_json(run.account),
        to_json(run.partitions),
        to_json(run.schema_changes),
        to_json(run.warnings),
        to_text(run.error),
        time_text(run.started.astimezone(UTC)),
        time_text(run.finished.astimezone(UTC)) if run.finished else None,
        to_text(run.base),
        to_text(run.lease),
        run.fence,
        run.checkpoint,
        int(run.in_doubt),
    ]


def run_of(row: Row) -> Run:
    """A run from the columns `statements.RUN_COLUMNS`."""
    id_, import_name, kind, operation, destination, fingerprint, plan_id, parent_id, status, *rest = row
    (
        account,
        partitions,
        schema_changes,
        warnings,
        error,
        started,
        finished,
        base,
        lease,
        fence,
        checkpoint,
        in_doubt,
    ) = rest
    return Run(
        import_name=import_name,
        kind=Kind(kind),
        operation=operation,
        destination=destination,
        fingerprint=fingerprint,
        started=datetime.fromisoformat(started),
        id=id_,
        plan_id=plan_id,
        parent_id=parent_id,
        status=Status(status),
        account=Account.from_dict(_anything.decode(account)),
        partitions=_partitions.decode(partitions),
        schema_changes=_schema_changes.decode(schema_changes),
        warnings=_texts.decode(warnings),
        error=error,
        finished=datetime.fromisoformat(finished) if finished else None,
        base=base,
        lease=lease,
        fence=fence,
        checkpoint=checkpoint,
        in_doubt=bool(in_doubt),
    )


def reject_body(reject: Reject) -> str:
    """A reject's `body`."""
    origin = reject.origin
    problems = [(p.code, p.reason, p.field, p.column, p.value) for p in reject.problems]
    body = _Body(origin.file, origin.sheet, origin.row, origin.line, problems, reject.raw, origin.mended, origin.until)
    return to_json(body)


def reject_of(row: Row) -> Reject:
    """A reject from the columns `statements.REJECT_COLUMNS`."""
    number, outcome, body, state, fixed_by = row
    b = _body.decode(body)
    return Reject(
        number,
        Outcome(outcome),
        tuple(Problem(*p) for p in b.problems),
        b.raw,
        Origin(b.file, b.sheet, b.row, b.line, b.mended, b.until),
        State(state),
        fixed_by,
    )
