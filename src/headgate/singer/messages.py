"""Singer's messages, one a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

import msgspec

from headgate.model.errors import SourceError

LONGEST = 64 << 20
"""Bytes of the longest message that is read."""
_SHOWN = 80
KNOWN = ("RECORD", "SCHEMA", "STATE", "ACTIVATE_VERSION")
Raw = msgspec.Raw


class MessageError(SourceError):
    """What was written is no sequence of Singer's messages."""


class Message(msgspec.Struct, frozen=True):
    """One message; what it does not have is empty.

    Attributes:
        record, schema, value: JSON as it was written.
    """

    type: str
    stream: str = ""
    record: Raw = Raw()
    schema: Raw = Raw()
    value: Raw = Raw()
    key_properties: list[str] | None = None


_DECODER = msgspec.json.Decoder(Message)


class Messages:
    """The messages of a file or pipe, with their numbers.

    Args:
        file: what is read.
        name: what it is, for messages to people.
        hide: takes secrets out of a text that is shown.
    """

    def __init__(self, file: IO[bytes], name: str, hide: Callable[[str], str] = str) -> None:
        self._file, self.name, self._hide = file, name, hide

    def __iter__(self) -> Iterator[tuple[int, Message]]:
        """All of them; blank lines are counted and left out.

        Raises:
            MessageError: a line is none, or of a type that is not known.
        """
        number = 0
        while line := self._file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise self.error(number, f"is longer than {LONGEST:,} bytes", "Have fewer or shorter values selected.")
            if line.strip():
                yield number, self._message(number, line)

    def _message(self, number: int, line: bytes) -> Message:
        try:
            found = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            text = self._hide(line.decode("utf-8", "replace").strip())
            text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
            raise self.error(
                number, f"is no message of Singer's ({e}): {text}", "On standard output a tap writes only messages."
            ) from None
        if found.type not in KNOWN:
            hint = "Turn batches off in the tap's configuration." if found.type == "BATCH" else ""
            raise self.error(number, f"is of type {found.type!r}, and only {', '.join(KNOWN)} are known", hint)
        lacking = _lacking(found)
        if lacking:
            raise self.error(number, f"is a {found.type} without {lacking}", "The tap is at fault.")
        return found

    def error(self, number: int, what: str, hint: str = "") -> MessageError:
        """An error that says which message it is about."""
        return MessageError(f"{self.name}: message {number:,} {what}", hint=hint)


def _lacking(message: Message) -> str:
    """What a message of its type has, and this one does not."""
    there = {"stream": bool(message.stream), "record": bool(bytes(message.record)), "schema": bool(bytes(message.schema)),
             "value": bool(bytes(message.value))}  # fmt: skip
    wanted = {"RECORD": ("stream", "record"), "SCHEMA": ("stream", "schema"), "STATE": ("value",)}
    return next((name for name in wanted.get(message.type, ()) if not there[name]), "")
