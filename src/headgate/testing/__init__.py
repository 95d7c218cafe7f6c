"""Suites that every source and destination must pass, strangers' connectors too.

Subclass `headgate.testing.destination.DestinationConformance`, `headgate.testing.source.SourceConformance` or
`headgate.testing.store.StoreConformance` in a test module and say how to make one of yours; pytest does the rest. Needs the
packages pytest and pyarrow.
"""

import pytest

# Failed assertions of the suites show their values, as those of test modules do.
pytest.register_assert_rewrite(
    "headgate.testing.source",
    "headgate.testing.store",
    "headgate.testing.runs",
    "headgate.testing.place",
    "headgate.testing.lookups",
    "headgate.testing.matching",
    "headgate.testing.mirroring",
    "headgate.testing.transactions",
    "headgate.testing.planning",
    "headgate.testing.values",
    "headgate.testing.hostile",
    "headgate.testing.hostile_sources",
)
