"""The connector of the page is taken from it, installed as a stranger's would be, tested by the suite, and used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-connector.md"
PROGRAM = "from headgate.cli.main import main; main()"


def install(folder: Path) -> dict[str, str]:
    """The page's files in a folder that Python finds, with the entry points of its pyproject; the environment for it."""
    blocks = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', PAGE.read_text(), re.DOTALL))
    for name, text in blocks.items():
        (folder / name).write_text(text)
    project = tomllib.loads(blocks["pyproject.toml"])["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups]
    (info / "entry_points.txt").write_text("".join(lines))
    return {**os.environ, "PYTHONPATH": str(folder), "HEADGATE_HOME": str(folder / "state")}


def test_the_connector_of_the_page_passes_the_suite_and_works(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    environment = install(package)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shelf.py"]
    tested = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, timeout=200)
    assert tested.returncode == 0, tested.stdout[-3000:]
    passed = re.search(r"(\d+) passed", tested.stdout)
    assert passed is not None
    assert int(passed[1]) > 50, "only what is not stated is skipped"

    (tmp_path / "products.csv").write_text("sku,name\nA-1,Lamp\nA-2,Desk\n")
    words = ["run", "products.csv", "--into", f"shelf://{tmp_path}/shelf#product", "--key", "sku", "--create", "--json"]
    for created in (2, 0):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert f'"created": {created}' in ran.stdout
    assert "Desk" in (tmp_path / "shelf" / "product.jsonl").read_text()
