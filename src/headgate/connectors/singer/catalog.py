"""A tap's catalog: which streams it has, and that one of them is chosen."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from headgate.model.errors import SourceError


class Catalog:
    """What a tap says that it has.

    Args:
        text: JSON.
        name: whose it is, for messages.

    Raises:
        SourceError: it is no catalog.
    """

    def __init__(self, text: bytes, name: str) -> None:
        try:
            self._data: dict[str, Any] = json.loads(text)
            self._streams: list[dict[str, Any]] = list(self._data["streams"])
            self.names = [_name(s) for s in self._streams]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SourceError(
                f"{name} is no catalog: JSON with a list of streams, each with a name",
                hint="A tap writes one when it is called with --discover; catalog: none for a tap that does not.",
            ) from None
        self._of = name

    def check(self, stream: str) -> None:
        """Raises SourceError: there is no such stream."""
        if stream not in self.names:
            near = difflib.get_close_matches(stream, self.names, 1)
            there = f"There are: {', '.join(self.names[:20]) or 'none'}."
            raise SourceError(
                f"{self._of} has no stream {stream!r}", hint=f"Did you mean {near[0]!r}?" if near else there
            )

    def schema(self, stream: str) -> bytes:
        """The stream's JSON Schema; empty where the catalog has none."""
        found = self._streams[self.names.index(stream)].get("schema")
        return json.dumps(found).encode() if found else b""

    def chosen(self, stream: str, columns: Sequence[str] | None) -> str:
        """The catalog with this stream selected and no other.

        Args:
            columns: those that are wanted; None for all that are not deselected already.
        """
        streams = [_selected(s, columns) if _name(s) == stream else _deselected(s) for s in self._streams]
        return json.dumps({**self._data, "streams": streams})


def _name(stream: dict[str, Any]) -> str:
    """What messages call it."""
    return str(stream.get("stream") or stream["tap_stream_id"])


def _metadata(stream: dict[str, Any]) -> list[dict[str, Any]]:
    return [m for m in stream.get("metadata") or [] if isinstance(m, dict)]


def _deselected(stream: dict[str, Any]) -> dict[str, Any]:
    return _with_root(stream, _metadata(stream), selected=False)


def _with_root(stream: dict[str, Any], metadata: list[dict[str, Any]], *, selected: bool) -> dict[str, Any]:
    root = next((m.get("metadata") or {} for m in metadata if m.get("breadcrumb") == []), {})
    rest = [m for m in metadata if m.get("breadcrumb") != []]
    whole = {"breadcrumb": [], "metadata": {**root, "selected": selected}}
    schema = stream.get("schema")
    schema = {**schema, "selected": selected} if isinstance(schema, dict) else schema  # as old taps read it
    return {**stream, "selected": selected, "schema": schema, "metadata": [whole, *rest]}


def _selected(stream: dict[str, Any], columns: Sequence[str] | None) -> dict[str, Any]:
    schema = stream.get("schema")
    properties = list((schema.get("properties") or {}) if isinstance(schema, dict) else ())
    there = {m["breadcrumb"][1]: m for m in _metadata(stream) if _of_property(m)}
    others = [m for m in _metadata(stream) if not _of_property(m)]
    metadata = []
    for name in dict.fromkeys([*properties, *there]):
        of = dict(there.get(name, {}).get("metadata") or {})
        if of.get("inclusion") not in ("automatic", "unsupported"):
            of["selected"] = of.get("selected", True) if columns is None else name in columns
        metadata.append({"breadcrumb": ["properties", name], "metadata": of})
    return _with_root(stream, [*others, *metadata], selected=True)


def _of_property(entry: dict[str, Any]) -> bool:
    place = entry.get("breadcrumb")
    return isinstance(place, list) and len(place) == 2 and place[0] == "properties"
