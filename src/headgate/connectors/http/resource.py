"""What a connection says of an API that records are sent to: its resources, and the endpoints of each.

Each class is one mapping of `headgate.yaml`. Bodies, paths and queries are templates (`headgate.connectors.http.rest.template`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from headgate.model.request import AskSpec
from headgate.model.strict import Scalar, Strict
from headgate.model.types import FieldType

from .job import JobSpec

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
BodyFormat = Literal["json", "form", "xml", "multipart"]
Condition = dict[str, Scalar | list[Scalar]]


class QuotaSpec(Strict):
    """Where answers say how much may still be asked, in points that come back with time. Paths."""

    left: str = Field(description="Path to the points that are left.")
    restore: str = Field(description="Path to the points that come back in a second.")
    cost: str = Field(description="Path to the points that the request cost, or will.")


class AnswerSpec(Strict):
    """How an answer says what became of the records it is about. Paths are names with dots between them (`data.id`)."""

    records: str | None = Field(
        None, description="Path to a list with an entry for each record; without it the answer is about the one record."
    )
    by: dict[str, str] = Field(
        {},
        description="Which record an entry is about: path in the entry, and the field (or `$id`, the API's own id, or `$index`, its place in the request) that has the same value. Of several the first counts that an entry has; a list there means several records. Without it entries are in the order of the records.",
    )
    record: str = Field("", description="Path in the entry to the record as it is now.")
    id: str | None = Field(
        None, description="Path in the entry to the API's own id; by default the resource's `id` in its record."
    )
    ok: Condition = Field(
        {},
        description="What an entry must have to be good, by path: a value or several; also in an answer with status 200.",
    )
    failed: Condition = Field(
        {},
        description="What an entry of a record that was refused has, by path: a value or several, or true for anything at all (`{errors: true}`).",
    )
    missing: Condition = Field({}, description="What the entry of a record has that is not there any more, by path.")
    again: Condition = Field(
        {},
        description="What the entry of a record has with which nothing was done and that may well be done the next time, by path.",
    )
    busy: Condition = Field({}, description="What an answer has that says: later (GraphQL's `THROTTLED`), by path.")
    busy_status: list[int] = Field(
        [], description="Statuses that say: later, and nothing was done (`423`); besides 425, 429 and 503."
    )
    spent: Condition = Field(
        {},
        description="What the answer to a request that was turned away has when waiting is no use, as the day's quota is used up, by path.",
    )
    unknown: Condition = Field(
        {}, description="What an answer has after which it is not known whether anything was done, by path."
    )
    quota: QuotaSpec | None = Field(None, description="Where answers say how much may still be asked.")
    errors: str | None = Field(
        None, description="Path to a list of errors beside the list of records: entries of refused records only."
    )
    message: list[str] = Field(
        [], description="Paths in the entry, or the answer, at which the reason of a refusal stands."
    )
    status: str | None = Field(None, description="Path in the entry to a status of its own, as HTTP has them.")
    field: list[str] = Field(
        [],
        description="Paths at which the name of the field stands that a refusal is about; of a list there its last entry.",
    )
    created: Condition = Field(
        {}, description="What the entry of a record has that an upsert has created; otherwise status 201."
    )

    @field_validator("message", "field", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _listed(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class PollSpec(Strict):
    """An answer that comes later: what has to be asked until it is there."""

    url: str = Field(
        "",
        description="Where it is asked, a path with templates over the first answer (`/jobs/{id}`); by default what `Location` names.",
    )
    done: Condition = Field(
        min_length=1, description="What the answer has, by path, when it is there (`{state: [JobComplete]}`)."
    )
    failed: Condition = Field({}, description="What it has when nothing of it was done (`{state: [Failed, Aborted]}`).")
    result: str = Field("", description="A path that is asked for the result then, a template as `url` is.")
    every: float = Field(1, gt=0, description="Seconds between two questions.")
    wait: float = Field(
        600, gt=0, description="Seconds after which it is given up, and what became of the records is unknown."
    )


class EndpointSpec(Strict):
    """A request that is sent for a record, or for several at once."""

    method: Method | None = Field(
        None,
        description="Method; by default POST to create, PATCH to update, PUT to upsert, DELETE to delete, GET to find.",
    )
    path: str = Field(description="Path from the connection's URL: a template (`/customers/{id}`).")
    query: dict[str, Any] = Field({}, description="Parameters: templates by name; a list gives one several times.")
    headers: dict[str, str] = Field({}, description="Headers: templates by name.")
    body: Any = Field(
        None, description="Body: a template; by default the record, or the list of records where there is a batch."
    )
    format: BodyFormat = Field("json", description="How the body is written.")
    root: str = Field("record", description="XML: name of the outermost element.")
    graphql: str | None = Field(None, description="A GraphQL query or mutation; `variables` are a template.")
    variables: dict[str, Any] = Field({}, description="Variables of `graphql`: a template.")
    batch: int = Field(1, ge=1, le=100_000, description="Most records of a request.")
    send: Literal["changed", "all"] | None = Field(
        None, description="update: only fields that differ (by default with PATCH and POST), or all of them (with PUT)."
    )
    nulls: Literal["send", "omit"] | None = Field(
        None,
        description="What is done with fields without a value; create leaves them out by default, update sends null.",
    )
    repeatable: bool | None = Field(
        None,
        description="Whether it does no harm to send it twice; by default with GET, PUT, PATCH and DELETE, and where `idempotency` is said.",
    )
    idempotency: str | None = Field(None, description="Header with which the API knows a repeat (`Idempotency-Key`).")
    answer: AnswerSpec | None = Field(
        None, description="How the answer says what became of records; by default as the resource says."
    )
    poll: PollSpec | None = Field(None, description="What is asked after an answer that does not say it yet (202).")
    job: JobSpec | None = Field(
        None, description="The request makes a job, which gets the records as a CSV file: how that goes on."
    )

    @model_validator(mode="after")
    def _fits(self) -> EndpointSpec:
        if self.graphql is not None and self.body is not None:
            raise ValueError("graphql makes the body itself; leave out body")
        if self.variables and self.graphql is None:
            raise ValueError("variables go with graphql")
        if not self.path.startswith("/"):
            raise ValueError("a path begins with /")
        return self


class RestSpec(Strict):
    """How the rest of a list is asked for, of which a record has only the first entries."""

    path: str = Field(description="Path in the record to what asks for more of it (`paging.next.after`).")
    body: Any = Field(
        description="Body of the request for it: a template, in which `{there.…}` is what stands at a path in the record."
    )


class FindSpec(EndpointSpec):
    """How records are read by their keys."""

    records: str | None = Field(
        None, description="Path to the records in the answer, a list or one; by default the answer itself."
    )
    missing: list[int] | None = Field(
        None,
        description="Statuses that mean that there is no such record; by default 404 and 410 where the path names it (`/customers/{email}`), and none where it does not.",
    )
    next: str | None = Field(
        None, description="Path in the answer to the URL at which further records are, where it has not all of them."
    )
    each: str | None = Field(
        None,
        description="Path in what stands at `records` to a list of which every entry is a record, with the entry in the list's place.",
    )
    rest: RestSpec | None = Field(None, description="With `each`: how the rest of a list is asked for that goes on.")


class EntriesSpec(Strict):
    """A list within a record whose entries are records themselves, which are sent with it."""

    fields: dict[str, str] = Field(min_length=1, description="Names and types of an entry's fields.")
    key: list[str] = Field(min_length=1, description="Fields that tell the entries of a list from each other.")
    id: str = Field("id", description="Path of the API's own id in an entry; it is sent with those that are there.")
    reads: dict[str, str] = Field({}, description="Paths of fields in entries that are read, where they are others.")
    texts: list[str] = Field([], description="Fields whose values are sent as texts, numbers too.")
    blanks: dict[str, str] = Field({}, description="Texts that stand for no value there, by field.")
    apart: list[str] = Field([], description="Fields that are not in `{it.record}`: templates name them (`{it.size}`).")
    most: int | None = Field(None, ge=1, description="Most entries that are read, and so can be sent.")

    @model_validator(mode="after")
    def _named(self) -> EntriesSpec:
        for name in (*self.key, *self.reads, *self.texts, *self.blanks, *self.apart):
            if name not in self.fields:
                raise ValueError(f"key, reads, texts, blanks and apart name fields; {name!r} is none")
        for of in self.fields.values():
            FieldType.parse(of)
        return self


class ResourceSpec(Strict):
    """One kind of records of an API: what `destination.table` names.

    A ``*`` in a resource's name stands for any name without ``/``: what has no resource of its own.
    """

    id: str = Field("id", description="Path of the API's own id in its records.")
    fields: dict[str, str] = Field(
        {},
        description="Names and types of its fields, where they are to be checked; without them every field is taken.",
    )
    required: list[str] = Field([], description="Of `fields`: those that a record must have.")
    read_only: list[str] = Field(
        [], description="Paths that the API sets itself; they are not sent when a deleted record is made again."
    )
    write_only: list[str] = Field(
        [],
        description="Fields that are no part of the record, which templates name (`{owner}`), and that nobody can read: undo knows nothing of them.",
    )
    apart: list[str] = Field(
        [],
        description="Fields that are read, and are no part of the record that is sent: templates name them (`{owner}`).",
    )
    entries: dict[str, EntriesSpec] = Field(
        {},
        description="Fields with lists of records that are made and changed with this one, as JSON; templates name them, with `$for`.",
    )
    partial: Condition = Field(
        {}, description="What a record has, by path, that was not read as a whole; it is neither changed nor deleted."
    )
    key: list[str] = Field([], description="Fields that are unique there.")
    restores: bool = Field(
        True,
        description="Whether a deleted record can be made again as it was; false where records are read with the import's fields only.",
    )
    answer: AnswerSpec = Field(
        AnswerSpec(), description="How answers say what became of records, where an endpoint does not say it."
    )
    nested: str = Field(
        "",
        description="Path within the records under which their fields are (`properties`), when they are read and sent.",
    )
    reads: dict[str, str] = Field(
        {}, description="Paths of fields in records that are read, where they are not those with which they are sent."
    )
    texts: bool | list[str] = Field(
        False, description="Fields whose values are texts there, numbers too (true: all of them); they are sent so."
    )
    blanks: bool | list[str] | dict[str, str] = Field(
        False,
        description="Fields that are an empty text there where they have no value (true: all of them), or another text by their names.",
    )
    lowercase: list[str] = Field(
        [], description="Fields whose texts the API keeps in lower case; they are sent and compared so."
    )
    unordered: list[str] = Field(
        [], description="Fields with lists in which the order means nothing, and that are empty without a value."
    )
    find: FindSpec | None = Field(None, description="How records are read by their keys.")
    listing: AskSpec | None = Field(
        None,
        description="How all records are read, page by page; mirror needs it. A request as sources have it; `{table}`, `{fields}` (their names, with commas between them) and `{columns}` (the same with the API's own id) may be named in it.",
    )
    create: EndpointSpec | None = Field(None, description="How records are created.")
    update: EndpointSpec | None = Field(None, description="How they are updated.")
    upsert: EndpointSpec | None = Field(None, description="How they are created or updated, whichever it takes.")
    delete: EndpointSpec | None = Field(None, description="How they are deleted.")

    @field_validator("key", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("fields")
    @classmethod
    def _are_types(cls, value: dict[str, str]) -> dict[str, str]:
        for of in value.values():
            FieldType.parse(of)
        return value

    @field_validator("find", "create", "update", "upsert", "delete", mode="before")
    @classmethod
    def _in_short(cls, value: object) -> object:
        """``POST /customers`` for a method and a path."""
        if not isinstance(value, str):
            return value
        method, _, path = value.strip().partition(" ")
        return {"method": method.upper(), "path": path.strip()} if path else {"path": method}

    @model_validator(mode="after")
    def _can_something(self) -> ResourceSpec:
        if not (self.create or self.update or self.upsert or self.delete):
            raise ValueError("a resource has at least one of create, update, upsert, delete")
        for name in (*self.required, *self.key, *self.apart, *self.entries):
            if self.fields and name not in self.fields:
                raise ValueError(f"required, key, apart and entries name fields; {name!r} is none")
        return self

    @property
    def named_only(self) -> frozenset[str]:
        """Fields that are no part of the record that is sent."""
        return frozenset({*self.write_only, *self.apart, *self.entries})

    def endpoint(self, name: str) -> EndpointSpec:
        """One of the endpoints with everything said that it leaves to defaults."""
        found: EndpointSpec = getattr(self, name)
        method = found.method or _METHODS[name]
        repeatable = found.repeatable
        if repeatable is None:
            repeatable = method != "POST" or found.idempotency is not None or name == "find"
        return found.model_copy(
            update={
                "method": method,
                "send": found.send or ("all" if method == "PUT" else "changed"),
                "nulls": found.nulls or ("omit" if name == "create" else "send"),
                "repeatable": repeatable,
                "answer": found.answer or self.answer,
            }
        )


_METHODS = {"find": "GET", "create": "POST", "update": "PATCH", "upsert": "PUT", "delete": "DELETE"}
