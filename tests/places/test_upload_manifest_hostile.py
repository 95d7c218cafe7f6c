"""Lists that name files as people do, and files as systems do."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from headgate.app.moving import ends
from headgate.app.oneline import definition_for
from headgate.app.project import find_project

from .conftest import Somewhere
from .uploading import Outbox

BY_CUSTOMER = "archive/{row.customer}/{path}"
LIST = {"manifest": "outbox/index.csv"}


def there(outbox: Outbox) -> dict[str, bytes]:
    folder = outbox.folder / "archive"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def listed(outbox: Outbox, *rows: str, encoding: str = "utf-8") -> None:
    outbox.put("index.csv", "\n".join(("file,customer", *rows, "")).encode(encoding))


def refused(outbox: Outbox) -> dict[str, str]:
    """The reasons of the last run's rejects, by their files."""
    rejects = outbox("rejects", outbox("runs", "--json").json[0]["id"], "--json").json
    return {r["raw"]["path"].removeprefix("outbox/"): r["problems"][0]["reason"] for r in rejects}


def test_a_row_is_of_one_file(outbox: Outbox) -> None:
    """Or a customer would get what is another's."""
    for path in ("1.pdf", "sub/1.pdf", "a/2.pdf", "b/2.pdf", "c/3.pdf"):
        outbox.put(path, path.encode())
    listed(outbox, "1.pdf,ACME", "2.pdf,Globex", "3.pdf,Initech")
    outbox.define(None, BY_CUSTOMER, transfer=LIST)
    assert outbox.run() == {"created": 2, "skipped": 1, "invalid": 3}
    assert there(outbox) == {"ACME/1.pdf": b"1.pdf", "Initech/c/3.pdf": b"c/3.pdf"}
    two = "the manifest has one row for 2.pdf, and 2 files are called so"
    assert refused(outbox) == {"sub/1.pdf": "the manifest has no row for it", "a/2.pdf": two, "b/2.pdf": two}


def test_a_row_is_of_one_file_of_several_patterns(outbox: Outbox) -> None:
    for path in ("a/1.pdf", "b/1.pdf"):
        outbox.put(path, path.encode())
    listed(outbox, "1.pdf,ACME")
    source = {"path": ["outbox/a/*.pdf", "outbox/b/*.pdf"]}
    outbox.define(None, BY_CUSTOMER, source=source, transfer=LIST)
    assert outbox.run() == {"invalid": 2}
    assert set(refused(outbox).values()) == {"the manifest has one row for 1.pdf, and 2 files are called so"}


def test_letters_that_a_system_takes_apart_are_the_same(outbox: Outbox) -> None:
    outbox.put(unicodedata.normalize("NFD", "Müller.pdf"), b"1")
    listed(outbox, unicodedata.normalize("NFC", "Müller.pdf,ACME"))
    outbox.define(None, BY_CUSTOMER, transfer=LIST)
    assert outbox.run() == {"created": 1, "skipped": 1}


def test_odd_names(outbox: Outbox) -> None:
    paths = [" a.pdf", "sub/ b .pdf", "x\\y.pdf", "sub/{c}.pdf", "sub/deep/d.pdf"]
    for path in paths:
        outbox.put(path, path.encode())
    listed(outbox, " a.pdf,A", " b .pdf,A", "x\\y.pdf,A", "{c}.pdf,A", ".\\sub/./deep//d.pdf,A")
    outbox.define(None, BY_CUSTOMER, transfer=LIST)
    assert outbox.run() == {"created": 5, "skipped": 1}
    assert there(outbox) == {f"A/{path}": path.encode() for path in paths}


@pytest.mark.parametrize(
    "path",
    ["outbox/*.csv", "./outbox/index.csv", "{}/outbox/index.csv", "outbox/../outbox/index.csv", ["outbox/index.csv"]],
)
def test_the_list_is_known_however_it_is_named(outbox: Outbox, path: Any) -> None:
    outbox.put("1.pdf", b"1")
    listed(outbox, "1.pdf,ACME", "index.csv,Nobody")
    path = path.format(outbox.folder) if isinstance(path, str) else path
    outbox.define(None, BY_CUSTOMER, transfer={"manifest": {"source": {"path": path}}})
    said = outbox("run", "send", "--json")
    assert said.counts == {"created": 1, "skipped": 1}, said
    assert said.json["warnings"] == []


