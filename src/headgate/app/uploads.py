"""Files that come in a request, as records."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from headgate.model.record import Fault
from headgate.model.source import SourceSpec
from headgate.model.text import text_form
from headgate.model.values import python_rows

from .project import Project

KINDS = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.apache.parquet": ".parquet",
    "application/xml": ".xml",
    "text/xml": ".xml",
}
"""Media types of files that are read, and the endings of such files."""
_READING = ("encoding", "delimiter", "quote", "escape", "header", "header_rows", "columns", "skip", "footer", "stray_quotes", "ragged",
            "widths", "ruler", "sheet", "records", "nulls", "max_record")  # fmt: skip


def read_upload(
    project: Project, source: SourceSpec, body: bytes, ending: str, most: int
) -> list[dict[str, Any] | Fault]:
    """The records of a file, read as the definition's own source is.

    Args:
        source: of the definition; what it says of reading files holds here, too.
        body: the file.
        ending: of its name.
        most: how many records are read at most; one more shows that there are more.

    Raises:
        SourceError: it is no such file.
    """
    told = {k: getattr(source, k) for k in _READING if k in source.model_fields_set} if source.path else {}
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        file = Path(folder) / f"upload{ending}"
        file.write_bytes(body)
        found: list[dict[str, Any] | Fault] = []
        with closing(project.source(SourceSpec(path=file.name, **told), Path(folder))) as reader:
            for partition in reader.partitions():
                with closing(reader.open(partition)) as scan:
                    for batch in scan.batches():
                        found += _in_order(python_rows(batch.records), list(batch.ordinals), batch.faults)
                        if len(found) > most:
                            return found[: most + 1]
    return found


def _in_order(
    rows: list[dict[str, Any]], ordinals: list[int], faults: tuple[Fault, ...]
) -> list[dict[str, Any] | Fault]:
    texts: list[tuple[int, dict[str, Any] | Fault]] = [
        (n, {k: text_form(v) for k, v in row.items()}) for n, row in zip(ordinals, rows, strict=True)
    ]
    return [one for _, one in sorted([*texts, *((f.ordinal, f) for f in faults)], key=lambda pair: pair[0])]
