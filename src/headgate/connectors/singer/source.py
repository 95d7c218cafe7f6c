"""The source ``singer``: one stream of a tap."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from headgate.model.counting import counted
from headgate.model.errors import SourceError, UsageError
from headgate.model.incremental import STATE
from headgate.model.spec import SourceSpec
from headgate.model.types import TEXT, FieldType
from headgate.singer import Layout, Messages, Received, StreamScan, layout
from headgate.singer.messages import Message
from headgate.spi.registry import Connected
from headgate.spi.source import Partition

from .catalog import Catalog
from .options import NO_CATALOG, read
from .tap import Tap

_EVERY = 1_000
"""After how many records it is said how many there are."""


class SingerSource:
    """A stream of a tap as a source (`headgate.spi.source.Source`): one partition.

    The tap runs once; what it writes is kept in a temporary file, however often the records are read.

    Args:
        options: the definition's source; its table is the stream.
        base: folder that the tap runs in.
        connected: the connection, and the state of the last run.
    """

    schemes = ("singer",)

    def __init__(self, options: SourceSpec, base: Path, connected: Connected | None = None) -> None:
        if connected is None:
            raise UsageError("a tap is read through a connection", hint="Write source: { connection: …, table: … }.")
        if unknown := [k for k in ("query", "incremental", "parallel") if getattr(options, k) is not None]:
            raise UsageError(
                f"a tap knows no {unknown[0]}",
                hint="Name a stream of it: source.table. What is new it knows by its state.",
            )
        self._options, self._base = options, base
        self._stream = options.table or ""
        self._connection = read(connected.options)
        self._state = connected.state if self._connection.state else None
        self._tap = Tap(self._connection, base, connected.secrets)
        self._reading: _Reading | None = None

    def partitions(self) -> list[Partition]:
        """The one there is; the tap is not started yet."""
        return [Partition(self._stream)]

    def open(self, partition: Partition) -> StreamScan:
        """Start the tap and read until the stream's columns are known.

        Raises:
            SourceError: it has no such stream, or fails.
        """
        if self._reading is None:
            self._reading = self._started()
        reading = self._reading
        reading.look()
        return StreamScan(
            partition.name,
            reading.received,
            self._types(reading.columns),
            reading.steps,
            reading.findings,
            self._tap.cancel,
        )

    def _started(self) -> _Reading:
        words: list[str] = []
        schema = b""
        if (catalog := self._catalog()) is not None:
            catalog.check(self._stream)
            schema = catalog.schema(self._stream)
            chosen = catalog.chosen(self._stream, self._options.columns)
            words += ["--catalog", str(self._tap.write("catalog.json", chosen))]
        if self._state is not None:
            words += ["--state", str(self._tap.write("state.json", json.dumps(self._state)))]
        received = Received(self._tap.folder)
        messages = Messages(self._tap.start(*words), self._tap.name, self._tap.secrets.hide)
        return _Reading(self._tap, messages, self._stream, received, schema, self._state, self._options.columns)

    def _catalog(self) -> Catalog | None:
        named = self._connection.catalog
        if named == NO_CATALOG:
            return None
        if named is None:
            return Catalog(self._tap.discover(), f"what {self._tap.name} wrote with --discover")
        path = self._base / named
        try:
            return Catalog(path.read_bytes(), str(path))
        except OSError as e:
            raise UsageError(f"the tap's catalog {path} cannot be read: {e.strerror or e}") from None

    def _types(self, found: Layout | None) -> Mapping[str, FieldType]:
        wanted = self._options.columns
        if found is None:
            if wanted is None:
                raise SourceError(
                    f"{self._tap.name} has written no SCHEMA of {self._stream!r}, so its columns are not known",
                    hint="Check source.table. If there may be nothing to read, name the columns in source.columns.",
                )
            return dict.fromkeys(wanted, TEXT)
        if wanted is None:
            return found.types
        if lost := [c for c in wanted if c not in found.types]:
            raise SourceError(
                f"{self._stream} has no column {lost[0]!r}", hint=f"Its columns are: {', '.join(found.types)}."
            )
        return {c: found.types[c] for c in wanted}

    def reach(self) -> str:
        """What streams the tap has.

        Raises:
            SourceError: it does not say.
        """
        catalog = self._catalog()
        if catalog is None:
            return "not tried"
        count = len(catalog.names)
        return f"has {counted(count, 'stream')}: {', '.join(catalog.names[:10])}"

    def close(self) -> None:
        """End the tap and remove what was kept."""
        if self._reading is not None:
            self._reading.received.close()
            self._reading = None
        self._tap.close()


class _Reading:
    """What a tap writes, as it is read.

    Args:
        wanted: the columns that are read; None for all.

    Attributes:
        columns: as the stream's first SCHEMA says, else as the catalog does; None while that is not known.
    """

    def __init__(
        self,
        tap: Tap,
        messages: Messages,
        stream: str,
        received: Received,
        schema: bytes,
        state: object,
        wanted: Sequence[str] | None,
    ) -> None:
        self._wanted = wanted
        self._tap, self._stream, self.received, self._state = tap, stream, received, state
        self._all = messages
        self._messages: Iterator[tuple[int, Message]] = iter(messages)
        self._catalogued = schema
        self.columns: Layout | None = None
        self._failed: SourceError | None = None
        self._done = False
        self._others: set[str] = set()

    def look(self) -> None:
        """Read until the columns are known, or to the end."""
        while self.columns is None and not self._done:
            self._step()
        if self.columns is None and self._catalogued:
            self.columns = self._layout(self._catalogued, "the catalog", None)

    def steps(self) -> Iterator[int]:
        """Read the rest, giving now and then how many records there are."""
        if self._failed is not None:
            raise self._failed
        while not self._done:
            self._step()
            if self.received.count % _EVERY == 0:
                yield self.received.count

    def _step(self) -> None:
        if self._failed is not None:
            raise self._failed
        try:
            found = next(self._messages, None)
            if found is None:
                self._tap.end("read everything")
                self._done = True
            else:
                self._take(*found)
        except SourceError as e:
            self._tap.stop()
            self._failed = e
            raise
        except (OSError, ValueError) as e:  # its output was closed under the one that reads
            self._failed = SourceError(f"{self._tap.name} was stopped")
            raise self._failed from e
        except BaseException:
            self._failed = SourceError(f"{self._tap.name} was not read to its end")
            raise

    def _take(self, number: int, message: Message) -> None:
        if message.type == "STATE":
            self._state = json.loads(bytes(message.value))
        elif message.stream != self._stream:
            self._others.add(message.stream)
        elif message.type == "SCHEMA":
            later = self._layout(bytes(message.schema), f"message {number:,}", message.key_properties)
            if self._wanted is None and self.columns is not None:
                self._refuse_new(number, [n for n in later.types if n not in self.columns.types])
            self.columns = self.columns or later
        elif message.type == "RECORD":
            if self.columns is None:
                raise self._all.error(
                    number, f"is a RECORD of {self._stream!r} before its SCHEMA", "The tap is at fault."
                )
            self.received.add(number, message.record)

    def _refuse_new(self, number: int, new: list[str]) -> None:
        if new:
            raise self._all.error(
                number,
                f"is a SCHEMA with a property that those before did not have: {new[0]!r}",
                "Run it again; if the tap does so every time, name the columns to be read in source.columns.",
            )

    def _layout(self, schema: bytes, where: str, key: list[str] | None) -> Layout:
        try:
            return layout(schema, key)
        except ValueError as e:
            raise SourceError(f"{self._tap.name}: {where}, SCHEMA of {self._stream!r}: {e}") from None

    def findings(self) -> dict[str, object]:
        """For people, and once all is read the state for the next run."""
        found: dict[str, object] = {"stream": self._stream}
        if self._others:
            found["notes"] = [f"the tap has also written, though not selected: {', '.join(sorted(self._others))}"]
        if self._done and self._state is not None:
            found[STATE] = self._state
        return found
