"""The test suite for targets of Meltano's Singer SDK, against the command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib import resources
from typing import Any

import pytest

pytest.importorskip("singer_sdk")

from singer_sdk import Target
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.testing import get_target_test_class, target_test_streams

from support import forked
from support.shop import Shop, Start

KEY_IS_MISSING = "KY01"


class HeadgateTarget(Target):
    """The command as the suite calls a target."""

    name = "headgate"
    config_jsonschema = {"type": "object", "properties": {}}  # noqa: RUF012
    into = ""

    def _headgate(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return forked.run(*words, given=given or "")

    def process_lines(self, file_input: Iterable[Any]) -> Any:
        lines = [line.decode() if isinstance(line, bytes) else line for line in file_input]
        done = self._headgate("singer", "--into", self.into, given="".join(lines))
        if "before its SCHEMA" in done.stderr:
            raise RecordsWithoutSchemaException(done.stderr)
        if KEY_IS_MISSING in done.stderr:
            raise MissingKeyPropertiesError(done.stderr)
        assert done.returncode in (0, 3), done.stderr
        sys.stdout.write(done.stdout)
        return {}

    _process_lines = process_lines

    def process_endofpipe(self) -> None:
        """The command has ended with its input."""

    _process_endofpipe = process_endofpipe

    def print_version(self, print_fn: Any = print) -> None:
        print_fn(self._headgate("--version").stdout)


class TestSqlite(get_target_test_class(HeadgateTarget)):  # type: ignore[misc]
    @pytest.fixture(autouse=True)
    def _into(self, folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(HeadgateTarget, "into", "sqlite:///shop.db")


@pytest.mark.needs_postgres
class TestPostgres(get_target_test_class(HeadgateTarget)):  # type: ignore[misc]
    @pytest.fixture(autouse=True)
    def _into(self, folder: object, pg_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(HeadgateTarget, "into", pg_db)


def _import(start: Start, shop: Shop, name: str) -> tuple[int, str, str]:
    """What the command says of a file of the suite."""
    file = resources.files(target_test_streams) / f"{name}.singer"
    with resources.as_file(file) as path, path.open() as given:
        process = start("singer", "--into", shop.url, stdin=given)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


LOADED: list[tuple[str, str, list[tuple[Any, ...]]]] = [
    ("duplicate_records", "select id, metric from test_duplicate_records order by 1", [(1, 100), (2, 20)]),
    ("no_primary_keys_append", "select count(*) from test_no_pk", [(5,)]),
    ("optional_attributes", "select count(*), count(optional) from test_optional_attributes", [(4, 2)]),
    ("camelcase", 'select "Id", "clientName" from "TestCamelcase" order by 1', [("1", "Gitter Windows Desktop App"), ("2", "Gitter iOS App")]),
    ("schema_updates", "select id, a6 from test_schema_updates order by 1", [(1, None), (2, None), (3, None), (4, None), (5, 985), (6, 341)]),
    ("special_chars_in_attributes", 'select id from "test:SpecialChars!in?attributes"', [("a2e98886",)]),
    ("multiple_state_messages", "select count(*), sum(metric) from test_multiple_state_messages_b", [(6, 2310)]),
    ("record_missing_fields", "select id, optional from record_missing_fields order by 1", [(1, "now you see me"), (2, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "query", "wanted"), LOADED)
def test_what_the_suite_gives_is_loaded(
    shop: Shop, start: Start, name: str, query: str, wanted: list[tuple[Any, ...]]
) -> None:
    code, _, err = _import(start, shop, name)
    assert code == 0, err
    assert [tuple(r) for r in shop.connection.execute(query).fetchall()] == wanted


def test_nested_values_are_loaded_as_json(shop: Shop, start: Start) -> None:
    assert _import(start, shop, "array_data")[0] == 0
    (found,) = shop.sql("select fruits from test_array_data where id = 1")[0]
    assert (json.loads(found) if isinstance(found, str) else found) == ["apple", "orange", "pear"]


def test_texts_with_a_nul_are_refused_and_all_others_loaded(shop: Shop, start: Start) -> None:
    code, out, err = _import(start, shop, "encoded_string_data")
    assert (code, "RD07" in err) == (3, True)
    assert json.loads(out) == {"test_strings": 11, "test_strings_in_objects": 11, "test_strings_in_arrays": 6}
    assert shop.sql("select info from test_strings where id in (2, 6, 7) order by id") == [
        ("απλή συμβολοσειρά",), ('various " \\ / \n escape sequences',), ("m",),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["record_missing_key_property", "record_missing_required_property"])
def test_records_without_what_they_must_have_are_refused(shop: Shop, start: Start, name: str) -> None:
    assert _import(start, shop, name)[0] == 3
    assert shop.sql(f"select count(*) from test_{name}") == [(0,)]
