"""What is said of connections through ADBC that cannot be made."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.adbc import AdbcSource
from headgate.connectors.adbc.options import AdbcOptions, read
from headgate.connectors.adbc.vendors import vendor
from headgate.model.errors import ConnectionFailed, HeadgateError, SourceError, UsageError
from headgate.model.spec import SourceSpec
from headgate.spi.registry import Connected


def refused(base: Path, secrets: tuple[str, ...] = (), **connection: Any) -> HeadgateError:
    with pytest.raises(HeadgateError) as said:
        spec = SourceSpec(connection="old", table="item")
        with closing(AdbcSource(spec, base, Connected({"url": "adbc://"} | connection, secrets=secrets))) as source:
            source.open(source.partitions()[0])
    return said.value


def test_a_driver_that_is_not_installed_is_named_with_its_package(tmp_path: Path) -> None:
    error = refused(tmp_path, driver="snowfall")
    assert isinstance(error, UsageError)
    assert error.message == "there is no ADBC driver 'snowfall'"
    assert "pip install adbc-driver-snowfall" in error.hint


def test_a_library_that_is_not_there_is_said(tmp_path: Path) -> None:
    error = refused(tmp_path, driver="lib/libnothing.so")
    assert isinstance(error, UsageError)
    assert "there is no ADBC driver 'lib/libnothing.so'" in error.message
    assert "pip" not in error.hint


def test_a_library_is_found_by_its_path(tmp_path: Path) -> None:
    import adbc_driver_sqlite

    (tmp_path / "libhere.so").symlink_to(adbc_driver_sqlite._driver_path())
    error = refused(tmp_path, driver="./libhere.so", entrypoint="AdbcDriverSqliteInit", uri=":memory:")
    assert isinstance(error, SourceError)
    assert "item" in error.message


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        ({}, "driver: Field required"),
        ({"driver": "sqlite", "ur": "x"}, "ur: Extra inputs are not permitted"),
        ({"driver": "sqlite", "options": {"a": ["secret-one"]}}, "options.a"),
        ({"driver": "sqlite", "placeholder": "%s"}, "placeholder"),
    ],
)
def test_what_a_connection_does_not_know_is_said(tmp_path: Path, connection: dict[str, Any], said: str) -> None:
    error = refused(tmp_path, **connection)
    assert isinstance(error, UsageError)
    assert said in error.message
    assert "driver, uri, entrypoint, options" in error.hint
    assert "secret-one" not in str(error)


def test_an_option_that_its_driver_does_not_know_is_said(tmp_path: Path) -> None:
    error = refused(tmp_path, driver="sqlite", uri=":memory:", options={"colour": "blue"})
    assert isinstance(error, UsageError)
    assert "colour" in error.message
    assert "options" in error.hint


def test_a_server_that_does_not_answer_is_worth_another_try_and_no_secret_is_shown(tmp_path: Path) -> None:
    error = refused(
        tmp_path, driver="postgresql", uri="postgresql://ada:hush1234@127.0.0.1:1/hush1234", secrets=("ada",)
    )
    assert isinstance(error, ConnectionFailed)
    assert error.retryable
    assert "cannot be reached" in error.message
    assert "hush1234" not in str(error)


def test_every_option_is_on_the_page() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "import-from-a-database.md"
    section = page.read_text(encoding="utf-8").partition("## Through ADBC")[2].partition("\n## ")[0]
    keys = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", keys)) == set(AdbcOptions.model_fields)


def test_a_source_without_a_connection_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="through a connection"):
        AdbcSource(SourceSpec(connection="old", table="item"), tmp_path)


@pytest.mark.parametrize(
    ("product", "parameter", "name"),
    [
        ("PostgreSQL 180004", "$2", '"a""b`"'),
        ("SQLite 3.53", "?", '"a""b`"'),
        ("Microsoft SQL Server", "@p2", '"a""b`"'),
        ("BigQuery", "?", '`a"b```'),
        ("never heard of", "?", '"a""b`"'),
    ],
)
def test_statements_are_as_their_database_has_them(product: str, parameter: str, name: str) -> None:
    found = vendor(product, read({"driver": "x"}))
    assert (found.parameter(2), found.name('a"b`')) == (parameter, name)


def test_a_connection_may_say_how_statements_are() -> None:
    found = vendor("PostgreSQL", read({"driver": "x", "placeholder": ":1", "quote": "`"}))
    assert (found.parameter(2), found.name("a"), found.cursor) == (":2", "`a`", True)
