"""Deterministic orders for the benchmarks, and what the destination must hold afterwards.

Every value is a function of the record's number and a version, written in SQL and computed by DuckDB. On purpose: article
numbers with leading zeros, the country code NA, notes with quotes, commas, line breaks, tabs and letters of several scripts,
notes that are missing, times of which a fifth are written with another zone.

The expected content is a sum over the first 32 bits of the MD5 of each record's canonical text, so that a destination can
compute it too, and records can be added and taken away.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

FOLDER = Path(os.environ.get("HEADGATE_BENCH_DATA", "/tmp/headgate-bench/data"))
COLUMNS = {
    "id": "bigint", "customer_email": "text", "sku": "text", "qty": "integer", "unit_price": "decimal(12,2)", "currency": "text",
    "ordered_at": "timestamptz", "shipped": "boolean", "note": "text", "country": "text",
}  # fmt: skip
BASE = 1_000_000
ROWS = """
select id,
  format('user{}@example{}.com', lpad((h % 900000)::varchar, 6, '0'), (h >> 20) % 50) as customer_email,
  lpad(((g >> 12) % 100000000)::varchar, 8, '0') as sku,
  (1 + (h >> 36) % 50)::integer as qty,
  ((99 + (g >> 17) % 500000) / 100)::decimal(12,2) as unit_price,
  ['EUR', 'USD', 'CHF', 'GBP', 'SEK', 'JPY', 'NOK', 'PLN'][1 + (h >> 44) % 8] as currency,
  timestamp '2020-01-01' + to_seconds(((h >> 13) % 157680000)::bigint) as ordered_at,
  (g >> 41) % 5 = 0 as elsewhere,
  (h >> 50) % 2 = 1 as shipped,
  case when k < 5 then ['says "urgent", call first', 'line one' || chr(10) || 'line two', 'Grüße aus Zürich, naïve façade',
      '日本語の注文、至急', 'O''Brien; 50% off, "final"' || chr(10) || 'second line', 'emoji 🚚 fast;' || chr(9) || 'there',
      'back\\slash \\N and , comma', 'Ελληνικά "quoted"'][1 + (g >> 8) % 8]
    when k < 20 then null
    when k = 20 then ['N/A', 'null'][1 + (g >> 30) % 2]
    else format('order {} handled by team {}', lpad((g % 1000000)::varchar, 6, '0'), (g >> 20) % 97) end as note,
  ['DE', 'FR', 'CH', 'US', 'NA', 'NO', 'GB', 'IT', 'ES', 'SE', 'JP', 'AT'][1 + (g >> 50) % 12] as country
from (select id, (md5_number_lower(id || ':' || version) >> 1)::bigint as h,
  (md5_number_upper(id || ':' || version) >> 1)::bigint as g, h % 100 as k from ({ids}))
"""
WRITTEN = """
select id, customer_email, sku, qty{text} as qty, unit_price{text} as unit_price, currency,
  case when elsewhere then strftime(ordered_at + interval 2 hours, '%Y-%m-%dT%H:%M:%S+02:00')
    else strftime(ordered_at, '%Y-%m-%dT%H:%M:%SZ') end as ordered_at, shipped, note, country
from ({rows})
"""
CANONICAL = (
    "concat_ws('|', id, customer_email, sku, qty, unit_price, currency, strftime(ordered_at, '%Y-%m-%dT%H:%M:%S'),"
    " shipped::integer, coalesce(note, '\\N'), country)"
)
# One bad record in each hundred, never the hundred's first. Kinds: 0 number, 1 date, 2 missing, 3 the key of a hundred's first.
BAD = "(id - 1) % 100 = 1 + md5_number_lower('bad' || ((id - 1) // 100)) % 99"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the destination must hold: how many records, and their sum; and how many records must be refused."""

    count: int
    sum: int
    rejects: int = 0


def expected(path: Path) -> Expected:
    """What was computed when the file was made."""
    return Expected(**json.loads(path.with_name(path.name + ".expected").read_text()))


