"""Files are moved as they are, from a folder to every kind of place: compared, planned, sent, and sent once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Somewhere
from .uploading import Outbox

FILES = {"a.txt": b"one", "b c.bin": bytes(range(256)), "sub/é.txt": b"", "sub/deep/d.txt": b"x" * 300_000}
THEN = 1_700_000_000


@pytest.fixture
def filled(outbox: Outbox) -> Outbox:
    for n, (path, data) in enumerate(FILES.items()):
        outbox.put(path, data, THEN + n)
    outbox.put(".hidden", b"?")
    return outbox


def sent(prefix: str = "in/") -> dict[str, bytes]:
    return {f"{prefix}{path}": data for path, data in FILES.items()}


def test_files_are_sent_once(filled: Outbox, store: Somewhere) -> None:
    filled.define(store)
    assert filled.run() == {"created": 4}
    assert store.there() == sent()
    assert filled.run() == {"unchanged": 4}
    filled.put("a.txt", b"ONE", THEN + 60)
    filled.put("new", b"n")
    assert filled.run() == {"created": 1, "updated": 1, "unchanged": 3}
    assert store.there() == sent() | {"in/a.txt": b"ONE", "in/new": b"n"}


def test_times_are_kept_and_tell_what_is_there_without_the_ledger(filled: Outbox, store: Somewhere) -> None:
    filled.define(store)
    filled.run()
    os.environ["HEADGATE_HOME"] += "-another"
    try:
        assert filled.run() == {"unchanged": 4}
    finally:
        os.environ["HEADGATE_HOME"] = os.environ["HEADGATE_HOME"].removesuffix("-another")


def test_a_plan_shows_and_a_run_of_it_does_exactly_that(filled: Outbox, store: Somewhere) -> None:
    filled.define(store)
    store.put("in/a.txt", b"another")
    planned = filled("plan", "send", "--json")
    assert planned.counts == {"created": 3, "updated": 1}
    assert store.there() == {"in/a.txt": b"another"}
    shown = filled("plan", "send")
    assert "in/sub/deep/d.txt" in shown.out
    assert "could not put 1 file back" in " ".join(shown.out.split())
    filled.put("later.txt", b"not in the plan")
    filled.put("b c.bin", b"changed since", THEN + 90)
    store.put("in/sub/é.txt", b"somebody else's")
    ran = filled("run", "--plan", planned.json["id"], "--json")
    assert ran.counts == {"created": 1, "updated": 1, "held": 2}
    assert {r["code"] for r in ran.json["rejects"]} == {"HE01"}
    kept = {"in/a.txt": b"one", "in/sub/deep/d.txt": FILES["sub/deep/d.txt"], "in/sub/é.txt": b"somebody else's"}
    assert store.there() == kept
    assert filled("run", "--plan", planned.json["id"]).code == 2


def test_names_are_made_from_path_and_times(filled: Outbox, store: Somewhere) -> None:
    filled.define(store, "{changed:%Y/%m}/{folder}/{stem}-copy{suffix}")
    filled.run()
    assert set(store.there()) == {
        "2023/11/a-copy.txt", "2023/11/b c-copy.bin", "2023/11/sub/é-copy.txt", "2023/11/sub/deep/d-copy.txt",
    }  # fmt: skip


def test_blanks_and_marks_of_every_kind_are_in_names(outbox: Outbox, store: Somewhere) -> None:
    names = [
        "5.07\u202fPM.png",
        "no\u00a0break.txt",
        "\U0001f468\u200d\U0001f467.txt",
        "wide\u3000.txt",
        "own\uf022.txt",
    ]
    for name in names:
        outbox.put(name, b"x")
    outbox.define(store, "{path}")
    assert outbox("run", "send", "--json").counts == {"created": 5}
    assert set(store.there()) == set(names)
    assert outbox("run", "send", "--json").counts == {"unchanged": 5}


def test_what_has_no_name_or_the_same_is_refused_and_the_others_go_on(outbox: Outbox, store: Somewhere) -> None:
    for path in ("x/1.txt", "y/1.txt", "y/2.txt", "y/line\nend.txt"):
        outbox.put(path, path.encode())
    outbox.define(store, "{name}")
    said = outbox("run", "send", "--json")
    assert said.code == 3
    assert said.counts == {"created": 2, "invalid": 2}
    assert {r["code"] for r in said.json["rejects"]} == {"FI05", "FI06"}
    assert store.there() == {"1.txt": b"x/1.txt", "2.txt": b"y/2.txt"}
    assert "FI06" in outbox("rejects", said.json["id"]).out
    planned = outbox("plan", "send", "--json")
    assert planned.counts == {"unchanged": 2, "invalid": 2}
    assert outbox("run", "--plan", planned.json["id"], "--json").counts == {"unchanged": 2, "invalid": 2}
    again = outbox("retry", said.json["id"])
    assert (again.code, "headgate run send" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("policy", "counts", "left"),
    [
        ("skip", {"created": 3, "skipped": 1}, b"theirs"),
        ("reject", {"created": 3, "rejected": 1}, b"theirs"),
        ("replace", {"created": 3, "updated": 1}, b"one"),
    ],
)
def test_a_name_that_is_taken(
    filled: Outbox, store: Somewhere, policy: str, counts: dict[str, int], left: bytes
) -> None:
    filled.define(store, transfer={"existing": policy})
    store.put("in/a.txt", b"theirs")
    assert filled.run() == counts
    assert store.there()["in/a.txt"] == left


def test_what_arrived_is_read_back_where_it_is_asked_for(filled: Outbox, store: Somewhere) -> None:
    filled.define(store, transfer={"verify": "read", "parallel": 1})
    assert filled.run() == {"created": 4}
    assert store.there() == sent()


def test_files_that_were_sent_are_moved_away(filled: Outbox, store: Somewhere) -> None:
    filled.define(store, source={"path": "outbox/**/*.txt", "done": {"move": "archive"}})
    assert filled.run() == {"created": 3}
    left = {p.name for p in (filled.folder / "outbox").rglob("*") if p.is_file()}
    assert left == {"b c.bin", ".hidden"}
    assert sorted(p.name for p in (filled.folder / "archive").iterdir()) == ["a.txt", "d.txt", "é.txt"]
    filled.put("a.txt", b"again", THEN + 60)
    assert filled.run() == {"updated": 1}
    assert (filled.folder / "archive" / "a-2.txt").read_bytes() == b"again"
    assert filled.run() == {}


def test_a_file_that_may_not_be_written_is_one_reject(filled: Outbox, store: Somewhere) -> None:
    if store.options["url"].startswith("s3"):
        pytest.skip("not stated: folders, which could be in the way")
    filled.define(store)
    store.put("in/sub/deep", b"a file where a folder must be")
    said = filled("run", "send", "--json")
    assert said.counts == {"created": 3, "rejected": 1}
    assert [r["code"] for r in said.json["rejects"]] == ["FI03"]


def test_from_anywhere_to_anywhere(outbox: Outbox, store: Somewhere, sftp: Somewhere, tmp_path: Path) -> None:
    if store.options["url"].startswith("sftp"):
        pytest.skip("not stated: another folder than that of the place")
    for path, data in FILES.items():
        sftp.put(f"from/{path}", data)
    (outbox.folder / "headgate.yaml").write_text("")
    outbox.define(store)
    text = (outbox.folder / "headgate.yaml").read_text()
    import yaml

    both = yaml.safe_load(text)
    both["connections"]["near"] = sftp.options
    (outbox.folder / "headgate.yaml").write_text(yaml.safe_dump(both))
    definition = {
        "source": {"connection": "near", "path": "from/"}, "operation": "upload",
        "destination": {"connection": "far", "path": "in/"},
    }  # fmt: skip
    (outbox.folder / "imports" / "send.yaml").write_text(yaml.safe_dump(definition))
    assert outbox.run() == {"created": 4}
    assert store.there() == sent()
    assert outbox.run() == {"unchanged": 4}


def test_it_is_checked_and_run_among_others(filled: Outbox, local: Somewhere) -> None:
    filled.define(local)
    filled.define(local, "copies/", name="again")
    checked = filled("check", "send", "--json").json[0]
    assert (checked["ok"], checked["findings"]) == (True, {"files": 4, "bytes": 300_259})
    assert "far: in/" in filled("imports").out
    assert filled("run", "--all").code == 0
    assert local.there() == sent() | sent("copies/")
    shown = filled("show", 1).out
    assert "4 files (0.3 of 0.3 MB sent)" in shown
    assert "headgate undo 3" in filled("run", "send", "--set", "destination.path=more/").out


def test_a_definition_of_files_takes_no_records(filled: Outbox, local: Somewhere) -> None:
    from headgate.app.project import open_project
    from headgate.app.service import check
    from headgate.model.errors import UsageError

    filled.define(local)
    project = open_project(filled.folder)
    with pytest.raises(UsageError, match="moves files as they are"):
        check(project, project.load("send"))


def test_a_place_that_takes_no_files_is_said(filled: Outbox) -> None:
    filled.define(Somewhere({"url": "sqlite:///shop.db"}, lambda *_: None, dict))
    said = filled("run", "send")
    assert said.code == 2
    assert "sqlite" in said.err
