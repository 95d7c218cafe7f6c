"""Imports that start each other."""

from __future__ import annotations

import pytest

from headgate.app.project import open_project
from headgate.model.errors import DefinitionError

BASE = "source: a.csv\noperation: append\ndestination: { connection: 'sqlite:///x.db', table: t }\n"


@pytest.fixture
def project(tmp_path):
    def make(**afters):
        (tmp_path / "imports").mkdir()
        (tmp_path / "headgate.yaml").write_text("name: shop\n")
        for name, after in afters.items():
            (tmp_path / "imports" / f"{name}.yaml").write_text(BASE + (f"after: {after}\n" if after else ""))
        return open_project(tmp_path)

    return make


def test_a_chain_is_right(project):
    found = project(a="", b="a", c="[a, b]", d="{ imports: c, all: true }")
    assert [found.load(n).spec.after is not None for n in "abcd"] == [False, True, True, True]


def test_a_circle_is_refused_with_its_way(project):
    found = project(a="c", b="[x, a]", c="{ imports: [b] }", x="", y="a")
    with pytest.raises(DefinitionError, match=r"imports/a.yaml:4:8: .*without end: a -> b -> c -> a"):
        found.load("a")
    with pytest.raises(DefinitionError, match=r"imports/b.yaml:4:12: .*without end: b -> c -> a -> b"):
        found.load("b")
    assert found.load("y").spec.after.imports == ["a"]


def test_itself_is_a_circle(project):
    with pytest.raises(DefinitionError, match="a -> a"):
        project(a="a").load("a")


def test_an_import_that_is_not_there_is_refused(project):
    with pytest.raises(DefinitionError, match=r"b.yaml:4:14: after: there is no import 'ax'") as e:
        project(abc="", b="[abc, ax]").load("b")
    assert "abc" in e.value.hint


def test_what_an_import_is_does_not_depend_on_when_it_is_run(project, tmp_path):
    found = project(a="")
    before = found.load("a").fingerprint
    (tmp_path / "imports" / "a.yaml").write_text(BASE + "schedule: { every: 15m }\nwatch: true\n")
    assert found.load("a").fingerprint == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("schedule: { every: soon }", r"a.yaml:4:20: schedule.every: 'soon' is no duration"),
        ("schedule: { cron: '61 * * * *' }", r"a.yaml:4:19: schedule.cron: '61 \* \* \* \*' is no cron expression: bad minute"),
        ("schedule: { evry: 5m }", r"a.yaml:4:13: unknown key 'evry', did you mean 'every'"),
        ("notify: { to: [ { email: a@example.com } ] }", r"a.yaml:4:17: notify names e-mail addresses"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(project, tmp_path, line, message):
    found = project(a="")
    (tmp_path / "imports" / "a.yaml").write_text(f"{BASE}{line}\n")
    with pytest.raises(DefinitionError, match=message):
        found.load("a")
