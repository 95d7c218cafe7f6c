"""The project as a target of Singer's: messages on standard input become runs, one for each stream."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from headgate.engine.nested import nested
from headgate.engine.runner import Observe
from headgate.model.errors import UsageError
from headgate.model.run import Run
from headgate.model.spec import ImportSpec
from headgate.model.table import TableSchema
from headgate.singer import Layout, Messages, Received, StreamSource, layout
from headgate.singer.messages import Message

from .project import Definition, Project
from .service import run_import

_INPUT = "standard input"


@dataclass(slots=True)
class _Stream:
    received: Received
    layout: Layout


@dataclass(frozen=True, slots=True)
class Takers:
    """What takes the streams.

    Attributes:
        imports: definitions; each takes the stream that its source's table names, or the one of its own name.
        into: connection or URL where every other stream gets a table of its own; empty where there shall be none.
        ignore: whether a stream that nothing takes is left out.
    """

    imports: Sequence[Definition] = ()
    into: str = ""
    ignore: bool = False


@dataclass(slots=True)
class Target:
    """Receives everything, then imports it.

    Attributes:
        state: the last STATE as it was written; None where there was none. It holds once all runs are done.
    """

    project: Project
    takers: Takers
    state: bytes | None = None
    _streams: dict[str, _Stream] = field(default_factory=dict)
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="headgate-")
    )

    def read(self, file: BinaryIO) -> None:
        """Receive all messages; nothing is written yet.

        Raises:
            SourceError: one of them is none, or a record comes before its schema.
        """
        messages = Messages(file, _INPUT)
        for number, message in messages:
            self._take(messages, number, message)

    def _take(self, messages: Messages, number: int, message: Message) -> None:
        known = self._streams.get(message.stream)
        if message.type == "STATE":
            self.state = bytes(message.value)
        elif message.type == "SCHEMA":
            try:
                found = layout(bytes(message.schema), message.key_properties)
            except ValueError as e:
                raise messages.error(
                    number, f"is no good SCHEMA of {message.stream!r}: {e}", "The tap is at fault."
                ) from None
            if known is None:
                self._streams[message.stream] = _Stream(Received(Path(self._folder.name)), found)
            else:
                known.layout = known.layout.joined(found)
        elif message.type == "RECORD":
            if known is None:
                raise messages.error(
                    number, f"is a RECORD of {message.stream!r} before its SCHEMA", "The tap is at fault."
                )
            known.received.add(number, message.record)

    def run(self, observe: Callable[[str], Observe]) -> Iterator[Run]:
        """Import one stream after the other, in the order in which they came.

        Args:
            observe: makes of an import's name what is told of its progress.

        Raises:
            UsageError: nothing takes one of the streams; nothing was written.
            HeadgateError: what stopped a run; those before it stand.
        """
        for name, definition, names in self._taken():
            stream = self._streams[name]
            types = {names.get(c, c): of for c, of in stream.layout.types.items()}
            source = nested(StreamSource(name, stream.received, types, names), definition.spec)
            yield run_import(self.project, definition, observe(definition.name), source=source)

    def _taken(self) -> list[tuple[str, Definition, dict[str, str]]]:
        """Each stream with what takes it, and the names of its columns there that are not its own."""
        wanted = {d.spec.source.table or d.name: d for d in self.takers.imports}
        if len(self.takers.imports) == len(self._streams) == 1 and not self.takers.into:
            (only,), (one,) = self._streams, self.takers.imports
            wanted = wanted if one.spec.source.table else {only: one}
        found: list[tuple[str, Definition, dict[str, str]]] = []
        for name, stream in self._streams.items():
            if name in wanted:
                found.append((name, wanted[name], {}))
            elif self.takers.into:
                found.append((name, self._made(name, stream.layout), _names(stream.layout)))
            elif not self.takers.ignore:
                raise UsageError(
                    f"{_INPUT} has the stream {name!r}, and no import takes it",
                    hint="Name an import whose source.table it is, give it a table with --into, or say --ignore-others.",
                )
        return found

    def _made(self, stream: str, of: Layout) -> Definition:
        with closing(self.project.destination(self.takers.into, Path.cwd())) as destination:
            table = destination.inspect(stream)
        return made(stream, of, self.takers.into, table)

    def close(self) -> None:
        """Remove what was received."""
        for stream in self._streams.values():
            stream.received.close()
        self._folder.cleanup()


def made(stream: str, of: Layout, into: str, table: TableSchema | None) -> Definition:
    """A definition for a stream without one: a table of its name, its columns and its key.

    Args:
        table: what is there; columns that it lacks are added, and may be empty.

    Raises:
        UsageError: the stream's names are none that a table can have.
    """
    names = _names(of)
    must = [names.get(c, c) for c in of.types if c in of.required or c in of.key]
    data: dict[str, Any] = {
        "source": "-",
        "fields": {n: {"from": n, "required": True} for n in must if table is None or table.column(n) is not None},
        "operation": "upsert" if of.key else "append",
        "key": [names.get(k, k) for k in of.key],
        "destination": {"connection": into, "table": stream, "create": True},
        "schema": {"new_columns": "add", "types": "widen"},
    }
    try:
        return Definition(stream, ImportSpec.model_validate(data), Path.cwd())
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False, include_context=False)[0]["msg"]
        raise UsageError(
            f"the stream {stream!r} cannot be imported as it is: {first.removeprefix('Value error, ')}",
            hint="Write an import for it, and name that.",
        ) from None


def _names(of: Layout) -> dict[str, str]:
    """Other names for columns that begin with an underscore, as such names are Headgate's own."""
    names: dict[str, str] = {}
    taken = {c.casefold() for c in of.types if not c.startswith("_")}
    for column in of.types:
        if not column.startswith("_"):
            continue
        name = base = column.lstrip("_") or "column"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.casefold())
        names[column] = name
    return names
