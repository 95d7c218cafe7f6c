"""What tests of APIs share: the records a server gives, and reading a source of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from headgate.connectors.http.source import HttpSource
from headgate.testing.server import ApiServer

RECORDS = [{"id": i, "name": f"customer {i}", "price": f"{i}.50"} for i in range(1, 36)]
TEXTS = [{k: str(v) for k, v in r.items()} for r in RECORDS]

Serve = Callable[..., ApiServer]
Ask = Callable[..., HttpSource]


def read(source: HttpSource) -> list[dict[str, Any]]:
    """All records."""
    (partition,) = source.partitions()
    with closing(source.open(partition)) as scan:
        batches = list(scan.batches())
        assert not [f for b in batches for f in b.faults]
        return [r for b in batches for r in b.records.to_pylist()]
