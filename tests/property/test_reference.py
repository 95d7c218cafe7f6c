"""Destinations do what the reference does, in whatever scenario. HEADGATE_TEST_EXAMPLES=1000 looks further."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.postgres import PostgresDestination
from headgate.connectors.sqlite import SqliteDestination
from headgate.spi.destination import Destination
from headgate.testing.compare import Scenario, observe, scenarios

EXAMPLES = int(os.environ.get("HEADGATE_TEST_EXAMPLES", "25"))
numbers = itertools.count()


@pytest.fixture(scope="module", params=("sqlite", "postgres"))
def destination(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Destination]:
    made: Any
    if request.param == "sqlite":
        made = SqliteDestination({"url": f"sqlite:///{tmp_path_factory.mktemp('reference')}/place.db"}, Path())
    else:
        made = PostgresDestination({"url": request.getfixturevalue("pg_database")}, Path())
    yield made
    made.close()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize="HEADGATE_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(scenario=scenarios())
def test_a_destination_does_what_the_reference_does(destination: Destination, scenario: Scenario) -> None:
    number = next(numbers)
    reference = MemoryDestination({"url": f"memory://reference-{os.getpid()}"}, Path())
    table = f"scenario_{number}"
    assert observe(destination, table, scenario) == observe(reference, table, scenario)
