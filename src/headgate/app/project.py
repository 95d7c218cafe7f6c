"""A project: a folder with `headgate.yaml` and `imports/*.yaml`; or no project at all, for one-line imports."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.model.errors import DefinitionError, HeadgateError, UsageError
from headgate.model.incremental import Since
from headgate.model.request import RequestSpec
from headgate.model.spec import TRIGGERS, ImportSpec, ProjectSpec, SourceSpec
from headgate.spi import registry
from headgate.spi.destination import Capabilities, Destination
from headgate.spi.outbox import Remembers
from headgate.spi.place import Place, below, is_pattern, looked_in, matches
from headgate.spi.source import Reaches, Source
from headgate.spi.store import Store

from . import yaml_file
from .chain import check_after
from .recovery import recover
from .references import resolve, without_secrets

if TYPE_CHECKING:
    from headgate.ledger import Ledger

SETTINGS = "headgate.yaml"
STATE = ".headgate"
FILES = "files"
"""The connector of sources without a connection."""
OTHERS = "sqlalchemy"
_MOST_COUNTED = 1_000
"""The connector of databases that have none of their own."""


@dataclass(frozen=True, slots=True)
class Definition:
    """An import ready to be executed.

    Attributes:
        name: what it is called.
        spec: what it says.
        base: the folder that its relative paths start from.
        file: where it is written down; None for one made on the command line.
        settings: what was set over it there (``key.path=value``).
    """

    name: str
    spec: ImportSpec
    base: Path
    file: Path | None = None
    settings: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical JSON of what it does, 16 hexadecimal digits of it."""
        canonical = self.spec.model_dump_json(by_alias=True, exclude=set(TRIGGERS))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Project:
    """Definitions, connections and the ledger they share.

    Args:
        folder: the project's folder; relative paths start here.
        settings: what its headgate.yaml says; None for a folder that is no project.
    """

    def __init__(self, folder: Path, settings: ProjectSpec | None) -> None:
        self.folder = folder
        self.settings = settings or ProjectSpec()
        self.is_project = settings is not None

    @property
    def import_files(self) -> dict[str, Path]:
        """Definition files by name, in name order."""
        files = [p for p in (self.folder / "imports").glob("*.y*ml") if p.suffix in (".yaml", ".yml")]
        return {p.stem: p for p in sorted(files)}

    def load(self, name: str) -> Definition:
        """Read a definition by its name.

        Raises:
            UsageError: there is none of that name.
            DefinitionError: it has a mistake.
        """
        files = self.import_files
        if name not in files:
            near = difflib.get_close_matches(name, files, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(files) or 'none'}."
            raise UsageError(f"there is no import {name!r} in {self.folder / 'imports'}", hint=hint)
        return self.load_file(files[name])

    def load_file(self, file: Path) -> Definition:
        """Read a definition from a file.

        Raises:
            DefinitionError: it has a mistake; the message has its place.
        """
        shown = file.relative_to(self.folder) if file.is_relative_to(self.folder) else file
        document = yaml_file.read(file, str(shown))
        spec = yaml_file.parse(document, ImportSpec)
        where = document.where(("destination", "connection"))
        to = spec.destination.connection
        if to and "://" not in to and to not in self.settings.connections:
            self._no_connection(to, where)
        backup = spec.transfer.backup.connection if spec.transfer.backup is not None else None
        if backup is not None and "://" not in backup and backup not in self.settings.connections:
            self._no_connection(backup, document.where(("transfer", "backup", "connection")))
        read = spec.source.connection
        if read is not None and "://" not in read and read not in self.settings.connections:
            self._no_connection(read, document.where(("source", "connection")))
        for name, lookup in spec.lookups.items():
            if lookup.ids is not None and lookup.ids not in self.import_files:
                raise self._no_import(lookup.ids, document.where(("lookups", name, "ids")))
            one = lookup.connection
            if one is not None and "://" not in one and one not in self.settings.connections:
                self._no_connection(one, document.where(("lookups", name, "connection")))
        check_after(file.stem, spec, document, self.import_files)
        if spec.notify is not None and self.settings.mail is None:
            for n, target in enumerate(spec.notify.to):
                if target.email:
                    raise DefinitionError(
                        f"notify names e-mail addresses, and {SETTINGS} does not say how they are reached",
                        where=document.where(("notify", "to", n)),
                        hint="Add mail: { host: …, from: … } there.",
                    )
        return Definition(file.stem, spec, self.folder, file)

    def _no_import(self, name: str, where: str) -> DefinitionError:
        near = difflib.get_close_matches(name, self.import_files, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(self.import_files)}."
        return DefinitionError(f"there is no import {name!r}", where=where, hint=hint)

    def _no_connection(self, name: str, where: str = "") -> None:
        known = list(self.settings.connections)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"{SETTINGS} has: {', '.join(known) or 'none'}."
        raise DefinitionError(f"there is no connection {name!r}", where=where, hint=hint)

    def connection(self, name: str) -> dict[str, Any]:
        """Options of a connection by name or URL, its references not yet resolved."""
        if "://" in name:
            return {"url": name}
        if name not in self.settings.connections:
            self._no_connection(name)
        return self.settings.connections[name].model_dump()

    def shown(self, name: str) -> str:
        """A connection's URL without its secrets, references as written."""
        return without_secrets(str(self.connection(name)["url"]))

    def destination(self, name: str, base: Path, ledger: Ledger | None = None) -> Destination:
        """Connect a destination by connection name or URL; nothing is opened before it is used.

        Args:
            base: folder that a relative path in a URL starts from; a connection's starts from the project's.
            ledger: where a destination without transactions keeps what it sends; the project's by default.

        Raises:
            UsageError: no such connection or connector, or a reference cannot be resolved.
        """
        scheme, options, _ = self._reached(name, registry.DESTINATIONS)
        factory: registry.DestinationFactory = registry.load(registry.DESTINATIONS, scheme)
        found = factory(options, base if "://" in name else self.folder)
        if isinstance(found, Remembers):
            from headgate.ledger.outbox import LedgerOutbox

            found.remember(LedgerOutbox(lambda: ledger or self.ledger))
        return found

    def transactional(self, name: str) -> bool:
        """Whether nothing of a run is visible at a destination before it is committed; also where that cannot be known yet."""
        can = self.capabilities(name)
        return can is None or can.transactional

    def capabilities(self, name: str) -> Capabilities | None:
        """What a destination can do, by connection name or URL; None where that cannot be known yet, or it is none."""
        try:
            scheme, options, _ = self._reached(name, registry.DESTINATIONS)
            factory: registry.DestinationFactory = registry.load(registry.DESTINATIONS, scheme)
            with closing(factory(options, self.folder)) as destination:
                return destination.capabilities
        except HeadgateError:  # it is said where the destination is used
            return None

    def _reached(self, name: str, group: str) -> tuple[str, Mapping[str, Any], list[str]]:
        """The scheme of a connection's URL, its options with references resolved, and what those stood for."""
        secrets: list[str] = []
        options: Mapping[str, Any] = resolve(self.connection(name), self.folder, f"connection {name}", secrets)
        scheme, there, _ = str(options["url"]).partition("://")
        if not there:
            known = ", ".join(n for n in registry.names(group) if n != FILES)
            raise UsageError(f"{name!r} has no URL", hint=f"Write SCHEME://…; schemes are: {known}.")
        return scheme, options, secrets

    def source(self, spec: SourceSpec, base: Path, since: Since | None = None, state: Any = None) -> Source:
        """A source by what a definition says; nothing is read before it is used.

        Args:
            since: of an incremental source: where it goes on.
            state: of one that keeps account itself: what it said of that.
        """
        files: registry.SourceFactory
        spec = located(spec)
        if spec.connection is None:
            files = registry.load(registry.SOURCES, FILES)
            return files(spec, base)
        if spec.path is not None:
            options, make = self._place(spec.connection)
            files = registry.load(registry.SOURCES, FILES)
            return files(spec, base, registry.Connected(options, place=make(options)))
        scheme, options, secrets = self._reached(spec.connection, registry.SOURCES)
        factory: registry.SourceFactory = _reader(scheme)
        folder = base if "://" in spec.connection else self.folder
        return factory(spec, folder, registry.Connected(options, since, state=state, secrets=secrets))

    def _place(self, connection: str) -> tuple[Mapping[str, Any], registry.PlaceFactory]:
        scheme, options, _ = self._reached(connection, registry.PLACES)
        return options, registry.load(registry.PLACES, scheme)

    def place(self, spec: SourceSpec) -> tuple[Place | None, list[str]]:
        """Where the files of a source lie, None for this machine, and their paths and patterns there. Nothing is opened
        before it is used.

        Raises:
            UsageError: no such connection or connector, or a reference cannot be resolved.
        """
        paths = _paths(spec := located(spec))
        if spec.connection is None:
            return None, paths
        options, make = self._place(spec.connection)
        return make(options), paths

    def store(self, connection: str, base: Path) -> Callable[[], Store]:
        """What makes a connection to a place that files can be put into; an empty one is a folder of this machine.

        Args:
            base: that folder.

        Raises:
            UsageError: no such connection or connector, or files can only be taken from there.
        """
        options, make = self._place(connection or base.resolve().as_uri())
        with closing(make(options)) as place:
            if not isinstance(place, Store):
                raise UsageError(f"{self.shown(connection)} gives files and takes none", hint="Choose another place.")

        def connect() -> Store:
            store = make(options)
            assert isinstance(store, Store)
            return store

        return connect

    def store_of(self, spec: SourceSpec, base: Path) -> tuple[Callable[[], Store], list[str]]:
        """What makes a connection to where the files of a source lie, and their paths and patterns there.

        Raises:
            UsageError: as of `store`.
        """
        placed = located(spec)
        return self.store(placed.connection or "", base), _paths(placed)

    def reach(self, name: str) -> str | None:
        """What answers at a connection that only sources know, in a few words; None for every other connection.

        Raises:
            HeadgateError: nothing does, or it refuses the login.
        """
        scheme, options, secrets = self._reached(name, registry.SOURCES)
        is_source, takes = (registry.has(group, scheme) for group in (registry.SOURCES, registry.DESTINATIONS))
        if not is_source and takes:
            return None
        if not is_source and registry.has(registry.PLACES, scheme):
            return self._files_at(name)
        factory = _reader(scheme)
        if takes and not hasattr(factory, "reach"):
            return None
        spec = SourceSpec(connection=name, request=RequestSpec())
        with closing(factory(spec, self.folder, registry.Connected(options, secrets=secrets))) as source:
            return source.reach() if isinstance(source, Reaches) else "not tried"

    def _files_at(self, name: str) -> str:
        options, make = self._place(name)
        with closing(make(options)) as place:
            found = sum(1 for _ in islice(place.files("", deep=False), _MOST_COUNTED + 1))
        return f"{min(found, _MOST_COUNTED):,}{' or more' if found > _MOST_COUNTED else ''} files"

    @cached_property
    def ledger(self) -> Ledger:
        """Where runs are kept: what `ledger:` of headgate.yaml says, otherwise a file in `state`.

        When it is opened, runs whose process died are closed as what their destination says of them.
        """
        ledger = self.open_ledger()
        recover(self, ledger)
        return ledger

    def open_ledger(self) -> Ledger:
        """The ledger once more, for what must not wait for others that use `ledger`."""
        from headgate.ledger import open_ledger

        place = resolve(self.settings.ledger, self.folder, "ledger") or self.state / "ledger.db"
        return open_ledger(place, base=self.folder, files=self.state)

    def prune_journals(self) -> list[int]:
        """Remove journals that are too old or too much; the runs they were of cannot be undone any more."""
        from headgate.engine.journal import prune_journals

        keep = self.settings.journal
        oldest = datetime.now(UTC) - timedelta(days=keep.days)
        gone = prune_journals(self.ledger.journal_path(0).parent, oldest, keep.megabytes << 20)
        for run_id in gone:
            self.ledger.forget(self.ledger.journal_path(run_id))
        return gone

    @property
    def state(self) -> Path:
        """The local folder of what is kept: `.headgate/` of the project, or the user's own outside of one; or HEADGATE_HOME."""
        if home := os.environ.get("HEADGATE_HOME"):
            return Path(home)
        if self.is_project:
            return self.folder / STATE
        base = os.environ.get("XDG_STATE_HOME")
        return (Path(base) if base else Path.home() / ".local" / "state") / "headgate"


