"""What the pages say is true: definitions are valid, commands do what is shown, links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path
from unittest import mock

import pytest

from headgate.app.yaml_file import read_text
from headgate.cli.main import run
from headgate.model.spec import ImportSpec, ProjectSpec
from support.markdown import Block, Command, blocks, directives, matches, name, pages, session

PAGES = {name(p): p for p in pages()}
SESSIONS = {n: p for n, p in PAGES.items() if any(b.language == "console" for b in blocks(p))}
DEFINITIONS = {
    f"{n}:{b.line}": b
    for n, p in PAGES.items()
    for b in blocks(p)
    if b.language == "yaml" and not b.title.startswith(".")
}
FRAGMENT = {
    "source": "inbox/records.csv",
    "destination": {"connection": "shop", "table": "records"},
    "operation": "append",
}


@pytest.mark.parametrize("where", DEFINITIONS)
def test_definition_is_valid(where: str) -> None:
    data = read_text(DEFINITIONS[where].text, where)
    if data.keys() <= ProjectSpec.model_fields.keys():
        ProjectSpec.model_validate(data)
    elif {"source", "destination"} <= data.keys():
        ImportSpec.model_validate(data)
    else:  # a part of one
        operation = {"operation": "upsert"} if "key" in data else {}
        ImportSpec.model_validate(FRAGMENT | operation | data)


@pytest.mark.parametrize("page", SESSIONS)
def test_session_does_what_is_shown(page: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    needs = directives(PAGES[page])
    shop = tmp_path / "shop"
    if needs.get("project") == "demo":
        with as_file(files("headgate") / "demo") as demo:
            shutil.copytree(demo, shop)
    else:
        shop.mkdir()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HEADGATE_HOME": str(tmp_path / "state"),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }
    if needs.get("project") == "demo":
        del environment["HEADGATE_HOME"]
    if needs.get("needs") == "postgres":
        environment["DATABASE_URL"] = request.getfixturevalue("pg_db")
    if needs.get("needs") == "mysql":
        environment["DATABASE_URL"] = request.getfixturevalue("maria_db")
    folder = shop
    for block in blocks(PAGES[page]):
        if block.title:
            _write(folder / block.title, block)
        for command in session(block.text) if block.language == "console" else ():
            if command.text.startswith("cd "):
                folder /= command.text[3:]
            else:
                _run(command, folder, environment, f"{page}:{block.line}")


def _write(path: Path, block: Block) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text)


def _run(command: Command, folder: Path, environment: dict[str, str], where: str) -> None:
    ran = _in_process if re.fullmatch(r"headgate [^|<>&;`]*", command.text) else _in_shell
    code, out, err = ran(command.text, folder, environment)
    said = out or err  # progress is beside the point; errors are all there is
    shown = f"{where}: $ {command.text}\n{out}{err}"
    assert code == command.exit_code, shown
    expected = "\n".join(command.output)
    assert matches(command.output, said), f"{shown}\nexpected:\n{expected}"


def _in_shell(text: str, folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    code = (
        done.returncode if done.returncode >= 0 else 128 - done.returncode
    )  # as a shell says it that did not become the command
    return code, done.stdout, done.stderr


def _in_process(text: str, folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """The same without a second of starting Python for each of the pages' many commands."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run([os.path.expandvars(word) for word in shlex.split(text)[1:]])
    return code, out.getvalue(), err.getvalue()


def test_every_headgate_command_stands_in_a_session() -> None:
    loose = re.compile(r"^\s*(\$ )?headgate ", re.MULTILINE)
    found = [
        f"{n}:{b.line}"
        for n, p in PAGES.items()
        for b in blocks(p)
        if b.language not in ("console", "text", "yaml") and loose.search(b.text)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", PAGES[page].read_text())
    assert [t for t in targets if not (PAGES[page].parent / t).exists()] == []
