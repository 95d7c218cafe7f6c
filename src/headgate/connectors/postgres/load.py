"""Sending a COPY from a thread of its own, so that the server never waits for the next batch to be encoded."""

from __future__ import annotations

import queue
import threading

import psycopg
import pyarrow as pa

from .encode import Encoder, Sent

_SLICE = 1 << 17
_WAITING = 2


class _Stopped(Exception):
    """Raised inside the COPY so that the server forgets it."""


class CopyIn:
    """One COPY into a table. From the first `send` the connection must not be used until `finish` or `stop` has returned.

    Args:
        connection: it has a transaction open.
        statement: ``copy ... from stdin (format binary)``.
        columns: what is sent.
    """

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]], statement: str, columns: list[Sent]) -> None:
        self._connection = connection
        self._statement = statement.encode()
        self._encoder = Encoder(columns)
        self._queue: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._stop = self._ended = False
        self._written = 0
        self._thread: threading.Thread | None = None

    def _begin(self) -> threading.Thread:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="headgate-copy", daemon=True)
            self._thread.start()
            self._queue.put(self._encoder.header())
        return self._thread

    def send(self, batch: pa.RecordBatch) -> None:
        """Encode a batch here and have it sent there.

        Raises:
            psycopg.Error: what was sent before was not taken.
        """
        self._begin()
        self._check()
        self._queue.put(self._encoder.encode(batch))

    def finish(self) -> int:
        """Wait until the server has taken everything, and return how many rows it says it has written.

        Raises:
            psycopg.Error: it has not.
        """
        thread = self._begin()
        self._queue.put(self._encoder.trailer())
        self._queue.put(None)
        thread.join()
        self._check()
        return self._written

    def stop(self) -> None:
        """Have the server forget it. May be called at any time, and twice."""
        self._stop = True
        while self._thread is not None and self._thread.is_alive():
            try:
                self._queue.put(None, timeout=0.05)
            except queue.Full:
                continue
            self._thread.join(timeout=0.05)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            cursor = self._connection.cursor()
            with cursor.copy(self._statement) as copy:
                self._forward(copy)
            self._written = cursor.rowcount
        except BaseException as e:  # noqa: BLE001 - it is raised again in the thread that hands over
            self._error = e
        while not self._ended:  # whoever hands over must not wait for a queue that nobody empties
            self._ended = self._queue.get() is None

    def _forward(self, copy: psycopg.Copy) -> None:
        while (data := self._queue.get()) is not None:
            for i in range(0, len(data), _SLICE):
                if self._stop:
                    raise _Stopped
                copy.write(data[i : i + _SLICE])
        self._ended = True
        if self._stop:
            raise _Stopped
