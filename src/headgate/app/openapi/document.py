"""An OpenAPI document: where it comes from, what version it has, and what its references lead to."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from headgate.app import yaml_file
from headgate.app.project import Project
from headgate.app.references import resolve
from headgate.model.errors import DefinitionError, HeadgateError, SourceError, UsageError
from headgate.spi import registry

from .hosts import is_private, origin

MOST_BYTES = 16 << 20
"""YAML of this size takes about a quarter of a minute and a gigabyte."""
_LARGE = "Take the part of it that is about these records, or write the definition by hand."
_BUNDLE = "Make one file of it first (tools for OpenAPI call that bundling)."

Node = dict[str, Any]


class Unreachable(LookupError):
    """What a reference leads to is not in the document; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Api:
    """A document that describes an API.

    Attributes:
        file: the document, with the places of what it says where it is YAML.
        url: where it was fetched; empty for a file of this machine.
        near: whether that was at an address that is not public.
    """

    file: yaml_file.Document
    url: str = ""
    near: bool = False

    @property
    def root(self) -> Node:
        """The document itself."""
        found: Node = self.file.data
        return found

    @property
    def old(self) -> bool:
        """Whether it is Swagger 2.0."""
        return "swagger" in self.root

    @property
    def title(self) -> str:
        """What the API is called; empty where that is not said."""
        return str(mapping(self.root.get("info")).get("title") or "")

    def mistake(self, path: tuple[str | int, ...], message: str, hint: str = "") -> DefinitionError:
        """An error with its place: file, line and column where they are known, and the path in the document."""
        pointer = "/".join(str(p).replace("~", "~0").replace("/", "~1") for p in path)
        at = f" (at #/{pointer})" if path and not self.file.places else ""
        return DefinitionError(f"{message}{at}", where=self.file.where(path, key=True), hint=hint)

    def follow(self, node: object) -> Node:
        """What a part of the document is, references followed.

        Raises:
            Unreachable: a reference leads out of the document, to nothing, or in a circle.
        """
        seen: set[str] = set()
        while isinstance(node, dict) and isinstance(ref := node.get("$ref"), str):
            if ref in seen:
                raise Unreachable(f"{ref} leads in a circle")
            seen.add(ref)
            node = self.at(ref)
        return mapping(node)

    def at(self, ref: str) -> object:
        """What a reference leads to.

        Raises:
            Unreachable: it leads out of the document, or to nothing.
        """
        file, _, pointer = ref.partition("#")
        if file:
            raise Unreachable(f"{ref} is in another file, which is not read")
        node: object = self.root
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isascii() and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                raise Unreachable(f"there is no {ref}")
        return node

    def must_follow(self, node: object, path: tuple[str | int, ...]) -> Node:
        """The same, for what nothing can be proposed without.

        Raises:
            DefinitionError: it cannot be followed.
        """
        try:
            return self.follow(node)
        except Unreachable as e:
            raise self.mistake(path, str(e), _BUNDLE if "another file" in str(e) else "") from None


def mapping(node: object) -> Node:
    """What should be a mapping; an empty one for anything else."""
    return node if isinstance(node, dict) else {}


def listed(node: object) -> list[Any]:
    """What should be a list; an empty one for anything else."""
    return node if isinstance(node, list) else []


def read_api(project: Project, place: str) -> Api:
    """Read a document.

    Args:
        project: its connections are used for documents at their hosts.
        place: a file, or a URL.

    Raises:
        HeadgateError: it cannot be read or fetched, or is no OpenAPI document.
    """
    if "://" not in place:
        return _api(_file(Path(place), place), place)
    parts = urlsplit(place)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--openapi {place}: neither a file nor a URL", hint="Write https://HOST/PATH, or a file.")
    if parts.query or parts.username or parts.password:
        raise UsageError(
            f"--openapi {place.partition('?')[0]}: a URL with a login or parameters is not fetched",
            hint="Save the document to a file, and name that.",
        )
    near = is_private(parts.hostname, look=True)
    url = parts._replace(fragment="").geturl()
    return _api(_fetched(project, url, private=near), url, url, near=near)


def _fetched(project: Project, url: str, *, private: bool) -> bytes:
    parts = urlsplit(url)
    folder, _, file = parts.path.rpartition("/")
    options = {**_login(project, url), "url": parts._replace(path=folder).geturl()}
    if private:
        options["private"] = True
    factory: registry.PlaceFactory = registry.load(registry.PLACES, parts.scheme)
    with tempfile.TemporaryDirectory(prefix="headgate-") as room, closing(factory(options)) as there:
        to = Path(room) / "document"
        there.fetch(unquote(file), to)
        return _file(to, url)


def _login(project: Project, url: str) -> dict[str, Any]:
    """The options of a connection to the same host, if the project has one whose secrets are at hand."""
    for name, connection in project.settings.connections.items():
        try:
            options = resolve(connection.model_dump(), project.folder, f"connection {name}")
        except HeadgateError:
            continue
        if origin(str(options["url"])) == origin(url):
            return dict(options)
    return {}


def _file(file: Path, shown: str) -> bytes:
    try:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise SourceError(f"{shown} has {size >> 20:,} MiB, more than {MOST_BYTES >> 20}", hint=_LARGE)
        return file.read_bytes()
    except FileNotFoundError:
        raise SourceError(
            f"{shown}: there is no such file", hint="Name an OpenAPI document: a file or a URL."
        ) from None
    except OSError as e:
        raise SourceError(f"{shown} cannot be read: {e.strerror or e}") from None


def _api(data: bytes, name: str, url: str = "", *, near: bool = False) -> Api:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise SourceError(f"{name}: byte {e.start} is not UTF-8, so it is no OpenAPI document") from None
    is_json = text.lstrip()[:1] in ("{", "[") and not name.endswith((".yaml", ".yml"))
    document = _json(text, name) if is_json else yaml_file.document(text, name)
    _check(document)
    return Api(document, url, near)


def _json(text: str, name: str) -> yaml_file.Document:
    try:
        data = json.loads(text)
        if re.search(r"\\u[dD][89a-fA-F]", text):
            json.dumps(data, ensure_ascii=False).encode()
    except json.JSONDecodeError as e:
        raise DefinitionError(f"not JSON: {e.msg}", where=f"{name}:{e.lineno}:{e.colno}") from None
    except RecursionError:
        raise DefinitionError("nested too deep", where=name) from None
    except UnicodeEncodeError:
        raise DefinitionError("it has half a character in a text (\\ud800)", where=name) from None
    return yaml_file.Document(name, data, {}, "")


def _check(document: yaml_file.Document) -> None:
    data = document.data
    hint = "It begins with openapi: 3.0.3 (or 3.1.0), or with swagger: '2.0'."
    if not isinstance(data, dict) or not {"openapi", "swagger"} & data.keys():
        raise DefinitionError("no OpenAPI document", where=document.name, hint=hint)
    key = "swagger" if "swagger" in data else "openapi"
    version = str(data[key])
    if not version.startswith("2" if key == "swagger" else "3."):
        raise DefinitionError(
            f"{key} {version[:20]!r} is no version that is known", where=document.where((key,)), hint=hint
        )
    if not isinstance(data.get("paths"), dict) or not data["paths"]:
        raise DefinitionError(
            "it describes no paths", where=document.where(("paths",)), hint="Is it only a part of the description?"
        )