@pytest.mark.parametrize("done", ["keep", "delete", {"move": "sent"}])
def test_a_list_that_lies_far_away_beside_the_files(outbox: Outbox, somewhere: Somewhere, done: Any) -> None:
    somewhere.put("out/a b/1.pdf", b"1")
    somewhere.put("out/2 é.pdf", b"2")
    somewhere.put("out/index.csv", "file,customer\na b/1.pdf,A\n2 é.pdf,B\n".encode())
    outbox.define(
        somewhere, BY_CUSTOMER,
        source={"connection": "far", "path": "out/", "done": done}, destination={"path": BY_CUSTOMER},
        transfer={"manifest": {"source": {"connection": "far", "path": "out/*.csv"}}},
    )  # fmt: skip
    assert outbox("check", "send").code == 0
    assert outbox.run() == {"created": 2, "skipped": 1}
    assert there(outbox) == {"A/a b/1.pdf": b"1", "B/2 é.pdf": b"2"}
    assert somewhere.there()["out/index.csv"]
    assert outbox.run() == ({"unchanged": 2, "skipped": 1} if done == "keep" else {"skipped": 1})


def test_the_list_is_known_by_its_address_too(outbox: Outbox) -> None:
    listing = {"manifest": {"source": {"path": "sftp://x/./out/index.csv"}}}
    outbox.define(None, BY_CUSTOMER, source={"path": "sftp://x/out/*"}, transfer=listing)
    project = find_project(outbox.folder)
    is_manifest = ends(project, definition_for(project, "send"), "").is_manifest
    assert (is_manifest("index.csv"), is_manifest("1.pdf")) == (True, False)


def test_what_is_guessed_of_the_list_is_said(outbox: Outbox) -> None:
    outbox.put("1.pdf", b"1")
    listed(outbox, "1.pdf,macedoński", encoding="cp1250")
    outbox.define(None, BY_CUSTOMER, transfer=LIST)
    said = outbox("run", "send", "--json")
    assert "which is a guess" in str(said.json["warnings"])


def test_files_that_change_their_rows_are_sent_again(outbox: Outbox) -> None:
    """Also if they have the same size and time."""
    outbox.put("1.pdf", b"1", 1e9)
    outbox.put("2.pdf", b"2", 1e9)
    outbox.define(None, "archive/{row.customer}{suffix}", transfer=LIST)
    listed(outbox, "1.pdf,A", "2.pdf,B")
    outbox.run()
    listed(outbox, "1.pdf,B", "2.pdf,A")
    assert outbox.run() == {"updated": 2, "skipped": 1}
    assert there(outbox) == {"A.pdf": b"2", "B.pdf": b"1"}
    assert outbox.run() == {"unchanged": 2, "skipped": 1}


def test_a_plan_does_what_it_said_though_the_list_has_changed(outbox: Outbox) -> None:
    outbox.put("1.pdf", b"1")
    listed(outbox, "1.pdf,A")
    outbox.define(None, BY_CUSTOMER, transfer=LIST)
    assert outbox("plan", "send").code == 0
    listed(outbox, "1.pdf,B")
    assert outbox("run", "--plan", 1).code == 0
    assert there(outbox) == {"A/1.pdf": b"1"}
    assert outbox("undo", 2).code == 0
    assert there(outbox) == {}


@pytest.mark.parametrize(
    "more",
    [
        {"done": "delete"},
        {"explode": "x"},
        {"group": {"by": ["file"], "as": "l", "take": ["x"]}},
        {"again": "skip"},
        {"path": "-"},
    ],
)
def test_what_a_list_cannot_be_is_refused(outbox: Outbox, more: dict[str, Any]) -> None:
    listed(outbox, "1.pdf,A")
    outbox.define(None, BY_CUSTOMER, transfer={"manifest": {"source": {"path": "outbox/index.csv"} | more}})
    said = outbox("check", "send")
    assert said.code == 2
    assert "manifest" in said.err