def _reader(scheme: str) -> registry.SourceFactory:
    """What reads a connection with such a URL.

    Raises:
        UsageError: nothing does, or what it needs is not installed.
    """
    never = (FILES, OTHERS, "records")
    known = scheme not in never and registry.has(registry.SOURCES, scheme)
    try:
        found: registry.SourceFactory = registry.load(registry.SOURCES, scheme if known else OTHERS)
    except UsageError as e:
        if known:
            raise
        own = [n for n in registry.names(registry.SOURCES) if n not in never]
        raise UsageError(
            f"Headgate has no connector of its own that reads {scheme}://",
            hint=f"It has: {', '.join(own)}. Other databases are read through SQLAlchemy: pip install 'headgate[sqlalchemy]' and a driver.",
        ) from e
    return found


def lies_here(spec: SourceSpec) -> bool:
    """Whether the files of a source are on this machine."""
    return located(spec).connection is None


def _paths(spec: SourceSpec) -> list[str]:
    return [spec.path] if isinstance(spec.path, str) else list(spec.path or ())


def only(source: SourceSpec, paths: Sequence[str], *, rooted: bool = False) -> str:
    """What reads just some of the files that a source means, as a setting over its definition (``source=…``).

    Args:
        paths: as `Project.place` counts them.
        rooted: they are to begin where the source's own patterns do, as names of files that are moved are made of that.
    """
    placed = located(source)
    if rooted:
        paths = [_rooted(p, _paths(placed)) for p in paths]
    elif placed.connection is not None:
        paths = [_alone(p) for p in paths]
    found = placed.model_copy(update={"path": list(paths)}).model_dump(mode="json", by_alias=True, exclude_unset=True)
    return f"source={json.dumps(found, ensure_ascii=False)}"


