"""Reads a table of a database file in a process of its own and writes its records to standard output, as an Arrow stream.

ADBC's driver reads four times as fast as Python's module, but it is a second SQLite: in one process, closing a file lets go of
all locks on it, the other copy's too. This file is run by its path and stands alone, so that the process starts in a twentieth
of a second.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_AHEAD = 6
# What the driver, or the quick statement itself, says where a column holds values of another class than it is read as.
_IRREGULAR = ("Type mismatch in column", "integer overflow")


def main() -> int:
    """Do what the line on standard input asks for; what goes wrong is said on standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this ends it
    asked = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = asked["path"]
    try:
        _send(_Scan(asked))
    except Exception as e:  # noqa: BLE001 - told to the other process
        sys.stderr.write(str(e))
        return 1
    return 0


class _Scan:
    """One read transaction.

    Args:
        asked: see `headgate.connectors.sqlite.apart.Apart`.
    """

    def __init__(self, asked: dict[str, Any]) -> None:
        import adbc_driver_manager as manager
        import adbc_driver_sqlite as sqlite

        self._asked = asked
        self._manager = manager
        self._connection = manager.AdbcConnection(manager.AdbcDatabase(driver=sqlite._driver_path(), uri=asked["uri"]))
        for setting in asked["settings"]:
            self._records(setting).read_all()
        self._records("begin").read_all()

    def _records(self, sql: str) -> Any:
        import pyarrow as pa

        statement = self._manager.AdbcStatement(self._connection)
        statement.set_options(**{"adbc.sqlite.query.batch_rows": str(self._asked["rows"])})
        statement.set_sql_query(sql)
        return pa.RecordBatchReader.from_stream(statement.execute_query()[0])

    def batches(self) -> Iterator[Any]:
        """All records: by the quick statement, and from the first irregular one on by the one that tells what it is."""
        done = 0
        try:
            for batch in self._typed(self._records(self._asked["quick"])):
                yield batch
                done += batch.num_rows
        except Exception as e:
            if not any(words in str(e) for words in _IRREGULAR):
                raise
        else:
            return
        for batch in self._typed(self._records(self._asked["full"])):
            if done < batch.num_rows:
                yield batch.slice(done)
            done = max(0, done - batch.num_rows)

    def _typed(self, records: Any) -> Any:
        found = [str(t) for t in records.schema.types]
        if found != self._asked["types"]:
            raise TypeError(f"{_IRREGULAR[0]}: {found}")
        return records


def _send(scan: _Scan) -> None:
    """Write what is read, while more of it is read."""
    import pyarrow as pa

    ready: queue.Queue[Any] = queue.Queue(_AHEAD)

    def write() -> None:
        try:
            with os.fdopen(1, "wb", closefd=False) as out:
                batch = ready.get()
                with pa.ipc.new_stream(out, batch.schema) as stream:
                    while batch is not None:
                        stream.write_batch(batch)
                        batch = ready.get()
        except OSError:  # nobody reads it any more
            os._exit(1)

    thread = threading.Thread(target=write, daemon=True)
    batches = scan.batches()
    ready.put(next(batches))  # there is one: the first record only shows the classes
    thread.start()
    for batch in batches:
        ready.put(batch)
    ready.put(None)
    thread.join()


if __name__ == "__main__":
    sys.exit(main())
