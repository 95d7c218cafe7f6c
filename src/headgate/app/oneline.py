"""A definition from what was said on the command line: an import's name, a definition file, a file of records, or a table."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from headgate.model.errors import DefinitionError, UsageError
from headgate.model.spec import ImportSpec
from headgate.spi import registry

from . import yaml_file
from .project import Definition, Project


def definition_for(
    project: Project,
    name: str,
    *,
    into: str | None = None,
    key: tuple[str, ...] = (),
    operation: str | None = None,
    create: bool = False,
    settings: tuple[str, ...] = (),
) -> Definition:
    """The definition meant by `name` and the options beside it.

    Args:
        name: an import of the project; a definition file (`.yaml`); with `into`, a file of records, a pattern, `-`, or
            ``CONNECTION#TABLE``.
        into: ``CONNECTION#TABLE``.
        settings: ``key.path=value``, values in YAML.

    Raises:
        UsageError: it is none of them, or something is missing.
    """
    if into is not None:
        data = from_options(_read_from(project, name), into, key, operation, create)
        shown = "<options>"
    else:
        if key or operation or create:
            raise UsageError("--key, --operation and --create go with --into", hint="For an import, use --set.")
        document = _document(project, name)
        data, shown = document.data, document.name
        if not settings:
            return project.load(name) if name in project.import_files else project.load_file(Path(name).resolve())
    for setting in settings:
        _set(data, setting)
    document = yaml_file.Document(shown, data, {}, "")
    spec = yaml_file.parse(document, ImportSpec)
    if into is not None:
        return Definition(spec.source.table or _stem(name), spec, Path.cwd())
    file = project.import_files.get(name)
    return Definition(name if file else _stem(name), spec, project.folder, file or Path(name).resolve(), settings)


def _stem(name: str) -> str:
    return "stdin" if name == "-" else Path(name).name.split(".")[0].replace("*", "").strip("-_") or "import"


def _document(project: Project, name: str) -> yaml_file.Document:
    files = project.import_files
    if name in files:
        return yaml_file.read(files[name], str(files[name].relative_to(project.folder)))
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return yaml_file.read(path)
    # Not Path.exists: it raises for names that no file can have.
    if os.path.exists(name) or "*" in name or name == "-":  # noqa: PTH110
        raise UsageError(
            f"where shall {name} go?", hint=f"headgate run {name} --into sqlite:///shop.db#table --key FIELD"
        )
    near = difflib.get_close_matches(name, files, n=1)
    there = ", ".join(files)
    hint = (
        f"Did you mean {near[0]!r}?"
        if near
        else f"There are: {there}."
        if there
        else "This folder has no imports/*.yaml."
    )
    raise UsageError(f"{name!r} is neither an import nor a file", hint=hint)


def _read_from(project: Project, name: str) -> dict[str, Any]:
    """The source that is meant: ``CONNECTION#TABLE`` or a file."""
    connection, _, table = name.rpartition("#")
    known = connection in project.settings.connections and not os.path.exists(name)  # noqa: PTH110 - as above
    if connection and table and ("://" in connection or known):
        return {"connection": connection, "table": table}
    if "://" in name and not registry.has(registry.PLACES, name.partition("://")[0]):
        raise UsageError(f"{name} names no table", hint="Write URL#TABLE, for example sqlite:///shop.db#product.")
    return {"path": name}


def from_options(
    source: dict[str, Any], into: str, key: tuple[str, ...], operation: str | None, create: bool
) -> dict[str, Any]:
    """A definition's keys from the options of a command.

    Raises:
        UsageError: `into` is not ``CONNECTION#TABLE``.
    """
    connection, hash_, table = into.rpartition("#")
    if not hash_ and Path(into).suffix and ("://" not in into or into.startswith("file://")):
        folder, _, table = into.removeprefix("file://").rpartition("/")
        connection, hash_ = f"file://{folder or ('/' if into.startswith(('/', 'file:///')) else '.')}", "#"
    if not hash_ or not connection or not table:
        raise UsageError(
            f"--into {into} names no table", hint="Write CONNECTION#TABLE, for example sqlite:///shop.db#product."
        )
    keys = [k.strip() for one in key for k in one.split(",")]
    data: dict[str, Any] = {
        "source": source,
        "operation": operation or ("upsert" if keys else "append"),
        "destination": {"connection": connection, "table": table, "create": create},
    }
    if keys:
        data["key"] = keys
    return data


def _set(data: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    if not equals:
        raise UsageError(f"--set {setting}: write KEY=VALUE")
    *parents, last = path.split(".")
    if not isinstance(data, dict):
        raise DefinitionError(f"--set {path}: the definition holds no keys")
    for part in parents:
        if isinstance(data.get(part), str):
            data[part] = {"path" if part == "source" else "from": data[part]}
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise DefinitionError(f"--set {path}: {part} holds no keys")
    # A single sign is itself (`source.delimiter=|`), whatever it means in YAML.
    alone = len(text.strip()) <= 1 and not text.isdigit()
    data[last] = text if alone and text else yaml_file.read_text(text, f"--set {path}")
