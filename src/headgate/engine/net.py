"""What several commits of one run came to, record by record.

A record may be in several segments of a journal: created by one, updated by the next. To take the run back only what the
destination's record was before the first and is after the last counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.write import ACTION, NUMBER, OLD, Images

from .journal import Segment

Row = dict[str, Any]


def net_changes(segments: Sequence[Segment]) -> Iterator[pa.RecordBatch]:
    """The batches of all segments, with one row for each record that is in several of them, where its first one stood."""
    images = segments[0].written.images
    key = segments[0].written.write.key
    if len(segments) == 1 or images is None or not key:
        for segment in segments:
            yield from segment.batches()
        return
    repeated = _repeated(segments, key)
    if not repeated:
        for segment in segments:
            yield from segment.batches()
        return
    chains = _chains(segments, key, repeated)
    for segment in segments:
        for batch in segment.batches():
            in_chain = pc.is_in(_keys(batch, key), pa.array(sorted(repeated), pa.string()))
            yield batch.filter(pc.invert(in_chain))
    rows = [net for chain in chains.values() if (net := _net(chain, images)) is not None]
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=next(segments[0].batches()).schema)


def _keys(batch: pa.RecordBatch, key: Sequence[str]) -> pa.Array:
    """Each record's key as one text; lengths keep ("a", "bc") from ("ab", "c")."""
    parts = []
    for name in key:
        value = pc.coalesce(batch.column(name), batch.column(OLD + name))
        parts += [pc.cast(pc.utf8_length(value), pa.string()), value]
    return pc.binary_join_element_wise(*parts, ":")


def _repeated(segments: Sequence[Segment], key: Sequence[str]) -> set[str]:
    import duckdb

    with duckdb.connect() as con:
        con.execute("create table keys (k varchar)")
        for segment in segments:
            for batch in segment.batches():
                con.register("batch", pa.table({"k": _keys(batch, key)}))
                con.execute("insert into keys select k from batch")
                con.unregister("batch")
        return {k for (k,) in con.execute("select k from keys group by k having count(*) > 1").fetchall()}


def _chains(segments: Sequence[Segment], key: Sequence[str], repeated: set[str]) -> dict[str, list[Row]]:
    chains: dict[str, list[Row]] = {k: [] for k in sorted(repeated)}
    wanted = pa.array(sorted(repeated), pa.string())
    for segment in segments:
        for batch in segment.batches():
            keys = _keys(batch, key)
            chosen = pc.is_in(keys, wanted)
            for k, row in zip(keys.filter(chosen).to_pylist(), batch.filter(chosen).to_pylist(), strict=True):
                chains[k].append(row)
    return chains


def _net(chain: list[Row], images: Images) -> Row | None:
    """One row for a record's life in the run; None when it came and went."""
    first, last = chain[0], chain[-1]
    born, gone = first[ACTION] == "created", last[ACTION] == "deleted"
    if born and gone:
        return None
    net: Row = {NUMBER: last[NUMBER], ACTION: "created" if born else "deleted" if gone else "updated"}
    for name in images.columns:
        written = [r[name] for r in chain if name in _written(images, r[ACTION])]
        net[name] = None if gone or not written else written[-1]
        net[OLD + name] = None if born else first[OLD + name]
    return net


def _written(images: Images, action: str) -> tuple[str, ...]:
    return {"created": images.created, "updated": images.updated, "marked": images.marked, "deleted": ()}[action]
