"""Records written to files by commands: what is planned, written, taken back, and left by a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.engine.crash import POINTS
from support import forked
from support.shop import Headgate

ITEMS = "id,name,country,price\n" + "".join(f"{i},name {i},{('FR', 'CH', 'IT')[i % 3]},{i}.50\n" for i in range(1, 10))
DYING = """
import os, signal, sys
from headgate.connectors.tofiles import folder
done, move = 0, folder.move
def moving(source, to):
    global done
    if done == int(sys.argv.pop()):
        os.kill(os.getpid(), signal.SIGKILL)
    sys.argv.append(str(after))
    done += 1
    move(source, to)
after = int(sys.argv[-1])
folder.move = moving
words = sys.argv[1:-1]
from headgate.cli.main import run
sys.exit(run(words))
"""


@pytest.fixture
def project(folder: Path) -> Path:
    """A project with an import `items` into files."""
    define(folder)
    (folder / "items.csv").write_text(ITEMS)
    return folder


def define(folder: Path, table: str = "items.csv", connection: dict[str, Any] | None = None, **more: Any) -> None:
    types = {"id": "integer", "name": "text", "country": "text", "price": "decimal(10,2)"}
    definition = {
        "source": "items.csv",
        "fields": {n: {"type": t} for n, t in types.items()},
        "operation": "append",
        "destination": {"connection": "out", "table": table},
    }
    settings = {"connections": {"out": {"url": "file://out", **(connection or {})}}}
    (folder / "headgate.yaml").write_text(yaml.safe_dump(settings))
    (folder / "imports").mkdir(exist_ok=True)
    (folder / "imports" / "items.yaml").write_text(yaml.safe_dump({**definition, **more}, sort_keys=False))


def out(folder: Path) -> dict[str, bytes]:
    """The files that were written."""
    found = (p for p in (folder / "out").rglob("*") if p.is_file() and ".headgate-files" not in p.parts)
    return {p.relative_to(folder / "out").as_posix(): p.read_bytes() for p in sorted(found)}


def changes(said: dict[str, Any]) -> list[str]:
    return [c["summary"] for c in said["schema_changes"]]


def test_planned_run_and_taken_back(project: Path, headgate: Headgate) -> None:
    plan = headgate("plan", "items", "--json")
    assert (plan.code, changes(plan.json)) == (0, ["make items.csv: 9 records"])
    assert not (project / "out").exists()
    ran = headgate("run", "--plan", plan.json["id"], "--json")
    assert (ran.code, ran.json["account"]["created"]) == (0, 9)
    first = out(project)
    assert first == {"items.csv": ITEMS.encode()}
    (project / "items.csv").write_text(ITEMS + "10,new,FR,1\n")
    again = headgate("run", "items", "--json")
    assert changes(again.json) == ["replace items.csv: 10 records"]
    assert out(project)["items.csv"].endswith(b"10,new,FR,1.00\n")
    undone = headgate("undo", again.json["id"], "--json")
    assert (undone.code, out(project)) == (0, first)
    assert headgate("undo", ran.json["id"]).code == 0
    assert out(project) == {}


def test_an_undo_is_undone(project: Path, headgate: Headgate) -> None:
    (project / "out").mkdir()
    (project / "out" / "items.csv").write_text("mine")
    ran = headgate("run", "items", "--json")
    undone = headgate("undo", ran.json["id"], "--json")
    assert out(project) == {"items.csv": b"mine"}
    assert headgate("undo", undone.json["id"]).code == 0
    assert out(project) == {"items.csv": ITEMS.encode()}


def test_a_file_that_was_edited_is_left_unless_forced(project: Path, headgate: Headgate) -> None:
    ran = headgate("run", "items", "--json")
    (project / "out" / "items.csv").write_text("edited")
    left = headgate("undo", ran.json["id"])
    assert left.code == 3
    assert "HE03" in left.out
    assert out(project) == {"items.csv": b"edited"}
    assert headgate("undo", ran.json["id"], "--force").code == 0
    assert out(project) == {}


def test_the_same_source_again_is_the_same_file(project: Path, headgate: Headgate) -> None:
    for _ in range(2):
        assert headgate("run", "items", "--json").json["account"]["created"] == 9
    define(project, connection={"existing": "add"})
    assert headgate("run", "items").code == 0
    assert "nothing new" in headgate("run", "items").out
    assert len(out(project)["items.csv"].splitlines()) == 19


def test_an_empty_source_is_a_header(project: Path, headgate: Headgate) -> None:
    (project / "items.csv").write_text("id,name,country,price\n")
    assert headgate("run", "items").code == 0
    assert out(project) == {"items.csv": b"id,name,country,price\n"}


def test_a_text_that_the_encoding_does_not_have_is_a_reject(project: Path, headgate: Headgate) -> None:
    define(project, connection={"encoding": "cp1252"})
    (project / "items.csv").write_text(ITEMS + "10,日本,FR,1\n", encoding="utf-8")
    ran = headgate("run", "items", "--json")
    assert (ran.code, ran.json["account"]["rejected"], ran.json["account"]["created"]) == (3, 1, 9)
    said = headgate("rejects", ran.json["id"]).out
    assert "DE05" in said
    assert "cp1252 has no '日' (U+65E5)" in said
    assert "line 11" in said


def test_a_file_in_one_line(folder: Path, headgate: Headgate) -> None:
    (folder / "items.csv").write_text(ITEMS)
    assert headgate("run", "items.csv", "--into", "out/items.jsonl").code == 0
    assert headgate("run", "items.csv", "--into", f"{folder}/out/items.xml").code == 0
    assert headgate("run", "items.csv", "--into", "file://out#items.json").code == 0
    assert headgate("run", "items.csv", "--into", "items.parquet").code == 0
    assert sorted(out(folder)) == ["items.json", "items.jsonl", "items.xml"]
    assert (folder / "items.parquet").is_file()
    back = headgate("run", "items.parquet", "--into", "sqlite:///shop.db#item", "--create")
    assert back.code == 0
    wrong = headgate("run", "items.csv", "--into", "out/items.doc")
    assert wrong.code == 1
    assert "does not say which format" in wrong.err
    assert headgate("run", "items.csv", "--into", "nowhere").code == 2


def test_batches_and_keys_are_refused_before_anything_is_read(project: Path, headgate: Headgate) -> None:
    define(project, commit="batch")
    said = headgate("run", "items")
    assert said.code == 1
    assert "cannot be committed batch by batch" in said.err
    define(project, operation="upsert", key="id")
    said = headgate("run", "items")
    assert said.code == 2
    assert "cannot upsert" in said.err
    assert out(project) == {}


def killed(project: Path, program: str, *words: str, crash: str = "") -> int:
    """Run a command in a process of its own; its exit code."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env={**os.environ, "HEADGATE_CRASH": crash}, cwd=project,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode


