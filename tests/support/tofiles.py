"""Records written to files of every format, and read back with the readers of files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from headgate.connectors.files import FileSource
from headgate.connectors.tofiles import FilesDestination
from headgate.connectors.tofiles.values import texts
from headgate.model.source import SourceSpec
from headgate.model.write import Operation, WriteField, WriteSpec
from headgate.testing.runs import Ran, Row, run

READING: dict[str, dict[str, Any]] = {
    "csv": {"delimiter": ",", "quote": '"', "header": 1, "encoding": "utf-8", "footer": 0, "header_rows": 1},
    "tsv": {"delimiter": "\t", "quote": '"', "header": 1, "encoding": "utf-8", "footer": 0, "header_rows": 1},
    "jsonl": {},
    "json": {},
    "xml": {"records": "record"},
    "xlsx": {"header": 1},
    "parquet": {},
}
"""What a source has to be told so that nothing is guessed."""


def to(folder: Path, **options: Any) -> FilesDestination:
    """A destination in that folder."""
    return FilesDestination({"url": f"file://{folder}", **options}, folder)


def write(folder: Path, table: str, fields: Sequence[WriteField], rows: Sequence[Row], **options: Any) -> Ran:
    """A run that writes records."""
    spec = WriteSpec(table, tuple(fields), (), Operation.APPEND, create=True)
    return run(to(folder, **options).open(spec), spec, rows)


def read(path: Path, kind: str, **more: Any) -> list[dict[str, str | None]]:
    """The records of a file, every value as text."""
    said = {"path": str(path), "format": "csv" if kind == "tsv" else kind, **READING[kind], **more}
    spec = SourceSpec.model_validate(said)
    rows: list[dict[str, str | None]] = []
    with closing(FileSource(spec, path.parent)) as source, closing(source.open(source.partitions()[0])) as scan:
        for batch in scan.batches():
            assert not batch.faults, batch.faults
            columns = {n: texts(batch.records.column(n)).to_pylist() for n in batch.records.schema.names}
            rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return rows
