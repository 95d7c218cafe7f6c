"""What the page about access shows of HTTP is true."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from support.markdown import ROOT, blocks
from support.serving import Serving

PAGE = ROOT / "docs" / "how-to" / "access.md"


def test_the_requests_on_the_page_are_answered(folder):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    (folder / "imports" / "orders.yaml").rename(folder / "imports" / "prices.yaml")
    said = []
    with Serving(folder) as server:
        for block in blocks(PAGE):
            if block.language == "sh":
                script = block.text.replace("curl -s", "curl -sS --fail-with-body").replace(
                    "http://localhost:8321", server.url
                )
                environment = {**os.environ, "HEADGATE_TOKEN": server.token, "no_proxy": "*"}
                done = subprocess.run(
                    ["sh", "-ec", script], capture_output=True, text=True, env=environment, check=False
                )
                assert done.returncode == 0, f"line {block.line}: {done.stdout}{done.stderr}"
                said.append(done.stdout)
        assert [u["disabled"] for u in server.get("/api/users").json()] == [True]
        assert {t["name"]: t["state"] for t in server.get("/api/tokens").json()}["till"] == "revoked"
    assert '"name":"first"' in said[0]
    assert '"token":"hg_' in said[1]
