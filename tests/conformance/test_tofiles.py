from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from headgate.connectors.files import FileSource
from headgate.connectors.tofiles import FilesDestination
from headgate.connectors.tofiles.values import typed
from headgate.model.source import SourceSpec
from headgate.model.write import WriteField
from headgate.spi.destination import Destination
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Connect
from headgate.testing.runs import Row

DIALECT = {
    "csv": {"delimiter": ",", "quote": '"', "header": 1, "encoding": "utf-8", "footer": 0},
    "jsonl": {},
}


class TestFiles(DestinationConformance):
    """Records are added to files: the one operation there is."""

    @pytest.fixture(params=["csv", "jsonl"])
    def connect(self, tmp_path: Path, request: pytest.FixtureRequest) -> Connect:
        self.format, self.folder = str(request.param), tmp_path / "out"
        options = {"url": f"file://{self.folder}", "format": self.format, "existing": "add"}
        return lambda: FilesDestination(options, tmp_path)

    def read(self, destination: Destination, table: str, fields: Sequence[WriteField]) -> list[Row]:
        """By the reader of files."""
        path = self.folder / f"{table}.{self.format}"
        if not path.read_bytes() or (self.format == "csv" and path.read_bytes().count(b"\n") == 1):
            return []
        spec = SourceSpec.model_validate({"path": str(path), "format": self.format, **DIALECT[self.format]})
        rows: list[Row] = []
        with closing(FileSource(spec, self.folder)) as source, closing(source.open(source.partitions()[0])) as scan:
            for batch in scan.batches():
                assert not batch.faults
                columns = [typed(batch.records.column(f.name), f.type).to_pylist() for f in fields]
                rows += [
                    dict(zip((f.name for f in fields), values, strict=True)) for values in zip(*columns, strict=True)
                ]
        return rows
