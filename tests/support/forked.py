"""`headgate` in a process of its own that costs no start: the child of a process that has imported everything.

Half of what a small command takes from its start to its end is importing. `start` gives what `subprocess.Popen` would, with the same
folder, environment, streams, signals and exit codes, for three tenths of a second less. Tests of how the command itself
starts, of its terminal, or of its children's memory use `subprocess`.

Run as a program, it is that process: over a socket (its file descriptor is the argument) come orders, each a JSON object (``words``,
``folder``, ``environment``) with four file descriptors, the child's three streams and a pipe into which its exit code is written.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

PROGRAM = "from headgate.cli.main import main; main()"
_LONGEST_ORDER = 1 << 17
_OPTIONS = {"stdin", "stdout", "stderr", "cwd", "env", "text"}


def start(*words: object, **options: Any) -> subprocess.Popen[Any]:
    """Start `headgate` with these words; `options` are those of `subprocess.Popen`. With others than those of its streams, `cwd`
    and `env`, and where this is not Linux, it is started as any program."""
    if not hasattr(os, "pidfd_open") or not options.keys() <= _OPTIONS:
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, words)], **options)
    return Forked([str(w) for w in words], **options)


def run(*words: object, given: str = "", seconds: float = 60, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `headgate` to its end and give what it said."""
    pipe = subprocess.PIPE
    with start(*words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options) as process:
        try:
            out, err = process.communicate(given, timeout=seconds)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class Forked(subprocess.Popen[Any]):
    """A child of the process that has imported everything, which is its parent instead of this one and waits for it."""

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
        startupinfo: Any, creationflags: Any, shell: Any, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
        errread: int, errwrite: int, *_: Any,
    ) -> None:  # fmt: skip
        given = ((p2cread, 0), (c2pwrite, 1), (errwrite, 2))
        self._ended, end = os.pipe()
        try:
            self.pid = _process().ask(args, cwd, env, [*(own if own != -1 else mine for own, mine in given), end])
        finally:
            os.close(end)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self._wait(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(os.read(self._ended, 16))
            os.close(self._ended)
        return self.returncode


class _Process:
    """The process that has imported everything. It ends when its socket does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asks, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )

        atexit.register(self.end)

    def end(self) -> None:
        """Let it end; its children go on."""
        self._asks.close()
        self._process.wait()

    def ask(self, words: list[str], folder: str | Path | None, environment: Any, streams: list[int]) -> int:
        """Have a child made; gives its process id."""
        order = {
            "words": words, "folder": str(Path(folder or ".").resolve()),
            "environment": dict(os.environ if environment is None else environment),
        }  # fmt: skip
        with self._lock:
            socket.send_fds(self._asks, [json.dumps(order).encode()], streams)
            return int(self._asks.recv(16))


@cache
def _process() -> _Process:
    return _Process()


def _imports() -> None:
    """Everything a command may need. None of it starts a thread when it is imported, but pyarrow's allocator, which minds forks."""
    from support.zygote import imports

    imports()
    import headgate.cli.serve_command
    import headgate.cli.singer_command
    import headgate.cli.worker_command
    import headgate.server.app
    import headgate.server.run  # noqa: F401

    assert threading.active_count() == 1


def _serve(asks: socket.socket) -> None:
    children: dict[int, tuple[int, int]] = {}
    while True:
        for ready in select.select([asks.fileno(), *children], [], [])[0]:
            if ready in children:
                pid, end = children.pop(ready)
                os.close(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with suppress(BrokenPipeError):
                    os.write(end, str(code).encode())
                os.close(end)
                continue
            order, given, _, _ = socket.recv_fds(asks, _LONGEST_ORDER, 4)
            if not order:
                return
            *streams, end = given
            pid = os.fork()
            if not pid:
                _be(json.loads(order), streams)
            for stream in streams:
                os.close(stream)
            children[os.pidfd_open(pid)] = pid, end
            asks.send(str(pid).encode())


def _be(order: dict[str, Any], streams: list[int]) -> NoReturn:
    """Be the command, as if this process had just begun."""
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 1024)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        time.tzset()
        tempfile.tempdir = None
        sys.argv = ["-c", *order["words"]]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from headgate.cli.main import main

        main()
    except BaseException:  # noqa: BLE001 - whatever it is, it must not go on as its parent
        traceback.print_exc()
    os._exit(70)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _imports()
    gc.disable()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
