"""A run of files that is killed goes on where it was left, and files that change while they are read are not sent half."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from headgate.engine.crash import FILE_POINTS
from support import forked
from support.shop import stopped

from .conftest import Somewhere
from .uploading import Outbox

THEN = 1_700_000_000
LARGE = 48 << 20
UNSURE = 16 << 20


def started(**environment: str) -> subprocess.Popen[str]:
    null = subprocess.DEVNULL
    return forked.start(
        "run", "send", "--quiet", env=os.environ | environment, stdin=null, stdout=null, stderr=null, text=True
    )


def half(parts: Somewhere) -> int:
    """In how many pieces half of two large files is sent."""
    piece = 8 << 20 if parts.options["url"].startswith("file") else 255 << 10
    return LARGE // piece


def settled(parts: Somewhere) -> dict[str, bytes]:
    """What is there when the server has noticed that nobody sends any more."""
    there = parts.there()
    while True:
        time.sleep(0.5)
        before, there = there, parts.there()
        if before == there:
            return there


def large(seed: int) -> bytes:
    return seed.to_bytes(4, "big") * (LARGE // 4)


@pytest.fixture(params=["local", "sftp", "asyncssh", "ftp"])
def parts(request: pytest.FixtureRequest) -> Somewhere:
    """Somewhere that files are sent to under another name first."""
    found: Somewhere = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("at", [f"{p}:{n}" for p in FILE_POINTS for n in (1, 7)])
def test_a_run_that_is_killed_is_made_good_by_the_next(outbox: Outbox, store: Somewhere, at: str) -> None:
    files = {f"{n:02}.txt": f"file {n}".encode() for n in range(12)}
    for n, (name, data) in enumerate(files.items()):
        outbox.put(name, data, THEN + n)
    store.put("in/03.txt", b"was there")
    outbox.define(store, transfer={"backup": "kept"})
    if store.options["url"].startswith("s3"):
        at = at.replace("part.after", "piece.sent").replace("publish.after", "piece.sent")  # it knows no others
    assert started(HEADGATE_CRASH=at).wait(60) == -signal.SIGKILL
    counts = outbox.run()
    assert counts.get("rejected", 0) == 0
    assert sum(counts.values()) == len(files)
    there = {k: v for k, v in store.there().items() if k.startswith("in/")}
    assert there == {f"in/{name}": data for name, data in files.items()}
    assert outbox.run() == {"unchanged": len(files)}


def test_what_was_sent_before_a_kill_is_not_sent_again(outbox: Outbox, parts: Somewhere) -> None:
    files = {f"{n}.bin": large(n) for n in range(2)}
    for name, data in files.items():
        outbox.put(name, data, THEN)
    outbox.define(parts, transfer={"parallel": 2})
    assert started(HEADGATE_CRASH=f"piece.sent:{half(parts)}").wait(60) == -signal.SIGKILL
    left = settled(parts)
    said = outbox("run", "send", "--json")
    assert said.code == 0
    assert parts.there() == {f"in/{name}": data for name, data in files.items()}
    found: dict[str, Any] = said.json["partitions"][0]["findings"]
    unfinished = [len(data) for name, data in left.items() if name.endswith(".part")]
    assert unfinished
    again = sum(min(size, UNSURE) for size in unfinished)
    assert found["bytes_sent"] <= 2 * LARGE - sum(map(len, left.values())) + again
    assert found["bytes_there_before"] >= sum(unfinished) - again


def test_parts_that_a_bucket_has_are_not_sent_again(outbox: Outbox, bucket: Somewhere) -> None:
    files = {f"{n} ü.bin": large(n) for n in range(2)}
    for name, data in files.items():
        outbox.put(name, data, THEN)
    outbox.define(bucket)
    assert started(HEADGATE_CRASH="piece.sent:8").wait(60) == -signal.SIGKILL
    assert bucket.there() == {}
    found = outbox("run", "send", "--json").json["partitions"][0]["findings"]
    assert bucket.there() == {f"in/{name}": data for name, data in files.items()}
    assert found["bytes_there_before"] >= 2 << 23  # of 12 pieces of 8 MB, 4 at most were on their way
    assert found["bytes_sent"] + found["bytes_there_before"] == 2 * LARGE
    assert outbox.run() == {"unchanged": 2}


def test_parts_of_another_file_are_not_taken_for_its_own(outbox: Outbox, bucket: Somewhere) -> None:
    outbox.put("a.bin", large(1), THEN)
    outbox.define(bucket)
    assert started(HEADGATE_CRASH="piece.sent:5").wait(60) == -signal.SIGKILL
    outbox.put("a.bin", large(2), THEN + 1)
    assert outbox.run() == {"created": 1}
    assert bucket.there() == {"in/a.bin": large(2)}


@pytest.mark.parametrize("way", [{}, {"virtual_hosted_style_request": False}], ids=["parts", "obstore"])
def test_large_files_get_into_a_bucket_either_way(outbox: Outbox, bucket: Somewhere, way: dict[str, Any]) -> None:
    data = os.urandom((24 << 20) + 12_345)
    outbox.put("a.bin", data, THEN)
    outbox.define(Somewhere(bucket.options | way, bucket.put, bucket.there))
    assert outbox.run() == {"created": 1}
    outbox.put("a.bin", data[::-1], THEN + 1)
    assert outbox.run() == {"updated": 1}
    assert bucket.there() == {"in/a.bin": data[::-1]}
    assert outbox.run() == {"unchanged": 1}


def test_a_part_of_another_state_of_the_file_is_not_gone_on_with(outbox: Outbox, parts: Somewhere) -> None:
    outbox.put("a.bin", large(1), THEN)
    outbox.define(parts)
    assert started(HEADGATE_CRASH=f"piece.sent:{half(parts) // 2}").wait(60) == -signal.SIGKILL
    assert any(name.endswith(".part") for name in settled(parts))
    outbox.put("a.bin", large(2), THEN + 1)
    assert sum(outbox.run().values()) == 1
    assert parts.there() == {"in/a.bin": large(2)}


def test_a_run_is_stopped_by_hand_and_goes_on(outbox: Outbox, parts: Somewhere) -> None:
    files = {f"{n}.bin": large(n) for n in range(3)}
    for name, data in files.items():
        outbox.put(name, data, THEN)
    outbox.define(parts, transfer={"parallel": 1})
    process = started(HEADGATE_CRASH=f"piece.sent:{half(parts)}:stop")
    stopped(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 130
    shown = outbox("runs", "--json").json[0]
    assert shown["status"] == "cancelled"
    assert "what was sent before is kept" in shown["error"]
    outbox.run()
    assert parts.there() == {f"in/{name}": data for name, data in files.items()}


def growing(file: Path, every: float, times: int) -> threading.Thread:
    """Somebody who writes a file piece by piece."""

    def write() -> None:
        for _ in range(times):
            with file.open("ab") as out:
                out.write(b"more\n")
            time.sleep(every)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_a_file_that_grows_is_waited_for(outbox: Outbox, local: Somewhere) -> None:
    file = outbox.put("grows.txt", b"begun\n")
    outbox.put("other.txt", b"other", THEN)
    outbox.define(local, transfer={"growing": "wait", "settle": 1})
    writer = growing(file, 0.1, 10)
    counts = outbox.run()
    writer.join()
    assert counts == {"created": 2}
    assert local.there() == {"in/grows.txt": b"begun\n" + b"more\n" * 10, "in/other.txt": b"other"}


def test_a_file_that_grew_is_known_as_it_was_sent(outbox: Outbox, local: Somewhere) -> None:
    file = outbox.put("grows.txt", b"begun\n")
    how = {"growing": "wait", "settle": 1}
    outbox.define(local, source={"path": "outbox/", "done": {"move": "archive"}}, transfer=how)
    writer = growing(file, 0.1, 5)
    assert outbox.run() == {"created": 1}
    writer.join()
    assert not file.exists()
    assert (outbox.folder / "archive" / "grows.txt").read_bytes() == local.there()["in/grows.txt"]


def test_a_file_that_does_not_come_to_rest_is_a_reject(outbox: Outbox, local: Somewhere) -> None:
    file = outbox.put("grows.txt", b"begun\n")
    outbox.put("other.txt", b"other", THEN)
    outbox.define(local, transfer={"growing": "wait", "settle": 1, "patience": 0.2})
    over = threading.Event()

    def write() -> None:
        while not over.wait(0.05):
            with file.open("ab") as out:
                out.write(b"more\n")

    writer = threading.Thread(target=write)
    writer.start()
    said = outbox("run", "send", "--json")
    over.set()
    writer.join()
    assert said.counts == {"created": 1, "invalid": 1}
    assert [r["code"] for r in said.json["rejects"]] == ["FI01"]
    assert local.there() == {"in/other.txt": b"other"}


def test_a_file_that_changes_while_it_is_read_is_a_reject(outbox: Outbox, local: Somewhere, monkeypatch: Any) -> None:
    from headgate.connectors.files.local import LocalFolder

    file = outbox.put("a.txt", b"as it was", THEN)
    outbox.put("b.txt", b"other", THEN)
    outbox.define(local)
    send = LocalFolder.send

    def slow(self: Any, source: Path, *more: Any) -> Any:
        sent = send(self, source, *more)
        if source.name == "a.txt":
            file.write_bytes(b"as it is now")
        return sent

    monkeypatch.setattr(LocalFolder, "send", slow)
    said = outbox("run", "send", "--json")
    assert said.counts == {"created": 1, "invalid": 1}
    assert [r["code"] for r in said.json["rejects"]] == ["FI01"]
    assert local.there() == {"in/b.txt": b"other"}


@pytest.mark.parametrize("verify", ["quick", "read"])
def test_a_file_that_grows_while_it_is_copied_is_not_what_arrived_wrong(
    outbox: Outbox, local: Somewhere, monkeypatch: Any, verify: str
) -> None:
    from headgate.connectors.files.local import LocalFolder

    file = outbox.put("a.txt", b"as it was", THEN)
    outbox.define(local, transfer={"verify": verify})
    send = LocalFolder.send

    def late(self: Any, source: Path, *more: Any) -> Any:
        with file.open("ab") as out:  # what is added goes along, as the end of a file is where it is found
            out.write(b" and more")
        return send(self, source, *more)

    monkeypatch.setattr(LocalFolder, "send", late)
    said = outbox("run", "send", "--json")
    assert [r["code"] for r in said.json["rejects"]] == ["FI01"]
    assert local.there() == {}
