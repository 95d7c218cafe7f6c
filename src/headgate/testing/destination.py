"""The conformance suite of destinations.

A connector's test module needs no more than this::

    class TestShelf(DestinationConformance):
        @pytest.fixture
        def connect(self, tmp_path):
            return lambda: ShelfDestination({"url": f"shelf://{tmp_path}"}, tmp_path)

The suite tests exactly what the destination's `Capabilities` state: operations that are not stated must be refused, and
what it cannot do is named in `gaps` (name of the test, without parameters: reason), where it is a strict xfail, so that a
gap that was closed breaks the build until it is struck off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from headgate.model.table import TableSchema
from headgate.model.write import WriteField
from headgate.spi.destination import Destination

from .altering import AlteringTests
from .hostile import HostileNameTests, HostileValueTests
from .lookups import LookupTests
from .matching import MatchingTests
from .mirroring import MirroringTests
from .place import Connect, Place, make_by_create, read_by_mirror
from .planning import PlanningTests
from .runs import Row
from .transactions import RefusalTests, TransactionTests
from .undoing import CheckpointTests, UndoTests
from .values import ValueTests


class DestinationConformance(
    MatchingTests,
    MirroringTests,
    PlanningTests,
    TransactionTests,
    RefusalTests,
    ValueTests,
    HostileValueTests,
    HostileNameTests,
    UndoTests,
    CheckpointTests,
    LookupTests,
    AlteringTests,
):
    """What every destination must do; subclass it and say how to connect to one.

    Required: the fixture ``connect``, a function that makes a new `Destination`; all it makes during one test must lead
    to the same place, which is empty when the test begins.

    Optional: `read` and `make_table`, for destinations that cannot do this through the interface alone (without mirror,
    without create), `count_elsewhere`, where a second writer would wait for the first, and `table_name`, where definitions
    must quote the names of some tables.
    """

    @pytest.fixture
    def connect(self) -> Connect:
        """Override: a function that makes a destination."""
        raise NotImplementedError("a subclass of DestinationConformance defines the fixture `connect`")

    def read(self, destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
        """Override to read a table in another way: its rows as dicts, values as Arrow's `to_pylist` gives them."""
        return read_by_mirror(destination, table, fields)

    def make_table(self, destination: Destination, wanted: TableSchema) -> None:
        """Override to make a table in another way."""
        make_by_create(destination, wanted)

    def table_name(self, name: str) -> str:
        """Override to say how a definition writes the name of a table."""
        return name

    @pytest.fixture
    def place(self, request: pytest.FixtureRequest, connect: Connect) -> Iterator[Place]:
        """An empty place; the test is expected to fail where it is a gap of the destination."""
        place = Place(connect, self.read, self.make_table, self.table_name)
        name = getattr(request.node, "originalname", request.node.name)
        if gap := place.destination.capabilities.gaps.get(name):
            request.applymarker(pytest.mark.xfail(reason=gap, strict=True))
        yield place
        place.close()

    def test_every_gap_is_the_name_of_a_test(self, place: Place) -> None:
        assert {g for g in place.destination.capabilities.gaps if not hasattr(self, g)} == set()
