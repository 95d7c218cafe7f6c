"""Which files are whole and new."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.app.project import Definition, Project
from headgate.model.spec import ImportSpec, ProjectSpec
from headgate.model.triggers import WatchSpec
from headgate.triggers.watch import Listed, folders, listing, look

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def looks(spec, *steps):
    """What is due at each of several looks: (seconds, {path: stamp or (stamp, done)})."""
    files, found = {}, []
    for seconds, there in steps:
        listed = [Listed(p, *(s if isinstance(s, tuple) else (s,))) for p, s in there.items()]
        seen = look(spec, listed, files, at(seconds))
        files = seen.files
        found.append(seen.due)
    return found


def test_a_file_is_whole_when_it_has_kept_its_size_and_time():
    steps = [(0, {"a": "1"}), (4, {"a": "1"}), (5, {"a": "1"}), (60, {"a": "1"})]
    assert looks(WatchSpec(), *steps) == [[], [], ["a"], []]


def test_a_file_that_grows_is_waited_for():
    steps = [(0, {"a": "1"}), (4, {"a": "2"}), (8, {"a": "3"}), (12, {"a": "3"}), (13, {"a": "3"})]
    assert looks(WatchSpec(), *steps) == [[], [], [], [], ["a"]]


def test_what_is_whole_does_not_wait_for_what_grows_and_all_that_is_whole_is_one_run():
    steps = [
        (0, {"a": "1", "b": "1", "c": "1"}),
        (5, {"a": "1", "b": "2", "c": "1"}),
        (10, {"a": "1", "b": "2", "c": "1"}),
    ]
    assert looks(WatchSpec(), *steps) == [[], ["a", "c"], ["b"]]


def test_a_file_that_changes_is_new_again():
    assert looks(WatchSpec(settled="0s"), (0, {"a": "1"}), (1, {"a": "1"}), (2, {"a": "2"})) == [["a"], [], ["a"]]


def test_a_file_that_is_gone_is_forgotten():
    assert looks(WatchSpec(settled="0s"), (0, {"a": "1"}), (1, {}), (2, {"a": "1"})) == [["a"], [], ["a"]]


def test_a_done_file_says_that_a_file_is_whole():
    spec = WatchSpec(done_file="{name}.done")
    assert looks(spec, (0, {"a": "1"}), (600, {"a": "2"}), (601, {"a": "2", "b": ("1", "d")})) == [[], [], ["b"]]


def test_a_done_file_counts_once():
    spec = WatchSpec(done_file="{name}.done")
    steps = [
        (0, {"a": ("1", "d1")}),
        (1, {}),
        (2, {"a": ("2", "d1")}),
        (3, {"a": ("3", "d1")}),
        (4, {"a": ("3", "d2")}),
    ]
    assert looks(spec, *steps) == [["a"], [], [], [], ["a"]]


def test_it_is_said_when_to_look_again():
    seen = look(WatchSpec(settled="5s"), [Listed("a", "1")], {}, NOW)
    assert seen.ripe == at(5)
    seen = look(WatchSpec(settled="5s"), [Listed("a", "1"), Listed("b", "1")], seen.files, at(3))
    assert seen.ripe == at(5)
    assert look(WatchSpec(settled="5s"), [Listed("a", "1")], seen.files, at(5)).ripe is None


@pytest.fixture
def shop(tmp_path):
    def make(path, **watch):
        spec = ImportSpec.model_validate(
            {"source": {"path": path}, "operation": "append", "watch": watch, "destination": {"connection": "sqlite:///x.db", "table": "t"}}
        )  # fmt: skip
        return Project(tmp_path, ProjectSpec()), Definition("a", spec, tmp_path)

    (tmp_path / "inbox" / "deep").mkdir(parents=True)
    return make


def write(base, *names):
    for name in names:
        (base / name).write_text(name)


def test_files_here_are_those_that_the_source_means(shop, tmp_path):
    write(tmp_path / "inbox", "b.csv", "a.csv", ".hidden.csv", "c.txt", "deep/d.csv")
    assert [f.path for f in listing(*shop("inbox/*.csv"))] == ["inbox/a.csv", "inbox/b.csv"]
    assert [f.path for f in listing(*shop("inbox/**/*.csv"))] == ["inbox/a.csv", "inbox/b.csv", "inbox/deep/d.csv"]
    assert [f.path for f in listing(*shop(["inbox/c.txt", "inbox/a.csv", "inbox/none.csv"]))] == [
        "inbox/a.csv",
        "inbox/c.txt",
    ]
    assert [f.path for f in listing(*shop("inbox"))] == []
    assert [f.path for f in listing(*shop("nowhere/*.csv"))] == []


def test_a_change_of_size_or_time_is_another_stamp(shop, tmp_path):
    file = tmp_path / "inbox" / "a.csv"
    stamps = set()
    for text, seconds in (("one", 1), ("one", 2), ("three", 2)):
        file.write_text(text)
        os.utime(file, (seconds, seconds))
        stamps.add(listing(*shop("inbox/*.csv"))[0].stamp)
    assert len(stamps) == 3


def test_done_files_are_no_files_to_import(shop, tmp_path):
    write(tmp_path / "inbox", "a.csv", "a.csv.done", "b.csv", "ok-c", "c.csv")
    found = listing(*shop("inbox/*", done_file="{name}.done"))
    assert [(f.path, bool(f.done)) for f in found] == [
        ("inbox/a.csv", True), ("inbox/b.csv", False), ("inbox/c.csv", False), ("inbox/ok-c", False)]  # fmt: skip
    found = listing(*shop("inbox/*.csv", done_file="ok-{stem}"))
    assert [(f.path, bool(f.done)) for f in found] == [
        ("inbox/a.csv", False),
        ("inbox/b.csv", False),
        ("inbox/c.csv", True),
    ]


def test_folders_are_those_in_which_files_may_arrive(shop, tmp_path):
    assert folders(*shop(["inbox/*.csv", "inbox/deep/a.csv"])) == [tmp_path / "inbox", tmp_path / "inbox/deep"]
    assert folders(*shop("*.csv")) == [tmp_path]
    assert folders(*shop("/srv/in/*.csv")) == [Path("/srv/in")]
    assert folders(*shop("sftp://host/in/*.csv")) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"done_file": "done"}, "says {name} or {stem}"),
        ({"done_file": "../{name}"}, "not a path"),
        ({"done_file": "{name}"}, "another file"),
        ({"done_file": "{name}.ok", "settled": "1s"}, "say one of them"),
        ({"every": "0s"}, "takes no time"),
        ({"settled": "soon"}, "no duration"),
    ],
)
def test_what_is_no_watch_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        WatchSpec(**given)
