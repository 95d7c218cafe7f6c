"""The journal: what undo needs of a run, in columnar files beside the ledger.

Every commit of a run has a segment: `000001.arrow` holds what the writer gave before and after applying, or the records
themselves where all of them were created; `000001.json` says what they are, and is there only when the segment is whole.
Both are on the disk before the destination commits, so a segment whose commit never came is known by the checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from headgate.ledger import Ledger
from headgate.model.errors import HeadgateError, UsageError
from headgate.model.write import ACTION, NUMBER, OLD, Images, WriteSpec
from headgate.spi.reversal import Written

from .written import write_json, write_of

# Compressing needs room for what it compresses: a batch goes in pieces.
_ROWS = 4_096
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


class Journal:
    """Writes the journal of one run.

    Args:
        ledger: where the run is; it names the folder, which is made when something is written.
        run_id: the run.
        segments: how many there are already, of a run that goes on; what lies beyond them was never committed.
    """

    def __init__(self, ledger: Ledger, run_id: int, segments: int = 0) -> None:
        self._ledger = ledger
        self._folder = ledger.journal_path(run_id)
        self.segments = segments
        self._sink: pa.OSFile | None = None
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._drop_beyond(segments)

    def add(self, batch: pa.RecordBatch) -> None:
        """Put a batch into the segment that is being written.

        Raises:
            HeadgateError: there is no room.
        """
        try:
            if self._writer is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._sink = pa.OSFile(str(self._path("arrow")), "wb")
                self._writer = pa.ipc.new_stream(self._sink, batch.schema, options=_OPTIONS)
            self._writer.write_table(pa.Table.from_batches([batch]), max_chunksize=_ROWS)
        except OSError as e:
            raise self._failed(e) from e

    def close(self, write: WriteSpec, images: Images | None, refused: Iterable[int], *, repeated: bool) -> None:
        """End the segment and see to it that it is on the disk.

        Args:
            write: what the writer was told.
            images: which columns are known; None where the records themselves were written.
            refused: numbers of records that did not get through after all.
            repeated: whether several records of it may have one key.
        """
        told = {
            "write": write_json(write), "images": asdict(images) if images else None,
            "refused": sorted(refused), "repeated": repeated, "empty": self._writer is None,
        }  # fmt: skip
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._writer is not None and self._sink is not None:
                self._writer.close()
                self._sink.close()
                self._ledger.keep(self._path("arrow"))
            part = self._path("part")
            part.write_text(json.dumps(told), encoding="utf-8")
            _sync(part)
            part.replace(self._path("json"))
            self._ledger.keep(self._path("json"))
        except OSError as e:
            raise self._failed(e) from e
        self._writer = self._sink = None
        self.segments += 1

    def abandon(self, committed: int) -> None:
        """Forget what was never committed.

        Args:
            committed: how many segments were.
        """
        if self._sink is not None:
            self._sink.close()
        self._writer = self._sink = None
        self.segments = committed
        self._drop_beyond(committed)
        if not committed and self._folder.is_dir():
            self._folder.rmdir()

    def _drop_beyond(self, segments: int) -> None:
        for path in {*_paths(self._folder), *self._ledger.kept(self._folder)}:
            if int(path.stem) > segments:
                path.unlink(missing_ok=True)
                self._ledger.forget(path)

    def _path(self, ending: str) -> Path:
        return self._folder / f"{self.segments + 1:06d}.{ending}"

    def _failed(self, e: OSError) -> HeadgateError:
        return HeadgateError(
            f"the journal cannot be written in {self._folder}: {e.strerror or e}",
            hint="Make room there, or do without undo: journal: false.",
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a journal.

    Attributes:
        written: what was done.
        refused: numbers of records that are in it and were refused.
        repeated: whether several records may have one key, of which only one counts.
    """

    path: Path
    written: Written
    refused: tuple[int, ...]
    repeated: bool
    empty: bool

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What was done, record by record."""
        if self.empty:
            return
        refused = pa.array(self.refused, pa.int64())
        for batch in self._counting() if self.repeated else self._all():
            if len(refused):
                batch = batch.filter(pc.invert(pc.is_in(batch.column(NUMBER), refused)))
            if batch.num_rows:
                yield batch

    def _all(self) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(self.path), "rb") as source, pa.ipc.open_stream(source) as reader:
            if (images := self.written.images) is None:
                yield from reader
                return
            names = [NUMBER, ACTION, *images.columns, *(OLD + c for c in images.columns)]
            for batch in reader:
                yield batch if batch.schema.names == names else _with(names, batch)

    def _counting(self) -> Iterator[pa.RecordBatch]:
        """Only the records that count of those with one key; this is rare, and sorts all of them."""
        import duckdb

        write = self.written.write
        key = ", ".join('"' + k.replace('"', '""') + '"' for k in write.key)
        order = "desc" if write.duplicates == "last" else "asc"
        with duckdb.connect() as con, pa.memory_map(str(self.path), "rb") as source:
            con.register("records", pa.ipc.open_stream(source))
            sql = f"select * from records qualify row_number() over (partition by {key} order by {NUMBER} {order}) = 1 order by {NUMBER}"
            yield from con.sql(sql).to_arrow_reader()


def read_journal(folder: Path) -> list[Segment]:
    """The whole segments of a journal, in order."""
    segments = []
    for path in sorted(folder.glob("[0-9]*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        images = Images(**{k: tuple(v) for k, v in told["images"].items()}) if told["images"] else None
        written = Written(write_of(told["write"]), images)
        refused = tuple(told["refused"])
        segments.append(Segment(path.with_suffix(".arrow"), written, refused, told["repeated"], told["empty"]))
    return _alike(segments)


def _alike(segments: list[Segment]) -> list[Segment]:
    """The segments with the columns of all of them: of what has no columns of its own each batch has those of its records."""
    known = [s.written.images for s in segments if s.written.images is not None]
    columns = tuple(dict.fromkeys(name for images in known for name in images.columns))
    return [
        replace(s, written=replace(s.written, images=replace(s.written.images, columns=columns)))
        if s.written.images is not None
        else s
        for s in segments
    ]


def check_journal(ledger: Ledger, run_id: int) -> None:
    """Refuse a run that has no journal (any more).

    Raises:
        UsageError: it was written without one, or it was pruned.
    """
    if not ledger.has_journal(run_id):
        raise UsageError(
            f"run {run_id} has no journal (any more)",
            hint="It was run with journal: false, or before Headgate kept one, or its journal was pruned by age or size.",
        )


def prune_journals(folder: Path, keep: datetime, most: int) -> list[int]:
    """Remove the journals of runs that are too old, and the oldest of what is too much.

    Args:
        folder: of all journals.
        keep: younger ones stay, if they are not too much.
        most: bytes all of them may take.

    Returns:
        The numbers of the runs, which cannot be undone any more.
    """
    if not folder.is_dir():
        return []
    found: list[tuple[float, int, Path]] = []
    for run in folder.iterdir():
        files = [p.stat() for p in run.glob("*")]
        found.append(
            (max((s.st_mtime for s in files), default=run.stat().st_mtime), sum(s.st_size for s in files), run)
        )
    gone, total = [], sum(size for _, size, _ in found)
    for changed, size, run in sorted(found):
        if changed >= keep.timestamp() and total <= most:
            continue
        shutil.rmtree(run, ignore_errors=True)
        total -= size
        gone.append(int(run.name))
    return gone


def _with(names: list[str], batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with these columns; those that it does not have are empty."""
    there = set(batch.schema.names)
    columns = [batch.column(n) if n in there else pa.nulls(batch.num_rows, pa.string()) for n in names]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _paths(folder: Path) -> list[Path]:
    return list(folder.glob("[0-9]*.*")) if folder.is_dir() else []


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
