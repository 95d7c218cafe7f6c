"""The floor of S10: a client written by hand with aiohttp, 100 records a call, 8 calls at once. argv: file, URL."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import aiohttp

FILE, URL = sys.argv[1], sys.argv[2]


def batches() -> Iterator[str]:
    with Path(FILE).open(newline="", encoding="utf-8") as f:
        reader = csv.DictReader(f)
        while rows := list(islice(reader, 100)):
            for row in rows:
                row["id"], row["qty"] = int(row["id"]), int(row["qty"])
                row["shipped"], row["note"] = row["shipped"] == "true", row["note"] or None
            yield json.dumps(rows)


async def main() -> None:
    going = batches()

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in going:
            async with session.post(URL, data=body, headers={"content-type": "application/json"}) as answer:
                assert answer.status == 200
                await answer.read()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(worker(session) for _ in range(8)))


asyncio.run(main())