def make(scenario: str, n: int) -> Path:
    """The input of a scenario; made if it is not there."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    maker, name = {
        "orders": (_orders, f"orders-{n}.csv"), "upsert": (_upsert, f"upsert-{n}.csv"), "delete": (_delete, f"delete-{n}.csv"),
        "xlsx": (_xlsx, f"orders-{n}.xlsx"), "jsonl": (_jsonl, f"orders-{n}.jsonl"), "dirty": (_dirty, f"dirty-{n}.csv"),
        "sqlite": (_sqlite, f"orders-{n}.sqlite"),
    }[scenario]  # fmt: skip
    path = FOLDER / name
    mark = path.with_name(path.name + ".expected")
    if not mark.exists():
        with duckdb.connect() as connection:
            found = maker(connection, path, n)
        mark.write_text(json.dumps(asdict(found)))
    return path


def refused_lines(path: Path) -> dict[int, str]:
    """Of the dirty file: the physical line of each bad record, and what is bad about it."""
    return {int(k): v for k, v in json.loads(path.with_name(path.name + ".lines").read_text()).items()}


def _rows(ids: str) -> str:
    return ROWS.replace("{ids}", ids)


def _numbers(first: int, last: int) -> str:
    return f"select range as id, 0 as version from range({first}, {last + 1})"


def _sum(connection: duckdb.DuckDBPyConnection, rows: str) -> Expected:
    hashed = f"('0x' || md5({CANONICAL})[:8])::bigint"
    count, total = connection.execute(f"select count(*), coalesce(sum({hashed}), 0) from ({rows})").fetchall()[0]
    return Expected(int(count), int(total))


def _csv(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"copy ({query}) to '{path}' (format csv, header true)")


def _written(rows: str, text: str = "") -> str:
    return WRITTEN.replace("{rows}", rows).replace("{text}", text)


def _orders(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    rows = _rows(_numbers(1, n))
    _csv(connection, _written(rows), path)
    return _sum(connection, rows)


def _sqlite(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    """A table as applications make it: money as numbers, times as texts without a zone, in UTC."""
    rows = _rows(_numbers(1, n))
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as made:
        made.execute(
            "create table orders (id integer primary key, customer_email text not null, sku text not null, qty integer,"
            " unit_price decimal(12,2), currency text, ordered_at timestamp, shipped boolean, note text, country text)"
        )
        found = connection.execute(
            "select id, customer_email, sku, qty, unit_price::double, currency, strftime(ordered_at, '%Y-%m-%d %H:%M:%S'),"
            f" shipped::integer, note, country from ({rows})"
        )
        while page := found.fetchmany(50_000):
            made.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", page)
        made.commit()
    return _sum(connection, rows)


def _chosen(n: int, salt: str) -> str:
    """`n` of the base's records, scattered."""
    return f"select range as id from range(1, {BASE + 1}) order by md5_number_lower('{salt}' || range), id limit {n}"


def _upsert(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    connection.execute(f"create table old as {_chosen(n // 2, 'upsert')}")
    ids = f"select id, 1 as version from old union all select range, 1 from range({BASE + 1}, {BASE + 1 + n - n // 2})"
    _csv(connection, f"{_written(_rows(ids))} order by md5_number_lower('shuffle' || id), id", path)
    kept = _rows(f"select * from ({_numbers(1, BASE)}) where id not in (select id from old)")
    left, new = _sum(connection, kept), _sum(connection, _rows(ids))
    return Expected(left.count + new.count, left.sum + new.sum)


def _delete(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    connection.execute(f"create table gone as {_chosen(n, 'delete')}")
    _csv(connection, "select id from gone order by md5_number_lower('shuffle' || id), id", path)
    return _sum(connection, _rows(f"select * from ({_numbers(1, BASE)}) where id not in (select id from gone)"))


def _jsonl(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    rows = _rows(_numbers(1, n))
    connection.execute(f"copy ({_written(rows, '::varchar')}) to '{path}' (format json)")
    return _sum(connection, rows)


def _xlsx(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    import xlsxwriter

    rows = _rows(_numbers(1, n))
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False})
    sheet, date = book.add_worksheet("orders"), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.write_row(0, 0, COLUMNS)
    found = connection.execute(f"select * exclude (elsewhere) from ({rows}) order by id")
    for i, record in enumerate(iter(found.fetchone, None), 1):
        for j, (name, value) in enumerate(zip(COLUMNS, record, strict=True)):
            if name == "ordered_at":
                sheet.write_datetime(i, j, value, date)
            elif value is not None:
                sheet.write(i, j, float(value) if name == "unit_price" else value)
    book.close()
    return _sum(connection, rows)


def _dirty(connection: duckdb.DuckDBPyConnection, path: Path, n: int) -> Expected:
    rows = _rows(_numbers(1, n))
    connection.execute(
        f"create table bad as select id, row_number() over (order by id) % 4 as kind from range(1, {n + 1}) t(id) where {BAD}"
    )
    connection.execute(
        f"create table dirty as select w.id as n, kind, coalesce(w.note, '') as t, {_spoiled()} from ({_written(rows, '::varchar')}) w left join bad using (id)"
    )
    _csv(connection, f"select {', '.join(COLUMNS)} from dirty order by n", path)
    breaks = "1 + length(t) - length(replace(t, chr(10), ''))"
    lines = connection.execute(
        f"select 2 + first_line, kind from (select kind, coalesce(sum({breaks}) over (order by n rows between unbounded preceding"
        " and 1 preceding), 0) as first_line from dirty) where kind is not null"
    ).fetchall()
    kinds = ("number", "date", "missing", "duplicate")
    path.with_name(path.name + ".lines").write_text(json.dumps({int(line): kinds[kind] for line, kind in lines}))
    good = _sum(connection, f"select * from ({rows}) where id not in (select id from bad)")
    return Expected(good.count, good.sum, len(lines))


def _spoiled() -> str:
    spoiled = {
        "id": "case when kind = 3 then w.id - (w.id - 1) % 100 else w.id end",
        "qty": "case when kind = 0 and w.id % 2 = 0 then 'abc' else w.qty end",
        "unit_price": "case when kind = 0 and w.id % 2 = 1 then '12.5x' else w.unit_price end",
        "ordered_at": "case when kind = 1 then '2024-13-45T10:00:00Z' else w.ordered_at end",
        "customer_email": "case when kind = 2 then null else w.customer_email end",
    }
    return ", ".join(f"{spoiled.get(c, f'w.{c}')} as {c}" for c in COLUMNS)
