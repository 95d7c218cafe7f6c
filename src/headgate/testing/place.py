"""What the suite of destinations works with: one place of its own, in which every run is checked as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from headgate.model.table import Column, TableSchema
from headgate.model.write import OLD, Operation, WriteField, WriteSpec
from headgate.spi.destination import Destination, Writer

from .runs import Ran, Row, batches, check_account, check_changes, check_effect, exact_rows, listed, run

Connect = Callable[[], Destination]
ADDING = (Operation.INSERT, Operation.UPSERT, Operation.MIRROR, Operation.APPEND)


def read_by_mirror(destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
    """All rows of a table through the interface alone: what a mirror of nothing would delete."""
    spec = WriteSpec(table, tuple(fields), (fields[0].name,), Operation.MIRROR)
    writer = destination.open(spec)
    try:
        writer.match()
        return [{f.name: row[OLD + f.name] for f in fields} for b in writer.changes() for row in b.to_pylist()]
    finally:
        writer.abort()


@dataclass
class Place:
    """An empty destination for one test.

    Attributes:
        connect: makes a new connection to this same place.
        reader: reads a table; given a connection of its own.
        maker: makes a table.
        name: a table's name as a definition writes it.
        destination: the connection the test works with.
    """

    connect: Connect
    reader: Callable[[Destination, str, Sequence[WriteField]], list[Row]]
    maker: Callable[[Destination, TableSchema], None]
    name: Callable[[str], str] = str
    destination: Destination = field(init=False)

    def __post_init__(self) -> None:
        self._opened: list[Destination] = []
        self._writers: list[Writer] = []
        self.destination = self.fresh()

    def fresh(self) -> Destination:
        """Another connection; closed with the place."""
        self._opened.append(self.connect())
        return self._opened[-1]

    def close(self) -> None:
        """Abort what a failed test left, and close every connection, twice, as may be done."""
        for writer in self._writers:
            writer.abort()
        for destination in self._opened * 2:
            destination.close()

    def open(self, spec: WriteSpec) -> Writer:
        """A writer of the test's connection."""
        writer = self.destination.open(spec)
        self._writers.append(writer)
        return writer

    def needs(self, *operations: Operation) -> None:
        """Skip the test if the destination does not state one of these operations."""
        if missing := [o for o in operations if o not in self.destination.capabilities.operations]:
            pytest.skip(f"not stated: operation {missing[0]}")

    def states(self, capability: str, tests: type, request: pytest.FixtureRequest) -> None:
        """Skip the tests of a class if the destination does not state a capability; a suite holds many classes' tests."""
        name = getattr(request.node, "originalname", request.node.name)
        if hasattr(tests, name) and not getattr(self.destination.capabilities, capability):
            pytest.skip(f"not stated: {capability}")

    def read(self, table: str, fields: Sequence[WriteField]) -> list[Row]:
        """All rows, sorted by their first field."""
        rows = self.reader(self.destination, table, fields)
        return sorted(rows, key=lambda r: (r[fields[0].name] is not None, r[fields[0].name]))

    def make(
        self,
        table: str,
        fields: Sequence[WriteField],
        rows: Iterable[Row] = (),
        *,
        key: tuple[str, ...] = ("id",),
        required: Iterable[str] = (),
    ) -> None:
        """Make a table with that primary key, and these rows in it."""
        needed = {*required, *key}
        columns = tuple(Column(f.name, f.type, nullable=f.name not in needed) for f in fields)
        self.maker(self.destination, TableSchema(table, columns, key))
        self.seed(table, fields, rows)

    def seed(self, table: str, fields: Sequence[WriteField], rows: Iterable[Row]) -> None:
        """Add rows to a table, by whatever operation there is."""
        rows = list(rows)
        if not rows:
            return
        if Operation.APPEND in self.destination.capabilities.operations:
            spec = WriteSpec(table, tuple(fields), (), Operation.APPEND)
        else:
            operation = next(o for o in ADDING if o in self.destination.capabilities.operations)
            spec = WriteSpec(table, tuple(fields), (fields[0].name,), operation)
        ran = run(self.open(spec), spec, rows)
        assert ran.counts == {"created": len(rows)}

    def run(self, spec: WriteSpec, rows: Iterable[Row], *, size: int = 65_536) -> Ran:
        """A whole run, checked for everything that holds for every run: the account, the list of changes, and that the
        table afterwards is the one before with these changes made.
        """
        self.needs(spec.operation)
        rows = list(rows)
        before = [] if spec.create else self.read(spec.table, spec.fields)
        ran = run(self.open(spec), spec, rows, size=size)
        check_effect(spec, ran, before, self.read(spec.table, spec.fields))
        return ran

    def plan(self, spec: WriteSpec, rows: Iterable[Row]) -> Ran:
        """A run that ends with abort after its changes were listed; the table must be as it was."""
        self.needs(spec.operation)
        rows = list(rows)
        before = self.read(spec.table, spec.fields)
        writer = self.open(spec)
        for b in batches(spec, rows):
            writer.write(b)
        matched = writer.match()
        changes = listed(writer, spec)
        check_account(matched, len(rows))
        check_changes(spec, matched, changes)
        writer.abort()
        assert exact_rows(self.read(spec.table, spec.fields)) == exact_rows(before)
        return Ran(matched, changes, matched)

    def run_plan(self, spec: WriteSpec, plan: Ran) -> Ran:
        """Run exactly what a plan found."""
        plain = tuple(replace(f, keeps=False) for f in spec.fields)
        return self.run(replace(spec, fields=plain, planned=True, deletes=False), plan.changes)


def make_by_create(destination: Destination, wanted: TableSchema) -> None:
    """Make a table by a run without records."""
    made = tuple(WriteField(c.name, c.type) for c in wanted.columns)
    needed = frozenset(c.name for c in wanted.columns if not c.nullable)
    operations = destination.capabilities.operations
    operation = next((o for o in ADDING if o in operations and bool(wanted.key) == (o is not Operation.APPEND)), None)
    if operation is None or not destination.capabilities.create_table:
        pytest.skip("not stated: making such a table")
    spec = WriteSpec(wanted.name, made, wanted.key, operation, create=True, required=needed)
    run(destination.open(spec), spec, [])
