"""An API that records are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from headgate.connectors.http.client import Client
from headgate.connectors.http.options import read
from headgate.connectors.http.resource import EndpointSpec, ResourceSpec
from headgate.model.errors import DestinationError
from headgate.model.sent import NEVER_SENT
from headgate.model.table import Column, SchemaChange, TableSchema
from headgate.model.types import FieldType
from headgate.model.write import RECORD_OPERATIONS, Operation, Ticket, WriteSpec
from headgate.spi.destination import Capabilities
from headgate.spi.outbox import MemoryOutbox, Outbox

from .sender import Sender
from .soql import BARE
from .template import GENERAL, IT, THERE, names
from .ways import endpoints
from .writer import RestWriter

ANY = "*"
_EXACT = frozenset(
    {"text", "smallint", "integer", "bigint", "decimal", "double", "boolean", "date", "time", "timestamp", "timestamptz", "uuid", "binary"}
)  # fmt: skip


class RestDestination:
    """One connection to an API (`headgate.spi.destination.Destination`); its tables are the connection's resources.

    Args:
        options: see `headgate.connectors.http.options.ApiOptions`.
        base: folder that relative paths start from (`ca`).

    Raises:
        UsageError: an option is unknown or wrong.
    """

    schemes: ClassVar = ("http", "https")
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=RECORD_OPERATIONS,
        transactional=False,
        row_rejects=True,
        create_table=False,
        exact_types=_EXACT,
        refuses=frozenset({"nan", "infinity"}),
        checkpoints=True,
        undo=True,
        schemaless=True,
        ids=True,
        json_null=False,
        gaps={"test_appended_records_are_taken_back_one_by_one": "records without a key are not found again"},
    )

    def __init__(self, options: Mapping[str, Any], base: Path) -> None:
        connection = read(options)
        ca = str(base / connection.ca) if connection.ca else None
        self._client = Client(connection.model_copy(update={"ca": ca}))
        self.resources: Mapping[str, ResourceSpec] = connection.resources
        self._outbox: Outbox = MemoryOutbox()

    def remember(self, outbox: Outbox) -> None:
        """See `headgate.spi.outbox.Remembers`."""
        self._outbox = outbox

    def pending(self, scope: str) -> int:
        """See `headgate.spi.outbox.Remembers`."""
        return sum(one.answer != NEVER_SENT for one in self._outbox.left(scope))

    def inspect(self, table: str) -> TableSchema | None:
        """What the resource says of its fields; without columns where it says nothing."""
        named = self._named(table)
        if named is None:
            return None
        found, _ = named
        needed = {*found.required, *found.key}
        columns = tuple(
            Column(n, FieldType.parse(t), nullable=n not in needed, default=n in found.read_only)
            for n, t in found.fields.items()
        )
        return TableSchema(table, columns, tuple(found.key))

    def tables(self) -> list[str]:
        """The resources that have a name."""
        return sorted(name for name in self.resources if ANY not in name)

    def _named(self, table: str) -> tuple[ResourceSpec, str] | None:
        """The resource of a name, and what the `*` in its own name stands for, or the name."""
        if (own := self.resources.get(table)) is not None and ANY not in table:
            return own, table
        for pattern in sorted((n for n in self.resources if ANY in n), key=len, reverse=True):
            before, _, after = pattern.partition(ANY)
            star = table.removeprefix(before).removesuffix(after)
            if star and "/" not in star and f"{before}{star}{after}" == table:
                return self.resources[pattern], star
        return None

    def propose(self, wanted: TableSchema) -> SchemaChange:
        """What would have to be said of such a resource: nobody can make one."""
        fields = ", ".join(f"{c.name}: {c.type}" for c in wanted.columns)
        key = f" with key {', '.join(wanted.key)}" if wanted.key else ""
        return SchemaChange(f"resource {wanted.name} ({fields}){key}", f"fields: {{ {fields} }}")

    def native(self, type: FieldType) -> str:
        """Types have no names of their own in JSON."""
        return str(type)

    def open(self, spec: WriteSpec) -> RestWriter:
        """Begin a run.

        Raises:
            DestinationError: there is no such resource or field, or it does not say how to do that.
        """
        resource, star = self._checked(spec)
        return RestWriter(spec, resource, Sender(self._client), self._outbox, star)

    def check(self, spec: WriteSpec) -> None:
        """See `headgate.spi.destination.Varies`."""
        self._checked(spec)

    def _checked(self, spec: WriteSpec) -> tuple[ResourceSpec, str]:
        """The resource that is written to, and what templates call it."""
        named = self._named(spec.table)
        if named is None:
            there = ", ".join(self.resources) or "none"
            raise DestinationError(
                f"the connection has no resource {spec.table!r}", hint=f"There are: {there}. Add it under resources:."
            )
        resource, star = named
        fields = {f.name for f in spec.fields}
        if resource.fields and (lost := sorted({*fields, *spec.scope, *spec.mark} - resource.fields.keys())):
            raise DestinationError(
                f"the resource {spec.table} has no field {lost[0]!r}", hint=f"There are: {', '.join(resource.fields)}."
            )
        used = endpoints(spec, resource)
        asks = {"find": resource.endpoint("find")} if resource.find is not None and spec.key else {}
        for name, endpoint in {**used, **asks}.items():
            parts = (endpoint.path, endpoint.query, endpoint.headers, endpoint.body, endpoint.variables)
            said = {n for part in parts for n in names(part) if not n.startswith((THERE, f"{IT}."))}
            known = {*GENERAL, *(spec.key if name == "find" else [*fields, *resource.fields, *resource.named_only])}
            if lost := sorted(said - known):
                of = "the key" if name == "find" else "this import"
                raise DestinationError(
                    f"{name} of the resource {spec.table} names {{{lost[0]}}}, which is no field of {of}",
                    hint=f"There are: {', '.join(sorted(known))}.",
                )
        if not spec.planned:
            _check_written(spec, resource, used)
        return resource, star

    def irreversible(self, spec: WriteSpec) -> str:
        """See `headgate.spi.destination.Varies`."""
        named = self._named(spec.table)
        if named is None or not spec.key:
            return "records without a key are not found again"
        resource, _ = named
        if resource.find is None:
            return f"the resource {spec.table} does not say how records are found"
        sweeps = spec.operation is Operation.MIRROR and not spec.mark
        if not resource.restores and (spec.deletes or sweeps or spec.operation is Operation.DELETE):
            return f"records of {spec.table} that are deleted would come back in part only"
        if any(f.name in spec.key and f.type.kind in BARE for f in spec.fields) and "where" in names(
            resource.find.query
        ):
            return "undo cannot tell a date in the key from a text, and queries write them differently"
        back = {Operation.DELETE: "create", Operation.INSERT: "delete", Operation.UPDATE: "update"}
        needed = [back[spec.operation]] if spec.operation in back else ["delete", "update"]
        needed += ["create"] if spec.deletes or sweeps else []
        lacks = [n for n in needed if getattr(resource, n) is None]
        return f"the resource {spec.table} does not say how to {' and '.join(lacks)}" if lacks else ""

    def uncertain(self, spec: WriteSpec) -> str:
        """See `headgate.spi.destination.Varies`."""
        named = self._named(spec.table)
        if named is not None and named[0].find is None and spec.key and spec.operation is not Operation.MIRROR:
            return f"what is there already is not known: the resource {spec.table} does not say how records are found"
        return ""

    def claim(self, ticket: Ticket) -> str | None:
        """Take an import over; checkpoints are kept where what is sent is."""
        return self._outbox.claim(ticket)

    def readable(self, image: str) -> str:
        """A value as people read it: texts without their quotes."""
        return image[1:-1] if image[:1] == '"' and "\\" not in image else image

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _check_written(spec: WriteSpec, resource: ResourceSpec, used: Mapping[str, EndpointSpec]) -> None:
    """Refuse fields that stand in templates only where a request that would have to write them does not name them.

    Raises:
        DestinationError: there is one.
    """
    fields = {f.name for f in spec.fields}
    if used.keys() & {"create", "update", "upsert"} and (
        lacks := [n for n in resource.required if n in resource.named_only and n not in fields]
    ):
        raise DestinationError(
            f"the resource {spec.table} is written with {lacks[0]}, which this import has not",
            hint=f"Add the field {lacks[0]}: without it nothing would be left of it there.",
        )
    never = {"create": "updated", "update": "created"}
    for field in spec.fields:
        if field.name not in resource.write_only:
            continue
        for name, endpoint in used.items():
            named = names(endpoint.body) | names(endpoint.variables) | names(endpoint.query) | names(endpoint.path)
            if name == "delete" or field.when == never.get(name) or field.name in named:
                continue
            raise DestinationError(
                f"{name} of the resource {spec.table} does not write {field.name}",
                hint="Say when: created of the field: it is written with records that are created, and left as it is of all others."
                if name == "update" and field.name in names(getattr(resource.create, "body", None))
                else "Leave the field out, or name it in the endpoint's body.",
            )
