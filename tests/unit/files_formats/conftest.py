"""Opens files as the formats get them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.files import formats
from headgate.connectors.files.base import Input
from headgate.model.record import Fault
from headgate.model.spec import SourceSpec
from headgate.spi.source import Scan

DATA = Path(__file__).parents[2] / "data" / "formats"


class Read:
    """A scan read to its end."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.batches = list(scan.batches())
        self.records: list[dict[str, Any]] = [r for b in self.batches for r in b.records.to_pylist()]
        self.ordinals = [n for b in self.batches for n in b.ordinals]
        self.faults: list[Fault] = [f for b in self.batches for f in b.faults]

    @property
    def codes(self) -> list[tuple[int, str]]:
        return [(f.ordinal, f.problem.code) for f in self.faults]

    @property
    def rows(self) -> list[int | None]:
        return [o.row for o in self.scan.locate(self.ordinals)]


@pytest.fixture
def data() -> Path:
    return DATA


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Scan]:
    """Opens a path, or text or bytes, in a format."""

    def opener(format: str, content: Path | str | bytes, *, partition: str | None = None, **options: Any) -> Scan:
        if not isinstance(content, Path):
            path = tmp_path / f"input.{format}"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            content = path
        return formats.opener(format)(Input(content.name, content, SourceSpec(path=str(content), **options)), partition)

    return opener


@pytest.fixture
def read(opened: Callable[..., Scan]) -> Callable[..., Read]:
    def reader(*args: Any, **options: Any) -> Read:
        return Read(opened(*args, **options))

    return reader
