"""A file into MariaDB by one line, again, and with records that are refused."""

from __future__ import annotations

from pathlib import Path

import pymysql

from headgate.connectors.mysql.connection import Access
from support.shop import Headgate


def _rows(url: str) -> list[tuple[object, ...]]:
    with pymysql.connect(ssl_disabled=True, **Access.read({"url": url}).params, charset="utf8mb4") as connection:
        cursor = connection.cursor()
        cursor.execute("select * from items order by 1")
        return list(cursor.fetchall())


def test_a_file_is_run_into_a_table_made_for_it(headgate: Headgate, folder: Path, either_db: str) -> None:
    path, into = folder / "items.csv", f"{either_db}#items"
    path.write_text("id,name,qty\n1,lamp,5\n2,désk 👩,\n", encoding="utf-8")
    first = headgate("run", path, "--into", into, "--key", "id", "--create", "--json")
    assert first.code == 0, first.err
    assert _rows(either_db) == [(1, "lamp", 5), (2, "désk 👩", None)]
    again = headgate("run", path, "--into", into, "--key", "id", "--create")
    assert again.code == 0, again.err
    assert "2 read = 2 unchanged" in again.out


def test_what_the_database_refuses_is_a_reject(headgate: Headgate, folder: Path, either_db: str) -> None:
    params = Access.read({"url": either_db}).params
    with pymysql.connect(ssl_disabled=True, **params) as connection:
        connection.cursor().execute("create table items (id int primary key, qty int check (qty > 0))")
    path = folder / "items.csv"
    path.write_text("id,qty\n1,5\n2,-1\n3,7\n")
    said = headgate("run", path, "--into", f"{either_db}#items", "--key", "id")
    assert "2 created" in said.out
    assert "1 rejected" in said.out
    assert "DE03" in said.out
    assert _rows(either_db) == [(1, 5), (3, 7)]
