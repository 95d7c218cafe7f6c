"""A condition on its own, for those who decide something of records before they are mapped."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from .expressions import Name, Scope, check_expression
from .query import Query
from .sql import connect, ident


class Condition:
    """A condition over columns of text, by the law of all expressions.

    Args:
        text: the expression.
        columns: the names it may use.
        where: the key of the definition, for messages.

    Raises:
        DefinitionError: it is not SQL, uses what is not allowed, or names what is not there.
    """

    def __init__(self, text: str, columns: list[str], where: str) -> None:
        self._own = connect()
        try:
            names = {c: Name(ident(c), None, True) for c in columns}
            scope = Scope(names, "columns", datetime.now(UTC))
            found = check_expression(self._own.con, text, scope, where=where, condition=True)
            sql = f"SELECT s IS NULL AS failed, s.v AS v FROM (SELECT {found.sql} AS s FROM batch_condition)"
            self._query = Query(self._own.con, "condition", sql, pa.schema([(c, pa.string()) for c in columns]))
            self._query.plan()
        except BaseException:
            self.close()
            raise

    def of(self, records: pa.Table) -> list[bool | None]:
        """Of each record whether it is so; what is not known is not so, and None is a condition without an answer."""
        found = self._query.run(records)
        failed, values = found.column("failed").to_pylist(), found.column("v").to_pylist()
        return [None if f else bool(v) for f, v in zip(failed, values, strict=True)]

    def close(self) -> None:
        """Release memory and the folder it spills to. May be called twice."""
        self._own.close()
