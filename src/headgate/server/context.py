"""What all parts of the server share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from starlette.requests import HTTPConnection

from headgate.app.project import Project

from .access import Guard

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the server is run.

    Attributes:
        host, port: where it listens.
        workers: how many processes share the port.
        deadline: seconds after which a synchronous import is answered with 202.
        max_body: bytes of a request's body.
        max_records: records of a synchronous request.
        max_waiting: synchronous requests of an import that may wait for their turn; more are turned away with 429.
        concurrency: runs at the same time in a server process's own worker; 0 for none.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1
    deadline: float = 10.0
    max_body: int = 16 << 20
    max_records: int = 10_000
    max_waiting: int = 1_000
    concurrency: int = 0


class Component(Protocol):
    """Something that goes on beside requests. Begins when the server does; ends before it does."""

    async def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """Finish what is under way, or hand it back."""
        ...


@dataclass(slots=True)
class Context:
    """What a request needs.

    Attributes:
        parts: things that parts of the server keep here, by their class.
    """

    project: Project
    options: ServeOptions
    guard: Guard
    parts: dict[type, Any] = field(default_factory=dict)

    def part(self, kind: type[T]) -> T:
        """The one of a class that was put there."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found


def context_of(request: HTTPConnection) -> Context:
    """The context of the application that a request came to."""
    found = request.app.state.context
    assert isinstance(found, Context)
    return found