@pytest.mark.parametrize("after", range(3))
def test_killed_between_files_the_rest_comes_with_the_next_command(
    after: int, project: Path, headgate: Headgate
) -> None:
    define(project, "items-{country}.csv")
    (project / "items.csv").write_text(ITEMS.replace(",name ", ",old "))
    assert headgate("run", "items").code == 0
    old = out(project)
    (project / "items.csv").write_text(ITEMS)
    assert killed(project, DYING, "run", "items", "--quiet", str(after)) == -signal.SIGKILL
    torn = out(project)
    assert sum(torn[n] != old[n] for n in old) == after
    assert all(len(content.splitlines()) == 4 for content in torn.values()), "each is whole"
    runs = headgate("runs", "--json").json
    assert [r["status"] for r in runs] == ["succeeded", "succeeded"]
    done = out(project)
    assert all(done[n] != old[n] for n in old)
    assert headgate("run", "items").code == 0
    assert out(project) == done
    assert headgate("undo", "3").code == 0
    assert headgate("undo", "2").code == 0
    assert out(project) == old


@pytest.mark.parametrize("verb", ["run", "undo"])
def test_killed_at_every_point_a_second_run_gives_the_same(verb: str, project: Path, headgate: Headgate) -> None:
    (project / "out").mkdir()
    for point in (p for p in POINTS if p != "checkpoint.after"):
        (project / "out" / "items.csv").write_text("mine")
        words = ["run", "items"]
        if verb == "undo":
            ran = headgate("run", "items", "--json")
            words = ["undo", str(ran.json["id"])]
        environment = {**os.environ, "HEADGATE_CRASH": point}
        assert forked.run(*words, "--quiet", cwd=project, env=environment).returncode == -signal.SIGKILL, point
        assert headgate(*words).code in (0, 2), point
        assert out(project) == {"items.csv": b"mine" if verb == "undo" else ITEMS.encode()}, point
        assert not [r for r in headgate("runs", "--json").json if r["status"] == "running"]
