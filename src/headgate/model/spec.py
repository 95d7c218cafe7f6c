"""The definition of an import, as written in `imports/*.yaml`, and of a project, `headgate.yaml`.

Each class is one mapping of the file. Every field's description is shown by `headgate schema`, in the generated reference
and in editors, so it is written for the person who writes definitions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .guards import AnomalySpec, ExpectSpec, LimitSpec, RejectSpec, SchemaSpec
from .hook import HookSpec
from .source import SourceSpec as SourceSpec
from .source import single_select
from .strict import Scalar, Strict
from .transfer import TransferSpec, check_moving, moves_files
from .triggers import AfterSpec, MailSpec, NotifySpec, ScheduleSpec, WatchSpec
from .types import FieldType
from .write import Operation


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], Field(min_length=1)]


class LookupSpec(Strict):
    """A table that turns one value into another, or several into one."""

    values: dict[str, Scalar] | None = Field(None, description="The table itself, written down.")
    path: str | None = Field(None, description="A file with the table: any format a source reads.")
    ids: str | None = Field(
        None,
        description="An import of the project, by name, whose records an API gives ids of its own: a record's key becomes the id that the API gave it; several key fields are a list in `from`.",
    )
    connection: str | None = Field(
        None, description="Connection of the project by name, or a URL, where the table or query is read, once a run."
    )
    table: str | None = Field(None, description="Connection: table to look in.")
    query: str | None = Field(
        None, description="Connection: a single SELECT instead of a table; names after colons (`:since`) are `params`."
    )
    match: Names | None = Field(None, description="Column that is compared; a list of them for composite keys.")
    take: str | None = Field(None, description="Column whose value is taken.")
    where: dict[str, Scalar] = Field(
        {}, description="Table: only entries that have these values; null means that there is none."
    )
    params: dict[str, Scalar] = Field({}, description="Query: values of its parameters; they are bound, not pasted in.")
    create: dict[str, Scalar] = Field(
        {}, description="Table: values of other columns in entries that fields with `missing: create` make."
    )
    ignore_case: bool = Field(False, description="Compare without regard to case and surrounding blanks.")

    @field_validator("match", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _match(cls, value: object) -> object:
        return _one_or_many(value)

    @field_validator("query")
    @classmethod
    def _select(cls, value: str | None) -> str | None:
        return None if value is None else single_select(value)

    @model_validator(mode="after")
    def _one_kind(self) -> LookupSpec:
        if sum(given is not None for given in (self.values, self.path, self.connection, self.ids)) != 1:
            raise ValueError("a lookup has either values, or a path, or a connection, or ids")
        if self.ids is not None and (self.match or self.take):
            raise ValueError("ids are found by the key of their import; match and take say nothing more")
        if self.values is None and self.ids is None and not (self.match and self.take):
            raise ValueError("a lookup from a file, a table or a query needs match and take")
        if (self.connection is None) != (self.table is None and self.query is None) or (self.table and self.query):
            raise ValueError("a connection goes with either a table or a query")
        if self.table is None and (self.where or self.create):
            raise ValueError("where and create go with a table")
        if self.query is None and self.params:
            raise ValueError("params go with a query")
        return self

    @property
    def width(self) -> int | None:
        """How many values it compares; None where another import's key says it."""
        return None if self.ids is not None else len(self.match or ("values",))


Transform = str | dict[str, Any]


