"""The ids that destinations gave records, by the records' keys."""

from __future__ import annotations

from pathlib import Path

from headgate.ledger import Ledger, open_ledger
from headgate.ledger import ids as module
from headgate.ledger.ids import Ids

CRM = "crm#people"


def known(ids: Ids) -> dict[tuple[str, ...], str]:
    return {key: id_ for page in ids.pages() for key, id_ in page}


def test_there_are_none_before_there_is_a_ledger_and_none_is_made(ledger: Ledger, tmp_path: Path) -> None:
    assert known(Ids(ledger, "people", CRM)) == {}
    assert not list(tmp_path.rglob("*.db"))


def test_what_was_told_last_counts(ledger: Ledger, place: str) -> None:
    ids = Ids(ledger, "people", CRM)
    ids.learn({("a",): "r1", ("b",): "r2", ("c",): "r3"})
    ids.learn({("a",): "r1", ("b",): "r9", ("c",): None, ("d",): None})
    with open_ledger(place) as another:
        assert known(Ids(another, "people", CRM)) == {("a",): "r1", ("b",): "r9"}
    ids.learn({("c",): "r4"})
    assert known(ids) == {("a",): "r1", ("b",): "r9", ("c",): "r4"}


def test_each_import_at_each_destination_has_its_own(ledger: Ledger) -> None:
    Ids(ledger, "people", CRM).learn({("a",): "r1"})
    Ids(ledger, "people", "test#people").learn({("a",): "t1"})
    Ids(ledger, "leads", CRM).learn({("a",): None})
    assert known(Ids(ledger, "people", CRM)) == {("a",): "r1"}
    assert known(Ids(ledger, "people", "test#people")) == {("a",): "t1"}
    assert known(Ids(ledger, "leads", CRM)) == {}


def test_keys_of_any_kind(ledger: Ledger) -> None:
    long = "é" * 4_000  # more than an index of PostgreSQL takes
    told = {
        ("1", "2"): "one",
        ("1", "2", ""): "two",
        ('1","2',): "three",
        ("",): "four",
        ("'; -- \\",): "five",
        (long,): "six",
        (f"{long}é",): "seven",
        (long, "x"): "eight",
        ("nul\0",): "nine\0",
    }
    ids = Ids(ledger, "people", CRM)
    ids.learn(told)
    kept = {key: id_ for key, id_ in told.items() if key != ("nul\0",)}
    assert known(ids) == kept | {("nul\\x00",): "nine\\x00"}
    ids.learn({(long,): None, ("nul\0",): None})
    assert (long,) not in known(ids)
    assert len(known(ids)) == len(told) - 2


def test_what_the_source_was_not_told(ledger: Ledger) -> None:
    def unwritten() -> dict[tuple[str, ...], str | None]:
        return {key: id_ for page in ids.unwritten() for key, id_ in page}

    ids = Ids(ledger, "people", CRM)
    assert unwritten() == {}
    ids.learn({("a",): "r1", ("b",): "r2", ("é" * 4_000,): "r3"})
    Ids(ledger, "leads", CRM).wrote([(("a",), "r1")])
    assert unwritten() == known(ids)
    ids.wrote(known(ids).items())
    assert unwritten() == {}
    ids.learn({("a",): "r9", ("b",): None, ("c",): "r4", ("d",): None})
    assert unwritten() == {("a",): "r9", ("b",): None, ("c",): "r4"}
    assert ("b",) not in known(ids)
    ids.wrote([(("b",), None), (("c",), "r4")])
    assert unwritten() == {("a",): "r9"}


def test_many_are_kept_and_given_piece_by_piece(ledger: Ledger) -> None:
    count = module._PIECE * 2 + 3
    told = {(f"{n}", "x"): f"r{n}" for n in range(count)}
    ids = Ids(ledger, "people", CRM)
    ids.learn(told)
    assert [len(page) for page in ids.pages()] == [module._PIECE, module._PIECE, 3]
    assert known(ids) == told
