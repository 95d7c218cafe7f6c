"""Reading from an API only what is new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.testing.server import ApiServer
from support.shop import Ask, Headgate, counts

INCREMENTAL: dict[str, Any] = {
    "source": {
        "connection": "crm",
        "columns": ["id", "changed"],
        "request": {"path": "/changed", "records": "items", "query": {"since": "{since}", "sort": "id"}},
        "incremental": {"column": "changed"},
    },
    "key": "id",
    "fields": {"id": {"type": "bigint"}, "changed": {"type": "timestamptz"}},
    "destination": {"connection": "shop", "table": "customer", "create": True},
}


def record(number: int, day: int) -> str:
    return f'{{"id": {number}, "changed": "2024-01-{day:02}T00:00:00Z", "more": 1}}'


@pytest.fixture
def api(folder: Path) -> Iterator[ApiServer]:
    """A server, and a project with an import of what has changed."""
    with ApiServer([record(n, n) for n in range(1, 11)]) as api:
        connections = {"crm": {"url": api.url, "private": True}, "shop": "sqlite:///shop.db"}
        (folder / "headgate.yaml").write_text(yaml.safe_dump({"connections": connections}))
        (folder / "imports").mkdir()
        define(folder)
        yield api


def define(folder: Path, incremental: dict[str, Any] | None = None, **definition: Any) -> None:
    whole = INCREMENTAL | definition
    if incremental is not None:
        whole["source"] = whole["source"] | {"incremental": {"column": "changed"} | incremental}
    (folder / "imports" / "customers.yaml").write_text(
        yaml.safe_dump({k: v for k, v in whole.items() if v is not None})
    )


def since(api: ApiServer) -> list[str | None]:
    return [a.query.get("since") for a in api.asked]


def test_the_first_run_reads_all_and_the_next_what_is_new(api: ApiServer, headgate: Headgate, rows: Ask) -> None:
    assert "10 read = 10 created" in headgate("run", "customers").out
    api.records += [record(3, 11), record(99, 12)]
    assert "3 read = 1 created + 1 updated + 1 unchanged" in headgate("run", "customers").out
    assert "1 read = 1 unchanged" in headgate("run", "customers").out
    assert since(api) == [None, "2024-01-10T00:00:00Z", "2024-01-12T00:00:00Z"]


def test_a_run_without_anything_new_goes_on_where_the_last_one_did(api: ApiServer, headgate: Headgate) -> None:
    headgate("run", "customers")
    api.records = []
    said = headgate("run", "customers")
    assert (said.code, "0 read" in said.out) == (0, True)
    headgate("run", "customers")
    assert since(api)[1:] == ["2024-01-10T00:00:00Z"] * 2


def test_a_run_that_fails_is_not_counted(api: ApiServer, headgate: Headgate) -> None:
    api.fault("404")
    assert headgate("run", "customers").code == 1
    assert headgate("run", "customers").code == 0
    assert headgate("plan", "customers").code == 0
    assert since(api) == [None, None, "2024-01-10T00:00:00Z"]


def test_it_begins_at_the_start_and_goes_on_with_an_overlap(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    define(folder, {"start": "2024-01-05T00:00:00Z", "overlap": "2d"})
    assert "6 read = 6 created" in headgate("run", "customers").out
    assert "3 read = 3 unchanged" in headgate("run", "customers").out
    assert since(api) == ["2024-01-05T00:00:00Z", "2024-01-08T00:00:00Z"]


def test_append_does_not_append_the_last_records_again(
    api: ApiServer, headgate: Headgate, folder: Path, rows: Ask
) -> None:
    define(folder, operation="append", key=None)
    headgate("run", "customers")
    api.records.append(record(11, 11))
    headgate("run", "customers")
    assert rows("select count(*), count(distinct id) from customer") == [(11, 11)]


def test_append_takes_nothing_again_from_an_api_that_gives_more_than_it_is_asked_for(
    api: ApiServer, headgate: Headgate, folder: Path, rows: Ask
) -> None:
    source = INCREMENTAL["source"] | {
        "request": {"path": "/all", "query": {"since": "{since}"}}
    }  # it takes no notice of that
    define(folder, operation="append", key=None, source=source)
    headgate("run", "customers")
    api.records += [record(11, 11), '{"id": 12, "changed": null, "more": 1}', record(13, 10).replace("Z", "+00:00")]
    assert counts(headgate("run", "customers", "--json").json) == {"created": 1}
    assert rows("select count(*), count(distinct id) from customer") == [(11, 11)]


def test_a_column_that_no_record_has_is_an_error(api: ApiServer, headgate: Headgate, folder: Path) -> None:
    define(folder, {"column": "chagned"})
    said = headgate("run", "customers")
    assert (said.code, "no record has 'chagned'" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("values", "newest"),
    [
        (["9", "10"], "10"),
        (["2024-01-01T01:00:00+02:00", "2023-12-31T23:30:00Z"], "2023-12-31T23:30:00Z"),
        (["b", "a"], "b"),
        (["1.10", "1.9"], "1.9"),
    ],
)
def test_the_highest_is_told_by_what_the_values_are(values: list[str], newest: str) -> None:
    from headgate.connectors.http.newest import Newest
    from headgate.model.incremental import IncrementalSpec

    found = Newest(IncrementalSpec(column="x"), None)
    assert all(found.is_new(f'{{"x": "{v}"}}'.encode()) for v in values)
    assert found.value == newest
