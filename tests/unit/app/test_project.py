"""Projects, connections and references."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.app.oneline import definition_for
from headgate.app.project import Project, find_project, open_project
from headgate.app.references import resolve, without_secrets
from headgate.model.errors import DefinitionError, UsageError
from headgate.model.write import Operation

IMPORT = "source: a.csv\nkey: id\ndestination: {{ connection: {0}, table: t }}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "headgate.yaml").write_text("connections:\n  shop: sqlite:///shop.db\n", encoding="utf-8")
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / "things.yaml").write_text(IMPORT.format("shop"), encoding="utf-8")
    return open_project(tmp_path)


def test_a_project_is_found_from_a_folder_inside_it(project: Project) -> None:
    inside = project.folder / "imports"
    assert find_project(inside).folder == project.folder
    assert find_project(inside).is_project


def test_an_unknown_import_gets_a_suggestion(project: Project) -> None:
    with pytest.raises(UsageError, match="Did you mean 'things'"):
        project.load("thing")


def test_an_unknown_connection_is_pointed_at(project: Project) -> None:
    (project.folder / "imports" / "bad.yaml").write_text(IMPORT.format("shoop"), encoding="utf-8")
    with pytest.raises(
        DefinitionError, match=r"imports/bad.yaml:3:28: there is no connection 'shoop'\n  Did you mean 'shop'"
    ):
        project.load("bad")


def test_the_fingerprint_changes_with_the_definition(project: Project) -> None:
    before = project.load("things").fingerprint
    assert before == project.load("things").fingerprint
    (project.folder / "imports" / "things.yaml").write_text(IMPORT.format("shop") + "commit: batch\n", encoding="utf-8")
    assert project.load("things").fingerprint != before


def test_references_are_resolved_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "geheim")
    (tmp_path / "pw").write_text("from-file\n", encoding="utf-8")
    got = resolve({"url": "x://u:${env:PW}@h", "other": ["${file:pw}", "${env:NOT_SET:-d}"]}, tmp_path, "connection a")
    assert got == {"url": "x://u:geheim@h", "other": ["from-file", "d"]}
    with pytest.raises(UsageError, match="connection a: the environment variable NOT_SET is not set"):
        resolve("${env:NOT_SET}", tmp_path, "connection a")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:geheim@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u@h/db?sslmode=require&password=geheim", "postgresql://u@h/db?sslmode=require&password=***"),
        ("sqlite:////abs/shop.db", "sqlite:////abs/shop.db"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_a_file_with_into_is_a_definition(project: Project) -> None:
    found = definition_for(project, "a.csv", into="sqlite:///x.db#t", key=("a,b",), settings=("source.delimiter=';'",))
    assert found.name == "a"
    assert (found.spec.source.path, found.spec.source.delimiter) == ("a.csv", ";")
    assert (found.spec.key, found.spec.operation) == (["a", "b"], Operation.UPSERT)
    assert definition_for(project, "a.csv", into="sqlite:///x.db#t").spec.operation is Operation.APPEND


def test_settings_override_a_definition(project: Project) -> None:
    assert definition_for(project, "things", settings=("rejects.limit=5%",)).spec.rejects.limit == "5%"
    with pytest.raises(DefinitionError, match="unknown key 'rejcts', did you mean 'rejects'"):
        definition_for(project, "things", settings=("rejcts.limit=5%",))


def test_what_is_missing_is_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    (project.folder / "a.csv").write_text("id\n1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="where shall a.csv go"):
        definition_for(project, "a.csv")
    with pytest.raises(UsageError, match="names no table"):
        definition_for(project, "a.csv", into="sqlite:///x.db")
    with pytest.raises(UsageError, match="neither an import nor a file"):
        definition_for(project, "nothing")
