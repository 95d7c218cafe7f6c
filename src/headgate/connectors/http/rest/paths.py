"""What stands at a path in a record: names with dots between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(record: Any, path: str) -> Any:
    """What is at a path (`address.city`, `items.0.id`); None where there is nothing. The empty path is the record itself."""
    if not path:
        return record
    if isinstance(record, Mapping) and path in record:
        return record[path]
    found = record
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def put(record: dict[str, Any], path: str, value: Any) -> None:
    """Set what is at a path; objects on the way are made.

    Raises:
        ValueError: something else is in the way.
    """
    *parents, last = path.split(".") if path.strip(".") == path and ".." not in path else [path]
    for part in parents:
        record = record.setdefault(part, {})
        if not isinstance(record, dict):
            raise ValueError(f"{path}: {part} is a value already")  # noqa: TRY004 - it is the record that is wrong
    record[last] = value


def drop(record: dict[str, Any], path: str) -> None:
    """Take away what is at a path, if anything is."""
    *parents, last = path.split(".") if path not in record else [path]
    found: Any = record
    for part in parents:
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, dict):
        found.pop(last, None)