class FieldSpec(Strict):
    """How one destination value is made."""

    source: str | Names | None = Field(
        None,
        alias="from",
        description="Source column the value comes from; by default the one with the field's own name. A list of columns for a lookup that compares several.",
    )
    expr: str | None = Field(
        None, description="SQL expression over the source's columns; no files, no network, no subqueries."
    )
    value: Scalar = Field(None, description="A constant.")
    lookup: str | None = Field(None, description="Lookup the value goes through, after its transforms.")
    missing: Literal["reject", "null", "default", "create"] = Field(
        "reject",
        description="What happens when the lookup has no entry: a reject [LK01], no value, the default, or an entry is made in the lookup's table.",
    )
    transform: list[Transform] = Field(
        [], description="Transforms, in order: a name, or a name with its settings (`{replace: [a, b]}`)."
    )
    type: str | None = Field(None, description="Type of the value; by default the destination column's.")
    format: str | list[str] | None = Field(
        None, description="How a date, time or timestamp is written (`%d/%m/%Y`), or several to try in order."
    )
    timezone: str | None = Field(
        None, description="Zone of times written without one (`Europe/Paris`); by default the import's."
    )
    required: bool = Field(False, description="A record without this value is refused [RU01].")
    default: Scalar = Field(None, description="Value for a blank (after transforms).")
    blank: Literal["null", "keep", "default", "reject"] | None = Field(
        None,
        description="What a blank means: no value (`null`), leave what is at the destination (`keep`), the default, or a reject [RU04]. By default `default` if there is one, else `null`.",
    )
    check: str | None = Field(
        None, description="SQL condition over the fields that must hold [RU02]; not knowing (NULL) is holding."
    )
    unique: bool = Field(False, description="No two records of a run may have the same value [RU03].")
    when: Literal["always", "created", "updated", "present"] = Field(
        "always",
        description="Write it always, only to created records, only to updated ones, or only when the source has a value.",
    )

    @field_validator("transform", mode="before", json_schema_input_type=Transform | list[Transform])
    @classmethod
    def _listed(cls, value: object) -> object:
        return [value] if isinstance(value, str | dict) else value

    @field_validator("type")
    @classmethod
    def _is_type(cls, value: str | None) -> str | None:
        if value is not None:
            FieldType.parse(value)
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> FieldSpec:
        given = [n for n, v in (("from", self.source), ("expr", self.expr)) if v is not None]
        given += ["value"] if "value" in self.model_fields_set else []
        if len(given) > 1:
            raise ValueError(f"a field is made in one way; this one has {' and '.join(given)}")
        if self.blank == "default" and "default" not in self.model_fields_set:
            raise ValueError("blank: default needs a default")
        if self.missing == "default" and "default" not in self.model_fields_set:
            raise ValueError("missing: default needs a default")
        if isinstance(self.source, list) and self.lookup is None:
            raise ValueError("several columns make one value only by a lookup; otherwise use expr")
        return self

    @property
    def columns(self) -> list[str]:
        """The source columns named by `from`."""
        return [self.source] if isinstance(self.source, str) else list(self.source or ())

    @property
    def column(self) -> str | None:
        """The source column it comes from, the first of several; None where `from` names none."""
        return next(iter(self.columns), None)


