"""A program's queries, each planned once and run on batch after batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import duckdb


class Slot:
    """What a query reads from: whatever records lie in it. Planning a query costs more than running it on a batch, so it is
    planned once, over this, and executed again and again."""

    def __init__(self, empty: pa.Table) -> None:
        self.table = empty

    def __arrow_c_schema__(self) -> object:
        """Arrow's own protocol: the schema."""
        return self.table.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's own protocol: the records."""
        return self.table.__arrow_c_stream__(requested_schema)


class Query:
    """A query over a slot of its own.

    DuckDB plans all queries of a connection anew, each time they are executed, once a table or a slot is made after them.

    Args:
        name: of the query; ``batch_NAME`` is its slot in `sql`.
        columns: what it reads of a batch.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, name: str, sql: str, columns: pa.Schema) -> None:
        self._con = con
        self._name = name
        self._sql = sql
        self._slot = Slot(columns.empty_table())
        self._planned = False
        con.register(f"batch_{name}", self._slot)

    def plan(self) -> None:
        """Plan it, and run it on no records.

        Raises:
            duckdb.Error: it cannot be run.
        """
        self._con.execute(f"PREPARE hg_{self._name} AS {self._sql}")
        self._answer()
        self._planned = True

    def run(self, table: pa.Table) -> pa.Table:
        """The answer for these records, in their order."""
        if not self._planned:
            self.plan()
        self._slot.table = table.select(self._slot.table.column_names)
        return self._answer()

    def _answer(self) -> pa.Table:
        return self._con.sql(f"EXECUTE hg_{self._name}").to_arrow_table()


@dataclass(frozen=True, slots=True)
class Queries:
    """All queries of a program.

    DuckDB has vectors for every step of a query at once, and a step for each of a thousand fields has no room. So the fields are
    in groups, and what there is one of for all fields there is one of for each group.

    Attributes:
        quick, full: state and values, the first for batches without NUL characters.
        why: codes and texts for records that are bad.
        inputs: what a transform in Python is to work on, by the column its answers will be in.
        texts: all columns of the source as text; none where they are.
    """

    quick: Sequence[Query]
    full: Sequence[Query]
    why: Sequence[Query]
    inputs: Mapping[str, Query]
    texts: Sequence[Query] = ()

    def plan(self, *, plain: bool) -> None:
        """Plan those that have all that a person wrote in them, so that what is wrong with it is found before there are records.

        Args:
            plain: nobody wrote a part of a query; why a record is bad is then asked when there is one.

        Raises:
            duckdb.Error: one cannot be run.
        """
        for query in (*self.inputs.values(), *self.quick, *(() if plain else self.why)):
            query.plan()


def side_by_side(queries: Sequence[Query], table: pa.Table) -> pa.Table:
    """The columns of all answers for these records. A record is in the worst of the states that its groups of fields give it."""
    answers = [q.run(table) for q in queries]
    if len(answers) == 1:
        return answers[0]
    columns = {name: a.column(name) for a in answers for name in a.column_names}
    if "_state" in columns:
        columns["_state"] = pc.max_element_wise(*(a.column("_state") for a in answers))
    return pa.table(columns)
