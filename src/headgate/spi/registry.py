"""Connectors by name, found through entry points, so that built-in ones and strangers' register alike.

Groups: ``headgate.sources``, ``headgate.destinations`` and ``headgate.places``. An entry point's name is the connection type (``files``,
``sqlite``, ``postgres``, ``memory``), for sources of connections the URL's scheme; it loads a class with the constructor `SourceFactory` or `DestinationFactory`
describes, and with `schemes`, the URL schemes it answers to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from headgate.model.errors import UsageError
from headgate.model.incremental import Since

from .destination import Destination
from .place import Place
from .source import Source

SOURCES = "headgate.sources"
DESTINATIONS = "headgate.destinations"
PLACES = "headgate.places"


@dataclass(frozen=True, slots=True)
class Connected:
    """How a source reaches what is not a file.

    Attributes:
        options: the connection with its references resolved (`url`, and what else the connector knows).
        since: of an incremental source: where it goes on; None for the first run.
        place: where the files of a source lie that are not on this machine.
        state: the finding `headgate.model.incremental.STATE` of the last run that came to its end.
        secrets: what references in the connection stood for; not to be shown.
    """

    options: Mapping[str, Any]
    since: Since | None = None
    place: Place | None = None
    state: Any = None
    secrets: Sequence[str] = ()


class PlaceFactory(Protocol):
    """Makes a place of files; `options` is the connection with its references resolved."""

    def __call__(self, options: Mapping[str, Any], /) -> Place: ...


class SourceFactory(Protocol):
    """Makes a source: ``factory(options, base)``, or ``factory(options, base, connected)`` where the definition names a
    connection; `options` is the definition's `source` (`model.spec.SourceSpec`), `base` the folder relative paths start
    from."""

    def __call__(self, options: Any, base: Path, connected: Connected | None = None, /) -> Source: ...


class DestinationFactory(Protocol):
    """Makes a destination: ``factory(options, base)``; `options` is the connection with its references resolved
    (`url`, and what else the connector knows)."""

    def __call__(self, options: Mapping[str, Any], base: Path) -> Destination: ...


def names(group: str) -> list[str]:
    """All connector names of a group, sorted."""
    return sorted(e.name for e in entry_points(group=group))


def load(group: str, name: str) -> Any:
    """The factory registered under that name.

    Raises:
        UsageError: there is none, or what it needs is not installed.
    """
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=group, name=name))
    if not found:
        raise UsageError(f"there is no connector {name!r}", hint=f"There are: {', '.join(names(group)) or 'none'}.")
    try:
        return found[0].load()
    except ImportError as e:
        raise UsageError(
            f"the connector {name!r} needs the package {e.name}", hint=f"Install it: pip install 'headgate[{name}]'."
        ) from e
