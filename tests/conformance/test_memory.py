from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from headgate.connectors.memory import MemoryDestination
from headgate.testing.destination import DestinationConformance
from headgate.testing.place import Connect


class TestMemory(DestinationConformance):
    @pytest.fixture
    def connect(self) -> Connect:
        url = f"memory://{uuid.uuid4()}"
        return lambda: MemoryDestination({"url": url}, Path())
