"""Everything that can go wrong with a server is told in words, and nothing half written stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.mysql import MysqlDestination
from headgate.connectors.mysql.connection import Access
from headgate.model.errors import Cancelled, ConnectionFailed, DestinationError, UsageError
from support.mysqld import Mysqld

from .conftest import Database, batch, spec

GIVEN = spec("t", "upsert", "id", id="integer", v="text")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("/headgate_test", "/no_such_database"), "no such database"),
        (("root@", "nobody:sesame@"), "wrong password or user"),
    ],
)
def test_a_server_that_does_not_let_in_is_told(either_db: str, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ConnectionFailed, match=said) as raised:
        MysqlDestination({"url": either_db.replace(*change)}, Path()).tables()
    assert raised.value.hint
    assert "sesame" not in str(raised.value)


def test_a_socket_is_reached(either: Mysqld, db: Database) -> None:
    db.sql("create table t (id int)")
    url = f"mysql://root@localhost/headgate_test?unix_socket={either.socket}"
    destination = MysqlDestination({"url": url}, Path())
    assert destination.tables() == ["t"]
    destination.close()


@pytest.fixture
def without_tls(mysql: Mysqld) -> Iterator[str]:
    """URL of a database of a MySQL that offers no TLS, with a login that has a password."""
    with Access.read({"url": mysql.url}).connect() as connection, connection.cursor() as cursor:
        cursor.execute("select @@tls_version")
        offered = cursor.fetchall()[0][0]
        cursor.execute("create user locked identified by 'sesame'")
        cursor.execute("grant all on *.* to locked")
        _set_tls(cursor, "")
        yield mysql.url_of("information_schema", "locked:sesame")
        _set_tls(cursor, offered)
        cursor.execute("drop user locked")


def _set_tls(cursor: Any, versions: str) -> None:
    cursor.execute(f"set global tls_version = '{versions}'")
    cursor.execute("alter instance reload tls no rollback on error")


def test_a_password_is_taken_without_tls(without_tls: str) -> None:
    destination = MysqlDestination({"url": without_tls}, Path())
    assert destination.tables()
    destination.close()


def test_a_driver_that_cannot_encipher_the_password_is_told(without_tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    with pytest.raises(ConnectionFailed, match="cryptography") as raised:
        MysqlDestination({"url": without_tls}, Path()).tables()
    assert "headgate[mysql]" in raised.value.hint
    assert "sesame" not in str(raised.value)


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(ConnectionFailed, match="cannot be reached") as raised:
        MysqlDestination({"url": "mysql://me:sesame@127.0.0.1:1/shop"}, Path()).tables()
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "mysql://me:sesame@host"}, "names no database"),
        ({"url": "mysql://me:sesame@host:port/shop"}, "cannot be read"),
        ({"url": "mysql://host/shop?colour=red"}, "no parameter 'colour'"),
        ({"url": "mysql://host/shop", "pasword": "x"}, "no option 'pasword'"),
        ({"url": "mysql://host/shop", "lock_timeout": "soon"}, "number of seconds"),
        ({"url": "mysql://host/shop", "local_infile": "yes"}, "not true or false"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        MysqlDestination(options, Path())
    assert "sesame" not in str(raised.value)


def test_records_in_use_are_told_with_who_uses_them(db: Database) -> None:
    db.sql("create table t (id int primary key, v text)")
    db.sql("insert into t values (1, 'a')")
    db.sql("begin")
    db.sql("update t set v = 'b'")
    try:
        with pytest.raises(DestinationError, match=r"in use: session \d+ \(root\)"):
            db.write(GIVEN, (1, "c"), lock_timeout=1)
    finally:
        db.sql("rollback")


def test_cancel_breaks_off_a_wait(db: Database) -> None:
    db.sql("create table t (id int primary key, v text)")
    db.sql("insert into t values (1, 'a')")
    writer = db.writer(GIVEN)
    writer.write(batch(GIVEN, [(1, "c")]))
    db.sql("begin")
    db.sql("update t set v = 'b'")
    raised: list[BaseException] = []

    def match() -> None:
        try:
            writer.match()
        except Cancelled as e:
            raised.append(e)

    thread = threading.Thread(target=match)
    thread.start()
    while thread.is_alive() and not _waits(db):
        thread.join(0.2)  # the server looks at its transactions anew only when nobody has asked for 0.1 s
    writer.cancel()
    thread.join()
    writer.abort()
    db.sql("rollback")
    assert len(raised) == 1


def _waits(db: Database) -> bool:
    return bool(db.sql("select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"))