class DestinationSpec(Strict):
    """Where the records, or files, go."""

    connection: str = Field(
        "",
        description="Connection of the project by name, or a URL (`sqlite:///shop.db`). Files without one go to the project's folder.",
    )
    table: str = Field("", description="Table, with its schema where needed (`sales.orders`).")
    create: bool = Field(False, description="Make the table from the fields' types and the key if it is not there.")
    path: str | None = Field(
        None,
        description="upload, and mirror and delete of files: their names (`photos/{folder}/{name}`), made of `{path}` (from where the pattern begins), its `{folder}`, `{name}`, `{stem}` and `{suffix}`, `{date:%Y/%m}` of the run and `{changed:%Y/%m}` of the file. One that ends with `/` stands for a folder.",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> DestinationSpec:
        if self.path is None and not (self.connection and self.table):
            missing = "connection" if not self.connection else "table"
            raise ValueError(f"a destination of records has a connection and a table; {missing} is missing")
        return self


class DeleteSpec(Strict):
    """What mirror does instead of deleting."""

    set: dict[str, Scalar] = Field(
        min_length=1, description="Values to set on records the source has no more (`{archived: true}`)."
    )


TRIGGERS = frozenset({"schedule", "watch", "after", "on", "notify"})
"""What of an import says when it is run and who is told, and nothing about what it does."""


class ImportSpec(Strict):
    """An import: source, fields, key, operation and destination."""

    description: str = Field("", description="What it is for, for people.")
    source: SourceSpec = Field(description="Where the records come from; a bare text is its path.")
    filter: str | None = Field(
        None, description="SQL condition over the source's columns; records for which it does not hold are skipped."
    )
    fields: dict[str, FieldSpec] = Field(
        {},
        description="Destination values by name; a bare text names the source column. Left out: every source column under its own name.",
    )
    lookups: dict[str, LookupSpec] = Field({}, description="Tables that turn one value into another.")
    timezone: str = Field("UTC", description="Zone of times written without one.")
    key: list[str] = Field([], description="Fields that say which destination record this is.")
    operation: Operation = Field(
        Operation.UPSERT,
        description="What to do: insert, update, upsert, delete, mirror, append; with files as they are: upload, mirror, delete.",
    )
    destination: DestinationSpec = Field(description="Where the records go.")
    transfer: TransferSpec = Field(
        TransferSpec(), description="upload, and mirror and delete of files: how they are moved."
    )
    duplicates: Literal["last", "first", "reject"] = Field(
        "last",
        description="Which of several records with one key counts; `reject` keeps the first and rejects the others [KY02].",
    )
    existing: Literal["reject", "skip"] = Field(
        "reject", description="insert: what to do with a record that is there already [KY03]."
    )
    missing: Literal["reject", "skip"] | None = Field(
        None,
        description="update, delete: what to do with a record that is not there [KY04]; reject for update, skip for delete.",
    )
    delete_when: str | None = Field(
        None, description="upsert: SQL condition over the source's columns; records for which it holds are deleted."
    )
    scope: dict[str, Scalar | list[Scalar]] = Field(
        {}, description="mirror: destination columns and values that mark the records in its charge."
    )
    delete: DeleteSpec | None = Field(None, description="mirror: mark records instead of deleting them.")
    limits: LimitSpec = Field(LimitSpec(), description="Guards against doing too much.")
    expect: ExpectSpec = Field(
        ExpectSpec(), description="Control totals; a source that does not have them stops the run."
    )
    anomaly: AnomalySpec | None = Field(
        None, description="How far a run may be from the last ones before it is called unusual."
    )
    rejects: RejectSpec = Field(RejectSpec(), description="How many rejects are bearable.")
    changes: SchemaSpec = Field(
        SchemaSpec(),
        alias="schema",
        description="What is done when the source's columns are not those that were expected.",
    )
    commit: Literal["run", "batch"] = Field(
        "run", description="Commit once at the end (all or nothing), or after every batch of 65,536 records."
    )
    schedule: ScheduleSpec | None = Field(None, description="When it is run by itself.")
    watch: WatchSpec | None = Field(
        None, description="Run it when files arrive or change where the source's path looks; `true` for the defaults."
    )
    after: AfterSpec | None = Field(
        None, description="Run it when other imports have succeeded; a name, or a list of them."
    )
    on: str | None = Field(None, description="Run it when the webhook of this name comes.")
    notify: NotifySpec | None = Field(
        None, description="Who is told what became of it, in place of what headgate.yaml says for all imports."
    )
    hook: HookSpec | None = Field(None, description="Events that other systems send to the server: webhooks.")

    @model_validator(mode="before")
    @classmethod
    def _read_events(cls, data: object) -> object:
        """Without a source of its own, an import of events reads one from standard input: to try it."""
        if not isinstance(data, dict) or "source" in data or not isinstance(hook := data.get("hook"), dict):
            return data
        if hook.get("start"):
            raise ValueError("hook.start starts a run, which needs a source to read")
        return data | {"source": {"path": "-", "format": "json", "records": hook.get("records")}}

    @model_validator(mode="before")
    @classmethod
    def _guard_mirror(cls, data: object) -> object:
        if not isinstance(data, dict) or data.get("operation") != Operation.MIRROR:
            return data
        limits = data.get("limits", {})
        return data | {"limits": {"deletes": "10%"} | limits} if isinstance(limits, dict) else data

    journal: bool = Field(
        True, description="Keep what `headgate undo` needs to take a run back; `false` saves time and disk."
    )

    @field_validator("source", mode="before", json_schema_input_type=str | SourceSpec)
    @classmethod
    def _path_only(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("watch", mode="before", json_schema_input_type=bool | WatchSpec | None)
    @classmethod
    def _defaults(cls, value: object) -> object:
        return {} if value is True else None if value is False else value

    @field_validator("after", mode="before", json_schema_input_type=str | list[str] | AfterSpec | None)
    @classmethod
    def _names(cls, value: object) -> object:
        return {"imports": value} if isinstance(value, str | list) else value

    @field_validator("key", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _key(cls, value: object) -> object:
        return _one_or_many(value)

    @field_validator("fields", mode="before", json_schema_input_type=dict[str, str | FieldSpec | None])
    @classmethod
    def _columns_only(cls, value: object) -> object:
        if isinstance(value, dict):
            return {k: {"from": v} if isinstance(v, str) else {} if v is None else v for k, v in value.items()}
        return value

    @property
    def moves_files(self) -> bool:
        """Whether it moves files as they are, instead of reading records."""
        return moves_files(self)

    @model_validator(mode="after")
    def _fits(self) -> ImportSpec:
        if self.moves_files:
            check_moving(self)
        elif self.destination.path is not None or "transfer" in self.model_fields_set:
            what = "destination.path" if self.destination.path is not None else "transfer"
            raise ValueError(f"{what} is for files that are moved as they are (operation: upload)")
        else:
            self._fits_records()
        return self

    def _fits_records(self) -> None:
        needs = self.operation is not Operation.APPEND
        if needs and not self.key:
            raise ValueError(f"operation {self.operation} needs a key")
        if not needs and self.key:
            raise ValueError("append has no key; use insert, or upsert")
        if (incremental := self.source.incremental) is not None:
            if self.operation is Operation.MIRROR:
                raise ValueError(
                    "mirror needs all records; with incremental, everything unchanged would be taken for gone"
                )
            if not needs and incremental.overlap is not None:
                raise ValueError("append would add the records of an overlap again; use insert or upsert with a key")
        if self.fields and (lost := [k for k in self.key if k not in self.fields]):
            raise ValueError(f"the key {lost[0]!r} is not among the fields")
        if self.delete_when is not None and self.operation is not Operation.UPSERT:
            raise ValueError("delete_when goes with upsert")
        if (self.scope or self.delete) and self.operation is not Operation.MIRROR:
            raise ValueError("scope and delete go with mirror")
        self._sees_the_whole()
        for name, f in self.fields.items():
            if f.lookup is not None:
                self._looks_up(name, f)
            if name.startswith("_"):
                raise ValueError(f"field {name!r}: names that begin with _ are Headgate's own")

    @model_validator(mode="after")
    def _watches_files(self) -> ImportSpec:
        if self.watch is not None and self.source.path in (None, "-"):
            raise ValueError("watch looks for files; the source has to have a path")
        return self

    def _sees_the_whole(self) -> None:
        """Refuse to keep something before everything that decides about it was seen."""
        if self.operation is Operation.MIRROR and self.hook is not None and not self.hook.start:
            raise ValueError(
                "mirror needs all records; the events of a hook have some (hook.start: true reads the source)"
            )
        if self.source.again == "skip" and self.operation is Operation.MIRROR:
            raise ValueError("mirror must see the whole source; source.again: skip cannot be")
        if self.commit == "batch" and self.operation is Operation.MIRROR:
            raise ValueError("mirror must see the whole source before it deletes; commit: batch cannot be")
        if self.commit == "batch" and self.expect != ExpectSpec():
            raise ValueError("expect must see the whole source before anything is kept; commit: batch cannot be")
        if self.commit == "batch" and self.anomaly is not None and self.anomaly.then == "stop":
            raise ValueError("an unusual run is known at its end; commit: batch goes with anomaly.then: warn only")
        if self.fields and (lost := [n for n in self.expect.fields if n not in self.fields]):
            raise ValueError(f"expect.fields names {lost[0]!r}, which is not among the fields")

    @property
    def back(self) -> dict[str, str]:
        """The source columns that the key's fields are taken from as they are, by field."""
        return {k: (self.fields.get(k) or FieldSpec()).column or k for k in self.key}

    @model_validator(mode="after")
    def _writes_back(self) -> ImportSpec:
        if self.source.write_back is None:
            return self
        if not self.key:
            raise ValueError("source.write_back finds rows by the key, and there is none")
        for name in self.key:
            field = self.fields.get(name) or FieldSpec()
            made = field.model_fields_set & {"expr", "value", "lookup", "transform", "format"}
            if made or isinstance(field.source, list):
                raise ValueError(
                    f"source.write_back finds rows by the key, and field {name!r} is not a column as it is"
                )
        if both := set(self.back.values()) & set(self.source.write_back.set):
            raise ValueError(f"source.write_back sets {min(both)!r}, by which it finds rows")
        return self

    def _looks_up(self, name: str, field: FieldSpec) -> None:
        lookup = self.lookups.get(field.lookup or "")
        if lookup is None:
            raise ValueError(f"field {name!r} uses the lookup {field.lookup!r}, which is not defined")
        given = max(len(field.columns), 1)
        if lookup.width is not None and given != lookup.width:
            raise ValueError(
                f"the lookup {field.lookup!r} compares {lookup.width} values, and field {name!r} gives it {given}"
            )
        if field.missing != "create":
            return
        if lookup.table is None or lookup.connection != self.destination.connection:
            raise ValueError(
                f"field {name!r} has missing: create, for which the lookup {field.lookup!r} must be a table of the destination's connection"
            )
        if self.operation is Operation.DELETE:
            raise ValueError(f"field {name!r} has missing: create, and a deletion makes no entries")
        others = {f.lookup for f in self.fields.values() if f.missing == "create"} - {field.lookup, None}
        if any(lookup.table == self.lookups[o].table for o in others if o in self.lookups):
            raise ValueError(f"two lookups would make entries in {lookup.table!r}; use one of them for both")


class ConnectionSpec(BaseModel):
    """Access to one system. What else than the URL there can be depends on the connector."""

    model_config = ConfigDict(extra="allow", frozen=True)

    url: str = Field(
        description="URL of the system (`postgresql://user@host/db`, `sqlite:///shop.db`); may hold references. A system that has none is named by its `type` (`singer`, `adbc`), an application that Headgate knows by its `preset` (`headgate connections presets`)."
    )

    @model_validator(mode="before")
    @classmethod
    def _of_type(cls, value: object) -> object:
        if isinstance(value, dict) and "url" not in value:
            if isinstance(value.get("preset"), str):
                return value | {"url": f"preset://{value['preset']}"}
            if isinstance(value.get("type"), str):
                return value | {"url": f"{value['type']}://"}
        return value


class JournalSpec(Strict):
    """How long runs can be undone."""

    days: int = Field(30, ge=0, description="Days a journal is kept.")
    megabytes: int = Field(10_000, ge=0, description="Room for all journals; past it the oldest go.")


class ProjectSpec(Strict):
    """`headgate.yaml`: the connections and settings of a project."""

    name: str = Field("", description="Name of the project; the folder's by default.")
    connections: dict[str, ConnectionSpec] = Field({}, description="Connections by name; a bare text is the URL.")

    ledger: str = Field(
        "",
        description="Where runs are kept: a path, or `postgresql://…?schema=headgate` for machines that share them; "
        "by default a file in `.headgate` (or in HEADGATE_HOME, a folder for each project). References such as `${env:LEDGER}` keep secrets out.",
    )
    journal: JournalSpec = Field(JournalSpec(), description="How long runs can be undone.")
    notify: NotifySpec = Field(NotifySpec(), description="Who is told what became of imports.")
    mail: MailSpec | None = Field(None, description="The server that sends e-mail to those who are told.")
    url: str = Field(
        "", description="Where the server is reached (`https://headgate.example.com`), for links in notifications."
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("an address begins with https:// or http://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _mailable(self) -> ProjectSpec:
        if self.mail is None and any(t.email for t in self.notify.to):
            raise ValueError("notify names e-mail addresses, and mail does not say how they are reached")
        return self

    @field_validator("connections", mode="before", json_schema_input_type=dict[str, str | ConnectionSpec])
    @classmethod
    def _url_only(cls, value: object) -> object:
        if isinstance(value, dict):
            return {k: {"url": v} if isinstance(v, str) else v for k, v in value.items()}
        return value
