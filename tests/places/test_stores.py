"""Every place that files can be put into passes the suite of stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest

from headgate.spi.store import Store
from headgate.testing.store import Desk, StoreConformance

from .conftest import Somewhere
from .test_upload_web import Keeping


def opened(somewhere: Somewhere) -> Callable[[], Store]:
    """Makes stores of a place."""

    def connect() -> Store:
        found = somewhere.open()
        assert isinstance(found, Store)
        return found

    return connect


class TestLocal(StoreConformance):
    @pytest.fixture
    def connect(self, local: Somewhere) -> Callable[[], Store]:
        return opened(local)


class TestSftp(StoreConformance):
    @pytest.fixture
    def connect(self, sftp: Somewhere) -> Callable[[], Store]:
        return opened(sftp)


class TestAsyncssh(StoreConformance):
    @pytest.fixture
    def connect(self, asyncssh: Somewhere) -> Callable[[], Store]:
        return opened(asyncssh)


class TestFtp(StoreConformance):
    @pytest.fixture
    def connect(self, ftp: Somewhere) -> Callable[[], Store]:
        return opened(ftp)


class TestBucket(StoreConformance):
    @pytest.fixture
    def connect(self, bucket: Somewhere) -> Callable[[], Store]:
        return opened(bucket)


class TestVersionedBucket(StoreConformance):
    @pytest.fixture
    def connect(self, versioned: Somewhere) -> Callable[[], Store]:
        return opened(versioned)

    def test_it_keeps_versions(self, desk: Desk) -> None:
        """So that none of the suite is skipped everywhere."""
        assert desk.put("a.txt", b"one").version or desk.there("a.txt").version


class TestWeb(StoreConformance):
    gaps: ClassVar = {"test_a_file_may_be_moved_over_another": "a web server knows no moving"}

    @pytest.fixture
    def connect(self) -> Iterator[Callable[[], Store]]:
        web = Keeping()
        yield opened(web.somewhere())
        web.close()
