"""Lookups inside a program, and the entries that records need of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from headgate.model.spec import LookupSpec
from headgate.model.write import DELETE

from .fields import ABSENT, WAITING, FieldDef

if TYPE_CHECKING:
    import duckdb

WANTED = "_wanted"


def load_lookup(
    con: duckdb.DuckDBPyConnection, table: str, spec: LookupSpec, entries: pa.Table, absent: pa.Table | None
) -> None:
    """Make a lookup's table: one row for each value (``m0``, ``m1``, …) with an answer (``t``), how many different ones there
    are (``n``), and why there is none (``w``)."""
    width = entries.num_columns - 1
    names = [f"m{k}" for k in range(width)]
    keys = ", ".join(names)
    given = " AND ".join(f"{m} IS NOT NULL" for m in names)
    con.register("hg_lookup", entries.rename_columns([*names, "t"]))
    con.execute(
        f"CREATE TEMP TABLE {table} AS SELECT {keys}, first(t) AS t, "
        "count(DISTINCT t) + max(CASE WHEN t IS NULL THEN 1 ELSE 0 END) AS n, NULL::VARCHAR AS w "
        f"FROM (SELECT {_compared(names, spec)}, t FROM hg_lookup WHERE {given}) GROUP BY {keys}"
    )
    con.unregister("hg_lookup")
    if absent is None or not absent.num_rows:
        return
    con.register("hg_lookup", absent.rename_columns([*names, "waits", "w"]))
    con.execute(
        f"INSERT INTO {table} SELECT {keys}, NULL, first(CASE WHEN waits THEN {WAITING} ELSE {ABSENT} END), first(w) "
        f"FROM (SELECT {_compared(names, spec)}, waits, w FROM hg_lookup WHERE {given}) "
        f"ANTI JOIN {table} USING ({keys}) GROUP BY {keys}"
    )
    con.unregister("hg_lookup")


def _compared(names: list[str], spec: LookupSpec) -> str:
    return ", ".join(f"lower(hg_trim({m})) AS {m}" if spec.ignore_case else m for m in names)


def wanted_columns(field: FieldDef) -> list[str]:
    """What a collecting program gives for a field: whether an entry is needed, then each value as written and as compared."""
    parts = range(len(field.others) + 1)
    return [f"{WANTED}{field.index}", *(f"{WANTED}{field.index}_{k}{c}" for k in parts for c in ("text", "key"))]


def wanted(accepted: pa.RecordBatch, index: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The entries that the accepted records of a collecting program need for the field of that index, as compared and as
    written; deletions need none."""
    mask = accepted.column(f"{WANTED}{index}")
    rows = accepted.filter(mask)
    if DELETE in rows.schema.names:
        import pyarrow.compute as pc

        rows = rows.filter(pc.invert(rows.column(DELETE)))
    mine = [n for n in rows.schema.names if n.startswith(f"{WANTED}{index}_")]
    texts = [rows.column(n).to_pylist() for n in mine if n.endswith("text")]
    keys = [rows.column(n).to_pylist() for n in mine if n.endswith("key")]
    yield from zip(zip(*keys, strict=True), zip(*texts, strict=True), strict=True)