def _alone(path: str) -> str:
    """A pattern that means one path."""
    return re.sub(r"[*?[]", r"[\g<0>]", path)


def _rooted(path: str, patterns: Sequence[str]) -> str:
    """A pattern that means one path, and begins where the one of these does that means it."""
    own = next((p for p in map(below, patterns) if is_pattern(p) and matches(p, path)), None)
    if own is None:
        return _alone(path)
    folder, _ = looked_in(own)
    root = f"{folder}/" if folder else ""
    first, *more = path.removeprefix(root).split("/")
    pattern = _alone(first) if is_pattern(first) else re.sub(r"\w", r"[\g<0>]", first, count=1)
    return root + "/".join([pattern, *map(_alone, more)])


def located(spec: SourceSpec) -> SourceSpec:
    """A path that is a URL (``sftp://host/folder/*.csv``) as a connection and a path."""
    path = spec.path
    if spec.connection is not None or not isinstance(path, str) or "://" not in path:
        return spec
    scheme, _, rest = path.partition("://")
    server, _, file = rest.partition("/")
    folders = file.split("/")
    fixed = next((i for i, part in enumerate(folders) if is_pattern(part)), len(folders) - 1)
    above = "/".join(folders[:fixed])
    return spec.model_copy(update={"connection": f"{scheme}://{server}/{above}", "path": "/".join(folders[fixed:])})


def find_project(start: Path | None = None) -> Project:
    """The project whose folder is `start` (the current folder by default) or the nearest one above; without one, the
    folder itself as no project.

    Raises:
        DefinitionError: its headgate.yaml has a mistake.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / SETTINGS).is_file():
            return open_project(folder)
    return Project(start, None)


def open_project(folder: str | Path) -> Project:
    """Open the project in `folder`.

    Raises:
        UsageError: there is no headgate.yaml.
        DefinitionError: it has a mistake.
    """
    folder = Path(folder).resolve()
    if not (folder / SETTINGS).is_file():
        raise UsageError(f"{folder} is no project: it has no {SETTINGS}", hint="Make one: headgate init.")
    return Project(folder, yaml_file.parse(yaml_file.read(folder / SETTINGS, SETTINGS), ProjectSpec))
