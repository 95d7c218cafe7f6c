from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.files import FileSource
from headgate.model.record import Fault
from headgate.model.spec import SourceSpec
from headgate.spi.source import Scan


class Reading:
    """Everything one scan gave."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.names = scan.schema.names
        self.findings: dict[str, Any] = dict(scan.findings)
        self.rows: list[tuple[str | None, ...]] = []
        self.ordinals: list[int] = []
        self.faults: list[Fault] = []
        for batch in scan.batches():
            assert batch.records.schema == scan.schema
            assert len(batch.ordinals) == batch.records.num_rows
            self.rows += [tuple(r.values()) for r in batch.records.to_pylist()]
            self.ordinals += batch.ordinals
            self.faults += batch.faults

    @property
    def codes(self) -> list[tuple[int, str]]:
        return [(f.ordinal, f.problem.code) for f in self.faults]

    def lines(self) -> list[int | None]:
        everything = sorted([*self.ordinals, *(f.ordinal for f in self.faults)])
        assert everything == list(range(len(everything)))
        return [o.line for o in self.scan.locate(everything)]


Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """``read(content, **options)``: writes a file and reads it through the source."""
    open_ones: list[FileSource | Scan] = []

    def reading(content: bytes | str, name: str = "a.csv", **options: Any) -> Reading:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        source = FileSource(SourceSpec(path=name, **options), tmp_path)
        [partition] = source.partitions()
        scan = source.open(partition)
        open_ones.extend((scan, source))
        return Reading(scan)

    yield reading
    for one in open_ones:
        one.close()
