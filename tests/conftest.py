"""Fixtures everybody uses.

``pg_url``: a running PostgreSQL (one a session and worker). ``pg_db``: an empty database of it for one test.
``maria`` and ``mysql``: a running MariaDB and a running MySQL, likewise; ``either``: one after the other. ``maria_db``, ``mysql_db`` and
``either_db``: URL of an empty database of it for one test.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

from support.mariadb import MariaServer
from support.mysql import MysqlServer
from support.mysqld import Mysqld
from support.optional import fail_if_required
from support.postgres import Server

# The same examples every time, so that a change is to blame for what it breaks; HEADGATE_TEST_RANDOM=1 looks elsewhere.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
if "HEADGATE_TEST_RANDOM" not in os.environ:
    settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_postgres: runs against a real PostgreSQL (fixtures pg_url, pg_db)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"pg_url", "pg_db"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.needs_postgres)


def pytest_collection_finish() -> None:
    # What ten thousand tests are made of stays until the end; the garbage collector need not go through it again and again.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fail_if_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    fail_if_required(report)
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write the names of tests that failed into the file HEADGATE_TEST_FAILED, one a line, for whoever tries them again."""
    file = os.environ.get("HEADGATE_TEST_FAILED")
    if file and report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(file).open("a") as failed:
            failed.write(f"{report.nodeid}\n")


@pytest.fixture(scope="session")
def pg_url() -> Iterator[str]:
    """URL of a database in which tests may make databases: HEADGATE_TEST_PG_URL, or a server of the session's own."""
    if url := os.environ.get("HEADGATE_TEST_PG_URL"):
        yield url
        return
    try:
        server = Server()
    except (ImportError, OSError, RuntimeError) as e:
        pytest.skip(f"no PostgreSQL: {e}")
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def pg_database(pg_url: str) -> Iterator[str]:
    """URL of a database of the session's own; tests use it one after the other, through `pg_db`."""
    import psycopg

    name = f"headgate_test_{os.getpid()}"
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield urlunsplit(urlsplit(pg_url)._replace(path=f"/{name}"))
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def pg_db(pg_database: str) -> Iterator[str]:
    """URL of an empty database. Emptied again rather than made anew: 0.01 s instead of 0.2 s a test."""
    import psycopg

    yield pg_database
    with psycopg.connect(pg_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found = connection.execute(
            "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        ).fetchall()
        for (schema,) in found:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture(scope="session")
def maria() -> Iterator[Mysqld]:
    """A server of the session's own."""
    yield from _running("MariaDB", MariaServer)


@pytest.fixture(scope="session")
def mysql() -> Iterator[Mysqld]:
    """A server of the session's own."""
    yield from _running("MySQL", MysqlServer)


def _running(name: str, make: Callable[[], Mysqld]) -> Iterator[Mysqld]:
    try:
        server = make()
    except (OSError, RuntimeError) as e:
        pytest.skip(f"no {name}: {e}")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["maria", "mysql"])
def either(request: pytest.FixtureRequest) -> Mysqld:
    """Each of the two servers in turn."""
    server: Mysqld = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def maria_db(maria: Mysqld) -> Iterator[str]:
    """URL of an empty database of MariaDB."""
    with _empty(maria) as url:
        yield url


@pytest.fixture
def mysql_db(mysql: Mysqld) -> Iterator[str]:
    """URL of an empty database of MySQL."""
    with _empty(mysql) as url:
        yield url


@pytest.fixture
def either_db(either: Mysqld) -> Iterator[str]:
    """URL of an empty database of each in turn."""
    with _empty(either) as url:
        yield url


@contextmanager
def _empty(server: Mysqld) -> Iterator[str]:
    from headgate.connectors.mysql.connection import Access

    connection = Access.read({"url": server.url}).connect()
    with connection.cursor() as cursor:
        cursor.execute("create database headgate_test character set utf8mb4")
        yield server.url_of("headgate_test")
        cursor.execute("drop database headgate_test")
    connection.close()
