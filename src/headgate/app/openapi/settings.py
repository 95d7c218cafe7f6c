"""Adding a connection to headgate.yaml, which otherwise stays as it is written."""

from __future__ import annotations

import re
from pathlib import Path

from headgate.app import yaml_file
from headgate.app.draft import scalar
from headgate.app.project import SETTINGS
from headgate.model.errors import HeadgateError, UsageError
from headgate.model.spec import ProjectSpec

from .access import Proposed


def connection_lines(proposed: Proposed) -> list[str]:
    """A connection as headgate.yaml has it, not indented."""
    lines = [f"{scalar(proposed.name)}:", *(f"  # {r}" for r in proposed.remarks)]
    for key, value in proposed.options.items():
        if isinstance(value, dict):
            lines += [f"  {key}:", *(f"    {scalar(k)}: {scalar(v)}" for k, v in value.items())]
        else:
            lines.append(f"  {key}: {scalar(value)}")
    return lines


def with_connection(text: str, proposed: Proposed, file: Path) -> str:
    """The text of headgate.yaml with a connection added.

    Args:
        text: what it is now.
        file: for messages.

    Raises:
        UsageError: it is written in a way that nothing can be added to.
    """
    lines = connection_lines(proposed)
    before = yaml_file.document(text, SETTINGS)
    key = before.places.get(("connections", ""))
    if key is None:
        new = f"{text.rstrip()}\nconnections:\n" + "".join(f"  {line}\n" for line in lines)
    else:
        first = next(
            (p for path, p in before.places.items() if path[:1] == ("connections",) and path[2:] == ("",)), None
        )
        indent = " " * (first[1] - 1 if first is not None else 2)
        rows = text.splitlines(keepends=True)
        at = key[0]
        rows[at - 1] = re.sub(r"(\r?\n)?$", "\n", rows[at - 1], count=1)
        new = "".join([*rows[:at], *(f"{indent}{line}\n" for line in lines), *rows[at:]])
    if not _is_added(before, new, proposed.name):
        shown = "\n".join(f"    {line}" for line in lines)
        raise UsageError(
            f"{file} is written in a way that no connection can be added to",
            hint=f"Add it there by hand, and go on with --connection {proposed.name}:\n{shown}",
        )
    return new


def _is_added(before: yaml_file.Document, new: str, name: str) -> bool:
    """Whether a text says what the one before did, and one connection more."""
    try:
        after = yaml_file.document(new, SETTINGS)
        one, two = yaml_file.parse(before, ProjectSpec), yaml_file.parse(after, ProjectSpec)
    except HeadgateError:
        return False
    connections = dict(two.connections)
    return connections.pop(name, None) is not None and two.model_copy(update={"connections": connections}) == one
