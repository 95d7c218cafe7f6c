"""`headgate connections presets`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from textwrap import fill
from typing import Any

from headgate.model.errors import UsageError
from headgate.spi import registry

from .output import console, print_json


def show_presets(name: str | None, *, as_json: bool) -> int:
    """Print what presets there are, or what one of them knows."""
    known: dict[str, dict[str, Any]] = registry.load(registry.PRESETS, "http")()
    if name is not None and name not in known:
        raise UsageError(f"there is no preset {name!r}", hint=f"There are: {', '.join(known)}.")
    chosen = known if name is None else {name: known[name]}
    rows = [_row(n, preset) for n, preset in chosen.items()]
    if as_json:
        print_json(rows)
        return 0
    out = console()
    echo = partial(out.print, markup=False, highlight=False)
    for row in rows:
        echo(f"{row['preset']}: {row['title']}")
        for setting, about in row["settings"].items():
            default = f" ({about['default']})" if about.get("default") is not None else ""
            echo(f"  {setting}{default}: {about['description']}")
        for resource, can in row["resources"].items():
            echo(f"  {resource}: {', '.join(can)}")
            for listed in _fields(row, resource) if name is not None else ():
                echo(fill(listed, out.width, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False))
        if name is not None:
            echo(fill(" ".join(row["notes"].split()), out.width, initial_indent="  ", subsequent_indent="  "))
            echo(f"  {row['documentation']}")
    return 0


def _fields(row: dict[str, Any], resource: str) -> Iterator[str]:
    """What a resource says of its fields."""
    fields = {"": row["fields"].get(resource, {})}
    fields |= {f"each of {name}: ": of for name, of in row["entries"].get(resource, {}).items()}
    for what, known in fields.items():
        if known:
            yield what + ", ".join(f"{field} {of}" for field, of in known.items())
    if names := row["write_only"].get(resource):
        yield f"only written: {', '.join(names)}"


def _row(name: str, preset: dict[str, Any]) -> dict[str, Any]:
    can = ("find", "create", "update", "upsert", "delete", "listing")
    resources = preset.get("resources", {})
    return {
        "preset": name,
        "title": preset["title"],
        "documentation": preset["documentation"],
        "notes": preset.get("notes", ""),
        "settings": preset.get("settings", {}),
        "fields": {r: spec["fields"] for r, spec in resources.items() if spec.get("fields")},
        "entries": {
            r: {n: of["fields"] for n, of in spec["entries"].items()}
            for r, spec in resources.items()
            if "entries" in spec
        },
        "write_only": {r: spec["write_only"] for r, spec in resources.items() if "write_only" in spec},
        "resources": {r: [c for c in can if c in spec] for r, spec in resources.items()},
    }
