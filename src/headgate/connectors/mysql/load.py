"""Sending batches to the stage: by LOAD DATA LOCAL, or by INSERT where the server forbids that.

Both are given the same escaped text, so they load the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from headgate.sql import StageColumn

from .connection import MysqlSession, literal

_SLICE: Final = 2_000
_INSERT_BYTES: Final = 1 << 20
_ESCAPES: Final = (("\\", "\\\\"), ("'", "\\'"), ("\0", "\\0"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


class Loader:
    """Loads batches into one table.

    Args:
        session: the transaction.
        table: its name for statements.
        columns: what is sent.
        local: whether LOAD DATA LOCAL may be used, where the server takes it.
    """

    def __init__(self, session: MysqlSession, table: str, columns: list[StageColumn], *, local: bool) -> None:
        self._session = session
        self._table = table
        self._columns = columns
        self._local = local and str(session.rows("select @@local_infile")[0][0]) == "1"

    def send(self, batch: pa.RecordBatch) -> None:
        """Load a batch."""
        for start in range(0, batch.num_rows, _SLICE):
            part = batch.slice(start, _SLICE)
            texts = [escaped(part.column(c.source), c.type.kind) for c in self._columns]
            if self._local:
                self._load(texts)
            else:
                self._insert(texts)

    def _load(self, texts: list[pa.Array]) -> None:
        lines = pc.binary_join_element_wise(*[t.fill_null("\\N") for t in texts], "\t")
        names = [f"@{c.name}" if c.type.kind == "binary" else c.name for c in self._columns]
        sets = [f"{c.name} = unhex(@{c.name})" for c in self._columns if c.type.kind == "binary"]
        with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
            path = Path(folder) / "records"
            path.write_bytes(b"".join(f"{line}\n".encode() for line in lines.to_pylist()))
            self._session.run(
                f"load data local infile {literal(str(path))} into table {self._table} character set utf8mb4 "
                r"fields terminated by '\t' escaped by '\\' lines terminated by '\n' "
                f"({', '.join(names)}){' set ' + ', '.join(sets) if sets else ''}"
            )

    def _insert(self, texts: list[pa.Array]) -> None:
        values = []
        for column, text in zip(self._columns, texts, strict=True):
            before = "x'" if column.type.kind == "binary" else "'"
            values.append(pc.binary_join_element_wise(before, text, "'", "").fill_null("null"))
        rows = pc.binary_join_element_wise(*values, ",").to_pylist()
        names = ", ".join(c.name for c in self._columns)
        for part in _parts(rows):
            self._session.run(f"insert into {self._table} ({names}) values ({'),('.join(part)})")


def _parts(rows: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for row in rows:
        if part and size + len(row) > _INSERT_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row)
    if part:
        yield part


def escaped(values: pa.Array, kind: str) -> pa.Array:
    """The values' text, as it stands in a line of LOAD DATA or between quotes in a statement."""
    if kind == "binary":
        return pa.array([None if v is None else v.hex() for v in values.to_pylist()], pa.string())
    if kind == "boolean":
        return values.cast(pa.int8()).cast(pa.string())
    if kind == "timestamptz":
        values = values.cast(pa.timestamp("us"))
    text = values.cast(pa.string())
    if kind in ("text", "json", "other", "image"):
        for plain, escape in _ESCAPES:
            text = pc.replace_substring(text, plain, escape)
    return text
