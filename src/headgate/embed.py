"""Headgate in a program: what the command line does, as Python objects.

    import headgate

    done = headgate.Import({"source": "products.csv", "key": "sku",
                            "destination": {"connection": "sqlite:///shop.db", "table": "product", "create": True}}).run()
    print(done.counts)                                  # {'created': 504}

    shop = headgate.open_project("shop")
    done = shop.imports["products"].send([{"sku": "L-1", "name": "Lamp"}])
    for reject in done.rejects():
        print(reject["problems"], reject["raw"])
    done.undo()

What goes wrong is a `headgate.HeadgateError` with `message` and `hint`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.app import project as app
from headgate.app import service, undoing, yaml_file
from headgate.app.oneline import definition_for
from headgate.engine.nested import nested
from headgate.engine.plans import found_nothing, read_changes
from headgate.model.errors import UsageError
from headgate.model.outcome import Outcome
from headgate.model.spec import ImportSpec
from headgate.spi import registry

if TYPE_CHECKING:
    from headgate.engine.runner import Progress
    from headgate.model.run import Run
    from headgate.spi.source import Source

RECORDS = "records"
"""What stands as the source of an import that is given its records."""

Observe = Callable[["Progress"], None]


class Project:
    """A project: its imports and its runs.

    Args:
        folder: where its ``headgate.yaml`` is.

    Raises:
        UsageError: there is none.
        DefinitionError: it has a mistake.
    """

    def __init__(self, folder: str | Path) -> None:
        found = app.find_project(Path(folder).resolve())
        if not found.is_project:
            raise UsageError(
                f"{folder} is no project: there is no {app.SETTINGS}",
                hint="Make one with headgate init, or use headgate.Import without one.",
            )
        self._project = found
        self.folder = found.folder

    @property
    def imports(self) -> Mapping[str, Import]:
        """The imports by name, as their files are now."""
        return _Imports(self._project)

    def run(self, number: int) -> Done:
        """A run of the ledger by its number.

        Raises:
            UsageError: there is none.
        """
        return Done(self._project, self._project.ledger.run(number))

    def runs(self, limit: int = 50) -> list[Done]:
        """The last runs, newest first."""
        return [Done(self._project, r) for r in self._project.ledger.runs(limit)]


class _Imports(Mapping[str, "Import"]):
    """Definitions, read when they are asked for."""

    def __init__(self, project: app.Project) -> None:
        self._project = project

    def __getitem__(self, name: str) -> Import:
        if name not in self._project.import_files:
            raise KeyError(name)
        return Import(self._project.import_files[name], folder=self._project.folder)

    def __iter__(self) -> Iterator[str]:
        return iter(self._project.import_files)

    def __len__(self) -> int:
        return len(self._project.import_files)


class Import:
    """One import.

    Args:
        definition: as in a definition file: a mapping, or the path of a file. Where it names no source, records are given to
            `run`, `plan` or `send`.
        folder: where relative paths start; a project's connections can be named, and its ledger is used.
        name: what its runs are called.

    Raises:
        DefinitionError: it has a mistake.
    """

    def __init__(self, definition: Mapping[str, Any] | str | Path, *, folder: str | Path = ".", name: str = "") -> None:
        self._project = app.find_project(Path(folder).resolve())
        self._has_source = True
        if isinstance(definition, Mapping):
            self._has_source = "source" in definition
            data = {"source": RECORDS, **definition}
            spec = yaml_file.parse(yaml_file.Document("the definition", data, {}, ""), ImportSpec)
            self._definition = app.Definition(name or spec.destination.table, spec, Path(folder).resolve())
        else:
            self._definition = definition_for(self._project, str(definition))

    @property
    def name(self) -> str:
        """What its runs are called."""
        return self._definition.name

    def check(self) -> list[str]:
        """Check the definition against both sides; what a run would change in the destination's schema.

        Raises:
            HeadgateError: the first thing that is wrong.
        """
        with closing(service.check(self._project, self._definition, source=self._source(None))) as prepared:
            return [c.summary for c in prepared.schema_changes]

    def plan(self, records: Any = None, *, observe: Observe = service.ignore) -> Plan:
        """What a run would do; nothing is written.

        Args:
            records: read in the place of the definition's source: an iterable of dicts, or what gives Arrow (a table, a
                stream, a frame of pandas or polars). Of the source, `explode` and `group` hold for them too.
            observe: is told of progress, from this thread.

        Raises:
            HeadgateError: what stopped it.
        """
        run = service.make_plan(self._project, self._definition, observe, source=self._source(records))
        return Plan(self._project, run)

    def run(self, records: Any = None, *, observe: Observe = service.ignore) -> Done:
        """Do it; all or nothing, unless the definition says ``commit: batch``.

        Args:
            records, observe: as for `plan`.

        Raises:
            HeadgateError: what stopped it; its message says what was kept.
        """
        run = service.run_import(self._project, self._definition, observe, source=self._source(records))
        return Done(self._project, run)

    def _source(self, records: Any) -> Source | None:
        if records is None and not self._has_source:
            raise UsageError(
                f"{self.name} has no source", hint="Give it records: run(records); or name a source in it."
            )
        if records is None:
            return None
        factory: registry.SourceFactory = registry.load(registry.SOURCES, RECORDS)
        return nested(factory(records, Path()), self._definition.spec)

    def send(self, records: Any) -> Done:
        """Run it with these records."""
        return self.run(records)


class Done:
    """What came of a run, a plan or an undo."""

    def __init__(self, project: app.Project, run: Run) -> None:
        self._project, self._run = project, run

    @property
    def id(self) -> int:
        """Its number in the ledger."""
        return self._run.id

    @property
    def status(self) -> str:
        """``succeeded``, ``partial`` (with rejects), ``planned``, ``undone``, ``failed`` …"""
        return self._run.status.value

    @property
    def read(self) -> int:
        """How many records were read; the sum of `counts` without ``mirror_deleted``."""
        return self._run.account.read

    @property
    def counts(self) -> dict[str, int]:
        """How many records ended in each outcome (``created``, ``updated``, ``unchanged``, ``invalid`` …) that occurred; and
        ``mirror_deleted``, records that were not in the source.
        """
        account = self._run.account
        found = {o.value: account.outcomes[o] for o in Outcome if account.outcomes[o]}
        return found | ({"mirror_deleted": account.mirror_deleted} if account.mirror_deleted else {})

    @property
    def warnings(self) -> list[str]:
        """For people."""
        return list(self._run.warnings)

    def rejects(self) -> Iterator[dict[str, object]]:
        """Every refused record with its problems, its place and its values, as ``headgate rejects --json`` shows it."""
        from headgate.report.rejects import rejects_json

        return rejects_json(self._project.ledger.rejects(self.id))

    def undo(self, *, force: bool = False) -> Done:
        """Take it back.

        Args:
            force: also what was edited since.

        Raises:
            HeadgateError: it cannot be, or not any more; nothing was taken back.
        """
        return Done(self._project, undoing.undo_run(self._project, self.id, forced=force))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status} {self.counts}>"


class Plan(Done):
    """What a run would do."""

    def changes(self) -> Iterator[dict[str, Any]]:
        """Each change: ``action`` (created, updated, deleted), ``new`` and ``old``, fields to values."""
        from headgate.model.write import ACTION, NUMBER, OLD

        ledger = self._project.ledger
        path = ledger.fetch(ledger.changes_path(self.id))
        if found_nothing(ledger.run(self.id)) and not path.exists():
            return
        for batch in read_changes(path):
            for row in batch.to_pylist():
                fields = [n for n in row if n not in (ACTION, NUMBER) and not n.startswith(OLD)]
                yield {
                    "action": row[ACTION],
                    "new": {n: row[n] for n in fields},
                    "old": {n: row[OLD + n] for n in fields},
                }

    def run(self) -> Done:
        """Write just this.

        Raises:
            HeadgateError: it is no longer true, or what stopped it.
        """
        return Done(self._project, service.run_saved_plan(self._project, self.id))


def open_project(folder: str | Path = ".") -> Project:
    """The project in a folder, or in one that holds it.

    Raises:
        UsageError: there is none.
    """
    return Project(folder)
