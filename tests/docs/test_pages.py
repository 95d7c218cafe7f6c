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
from collections.abc import Iterator, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from headgate.app.yaml_file import read_text
from headgate.cli.main import run
from headgate.connectors.http.options import read as options_of_api
from headgate.connectors.http.presets import filled
from headgate.model.spec import ImportSpec, ProjectSpec
from headgate.testing.crud import CrudServer
from headgate.testing.hubspot import HubspotServer
from headgate.testing.salesforce import SalesforceServer
from headgate.testing.server import ApiServer
from headgate.testing.shopify import ShopifyServer
from support.markdown import Block, Command, blocks, directives, matches, name, pages, session
from support.serving import Serving

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
        for connection in ProjectSpec.model_validate(data).connections.values():
            if "auth" in (options := connection.model_dump()):
                options_of_api(options | {"url": "https://api.example.com"})
    elif {"source", "destination"} <= data.keys():
        ImportSpec.model_validate(data)
    else:  # a part of one
        operation = {"operation": "upsert"} if "key" in data else {}
        ImportSpec.model_validate(FRAGMENT | operation | data)


@pytest.fixture
def crm() -> Iterator[str]:
    """URL of an API with four customers, two a page."""
    customers = [
        '{"id": 1, "name": "Ann", "country": "FR", "credit": 1204.50, "address": {"city": "Lyon"}}',
        '{"id": 2, "name": "Bob", "country": "CH", "credit": 19.90, "address": {"city": "Bern"}}',
        '{"id": 3, "name": "Cy", "country": "NA", "credit": "plenty", "address": null}',
        '{"id": 4, "name": "Dee", "country": "FR", "credit": 0.10, "address": {"city": "Nice"}}',
    ]
    with ApiServer(customers, size=2, login="bearer", paths={"/customers": "/cursor"}) as api:
        yield api.url


@pytest.fixture
def people() -> Iterator[str]:
    """URL of an API that keeps people, of whom it knows one."""
    with CrudServer(token=CrudServer.TOKEN) as api:
        ann = {"email": "ann@example.com", "name": "Ann", "address": {"city": "Paris"}, "owes": 12.1}
        api.add("people", [ann], unique=[("email",)], required=["name"])
        yield api.url


@pytest.fixture
def applications(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Environment with tokens of a HubSpot and a Shopify, which are where the presets lead."""
    with HubspotServer() as hubspot, ShopifyServer() as shopify:
        hubspot.define("companies", {"erp_id": "string"}, unique=["erp_id"])
        hubspot.add("contacts", [{"email": "ann@example.com", "firstname": "Ann", "lifecyclestage": "lead"}])
        shopify.product("hat", title="Hat", variants=[{"sku": "H-1", "price": "9.90"}, {"sku": "H-2", "price": "9.90"}])
        urls = {"hubspot": hubspot.url, "shopify": shopify.url}

        def led(options: Mapping[str, Any]) -> dict[str, Any]:
            url = urls.get(str(options.get("preset")))
            return filled(options) | ({"url": url, "private": True} if url else {})

        monkeypatch.setattr("headgate.connectors.http.options.filled", led)
        yield {"HUBSPOT_TOKEN": hubspot.TOKEN, "SHOPIFY_TOKEN": shopify.TOKEN}


@pytest.fixture
def salesforce() -> Iterator[str]:
    """URL of a Salesforce with one contact."""
    with SalesforceServer() as api:
        api.add("Contact", [{"Email": "bob@example.com", "FirstName": "Robert", "LastName": "Jones"}])
        yield api.root


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
    environment |= _needed(needs.get("needs", ""), request)
    folder = shop
    with contextlib.ExitStack() as beside:
        for block in blocks(PAGES[page]):
            if block.title:
                _write(folder / block.title, block)
            for command in session(block.text) if block.language == "console" else ():
                if command.text.startswith("cd "):
                    folder /= command.text[3:]
                    continue
                if "$HEADGATE_URL" in command.text and "HEADGATE_URL" not in environment:
                    server = Serving(shop, "--no-auth", home=tmp_path / "state", more=environment)
                    environment["HEADGATE_URL"] = beside.enter_context(server).url
                _run(command, folder, environment, f"{page}:{block.line}")


def _needed(what: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a page that needs something, which is there from then on."""
    match what:
        case "postgres":
            return {"DATABASE_URL": request.getfixturevalue("pg_db")}
        case "mysql":
            return {"DATABASE_URL": request.getfixturevalue("maria_db")}
        case "api":
            return {"CRM_URL": request.getfixturevalue("crm"), "CRM_TOKEN": ApiServer.TOKEN}
        case "people":
            return {"PEOPLE_URL": request.getfixturevalue("people"), "PEOPLE_TOKEN": CrudServer.TOKEN}
        case "applications":
            return dict(request.getfixturevalue("applications"))
        case "salesforce":
            login = {"SALESFORCE_CLIENT": SalesforceServer.CLIENT, "SALESFORCE_SECRET": SalesforceServer.SECRET}
            return {"SALESFORCE_URL": request.getfixturevalue("salesforce")} | login
        case "server":
            return {f"{sender}_SECRET": "a secret" for sender in ("GITHUB", "SHOPIFY", "STRIPE", "SLACK")}
    return {}


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
