"""Writing the ids that an API gave records back to the table those came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import pyarrow as pa

from headgate.ledger.ids import Ids
from headgate.mapping import Program, compile_program, effective_types, plan_fields
from headgate.model.counting import counted, verb
from headgate.model.errors import DestinationError
from headgate.model.outcome import Outcome
from headgate.model.record import Batch
from headgate.model.spec import ImportSpec
from headgate.model.table import TableSchema
from headgate.model.write import Operation, WriteSpec
from headgate.spi.destination import Destination, Writer

from .runner import aborting

_ID = "id"
Told = Sequence[tuple[tuple[str, ...], str | None]]


class WriteBack:
    """Gives rows of a table the ids of the records that were made of them.

    Args:
        spec: of an import with `source.write_back`.
        ids: what is known of its records.
        there: the database of the table.
        at: what `now()` means.
    """

    def __init__(self, spec: ImportSpec, ids: Ids, there: Destination, at: datetime) -> None:
        assert spec.source.write_back is not None, "whoever asks has looked"
        self._table = spec.source.write_back.table or str(spec.source.table)
        self._keys = list(spec.back.values())
        self._set = list(spec.source.write_back.set)
        self._ids, self._there, self._at = ids, there, at
        self._start = 0
        self._reasons: Counter[str] = Counter()
        self._absent = 0

    def run(self) -> list[str]:
        """Write what the table has not been given yet; each piece is committed, and noted then.

        Returns:
            What there is to be said of it, for people.

        Raises:
            DestinationError: the table is missing, or cannot be written.
        """
        remaining = self._ids.unwritten()
        if (first := next(remaining, None)) is None:
            return []
        table = self._there.inspect(self._table)
        if table is None:
            raise DestinationError(f"there is no table {self._table!r}", hint="Say source.write_back.table.")
        if lost := [c for c in (*self._keys, *self._set) if table.column(c) is None]:
            raise DestinationError(f"the table {self._table} has no column {lost[0]!r}", hint="Add it.")
        with closing(self._program(table)) as program:
            write = WriteSpec(
                self._table, program.fields, tuple(self._keys), Operation.UPDATE, missing="skip", batched=True
            )
            with aborting(self._there.open(write)) as writer:
                for page in (first, *remaining):
                    self._piece(program, writer, page)
        return self._words()

    def _program(self, table: TableSchema) -> Program:
        """What makes texts into what the table's columns hold."""
        sources = {c: f"k{i}" for i, c in enumerate(self._keys)} | dict.fromkeys(self._set, _ID)
        spec = ImportSpec.model_validate({
            "source": "-", "operation": "update", "key": self._keys, "fields": sources,
            "destination": {"connection": "-", "table": self._table},
        })  # fmt: skip
        schema = pa.schema([(c, pa.string()) for c in dict.fromkeys(sources.values())])
        fields = plan_fields(spec, schema.names, table)
        return compile_program(spec, fields, effective_types(fields, table, {}), schema, {}, self._at)

    def _piece(self, program: Program, writer: Writer, page: Told) -> None:
        start, self._start = self._start, self._start + len(page)
        columns = [pa.array(c, pa.string()) for c in zip(*((*key, id_) for key, id_ in page), strict=True)]
        records = pa.RecordBatch.from_arrays(columns, names=[*(f"k{i}" for i in range(len(self._keys))), _ID])
        mapped = program.map(Batch(records, range(start, start + len(page))), 0)
        writer.write(mapped.accepted)
        writer.match()
        applied = writer.apply()
        writer.commit()
        refused = {r.number: r.reason for r in applied.refusals if r.outcome != Outcome.SKIPPED}
        invalid = zip(mapped.rejects.ordinals, mapped.rejects.problems, strict=True)
        refused |= {ordinal: "; ".join(p.reason for p in problems) for ordinal, problems in invalid}
        self._reasons.update(refused.values())
        self._absent += applied.account.skips["missing"]
        self._ids.wrote([one for number, one in enumerate(page, start) if number not in refused])

    def _words(self) -> list[str]:
        said = []
        if self._absent:
            said.append(
                f"write_back: {counted(self._absent, 'record')} {verb(self._absent, 'has', 'have')} no row in {self._table} any more"
            )
        if self._reasons:
            ((reason, _),) = self._reasons.most_common(1)
            count = self._reasons.total()
            said.append(
                f"write_back: {self._table} did not take the ids of {counted(count, 'record')} ({reason}); the next run tries again"
            )
        return said
