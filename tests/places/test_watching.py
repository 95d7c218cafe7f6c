"""Watching folders that are not on this machine, and reading just the files that are whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headgate.app.oneline import definition_for
from headgate.app.project import Project, only, open_project
from headgate.app.service import run_import
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
