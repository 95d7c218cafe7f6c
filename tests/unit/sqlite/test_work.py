"""How much SQLite has to do grows with the records, not with their square: counted in steps of its machine, not in seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.connectors.sqlite import SqliteDestination
from headgate.connectors.sqlite.writer import SqliteWriter
from headgate.model.write import WriteSpec

from .conftest import Record, Shop, batches

FEW = 1_000
STEPS = 100
FIELDS = "id bigint, name text, qty integer"


def _records(count: int) -> Iterator[Record]:
    """A third of them is there, a tenth come twice, and some are refused."""
    for n in range(count):
        yield (i := n * 7919 % count), f"name {i}", -1 if n % 100 == 0 else n
    for n in range(0, count, 10):
        yield n, f"name {n}", 1


def _steps(shop: Shop, spec: WriteSpec, count: int) -> int:
    """Steps of a run over so many records, counted in hundreds."""
    shop.path.unlink(missing_ok=True)
    key = "" if spec.operation == "append" else " primary key"
    shop.sql(f"create table item (id integer{key}, name text, qty integer check (qty >= 0))")
    shop.sql(
        f"insert into item with recursive n(i) as (select 0 union all select i + 3 from n where i < {count}) select i, 'name ' || i, 1 from n"
    )
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    destination = SqliteDestination({"url": "sqlite:///shop.db"}, shop.folder)
    writer = destination.open(spec)
    assert isinstance(writer, SqliteWriter)
    try:
        for b in batches(spec, _records(count)):
            writer.write(b)
        writer._open().set_progress_handler(step, STEPS)
        writer.match()
        list(writer.changes())
        list(writer.before())
        writer.apply()
        list(writer.after())
        writer.commit()
    finally:
        writer.abort()
    return steps


@pytest.mark.parametrize(
    ("operation", "duplicates", "key"),
    [
        *((o, d, k) for o in ("insert", "update", "upsert", "delete", "mirror") for d in ("last", "reject") for k in ("id", "id name")),
        ("append", "last", ""),
    ],
)  # fmt: skip
def test_four_times_the_records_are_about_four_times_the_work(
    shop: Shop, operation: str, duplicates: str, key: str
) -> None:
    spec = shop.spec("item", FIELDS, operation, key, duplicates=duplicates, journal=True)
    few, many = _steps(shop, spec, FEW), _steps(shop, spec, 4 * FEW)
    assert few > 0
    assert many < 8 * few, f"{many * STEPS:,} steps where a quarter of the records took {few * STEPS:,}"
