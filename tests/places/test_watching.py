"""Watching folders that are not on this machine, and reading just the files that are whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.app.oneline import definition_for
from headgate.app.project import Project, only, open_project
from headgate.app.service import run_import
from headgate.ledger.queue import Queue
from headgate.ledger.triggers import Triggers
from headgate.triggers.queue import WorkQueue
from headgate.triggers.watch import listing, look

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sftp", "ftp", "bucket"])
def somewhere(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def project(tmp_path, somewhere) -> Project:
    folder = tmp_path / "shop"
    (folder / "imports").mkdir(parents=True)
    options = "".join(f"    {k}: '{v}'\n" for k, v in somewhere.options.items())
    (folder / "headgate.yaml").write_text(f"connections:\n  shop: memory://\n  far:\n{options}")
    (folder / "imports" / "orders.yaml").write_text(
        "source: { connection: far, path: 'in/*.csv' }\noperation: append\n"
        "destination: { connection: 'sqlite:///shop.db', table: t, create: true }\nwatch: { settled: 5s }\n"
    )
    return open_project(folder)


def test_files_far_away_are_waited_for_and_read_once_they_are_whole(project, somewhere):
    definition = project.load("orders")
    somewhere.put("in/a[1].csv", b"sku\nA\n")
    somewhere.put("in/a1.csv", b"sku\nB\n")
    somewhere.put("in/deep/c.csv", b"sku\nC\n")
    first = look(definition.spec.watch, listing(project, definition), {}, NOW)
    assert (first.due, sorted(first.files)) == ([], ["in/a1.csv", "in/a[1].csv"])
    somewhere.put("in/a1.csv", b"sku\nB\nBB\n")
    second = look(definition.spec.watch, listing(project, definition), first.files, NOW + timedelta(seconds=5))
    assert second.due == ["in/a[1].csv"]
    setting = only(definition.spec.source, second.due)
    run = run_import(project, definition_for(project, "orders", settings=(setting,)))
    assert [p.name for p in run.partitions] == ["in/a[1].csv"]
    third = look(definition.spec.watch, listing(project, definition), second.files, NOW + timedelta(seconds=10))
    assert third.due == ["in/a1.csv"]
    run = run_import(project, definition)
    assert (run.account.read, [w for w in run.warnings if "imported already" in w] != []) == (2, True)


PATHS = ["1.pdf", "sub/2.pdf", "sub/[x] y/3.pdf", "[4].pdf", "é/5.pdf"]


def uploading(outbox, source, **more):
    """The definition of an import of files that is watched, and its project."""
    for path in PATHS:
        outbox.put(path, path.encode(), 1e9)
    outbox.define(None, "there/{path}", source=source, watch={"settled": "5s"}, **more)
    project = open_project(outbox.folder)
    return project, project.load("send")


@pytest.mark.parametrize("source", ["outbox/", "outbox/**/*", ["outbox/*.pdf", "outbox/**/*.pdf"]])
def test_files_that_are_moved_have_the_same_names_as_when_all_are(outbox, source):
    project, definition = uploading(outbox, {"path": source})
    first = look(definition.spec.watch, listing(project, definition), {}, NOW)
    seen = look(definition.spec.watch, listing(project, definition), first.files, NOW + timedelta(seconds=5))
    assert seen.due == sorted(f"outbox/{path}" for path in PATHS)
    for path in seen.due:
        setting = only(definition.spec.source, [path], rooted=True)
        run = run_import(project, definition_for(project, "send", settings=(setting,)))
        assert run.account.read == 1
    there = outbox.folder / "there"
    assert sorted(p.relative_to(there).as_posix() for p in there.rglob("*") if p.is_file()) == sorted(PATHS)


@pytest.mark.parametrize(("operation", "reads"), [("upload", ["outbox/[1].pdf"]), ("mirror", None)])
def test_a_mirror_sees_all_and_not_just_what_has_arrived(outbox, monkeypatch, operation, reads):
    project, definition = uploading(outbox, "outbox/", operation=operation)
    entered = []
    monkeypatch.setattr(Queue, "enter", lambda _, __, work, ___: entered.append(work) or 1)
    with Triggers(project.ledger.store()).turn("send") as turn:
        WorkQueue(project).put(turn, definition, "a file came", ["outbox/1.pdf"])
    settings = entered[0].parameters["settings"]
    assert settings == ([f'source={{"path": {reads}}}'.replace("'", '"')] if reads else [])


@pytest.mark.parametrize(("came", "reads"), [("1.pdf", ['{"path": ["outbox/[1].pdf"]}']), ("index.csv", [])])
def test_a_list_that_comes_after_its_files_is_for_all_of_them(outbox, monkeypatch, came, reads):
    outbox.put("1.pdf", b"1")
    outbox.put("index.csv", b"file,customer\n1.pdf,A\n")
    outbox.define(None, "there/{row.customer}/{name}", watch=True, transfer={"manifest": "outbox/index.csv"})
    project = open_project(outbox.folder)
    entered = []
    monkeypatch.setattr(Queue, "enter", lambda _, __, work, ___: entered.append(work) or 1)
    with Triggers(project.ledger.store()).turn("send") as turn:
        WorkQueue(project).put(turn, project.load("send"), "a file came", [f"outbox/{came}"])
    assert entered[0].parameters["settings"] == [f"source={one}" for one in reads]


def test_a_mirror_of_records_sees_all_too(outbox, monkeypatch):
    outbox.put("a.csv", b"sku\nA\n")
    outbox.define(None)
    (outbox.folder / "imports" / "send.yaml").write_text(
        "source: outbox/*.csv\noperation: mirror\nkey: sku\nwatch: true\n"
        "destination: { connection: 'sqlite:///shop.db', table: t }\n"
    )
    project = open_project(outbox.folder)
    entered = []
    monkeypatch.setattr(Queue, "enter", lambda _, __, work, ___: entered.append(work) or 1)
    with Triggers(project.ledger.store()).turn("send") as turn:
        WorkQueue(project).put(turn, project.load("send"), "a file came", ["outbox/a.csv"])
    assert entered[0].parameters["settings"] == []
