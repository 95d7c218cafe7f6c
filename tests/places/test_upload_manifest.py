"""Names of files that a list makes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.engine.files.manifest import Manifest
from headgate.model.counting import counted
from headgate.model.transfer import NotListedError

from .uploading import Outbox

BY_CUSTOMER = "archive/{row.customer}/{row.kind}/{name}"


@pytest.fixture
def filled(outbox: Outbox) -> Iterator[Outbox]:
    for path in ("1.pdf", "2.pdf", "sub/3.pdf"):
        outbox.put(path, path.encode())
    return outbox


def there(outbox: Outbox) -> dict[str, bytes]:
    folder = outbox.folder / "archive"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def listed(outbox: Outbox, text: str) -> None:
    outbox.put("index.csv", text.encode())


def test_rows_name_files_by_path_or_name(filled: Outbox) -> None:
    listed(filled, "file,customer,kind\n1.pdf,ACME,in\n./sub/3.pdf,ACME,2024/05\n2.pdf,Globex AG,in\n")
    filled.define(None, BY_CUSTOMER, transfer={"manifest": "outbox/index.csv"})
    assert filled("check", "send").code == 0
    planned = filled("plan", "send", "--json")
    assert planned.counts == {"created": 3, "skipped": 1}
    assert planned.json["account"]["skips"] == {"manifest": 1}
    assert filled("run", "--plan", planned.json["id"]).code == 0
    assert there(filled) == {
        "ACME/in/1.pdf": b"1.pdf",
        "ACME/2024/05/3.pdf": b"sub/3.pdf",
        "Globex AG/in/2.pdf": b"2.pdf",
    }
    assert filled.run() == {"unchanged": 3, "skipped": 1}


def test_a_name_stands_for_files_in_folders_too(filled: Outbox) -> None:
    listed(filled, "file,customer,kind\n1.pdf,A,k\n2.pdf,A,k\n3.pdf,A,k\n")
    filled.define(None, BY_CUSTOMER, transfer={"manifest": "outbox/index.csv"})
    assert filled.run() == {"created": 3, "skipped": 1}


def test_what_the_list_does_not_say_is_refused_and_the_others_go_on(filled: Outbox) -> None:
    listed(filled, "file,customer,kind\n1.pdf,ACME,in\n2.pdf,ACME,in\n2.pdf,Globex,in\n3.pdf,,in\n9.pdf,ACME,in\n")
    filled.define(None, BY_CUSTOMER, transfer={"manifest": "outbox/index.csv"})
    said = filled("run", "send", "--json")
    assert said.code == 3
    assert said.counts == {"created": 1, "skipped": 1, "invalid": 2}
    problems = {r["raw"]["path"]: r["problems"][0]["reason"] for r in rejects(filled, said.json["id"])}
    assert problems == {
        "outbox/2.pdf": "the manifest has 2 rows for it",
        "outbox/sub/3.pdf": "its row of the manifest has no customer",
    }
    assert "1 file that the manifest names is not there, the first: 9.pdf" in " ".join(said.json["warnings"])


def rejects(outbox: Outbox, run: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = outbox("rejects", run, "--json").json
    return found


@pytest.mark.parametrize("value", ["..", "../../etc", "a/../b", "x\ty"])
def test_a_value_that_makes_no_name_is_refused(filled: Outbox, value: str) -> None:
    listed(filled, f'file,customer,kind\n1.pdf,"{value}",k\n2.pdf,A,k\n3.pdf,A,k\n')
    filled.define(None, BY_CUSTOMER, transfer={"manifest": "outbox/index.csv"})
    said = filled("run", "send", "--json")
    assert said.counts == {"created": 2, "skipped": 1, "invalid": 1}
    assert {r["code"] for r in said.json["rejects"]} == {"FI05"}
    assert set(there(filled)) == {"A/k/2.pdf", "A/k/3.pdf"}


def test_the_list_may_be_a_table(filled: Outbox) -> None:
    with closing(sqlite3.connect(filled.folder / "shop.db")) as c:
        c.execute("create table scan (nr integer, scan text)")
        c.executemany("insert into scan values (?, ?)", [(7, "1.pdf"), (8, "2.pdf"), (9, "sub/3.pdf")])
        c.commit()
    manifest = {"source": {"connection": "sqlite:///shop.db", "table": "scan"}, "file": "scan"}
    filled.define(None, "archive/{row.nr}{suffix}", transfer={"manifest": manifest})
    assert filled.run() == {"created": 3}
    assert there(filled) == {"7.pdf": b"1.pdf", "8.pdf": b"2.pdf", "9.pdf": b"sub/3.pdf"}


def test_a_mirror_with_a_file_that_is_not_listed_deletes_nothing(filled: Outbox) -> None:
    (filled.folder / "archive" / "old").mkdir(parents=True)
    (filled.folder / "archive" / "old" / "0.pdf").write_bytes(b"0")
    listed(filled, "file,customer,kind\n1.pdf,A,k\n2.pdf,A,k\n")
    filled.define(
        None, BY_CUSTOMER, operation="mirror", transfer={"manifest": "outbox/index.csv"}, limits={"deletes": 5}
    )
    said = filled("run", "send", "--json")
    assert said.counts == {"created": 2, "skipped": 1, "invalid": 1}
    assert "old/0.pdf" in there(filled)
    listed(filled, "file,customer,kind\n1.pdf,A,k\n2.pdf,A,k\n3.pdf,B,k\n")
    assert filled.run()["created"] == 1
    assert set(there(filled)) == {"A/k/1.pdf", "A/k/2.pdf", "B/k/3.pdf"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,customer\n1.pdf,A\n", "the manifest outbox/index.csv has no column 'kind'"),
        ("name,customer,kind\n1.pdf,A,k\n", "has no column 'file'"),
        ("file,customer,kind\n1.pdf,A\n2.pdf,A,k\n", "cannot be read whole: line 2"),
    ],
)
def test_a_list_that_is_none_stops_the_run(filled: Outbox, text: str, said: str) -> None:
    listed(filled, text)
    filled.define(None, BY_CUSTOMER, transfer={"manifest": "outbox/index.csv"})
    ran = filled("run", "send")
    assert ran.code == 1
    assert said in ran.err
    assert not (filled.folder / "archive").exists()


@pytest.mark.parametrize(
    ("path", "transfer", "said"),
    [
        ("{row.customer}/{name}", {}, "transfer.manifest says which list has that"),
        ("a/{name}", {"manifest": "outbox/index.csv"}, "goes with {row.COLUMN} in destination.path"),
        ("{row.}/{name}", {"manifest": "outbox/index.csv"}, "{row.COLUMN} (of transfer.manifest)"),
        ("{row.a:x}/{name}", {"manifest": "outbox/index.csv"}, "{row.COLUMN} (of transfer.manifest)"),
    ],
)
def test_mistakes_are_said(filled: Outbox, path: str, transfer: dict[str, object], said: str) -> None:
    filled.define(None, path, transfer=transfer)
    ran = filled("check", "send")
    assert ran.code == 2
    assert said in ran.err


@given(
    st.lists(st.sampled_from(["a", "b", "x/a", "x/b", "y/a"]), max_size=8),
    st.lists(st.sampled_from(["a", "x/a", "y/b"])),
)
def test_each_file_has_its_own_row_or_is_told_why_not(rows: list[str], files: list[str]) -> None:
    manifest = Manifest([{"file": name, "n": str(n)} for n, name in enumerate(rows)], "file", files)
    named = [file if file in rows or Path(file).name in files else Path(file).name for file in files]
    for file, means in zip(files, named, strict=True):
        if rows.count(means) != 1 or named.count(means) != 1:
            with pytest.raises(NotListedError):
                manifest.row(file)
        else:
            assert manifest.row(file)["n"] == str(rows.index(means))
    unused = sorted(set(rows) - set(named))
    assert len(manifest.warnings) == bool(unused)
    assert not unused or manifest.warnings[0].startswith(f"{counted(len(unused), 'file')} that the manifest names ")
