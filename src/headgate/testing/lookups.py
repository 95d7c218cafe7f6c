"""Tests of looking up: what is read as text, and records that are added for others to refer to."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final

import pyarrow as pa
import pytest

from headgate.model.errors import DestinationError
from headgate.model.outcome import Outcome
from headgate.model.reading import REFUSED, TAKEN, Parents, Reading
from headgate.model.text import text_form
from headgate.model.write import Operation
from headgate.spi.destination import AddsParents, Destination, Readable, Writer

from .matching import ITEM, THERE, item, spec
from .place import Place
from .runs import Row, batches, exact_rows, fields
from .values import VALUES, as_compared

GROUP: Final = fields(id="integer", name="text")
GROUPS: Final[list[Row]] = [{"id": 1, "name": "lamps"}, {"id": 2, "name": None}, {"id": 3, "name": "desks"}]
WANTED: Final = Parents("group", GROUP, "id")


def looked_up(destination: Destination, *columns: str, table: str = "group", **values: Any) -> list[tuple[str, ...]]:
    """The columns of the rows with these values, sorted."""
    assert isinstance(destination, Readable)
    found: list[tuple[str, ...]] = []
    for batch in destination.read(Reading(columns, table=table, values=values)):
        assert batch.schema == pa.schema([(c, pa.string()) for c in columns])
        assert 0 < batch.num_rows <= 65_536
        found += zip(*(c.to_pylist() for c in batch.columns), strict=True)
    return sorted(found, key=repr)


def added(writer: Writer, *rows: Row) -> tuple[list[str | None], list[str | None]]:
    """What was taken of new groups, and why others were refused."""
    assert isinstance(writer, AddsParents)
    schema = pa.schema([(f.name, f.type.arrow) for f in GROUP])
    answer = writer.add_parents(WANTED, pa.RecordBatch.from_pylist(list(rows), schema=schema))
    assert answer.schema == pa.schema([(TAKEN, pa.string()), (REFUSED, pa.string())])
    return answer[TAKEN].to_pylist(), answer[REFUSED].to_pylist()


class LookupTests:
    """Only for destinations that state lookups."""

    def _make(self, place: Place, rows: Iterable[Row] = GROUPS) -> None:
        self._stated(place)
        place.make("group", GROUP, rows)

    def _stated(self, place: Place) -> None:
        if not place.destination.capabilities.lookups:
            pytest.skip("not stated: lookups")

    @pytest.mark.parametrize("type_name", VALUES)
    def test_values_are_looked_up_in_their_text_form(self, place: Place, type_name: str) -> None:
        self._stated(place)
        made = fields(id="integer", v=type_name)
        kind = made[1].type.kind
        if kind not in place.destination.capabilities.exact_types and kind != "json":
            pytest.skip(f"not stated: {kind}")
        rows: list[Row] = [{"id": i, "v": v} for i, v in enumerate([None, *VALUES[type_name]])]
        place.make("value", made, rows)
        found = {i: as_compared(kind, v) for i, v in looked_up(place.destination, "id", "v", table="value")}
        assert found == {str(r["id"]): as_compared(kind, text_form(r["v"])) for r in rows}

    def test_columns_are_read_in_the_order_asked_for(self, place: Place) -> None:
        self._make(place)
        assert looked_up(place.destination, "name", "id")[0] == ("desks", "3")

    def test_only_entries_with_these_values_are_read(self, place: Place) -> None:
        self._make(place)
        assert looked_up(place.destination, "id", name="lamps") == [("1",)]
        assert looked_up(place.destination, "id", id=3, name="desks") == [("3",)]
        assert looked_up(place.destination, "id", id=3, name="lamps") == []
        assert looked_up(place.destination, "id", name=None) == [("2",)]

    def test_many_entries_are_read_in_pages(self, place: Place) -> None:
        self._make(place, [{"id": n, "name": "x"} for n in range(70_000)])
        assert len({n for (n,) in looked_up(place.destination, "id")}) == 70_000

    def test_what_is_not_there_cannot_be_looked_up(self, place: Place) -> None:
        self._make(place)
        for reading in (
            Reading(("id",), table="groups"),
            Reading(("nr",), table="group"),
            Reading(("id",), table="group", values={"nr": 1}),
        ):
            assert isinstance(place.destination, Readable)
            with pytest.raises(DestinationError):
                list(place.destination.read(reading))

    def test_reading_may_stop_early_and_leaves_the_table_free(self, place: Place) -> None:
        self._make(place, [{"id": n, "name": "x"} for n in range(70_000)])
        assert isinstance(place.destination, Readable)
        pages = place.destination.read(Reading(("id",), table="group"))
        with closing(pages):  # type: ignore[type-var]
            next(pages)
        place.seed("group", GROUP, [{"id": 70_000, "name": "x"}])
        assert looked_up(place.destination, "name", id=70_000) == [("x",)]

    def test_parents_are_added_with_the_records(self, place: Place) -> None:
        place.needs(Operation.UPSERT)
        self._make(place)
        place.make("item", ITEM, THERE)
        writer = place.open(spec(Operation.UPSERT))
        assert added(writer, {"id": 7, "name": "rugs"}, {"id": 5, "name": "pots"}) == (["7", "5"], [None, None])
        assert added(writer, {"id": 6, "name": "pans"}) == (["6"], [None])
        for b in batches(spec(Operation.UPSERT), [item(4)]):
            writer.write(b)
        writer.match()
        writer.apply()
        if place.destination.capabilities.transactional:
            assert len(looked_up(place.fresh(), "id")) == len(GROUPS)
        writer.commit()
        writer.abort()
        assert looked_up(place.destination, "id", "name")[3:] == [("5", "pots"), ("6", "pans"), ("7", "rugs")]
        assert place.read("item", ITEM) == [*THERE, item(4)]

    @pytest.mark.parametrize("operation", (Operation.APPEND, Operation.UPSERT, Operation.DELETE))
    def test_parents_are_forgotten_by_abort(self, place: Place, operation: Operation) -> None:
        place.needs(operation)
        self._make(place)
        place.make("item", ITEM, THERE)
        asked = spec(operation, key=() if operation is Operation.APPEND else ("id",))
        writer = place.open(asked)
        added(writer, {"id": 7, "name": "rugs"})
        for b in batches(asked, [item(4)]):
            writer.write(b)
        writer.match()
        writer.apply()
        writer.abort()
        assert (
            len(looked_up(place.destination, "id")) == len(GROUPS) or not place.destination.capabilities.transactional
        )

    def test_a_parent_that_is_refused_leaves_the_others(self, place: Place) -> None:
        place.needs(Operation.APPEND)
        self._make(place)
        place.make("item", ITEM, THERE)
        append = spec(Operation.APPEND, key=())
        writer = place.open(append)
        taken, refused = added(writer, {"id": 7, "name": "rugs"}, {"id": 1, "name": "again"}, {"id": 8, "name": None})
        assert taken == ["7", None, "8"]
        assert [bool(why) for why in refused] == [False, True, False]
        for b in batches(append, [item(4), item(1), item(5)]):  # the second of them is refused, and parents stay
            writer.write(b)
        writer.match()
        assert writer.apply().account.outcomes[Outcome.REJECTED] == 1
        writer.commit()
        writer.abort()
        assert looked_up(place.destination, "id", "name")[3:] == [("7", "rugs"), ("8", None)]

    @pytest.mark.parametrize(("kind", "name"), (("double", "nan"), ("double", "infinity"), ("text", "nul")))
    def test_a_parent_with_a_value_that_cannot_be_held_is_refused(self, place: Place, kind: str, name: str) -> None:
        self._stated(place)
        place.needs(Operation.APPEND)
        made = fields(id="integer", v=kind)
        hard: Any = "a\0b" if name == "nul" else float(name)
        rows = [{"id": 1, "v": None}, {"id": 2, "v": hard}, {"id": 3, "v": None}]
        place.make("group", made)
        place.make("item", ITEM)
        writer = place.open(spec(Operation.APPEND, key=()))
        assert isinstance(writer, AddsParents)
        schema = pa.schema([(f.name, f.type.arrow) for f in made])
        answer = writer.add_parents(Parents("group", made, "id"), pa.RecordBatch.from_pylist(rows, schema=schema))
        refused = name in place.destination.capabilities.refuses
        assert answer[TAKEN].to_pylist() == ["1", None if refused else "2", "3"]
        assert [bool(why) for why in answer[REFUSED].to_pylist()] == [False, refused, False]
        writer.match()
        writer.apply()
        writer.commit()
        writer.abort()
        assert exact_rows(place.read("group", made)) == exact_rows([r for r in rows if r["v"] is None or not refused])

    def test_parents_belong_to_the_first_batch(self, place: Place) -> None:
        place.needs(Operation.INSERT)
        self._make(place)
        place.make("item", ITEM, THERE)
        batched = spec(Operation.INSERT, batched=True)
        writer = place.open(batched)
        added(writer, {"id": 7, "name": "rugs"})
        for number in (4, 5):
            for b in batches(batched, [item(number)]):
                writer.write(b)
            writer.match()
            writer.apply()
            writer.commit()
            assert looked_up(place.fresh(), "name", id=7) == [("rugs",)]
        writer.abort()
        assert place.read("item", ITEM) == [*THERE, item(4), item(5)]
