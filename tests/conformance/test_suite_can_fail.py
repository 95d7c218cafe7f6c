"""Every test of the suite fails for some destination that is wrong, so that a pass means something."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.memory.writer import MemoryWriter
from headgate.model.errors import HeadgateError
from headgate.model.write import WriteSpec
from headgate.testing.destination import DestinationConformance
from headgate.testing.hostile import HostileNameTests, HostileValueTests
from headgate.testing.place import Place, make_by_create, read_by_mirror
from headgate.testing.runs import Row
from support import wrong_altering, wrong_destinations, wrong_lookups, wrong_undoing, wrong_values

WRONG = wrong_destinations.WRONG + wrong_lookups.WRONG + wrong_undoing.WRONG + wrong_values.WRONG + wrong_altering.WRONG
SUITE = {n for n in dir(DestinationConformance) if n.startswith("test_")}


def _variants(name: str) -> Iterator[dict[str, Any]]:
    """Arguments of the test, as pytest would give them."""
    marks = [m for m in getattr(getattr(DestinationConformance, name), "pytestmark", []) if m.name == "parametrize"]
    each = []
    for mark in marks:
        names = [mark.args[0]] if isinstance(mark.args[0], str) else list(mark.args[0])
        each.append([dict(zip(names, v if len(names) > 1 else (v,), strict=True)) for v in mark.args[1]])
    for chosen in itertools.product(*each):
        yield {k: v for part in chosen for k, v in part.items()}


def _passes(wrong: Any, name: str) -> bool:
    """Whether all variants of a test pass."""

    class Destination(wrong if issubclass(wrong, MemoryDestination) else MemoryDestination):  # type: ignore[misc]
        def open(self, spec: WriteSpec) -> Any:
            return wrong(self._tables, self._state, spec) if issubclass(wrong, MemoryWriter) else super().open(spec)

    for arguments in _variants(name):
        url = f"memory://{uuid.uuid4()}"
        place = Place(lambda url=url: Destination({"url": url}, Path()), read_by_mirror_plainly, make_by_create)
        try:
            getattr(DestinationConformance(), name)(place=place, **arguments)
        except (AssertionError, pytest.fail.Exception, HeadgateError):
            return False
        finally:
            place.close()
    return True


def read_by_mirror_plainly(destination: Any, table: str, fields: Any) -> list[Row]:
    """What is really in the table, whatever the wrong writer says."""
    honest = MemoryDestination.__new__(MemoryDestination)
    honest._tables, honest._state = destination._tables, destination._state
    return read_by_mirror(honest, table, fields)


@pytest.mark.parametrize(
    ("wrong", "name"), [(w, n) for w in WRONG for n in w.fails], ids=lambda v: getattr(v, "__name__", v)
)
def test_the_suite_notices(wrong: Any, name: str) -> None:
    assert not _passes(wrong, name)


def test_every_test_of_the_suite_can_fail() -> None:
    assert SUITE - {n for w in WRONG for n in w.fails} == set()


def test_the_intact_reference_passes_each_test_called_this_way() -> None:
    assert [n for n in sorted({n for w in WRONG for n in w.fails}) if not _passes(MemoryWriter, n)] == []


def test_a_destination_passes_that_refuses_all_it_can_state() -> None:
    hostile = [n for of in (HostileValueTests, HostileNameTests) for n in dir(of) if n.startswith("test_")]
    assert [n for n in hostile if not _passes(wrong_values.Picky, n)] == []
