"""Processes that stop at a point of `headgate.engine.crash`, and what must hold of a ledger whatever has happened."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

from .shop import Start, stopped

DONE = ("succeeded", "partial", "undone")
OUTCOMES = (
    "created", "updated", "unchanged", "deleted", "skipped", "invalid", "rejected", "held", "unknown",
)  # fmt: skip
REFUSED = ("invalid", "rejected", "held", "unknown")


def begun(start: Start, at: str, *words: object) -> subprocess.Popen[str]:
    """A command that has stopped at a point, and not while it gives the ledger a sign of life, which would keep that locked.

    Args:
        at: the point; which time it is reached after a colon, the first by default.
        words: of the command; a run of `items` by default.
    """
    point, _, count = at.partition(":")
    environment = {**os.environ, "HEADGATE_LEASE": "3600", "HEADGATE_CRASH": f"{point}:{count or 1}:stop"}
    process = start(*(words or ("run", "items")), env=environment)
    stopped(process)
    return process


def hit(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to the first thread of a process that has stopped: another one might take it, and the first go on for a
    while before it hears of it."""
    if tgkill := getattr(ctypes.CDLL(None), "tgkill", None):
        assert tgkill(process.pid, process.pid, int(number)) == 0
    else:
        process.send_signal(number)


def wake(process: subprocess.Popen[str]) -> None:
    """Let it go on."""
    process.send_signal(signal.SIGCONT)


def unsound(state: Path) -> list[str]:
    """What is wrong with the ledger in a folder: runs that are left open, accounts that do not add up or are not those of
    the rejects, files of runs that need none. To be asked when no command is running and the last one has settled all.
    """
    with closing(sqlite3.connect(state / "ledger.db")) as ledger:
        runs = ledger.execute("select id, kind, status, account, checkpoint, lease from headgate_run").fetchall()
        rejects = Counter[tuple[int, str]]()
        for number, outcome, records in ledger.execute(
            "select run_id, outcome, count(*) from headgate_reject where state <> 'fixed' group by run_id, outcome"
        ):
            rejects[number, outcome] = records
        held = ledger.execute("select name, run_id from headgate_lease where run_id is not null").fetchall()
    wrong = [f"{number} is at {name!r}, still" for name, number in held]
    for number, kind, status, text, *_ in runs:
        if status in ("running", "queued"):
            wrong.append(f"{kind} {number} is {status}")
        account = json.loads(text)
        if status not in DONE:
            continue
        if account["read"] != sum(account[o] for o in OUTCOMES) or account["balance"]:
            wrong.append(f"{kind} {number} does not add up: {account}")
        stored = {o: rejects[number, o] for o in REFUSED}
        if stored != (counted := {o: account[o] for o in REFUSED}):
            wrong.append(f"{kind} {number} counts {counted}, and has stored {stored}")
    needed = {
        "journal": {str(r[0]) for r in runs if r[1] != "plan" and (r[2] in DONE or len(r[4]) > 2)},
        "plans": {f"{r[0]}.arrow" for r in runs if r[1] == "plan" and r[2] in DONE},
    }
    for folder, names in needed.items():
        there = {p.name for p in (state / folder).glob("*")}
        wrong += [f"{folder}/{name} belongs to nothing" for name in sorted(there - names)]
    return wrong
