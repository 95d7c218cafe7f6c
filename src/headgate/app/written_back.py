"""Telling a source's table the ids that an API gave its records (`source.write_back`)."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

from headgate.engine.delivery import alive
from headgate.engine.written_back import WriteBack
from headgate.ledger.ids import Ids
from headgate.model.errors import DefinitionError, HeadgateError
from headgate.model.run import Run
from headgate.model.write import Operation
from headgate.spi import registry

from .project import Definition, Project


def check_write_back(project: Project, definition: Definition) -> None:
    """Check that there are ids to be written back, and that the source can be written to.

    Raises:
        DefinitionError: there are none, or it cannot.
    """
    spec = definition.spec
    if spec.source.write_back is None:
        return
    into = spec.destination.connection
    if (can := project.capabilities(into)) is not None and not can.ids:
        raise DefinitionError(f"{into} gives records no ids of its own, so there is nothing for source.write_back")
    source = str(spec.source.connection)
    scheme, there = project.shown(source).partition("://")[0], project.capabilities(source)
    known = there is None or (there.transactional and Operation.UPDATE in there.operations)
    if not registry.has(registry.DESTINATIONS, scheme) or not known:
        raise DefinitionError(
            f"{project.shown(source)} can be read and not written, so there is no source.write_back",
            hint="Look the ids up in another import: lookups: { NAME: { ids: IMPORT } }.",
        )


def write_back(project: Project, definition: Definition, run: Run) -> None:
    """Write the ids back that the source's table has not been given yet. A run that has come so far does not fail by it: what goes
    wrong is a warning of the run."""
    source = definition.spec.source
    if source.write_back is None:
        return
    ids = Ids(project.ledger, run.import_name, run.destination)
    try:
        with (
            alive(project.ledger, run),
            closing(project.destination(str(source.connection), definition.base)) as there,
        ):
            run.warnings += WriteBack(definition.spec, ids, there, datetime.now(UTC)).run()
    except (HeadgateError, KeyboardInterrupt) as e:
        why = f"{e.message} {e.hint}".strip() if isinstance(e, HeadgateError) else "stopped by hand"
        run.warnings.append(
            f"write_back: not every id was written back: {why} (they are kept, and the next run of {run.import_name} writes them)"
        )
