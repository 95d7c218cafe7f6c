"""The sources ``http`` and ``https``: what an API answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from headgate.model.errors import SourceError, UsageError
from headgate.model.incremental import WATERMARK
from headgate.model.record import Batch, Origin
from headgate.model.spec import SourceSpec
from headgate.spi import registry
from headgate.spi.source import Partition, Scan, Source

from .client import Client
from .newest import Newest
from .options import read
from .pages import Asking, rooted
from .spool import Spool

_LOOK = 4 << 20
"""How much is asked for before it is said which columns there are."""
_OF_FILES = ("encoding", "delimiter", "quote", "escape", "columns", "nulls", "max_record")


class HttpSource:
    """An API as a source (`headgate.spi.source.Source`): one partition, which is all pages of the request.

    What is answered is kept in a temporary file: the API is asked once, however often the records are read.

    Args:
        options: the definition's source.
        base: folder that relative paths start from (`ca`).
        connected: the connection.
    """

    schemes = ("http", "https")

    def __init__(self, options: SourceSpec, base: Path, connected: registry.Connected | None = None) -> None:
        if connected is None or options.request is None:
            raise UsageError("an API is read through a connection and a request")
        self._options, self._request, self._since = options, options.request, connected.since
        connection = read(connected.options)
        ca = str(base / connection.ca) if connection.ca else None
        self._client = Client(connection.model_copy(update={"ca": ca}))
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._spool: Spool | None = None
        self._files: list[Source] = []

    def partitions(self) -> list[Partition]:
        """The one there is; nothing is asked yet."""
        return [Partition(self._client.secrets.url(self._client.options.url + rooted(self._request.path)))]

    def open(self, partition: Partition) -> Scan:
        """Ask for as many pages as it takes to know the columns.

        Raises:
            SourceError: the API does not answer as it should, or there are no records to know the columns from.
        """
        spool = self._spooled()
        spool.advance(_LOOK)
        if not spool.whole and not spool.records:
            if self._options.columns is None:
                raise SourceError(
                    f"{partition.name} has no records, so its columns are not known",
                    hint="If that may be so, name them in source.columns.",
                )
            return ApiScan(None, spool, partition.name, self._findings(spool), self._options.columns)
        return ApiScan(self._scan(spool, partition.name), spool, partition.name, self._findings(spool))

    def reach(self) -> str:
        """Whether the API answers.

        Raises:
            SourceError: it does not, or refuses the login.
        """
        with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
            return f"answers with {self._client.reach(Path(folder) / 'answer')}"

    def digest(self, partition: Partition) -> str:
        """SHA-256 of all records.

        Raises:
            SourceError: the API does not answer as it should.
        """
        del partition
        return self._spooled().digest()

    def close(self) -> None:
        """Close the connections and remove what was kept."""
        self._client.close()
        for source in self._files:
            source.close()
        self._files = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = self._spool = None

    def _spooled(self) -> Spool:
        if self._spool is None:
            self._folder = tempfile.TemporaryDirectory(prefix="headgate-")
            folder = Path(self._folder.name)
            asking = Asking(self._client, self._options.format, folder / "page")
            incremental = self._options.incremental
            newest = Newest(incremental, self._since) if incremental is not None else None
            self._spool = Spool(asking, self._request, folder, newest)
        return self._spool

    def _scan(self, spool: Spool, name: str) -> Scan:
        """What was kept, read as files are."""
        kind = spool.asking.format if spool.whole else "jsonl"
        records = self._request.records if spool.whole and kind in ("json", "xml") else None
        given = {n: getattr(self._options, n) for n in _OF_FILES if n in self._options.model_fields_set}
        spec = SourceSpec.model_validate(
            {"path": str(spool.path), "format": None if kind in ("other", "xml") else kind, "records": records} | given
        )
        files: registry.SourceFactory = registry.load(registry.SOURCES, "files")
        source = files(spec, spool.path.parent)
        self._files.append(source)
        (partition,) = source.partitions()
        return source.open(replace(partition, name=name))

    def _findings(self, spool: Spool) -> dict[str, object]:
        found: dict[str, object] = {} if spool.whole else {"format": spool.asking.format or "json"}
        if path := self._request.records or spool.asking.found_path:
            found["records"] = path
        if self._request.pagination is not None:
            found["pagination"] = self._request.pagination.type
        connection = self._client.options
        if connection.auth is not None and connection.url.startswith("http:") and not connection.private:
            found["notes"] = ["the login is sent without TLS, for everybody on the way to read"]
        return found


class ApiScan:
    """Records of an API (`headgate.spi.source.Scan`).

    Args:
        inner: what was kept; None where there are no records.
        name: the partition's.
        columns: names of the columns, where there are no records.
    """

    def __init__(
        self, inner: Scan | None, spool: Spool, name: str, findings: dict[str, object], columns: Sequence[str] = ()
    ) -> None:
        self._inner, self._spool, self._name = inner, spool, name
        self._schema = inner.schema if inner is not None else pa.schema([(c, pa.string()) for c in columns])
        self._findings = {**inner.findings, **findings} if inner is not None and spool.whole else findings

    @property
    def schema(self) -> pa.Schema:
        """The keys of the first records, all text; or the columns of what the answer is."""
        return self._schema

    @property
    def findings(self) -> Mapping[str, object]:
        """``format``, ``records`` (the path in the answers), ``pagination``, ``notes``, and what a reader of files found; of
        an incremental request ``growing`` (its column) and ``watermark``, once all is read."""
        newest = self._spool.newest
        found = self._findings
        if doubts := self._spool.asking.warnings:
            told = found.get("warnings")
            found = {**found, "warnings": [*(told if isinstance(told, list) else []), *doubts]}
        if newest is None or not self._spool.done:
            return found
        return {**found, "growing": newest.column, WATERMARK: newest.value}

    def fetch(self) -> Iterator[int]:
        """See `headgate.spi.source.Fetches`."""
        yield from self._spool.steps()

    def batches(self) -> Iterator[Batch]:
        """See `Scan`."""
        self._spool.advance()
        if self._inner is not None:
            with closing(self._inner.batches()) as batches:  # type: ignore[type-var]
                yield from batches

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        """See `Scan`. The row is the number of the record among all of the request."""
        if self._inner is None or self._spool.whole:
            return self._inner.locate(ordinals) if self._inner is not None else []
        return [Origin(self._name, row=o + 1) for o in ordinals]

    def progress(self) -> float:
        """See `Scan`."""
        return self._inner.progress() if self._inner is not None else 1.0

    def close(self) -> None:
        """See `Scan`."""
        if self._inner is not None:
            self._inner.close()
