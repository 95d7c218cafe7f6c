"""Connectors by name, found through entry points, so that built-in ones and strangers' register alike. Built-in ones are looked for
first, in one file: looking through all packages that are installed takes longer than a small import.

Groups: ``headgate.sources``, ``headgate.destinations``, ``headgate.places``, and ``headgate.presets`` (functions that give what is
known of applications). An entry point's name is the connection type (``files``,
``sqlite``, ``postgres``, ``memory``), for sources of connections the URL's scheme; it loads a class with the constructor `SourceFactory` or `DestinationFactory`
describes, and with `schemes`, the URL schemes it answers to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
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
PRESETS = "headgate.presets"


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


@cache
def _own() -> Mapping[tuple[str, str], EntryPoint]:
    """The built-in ones by group and name, which nobody else's take the place of."""
    try:
        return {(one.group, one.name): one for one in distribution("headgate").entry_points}
    except PackageNotFoundError:  # run from its source
        return {}


@cache
def _points(group: str) -> Mapping[str, EntryPoint]:
    """What is installed, by name. Finding it reads a file of every package, of which a process has no other ones later."""
    found = {name: one for (of, name), one in _own().items() if of == group}
    for one in entry_points(group=group):
        found.setdefault(one.name, one)
    return found


def names(group: str) -> list[str]:
    """All connector names of a group, sorted."""
    return sorted(_points(group))


def has(group: str, name: str) -> bool:
    """Whether there is a connector of that name."""
    return (group, name) in _own() or name in _points(group)


def load(group: str, name: str) -> Any:
    """The factory registered under that name.

    Raises:
        UsageError: there is none, or what it needs is not installed.
    """
    found = _own().get((group, name)) or _points(group).get(name)
    if found is None:
        raise UsageError(f"there is no connector {name!r}", hint=f"There are: {', '.join(names(group)) or 'none'}.")
    try:
        return found.load()
    except ImportError as e:
        raise UsageError(
            f"the connector {name!r} needs the package {e.name}",
            hint=f"Install it: pip install '{_package(group, found, e)}'.",
        ) from e


def _package(group: str, found: EntryPoint, error: ImportError) -> str:
    """What to install for a connector: the extra of its own distribution that is called as it is, or as another name of
    the same connector is (``preset`` is what ``http`` is); without such an extra the package that was not found."""
    distribution = found.dist
    extras = set(distribution.metadata.get_all("Provides-Extra") or ()) if distribution else set()
    twins = sorted(one.name for one in _points(group).values() if one.value == found.value)
    extra = next((one for one in (found.name, *twins) if one in extras), None)
    return f"{distribution.name}[{extra}]" if distribution and extra else str(error.name)
