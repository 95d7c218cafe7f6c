"""Files that the source has no more are deleted, and runs of files are taken back."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Somewhere
from .uploading import Outbox

THEN = 1_700_000_000


@pytest.fixture
def mirror(outbox: Outbox, store: Somewhere) -> Outbox:
    for n in range(20):
        outbox.put(f"{n:02}.txt", f"file {n}".encode(), THEN + n)
    outbox.define(store, "in/{path}", operation="mirror")
    assert outbox.run() == {"created": 20}
    return outbox


def remove(outbox: Outbox, *numbers: int) -> None:
    for n in numbers:
        (outbox.folder / "outbox" / f"{n:02}.txt").unlink()


def test_a_mirror_deletes_what_the_source_has_no_more(mirror: Outbox, store: Somewhere) -> None:
    store.put("elsewhere.txt", b"not in its charge")
    store.put("in/.keep", b"hidden")
    remove(mirror, 3)
    planned = mirror("plan", "send", "--json")
    assert planned.counts == {"unchanged": 19, "mirror_deleted": 1}
    assert mirror.run() == {"unchanged": 19, "mirror_deleted": 1}
    left = {"elsewhere.txt", "in/.keep"} | {f"in/{n:02}.txt" for n in range(20) if n != 3}
    assert set(store.there()) == left


def test_a_mirror_stops_before_it_deletes_much(mirror: Outbox, store: Somewhere) -> None:
    remove(mirror, 1, 2, 3)
    said = mirror("run", "send")
    assert said.code == 1
    assert "limits.deletes" in said.err
    assert len(store.there()) == 20
    remove(mirror, *(n for n in range(20) if n not in (1, 2, 3)))
    said = mirror("run", "send", "--set", "limits.deletes=null")
    assert said.code == 1
    assert "no files" in said.err
    assert len(store.there()) == 20


def test_a_mirror_deletes_nothing_when_a_file_was_refused(mirror: Outbox, store: Somewhere) -> None:
    remove(mirror, 4)
    mirror.put("a\nb.txt", b"no name")
    said = mirror("run", "send", "--json")
    assert said.counts == {"unchanged": 19, "invalid": 1}
    assert "nothing was deleted" in " ".join(said.json["warnings"])
    assert "in/04.txt" in store.there()


def test_names_that_the_source_lists_are_deleted(mirror: Outbox, store: Somewhere) -> None:
    remove(mirror, *range(5, 20))
    mirror.put("99.txt", b"never sent")
    mirror.define(store, operation="delete")
    assert mirror.run() == {"deleted": 5, "skipped": 1}
    assert set(store.there()) == {f"in/{n:02}.txt" for n in range(5, 20)}
    mirror.define(store, operation="delete", missing="reject")
    said = mirror("run", "send", "--json")
    assert said.counts == {"rejected": 6}
    assert {r["code"] for r in said.json["rejects"]} == {"KY04"}


BACKUPS: list[Any] = ["kept", {"connection": "file:BACKUP", "path": "kept"}]


@pytest.mark.parametrize("backup", BACKUPS, ids=["beside", "elsewhere"])
def test_a_run_is_taken_back(outbox: Outbox, store: Somewhere, backup: Any) -> None:
    if isinstance(backup, dict):
        backup = {**backup, "connection": (outbox.folder / "backup").as_uri()}
    outbox.put("new.txt", b"new", THEN)
    outbox.put("old.txt", b"newer", THEN)
    store.put("in/old.txt", b"old")
    store.put("in/gone.txt", b"gone")
    before = store.there()
    outbox.define(store, "in/{path}", operation="mirror", transfer={"backup": backup}, limits={"deletes": None})
    assert outbox.run() == {"created": 1, "updated": 1, "mirror_deleted": 1}
    changed = {k: v for k, v in store.there().items() if k.startswith("in/")}
    assert changed == {"in/new.txt": b"new", "in/old.txt": b"newer"}
    looked = outbox("undo", "1", "--dry-run", "--json")
    assert (looked.code, looked.json["reversed"]) == (0, 3)
    assert {k: v for k, v in store.there().items() if k.startswith("in/")} == changed
    undone = outbox("undo", "1", "--json")
    assert (undone.code, undone.json["reversed"], undone.json["left"]) == (0, 3, 0)
    assert {k: v for k, v in store.there().items() if k.startswith("in/")} == before
    assert outbox("undo", "1").code == 2
    assert outbox.run() == {"created": 1, "updated": 1, "mirror_deleted": 1}


def test_what_was_changed_since_is_left_and_what_was_not_kept_is_said(outbox: Outbox, store: Somewhere) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        outbox.put(name, name.encode(), THEN)
    store.put("in/b.txt", b"before")
    outbox.define(store)
    assert outbox.run() == {"created": 2, "updated": 1}
    store.put("in/c.txt", b"edited by somebody")
    undone = outbox("undo", "1", "--json")
    assert undone.code == 3
    assert (undone.json["reversed"], undone.json["left"], undone.json["failed"]) == (1, 1, 1)
    assert {r["code"] for r in undone.json["rejects"]} == {"HE03", "FI07"}
    assert store.there() == {"in/b.txt": b"b.txt", "in/c.txt": b"edited by somebody"}
    forced = outbox("undo", "1", "--force", "--only", "created", "--json")
    assert (forced.code, forced.json["reversed"]) == (0, 1)
    assert set(store.there()) == {"in/b.txt"}


def test_a_bucket_with_versions_needs_no_backup(outbox: Outbox, versioned: Somewhere) -> None:
    outbox.put("old.txt", b"newer", THEN)
    before = {"in/old.txt": b"old", "in/gone.txt": b"gone"}
    for path, data in before.items():
        versioned.put(path, data)
    outbox.define(versioned, "in/{path}", operation="mirror", limits={"deletes": None})
    planned = outbox("plan", "send", "--json").json
    assert not [w for w in planned["warnings"] if "transfer.backup" in w]
    assert outbox.run() == {"updated": 1, "mirror_deleted": 1}
    assert versioned.there() == {"in/old.txt": b"newer"}
    undone = outbox("undo", "2", "--json")
    assert (undone.code, undone.json["reversed"]) == (0, 2)
    assert versioned.there() == before
