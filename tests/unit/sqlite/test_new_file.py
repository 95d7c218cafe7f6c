"""Two that make one database file at the same moment: whoever comes second takes nothing of the first one's away."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.sqlite import writer as module
from headgate.connectors.sqlite.session import SqliteSession
from headgate.connectors.sqlite.writer import SqliteWriter
from headgate.model.errors import DestinationError

from .conftest import Shop, batches


def matched(shop: Shop, table: str, *records: tuple[int, str]) -> SqliteWriter:
    """A writer that has decided, while there was no file."""
    spec = shop.spec(table, "id bigint, name text", create=True)
    made = shop.destination.open(spec)
    for batch in batches(spec, records):
        made.write(batch)
    made.match()
    return made


def before(monkeypatch: pytest.MonkeyPatch, when: str, do: Any) -> None:
    """Have something done by another one right before, or after, the writer opens the file that it makes."""
    opens, rest = module.connect, [do]

    def connect(path: Path, **how: Any) -> sqlite3.Connection:
        if rest and when == "before":
            rest.pop()()
        con = opens(path, **how)
        if rest:
            rest.pop()()
        return con

    monkeypatch.setattr(module, "connect", connect)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("other", ["item", "another"])
def test_what_somebody_else_commits_meanwhile_stays(
    when: str, other: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = matched(shop, "item", (1, "mine")), matched(shop, other, (2, "theirs"))

    def commit() -> None:
        second.apply()
        second.commit()

    before(monkeypatch, when, commit)
    if other == "item":
        with pytest.raises(DestinationError, match="table item was made in the meantime") as e:
            first.apply()
        assert e.value.hint == "Run again."
    else:
        first.apply()
    first.abort()
    assert shop.rows(f"select * from {other}") == [(2, "theirs")]


def test_a_file_that_its_maker_takes_away_is_not_written_to(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    maker, second = matched(shop, "item", (1, "mine")), matched(shop, "another", (2, "theirs"))
    maker.apply()
    attach = SqliteSession.attach

    def attach_and_lose(session: SqliteSession, path: Path, schema: str) -> None:
        attach(session, path, schema)
        if schema == "_hg_new":
            maker.abort()

    monkeypatch.setattr(SqliteSession, "attach", attach_and_lose)
    with pytest.raises(DestinationError, match="was removed in the meantime") as e:
        second.apply()
    assert e.value.hint == "Run again."
    second.abort()
    assert list(shop.folder.iterdir()) == []
