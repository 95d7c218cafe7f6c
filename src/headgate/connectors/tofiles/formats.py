"""The formats: each takes batches of records and makes a file of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from headgate.model.write import WriteField

from .naming import Naming
from .options import FileOptions


class Writing(Protocol):
    """One file that is being written. Every method raises OSError where the disk is full."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add records: a column for each field, in their types."""
        ...

    def close(self, *, whole: bool = True) -> None:
        """End the file; not `whole`: it will not be used."""
        ...


def check(fields: Sequence[WriteField], naming: Naming, options: FileOptions) -> None:
    """Refuse fields that the format cannot have.

    Raises:
        DestinationError: their names do not fit.
    """
    match naming.format:
        case "csv":
            from .csv import check_header

            check_header(fields, options)
        case "json" | "jsonl" | "xml":
            from .tree import tree

            tree(fields)
            if naming.format == "xml":
                from .xml import check_names

                check_names(fields, options)
        case "xlsx":
            from .workbook import check_columns

            check_columns(fields, naming.rows, options)


def begin(
    path: Path, fields: Sequence[WriteField], naming: Naming, options: FileOptions, after: Path | None = None
) -> Writing:
    """Begin a file.

    Args:
        path: where; there is no file yet.
        after: a file whose records come first; of CSV and JSON Lines only.

    Raises:
        DestinationError: `after` has other fields.
    """
    match naming.format:
        case "csv":
            from .csv import CsvFile

            return CsvFile(path, fields, naming, options, after)
        case "jsonl":
            from .json import JsonLinesFile

            return JsonLinesFile(path, fields, naming, options, after)
        case "json":
            from .json import JsonFile

            return JsonFile(path, fields, naming)
        case "xml":
            from .xml import XmlFile

            return XmlFile(path, fields, naming, options)
        case "xlsx":
            from .workbook import Workbook

            return Workbook(path, fields, options)
        case _:
            from .parquet import ParquetFile

            return ParquetFile(path, fields, naming)
