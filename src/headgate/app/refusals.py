"""What imports of one command refused, so that records which refer to it wait instead of being wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from headgate.engine.held import absent_table, refused_values
from headgate.engine.prepare import Prepared
from headgate.model.errors import DefinitionError
from headgate.model.record import Reject
from headgate.model.run import Run

from .project import Definition, Project

Place = tuple[str, str]


def place_of(project: Project, connection: str, table: str) -> Place:
    """A table in a form in which equal is equal: by the connection's URL, and without regard to the name's case."""
    return str(project.connection(connection)["url"]), table.casefold()


class Refusals:
    """The values by which later imports of a command would have found the records that earlier ones refused.

    Args:
        definitions: the imports of the command.
    """

    def __init__(self, project: Project, definitions: Sequence[Definition]) -> None:
        self._project = project
        self._keys = {d.name: tuple(d.spec.key) for d in definitions}
        self._asked: dict[Place, set[tuple[str, ...]]] = {}
        self._known: dict[tuple[Place, tuple[str, ...]], dict[tuple[str, ...], str]] = {}
        for definition in definitions:
            for place, columns in self._lookups(definition).values():
                self._asked.setdefault(place, set()).add(columns)

    def _lookups(self, definition: Definition) -> dict[str, tuple[Place, tuple[str, ...]]]:
        """The tables, and the imports of the command by whose ids, a definition looks up in, and by which columns."""
        spec = definition.spec
        used = {f.lookup: spec.lookups[f.lookup] for f in spec.fields.values() if f.lookup is not None}
        by_id = {n: (_ids_of(u.ids), self._keys[u.ids]) for n, u in used.items() if u.ids in self._keys and u.ids}
        return by_id | {
            name: (place_of(self._project, u.connection, u.table), tuple(u.match or ()))
            for name, u in used.items()
            if u.connection and u.table
        }

    def absent_for(self, definition: Definition) -> dict[str, pa.Table]:
        """What is known so far of values without an entry, by the definition's lookups."""
        return {
            name: absent_table(list(known.items()), len(columns))
            for name, (place, columns) in self._lookups(definition).items()
            if (known := self._known.get((place, columns)))
        }

    def learn(self, definition: Definition, prepared: Prepared, run: Run) -> None:
        """Take note of what a run refused; it is in the ledger already."""
        target = definition.spec.destination
        places = place_of(self._project, target.connection, target.table), _ids_of(definition.name)
        asked = [(place, columns) for place in places for columns in self._asked.get(place, ())]
        for place, columns in asked if run.account.rejects else ():
            known = self._known.setdefault((place, columns), {})
            try:
                for values, reject in refused_values(prepared, columns, self._project.ledger.rejects(run.id)):
                    known.setdefault(values, _words(definition.name, reject))
            except DefinitionError:  # an expression that raw values, which are text, do not fit: nothing is known then
                continue


def _ids_of(name: str) -> Place:
    return "", name  # no connection has an empty URL


def _words(name: str, reject: Reject) -> str:
    where = f", {reject.origin}" if str(reject.origin) else ""
    codes = ", ".join(dict.fromkeys(p.code for p in reject.problems))
    return f"{name}{where} [{codes}]"
