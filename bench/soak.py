"""Minutes of requests from 64 callers, one record in a hundred bad, the server killed and started again twice.

    bench/run.py soak                    ten minutes
    bench/run.py soak --seconds 60

Every caller sends a record until it is answered, again after a connection was lost. Afterwards everything that was acknowledged must
be in the table once, everything refused must not, and the memory of the server must not have grown between its first and its last
minute of calm.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from measure import PAGE, tree
from s8 import BIN, DEFINITION, TABLE

CALLERS = 64


@dataclass
class Soak:
    """What callers and the one who kills share."""

    port: int
    home: Path
    token: str = ""
    next: int = 0
    good: set[int] = field(default_factory=set)
    bad: set[int] = field(default_factory=set)
    again: int = 0
    over: bool = False

    def start(self) -> subprocess.Popen[bytes]:
        with (self.home / "output").open("ab") as output:
            process = subprocess.Popen(
                [BIN / "headgate", "serve", "--port", str(self.port)], cwd=self.home, stdout=output, stderr=output,
                env=os.environ | {"HEADGATE_HOME": str(self.home / "state"), "HEADGATE_LEASE": "5"},
            )  # fmt: skip
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        if not self.token and (found := re.search(rb"\bhg_[\w-]+", (self.home / "output").read_bytes())):
            self.token = found[0].decode()
        return process

    async def caller(self) -> None:
        """Send one record after the other."""
        streams = None
        while not self.over:
            self.next += 1
            number = self.next
            while True:
                try:
                    if streams is None:
                        streams = await asyncio.open_connection("127.0.0.1", self.port)
                    status = await self.send(*streams, number)
                except (OSError, asyncio.IncompleteReadError):
                    streams = None
                    self.again += 1
                    await asyncio.sleep(0.05)
                    continue
                if status in (200, 422):
                    (self.good if status == 200 else self.bad).add(number)
                    break
                await asyncio.sleep(0.2)

    async def send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> int:
        body = json.dumps({
            "id": number, "customer_email": f"user{number}@example.com", "sku": "00001", "qty": "x" if number % 100 == 0 else 5,
            "unit_price": "12.50", "currency": "EUR", "ordered_at": "2024-03-07T13:45:10+02:00", "shipped": True, "country": "NO",
        }).encode()  # fmt: skip
        head = (
            "POST /api/imports/orders/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = re.search(r"content-length: (\d+)", told)
        await reader.readexactly(int(length[1]) if length else 0)
        return int(told.split()[1])


def resident(process: subprocess.Popen[bytes]) -> int:
    """Of a server and its children, in MiB."""
    found = 0
    for pid in tree(process.pid):
        try:
            found += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
    return found * PAGE >> 20


async def _run(soak: Soak, seconds: int) -> list[tuple[int, int]]:
    process = soak.start()
    callers = [asyncio.create_task(soak.caller()) for _ in range(CALLERS)]
    began, kills, memory = time.monotonic(), [seconds / 3, 2 * seconds / 3], []
    while (gone := time.monotonic() - began) < seconds:
        await asyncio.sleep(1)
        memory.append((int(gone), resident(process)))
        if int(gone) % 30 == 0:
            print(f"  soak {gone:4.0f} s: {len(soak.good):,} acknowledged, {memory[-1][1]} MiB", file=sys.stderr)
        if kills and gone > kills[0]:
            kills.pop(0)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)
            print(f"  soak {gone:4.0f} s: killed", file=sys.stderr)
            process = await asyncio.to_thread(soak.start)
    soak.over = True
    await asyncio.gather(*callers)
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait)
    return memory


def run(url: str, seconds: int) -> None:
    """Do it.

    Raises:
        SystemExit: something is not as it must be.
    """
    with tempfile.TemporaryDirectory(prefix="headgate-bench-") as folder, socket.socket() as free:
        home = Path(folder)
        (home / "imports").mkdir()
        (home / "headgate.yaml").write_text(f"connections: {{ shop: {json.dumps(url)} }}\n")
        (home / "imports" / "orders.yaml").write_text(DEFINITION)
        with psycopg.connect(url, autocommit=True) as c:
            c.execute(TABLE)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        soak = Soak(port, home)
        memory = asyncio.run(_run(soak, seconds))
        with psycopg.connect(url) as c:
            there = {n for (n,) in c.execute("select id from bench.orders").fetchall()}
    calm = [m for _, m in memory[len(memory) // 10 : len(memory) // 3]], [m for _, m in memory[-len(memory) // 4 :]]
    first, last = (sum(part) // max(1, len(part)) for part in calm)
    print(
        f"soak: {seconds} s, {len(soak.good):,} records acknowledged ({len(soak.good) / seconds:,.0f}/s), {len(soak.bad):,} refused, "
        f"{soak.again:,} connections lost and requests repeated, memory {first} MiB at first and {last} MiB at last"
    )
    if lost := soak.good - there:
        raise SystemExit(f"LOST: {len(lost)} records were acknowledged and are not there, {sorted(lost)[:5]}")
    if wrong := soak.bad & there:
        raise SystemExit(f"WRONG: {len(wrong)} records were refused and are there, {sorted(wrong)[:5]}")
    if last > first * 1.3 + 20:
        raise SystemExit(f"the memory grew from {first} to {last} MiB")
