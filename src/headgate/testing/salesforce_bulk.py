"""Bulk API 2.0 ingest as Salesforce's documentation describes it, for tests (`headgate.testing.salesforce`)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from .simulated import Answer

Record = dict[str, Any]
Write = Callable[[str, str, Record, str], tuple[str, bool]]
_ENDED: Final = ("JobComplete", "Failed", "Aborted")
_OPERATIONS: Final = ("insert", "update", "upsert", "delete")


class RefusedError(Exception):
    """What Salesforce refuses.

    Args:
        code: its word for that (``REQUIRED_FIELD_MISSING``).
        fields: that it is about.
        status: of the whole answer, where it is about the request.
    """

    def __init__(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.fields, self.status = code, message, list(fields), status


@dataclass(slots=True)
class Job:
    """A job.

    Attributes:
        told: what it was made with.
        rows: of its file; None before there is one.
        done, failed: rows with what is said of them.
        at: how many rows were looked at.
    """

    id: str
    told: Record
    state: str = "Open"
    columns: list[str] = field(default_factory=list)
    rows: list[dict[str, str]] | None = None
    done: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    at: int = 0
    error: str = ""

    def info(self) -> Record:
        """As it is told."""
        more = {"errorMessage": self.error} if self.error else {}
        counts = {"numberRecordsProcessed": self.at, "numberRecordsFailed": len(self.failed)}
        return {"id": self.id, "state": self.state, **self.told, **counts, **more}


class Bulk:
    """Jobs. Each question about one that was closed finds it further on.

    Args:
        types: gives the types of a kind's fields.
        write: carries out an operation on a record of a kind, with the external id's field: its id, and whether it was made.

    Attributes:
        jobs: in the order in which they were made.
        held: jobs stay half done while this is so.
        fails_after: a job fails after so many rows.
        most_bytes: of a file.
    """

    def __init__(self, types: Callable[[str], dict[str, str]], write: Write) -> None:
        self._types, self._write = types, write
        self.jobs: list[Job] = []
        self.held = False
        self.fails_after: int | None = None
        self.most_bytes = 150_000_000

    def answer(self, method: str, rest: Sequence[str], body: Any) -> Answer:
        """What a request below `/jobs/ingest` is answered with."""
        if method == "POST" and not rest:
            return 200, {}, self._make(body).info()
        job = next((j for j in self.jobs if rest and j.id == rest[0]), None)
        match method, list(rest[1:]):
            case _ if job is None:
                raise RefusedError("NOT_FOUND", "The requested resource does not exist", status=404)
            case "PUT", ["batches"]:
                self._take(job, body)
                return 201, {}, None
            case "PATCH", []:
                self._become(job, body.get("state", ""))
                return 200, {}, job.info()
            case "GET", []:
                self._go_on(job)
                return 200, {}, job.info()
            case "GET", ["successfulResults"]:
                return _file(job.done, ["sf__Id", "sf__Created", *job.columns])
            case "GET", ["failedResults"]:
                return _file(job.failed, ["sf__Id", "sf__Error", *job.columns])
            case "GET", ["unprocessedrecords"]:
                return _file((job.rows or [])[job.at :] if job.state in _ENDED else [], job.columns)
        raise RefusedError("METHOD_NOT_ALLOWED", "HTTP Method not allowed", status=405)

    def _make(self, told: Record) -> Job:
        if told.get("operation") not in _OPERATIONS or told.get("contentType") != "CSV":
            raise RefusedError("INVALIDJOB", "operation or contentType is missing or wrong")
        self._types(told["object"])
        if told["operation"] == "upsert" and not told.get("externalIdFieldName"):
            raise RefusedError("INVALIDJOB", "externalIdFieldName is missing")
        job = Job(f"750xx{len(self.jobs) + 1:010}AAA", told)
        self.jobs.append(job)
        return job

    def _take(self, job: Job, body: str) -> None:
        if job.state != "Open":
            raise RefusedError("INVALIDJOBSTATE", f"The job is {job.state}.")
        if job.rows is not None:
            raise RefusedError("INVALIDJOB", f"Found multiple contents for job: <{job.id}>")
        if len(body.encode()) > self.most_bytes:
            raise RefusedError("INVALIDJOB", "The file is too large", status=413)
        reader = csv.DictReader(io.StringIO(body, newline=""), strict=True)
        job.columns, job.rows = list(reader.fieldnames or ()), list(reader)

    @staticmethod
    def _become(job: Job, state: str) -> None:
        if job.state in _ENDED or state not in ("UploadComplete", "Aborted"):
            raise RefusedError("INVALIDJOBSTATE", f"The job is {job.state}.")
        if state == "UploadComplete" and (job.state != "Open" or job.rows is None):
            raise RefusedError("INVALIDJOBSTATE", f"The job is {job.state}.")
        job.state = state

    def _go_on(self, job: Job) -> None:
        if job.state == "UploadComplete":
            job.state = "InProgress"
        elif job.state == "InProgress":
            whole = len(job.rows or ())
            odd = [c for c in job.columns if c != "Id" and c not in self._types(job.told["object"])]
            if odd:
                job.state, job.error = "Failed", f"InvalidBatch : Field name not found : {odd[0]}"
                return
            end = whole if self.fails_after is None else min(self.fails_after, whole)
            self._work(job, whole // 2 if self.held else end)
            if not self.held:
                job.state = "JobComplete" if end == whole else "Failed"
                job.error = "" if end == whole else "InternalServerError : the batch was given up"

    def _work(self, job: Job, until: int) -> None:
        kind, operation = job.told["object"], job.told["operation"]
        while job.at < until:
            row = (job.rows or [])[job.at]
            job.at += 1
            try:
                record = _record(row, self._types(kind))
                id_, created = self._write(operation, kind, record, job.told.get("externalIdFieldName", ""))
                job.done.append({"sf__Id": id_, "sf__Created": str(created).lower(), **row})
            except RefusedError as e:
                error = f"{e.code}:{e.message}:{','.join(e.fields)} --"
                job.failed.append({"sf__Id": row.get("Id", ""), "sf__Error": error, **row})


def _record(row: Mapping[str, str], types: Mapping[str, str]) -> Record:
    """A row's values: an empty cell says nothing, ``#N/A`` no value."""
    return {
        name: None if cell == "#N/A" else _value(name, cell, types.get(name, "text"))
        for name, cell in row.items()
        if cell
    }


def _value(name: str, cell: str, of: str) -> Any:
    if of == "boolean":
        return cell.lower() in ("true", "1")
    if of != "number":
        return cell
    try:
        return Decimal(cell)
    except InvalidOperation:
        raise RefusedError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"invalid number {cell}", name) from None


def _file(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> Answer:
    """Rows in an order of their own."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(reversed(rows))
    return 200, {"Content-Type": "text/csv; charset=UTF-8"}, out.getvalue().encode()
