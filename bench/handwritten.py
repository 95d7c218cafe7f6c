"""Loads as people write them in Python. Arguments: xlsx, jsonl or sqlite, the file, the database's URL, the table."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

CENT = Decimal("0.01")


def xlsx(file: Path) -> Iterator[tuple[object, ...]]:
    from python_calamine import CalamineWorkbook

    rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).iter_rows()
    next(rows)
    for i, email, sku, qty, price, currency, at, shipped, note, country in rows:
        money = Decimal(repr(price)).quantize(CENT)
        when = datetime(at.year, at.month, at.day, tzinfo=UTC)  # calamine gives a date for midnight
        if isinstance(at, datetime):
            when = at.replace(tzinfo=UTC)
        yield int(i), email, sku, int(qty), money, currency, when, shipped, note or None, country


def jsonl(file: Path) -> Iterator[tuple[object, ...]]:
    when = datetime.fromisoformat
    with file.open("rb") as lines:
        for r in map(json.loads, lines):
            yield (
                r["id"], r["customer_email"], r["sku"], int(r["qty"]), Decimal(r["unit_price"]), r["currency"],
                when(r["ordered_at"]), r["shipped"], r["note"], r["country"],
            )  # fmt: skip


def sqlite(file: Path) -> Iterator[tuple[object, ...]]:
    """COPY takes the texts of money and times as they are."""
    with closing(sqlite3.connect(file)) as connection:
        for i, email, sku, qty, price, currency, at, shipped, note, country in connection.execute(
            "select * from orders"
        ):
            yield i, email, sku, qty, price, currency, f"{at}Z", bool(shipped), note, country


mode, path, url, table = sys.argv[1:]
with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
    for record in {"xlsx": xlsx, "jsonl": jsonl, "sqlite": sqlite}[mode](Path(path)):
        copy.write_row(record)
