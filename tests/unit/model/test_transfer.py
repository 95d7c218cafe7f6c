"""Names of files that are moved, and what goes with moving them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from headgate.model.spec import ImportSpec
from headgate.model.transfer import Named, Template, named, of_files
from headgate.model.write import Operation

RUN = datetime(2026, 3, 7, 13, 45, tzinfo=UTC)
THEN = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{path}", "a/b c.tar.gz"),
        ("in/", "in/a/b c.tar.gz"),
        ("", "a/b c.tar.gz"),
        ("x/{folder}/{stem}-1{suffix}", "x/a/b c.tar-1.gz"),
        ("{date:%Y/%m}/{name}", "2026/03/b c.tar.gz"),
        ("{date}/{name}", "2026-03-07/b c.tar.gz"),
        ("{changed:%H%M}-{name}", "2213-b c.tar.gz"),
        ("x//{name}", "x/b c.tar.gz"),
        ("{{{name}}}", "{b c.tar.gz}"),
    ],
)
def test_names(template: str, name: str) -> None:
    assert Template(template).name(Named("a/b c.tar.gz", RUN, THEN)) == name


def test_a_file_without_a_folder() -> None:
    assert Template("{folder}/{name}").name(Named("b.txt", RUN, None)) == "b.txt"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("/abs/{name}", "begins at the connection's folder"),
        ("../{name}", "out of the connection's folder"),
        ("in/{nam}", "{nam}"),
        ("in/{name!r}", "{name!r}"),
        ("in/{name:>9}", "{name:>9}"),
        ("in/{name", "expected '}'"),
        ("one.txt", "one name for all files"),
    ],
)
def test_templates_that_are_none(template: str, words: str) -> None:
    with pytest.raises(ValueError, match="destination.path") as said:
        Template(template)
    assert words in str(said.value)


@given(st.text(st.characters(), min_size=1).filter(lambda t: "\0" not in t))
def test_no_name_leads_out_of_its_folder(path: str) -> None:
    try:
        name = Template("in/{path}").name(Named(path, RUN, THEN))
    except ValueError:
        return
    parts = name.split("/")
    assert parts[0] == "in"
    assert len(parts) > 1
    assert not {"", ".", ".."} & set(parts)
    assert not {unicodedata.category(c) for c in name} & {"Cc", "Cs", "Zl", "Zp"}


def definition(**more: Any) -> dict[str, Any]:
    return {"source": "out/", "operation": "upload", "destination": {"path": "in/"}} | more


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"key": "id"}, "key does not go with upload"),
        ({"fields": {"a": "b"}}, "fields does not go with upload"),
        ({"commit": "batch"}, "commit does not go with upload"),
        ({"source": {"path": "out/", "sheet": 1}}, "source.sheet does not go with upload"),
        ({"source": "-"}, "the source has to have a path"),
        ({"destination": {"connection": "x", "table": "y"}}, "needs destination.path"),
        ({"destination": {"path": "in/{x}"}}, "{x}"),
        ({"destination": {"path": "in/{date:%Y-%Q}/{name}"}}, "%Q is no part of a date"),
        ({"destination": {"path": "in/{changed:%Y%}/{name}"}}, "% is no part of a date"),
        ({"missing": "reject"}, "missing goes with delete"),
        ({"operation": "mirror", "source": {"path": "out/", "done": "delete"}}, "source.done"),
        ({"operation": "mirror", "destination": {"path": "{path}"}}, "needs a folder"),
        ({"operation": "mirror", "destination": {"path": "in/{date}/{name}"}}, "{date} is another one each day"),
        ({"operation": "upsert", "key": "id"}, "destination.path is for files"),
        ({"operation": "mirror", "key": "id"}, "destination.path is for files"),
        ({"transfer": {"parallel": 0}}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_go_with_files(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as said:
        ImportSpec.model_validate(definition(**more))
    assert words in str(said.value)


def test_a_transfer_is_not_for_records() -> None:
    records = {"source": "a.csv", "operation": "append", "destination": {"connection": "sqlite:///x.db", "table": "y"}}
    assert not ImportSpec.model_validate(records).moves_files
    with pytest.raises(ValidationError, match="transfer is for files"):
        ImportSpec.model_validate(records | {"transfer": {}})


def test_runs_of_files_are_known_by_their_operation() -> None:
    assert all(of_files(named(o)) for o in (Operation.UPLOAD, Operation.MIRROR, Operation.DELETE))
    assert not any(of_files(o.value) for o in Operation if o is not Operation.UPLOAD)
    assert of_files("undo of files")
