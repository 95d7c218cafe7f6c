"""Killing runs that send records to an API, and comparing what the next run makes of it with an undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.testing.crud import CrudServer

from .crashing import Zygote
from .trouble import unsound

BATCH = 5
"""Records of a commit."""
PEOPLE = [{"email": f"p{i:02}@example.com", "name": f"Person {i}", "owed": f"{i}.50"} for i in range(12)]
THERE = [
    {"email": p["email"], "name": p["name"] if i % 2 else "old", "owed": i + 0.5, "tags": ["a", {"b": 1}]}
    for i, p in enumerate(PEOPLE)
    if i % 3
]
FIND = {
    "method": "POST", "path": "/people/find", "body": {"any": {"$each": {"email": "{email}"}}}, "records": "items", "batch": 3,
}  # fmt: skip
RESULTS = {"records": "results", "failed": {"error": True}, "record": "record", "status": "status", "field": "field"}
CHANGE = {"$each": {"id": "{id}", "set": "{record}"}}
PLAIN: dict[str, Any] = {
    "find": FIND, "create": "POST /people", "update": "PATCH /people/{id}", "delete": "DELETE /people/{id}",
}  # fmt: skip
BATCHED: dict[str, Any] = {
    "find": FIND,
    "create": {"path": "/people/batch", "batch": 2, "answer": RESULTS},
    "update": {"method": "POST", "path": "/people/change", "batch": 2, "body": CHANGE, "answer": RESULTS},
    "delete": {"method": "POST", "path": "/people/remove", "body": {"$each": "{id}"}, "batch": 2, "answer": RESULTS},
}
KEYED: dict[str, Any] = {"create": {"path": "/people", "idempotency": "Idempotency-Key"}}
BARE: dict[str, Any] = {"create": "POST /people"}
LISTED: dict[str, Any] = {**PLAIN, "listing": {"path": "/people", "records": "items"}}
LISTED_BATCHED: dict[str, Any] = {**BATCHED, "listing": LISTED["listing"]}
GONE = [{"email": f"g{i}@example.com", "name": f"Gone {i}", "owed": 1.5, "tags": [i]} for i in range(4)]
"""People that no file has."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
        there: what the API has before.
        unique: whether it refuses a second record with the same address.
        verb: ``run``; ``plan``: a plan of it that was made before; ``undo``: of it.
        sure: whether it can be found out what became of every record.
        fields, settings: of the definition, beside those of every case.
    """

    name: str
    resource: dict[str, Any]
    operation: str
    there: Sequence[Record] = tuple(THERE)
    unique: bool = False
    verb: str = "run"
    sure: bool = True
    fields: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


class Server(CrudServer):
    """Kills whoever runs a command when it has seen, or has done, so many requests that write."""

    def __init__(self, pid: Path, **more: Any) -> None:
        self._pid = pid
        self.writes = 0
        self.kill_before = self.kill_after = 0
        super().__init__(**more)

    def answer(self, method: str, target: str, headers: Any, raw: bytes) -> Any:
        """See `CrudServer`."""
        writes = method != "GET" and not target.endswith("/find")
        with self._lock:
            self.writes += writes
            number = self.writes
        if writes and number == self.kill_before:
            self._kill()
            return None
        found = super().answer(method, target, headers, raw)
        if writes and number == self.kill_after:
            self._kill()
        return found

    def _kill(self) -> None:
        os.kill(int(self._pid.read_text()), signal.SIGKILL)


@dataclass
class Seen:
    """What is left: the API's records without its own ids, and the account and rejects of the first run that was done."""

    records: list[Record]
    account: dict[str, Any]
    rejects: list[tuple[Any, ...]]


class Place:
    """A case's project and API, made anew for every kill."""

    def __init__(self, case: Case, folder: Path, zygote: Zygote) -> None:
        self.case, self.folder, self._zygote = case, folder, zygote
        self.api: Server

    def using(self, work: Callable[[Place], Any], *, delay: float = 0.0) -> Any:
        """Do something with a fresh API and ledger, what the case needs done before being done."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "imports").mkdir(parents=True)
        with Server(self.folder / "said.txt.pid", delay=0.0) as self.api:
            self.api.add("people", self.case.there, unique=[("email",)] if self.case.unique else [])
            self._define()
            if self.case.verb != "run":
                self.headgate("run" if self.case.verb == "undo" else "plan", "people")
            self.api.writes, self.api.delay = 0, delay
            return work(self)

    def _define(self) -> None:
        case = self.case
        crm = {"url": self.api.url, "private": True, "retries": 0, "timeout": 1, "concurrency": 2}
        crm["resources"] = {"people": case.resource}
        (self.folder / "headgate.yaml").write_text(json.dumps({"connections": {"crm": crm}}))
        fields = {"email": {"type": "text"}, "name": {"type": "text"}, "owed": {"type": "decimal(9,2)"}}
        delete = case.operation == "delete"
        definition = {
            "source": {"path": "people.csv", "delimiter": ",", "header": 1, "encoding": "utf-8", "quote": '"'},
            "fields": {"email": {"type": "text"}} if delete else fields | case.fields, "operation": case.operation,
            "limits": {"deletes": None}, "destination": {"connection": "crm", "table": "people"},
            **case.settings, **({} if case.operation == "append" else {"key": "email"}),
        }  # fmt: skip
        (self.folder / "imports" / "people.yaml").write_text(json.dumps(definition))
        lines = (",".join(p.values()) for p in PEOPLE)
        (self.folder / "people.csv").write_text("email,name,owed\n" + "\n".join(lines) + "\n")

    def headgate(self, *words: object, **how: Any) -> tuple[int, str]:
        """Exit code (negative when killed), and what was printed."""
        code, _, said = self._zygote.run(self.folder, *words, "--quiet", batch=BATCH, **how)
        return code, said

    def command(self, **how: Any) -> tuple[int, str]:
        """The case's own."""
        words = {"run": ("run", "people"), "undo": ("undo", 1), "plan": ("run", "--plan", 1)}[self.case.verb]
        return self.headgate(*words, **how)

    def ledger(self, sql: str) -> list[tuple[Any, ...]]:
        """What the ledger says."""
        with closing(sqlite3.connect(self.folder / "state" / "ledger.db")) as c:
            return c.execute(sql).fetchall()

    def records(self) -> list[Record]:
        """What the API has, with every number as one text."""
        own = ({k: v for k, v in r.items() if k != "id" and v is not None} for r in self.api.records("people"))
        return sorted(({**r, "owed": f"{float(r['owed']):.2f}"} if "owed" in r else r for r in own), key=repr)

    def ids_differ(self) -> str:
        """How the ids that the ledger knows differ from those that the API has; of records without a key there are none."""
        known = {json.loads(mark)[0]: id_ for mark, id_ in self.ledger("select mark, id from headgate_id")}
        keyed = self.case.operation != "append"
        there = {r["email"]: r["id"] for r in self.api.records("people")} if keyed else {}
        return "" if known == there else f"the ledger has the ids {known}, not {there}"

    def seen(self) -> Seen:
        """See `Seen`."""
        kind = "undo" if self.case.verb == "undo" else "run"
        done = "'succeeded', 'partial'" + (", 'undone'" if kind == "run" else "")
        runs = self.ledger(
            f"select id, account from headgate_run where kind = '{kind}' and status in ({done}) order by id limit 1"
        )
        if not runs:
            return Seen(self.records(), {}, [])
        number, account = runs[0]
        rejects = self.ledger(f"select number, outcome from headgate_reject where run_id = {number} order by number")
        return Seen(self.records(), json.loads(account), rejects)


class Killer:
    """Kills the runs of one case."""

    def __init__(self, case: Case, folder: Path, zygote: Zygote) -> None:
        self.case, self.place = case, Place(case, folder, zygote)
        self.before: list[Record] = []

        def undisturbed(place: Place) -> Seen:
            self.before = place.records()
            place.command()
            return place.seen()

        self.undisturbed: Seen = self.place.using(undisturbed)
        self.writes = self.place.api.writes
        self.wrong: list[str] = []
        self.hit = 0

    def kill(
        self, how: str, *, delay: float = 0.0, undo: bool = False, fault: dict[str, Any] | None = None, **when: Any
    ) -> None:
        """Kill once, run again, compare.

        Args:
            how: it is called, for messages.
            delay: seconds of every answer.
            undo: take the run back afterwards.
            fault: of the API, as `CrudServer.fault` takes it.
            when: ``crash``, a point; ``kill_after``, seconds; ``before`` or ``after``, a number of requests that write.
        """

        def work(place: Place) -> None:
            place.api.kill_before, place.api.kill_after = when.pop("before", 0), when.pop("after", 0)
            if fault is not None:
                place.api.fault(**fault)
            code, said = place.command(ok=False, **when)
            self.hit += code == -9
            place.api.kill_before = place.api.kill_after = 0
            if code not in (-9, 0, 1, 3):
                self.wrong.append(f"{how}: ended with {code}: {said[-500:]}")
            place.api.delay = 0.0
            self._again(place, how)
            if undo:
                self._undo(place, how)

        self.place.using(work, delay=delay)

    def _again(self, place: Place, how: str) -> None:
        code, said = place.command(ok=False)
        over = code == 2 and {"undo": "undone already", "plan": "was run"}.get(self.case.verb, "\0") in said
        if code not in (0, 3) and not over:
            self.wrong.append(f"{how}: the second run ended with {code}: {said[-500:]}")
        found, wanted = place.seen(), self.undisturbed
        self.wrong += [f"{how}: {what}" for what in unsound(place.folder / "state")]
        if not self.case.sure and not over:
            return self._unsure(found, how)
        if found.records != wanted.records:
            lost = [r for r in wanted.records if r not in found.records]
            more = [r for r in found.records if r not in wanted.records]
            self.wrong.append(f"{how}: {len(found.records)} records, lost {lost}, too many {more}")
        if found.account != wanted.account:
            self.wrong.append(f"{how}: the ledger has {found.account}, not {wanted.account}")
        if differ := place.ids_differ():
            self.wrong.append(f"{how}: {differ}")
        if found.rejects != wanted.rejects:
            self.wrong.append(f"{how}: the ledger has the rejects {found.rejects}, not {wanted.rejects}")
        return None

    def _unsure(self, found: Seen, how: str) -> None:
        """Nothing twice, and what is lacking is said to be unknown."""
        emails = Counter(r["email"] for r in found.records)
        if twice := [e for e, n in emails.items() if n > 1]:
            self.wrong.append(f"{how}: twice: {twice}")
        account = found.account
        if account.get("created", 0) + account.get("unknown", 0) != len(PEOPLE):
            self.wrong.append(f"{how}: the ledger has {account}")
        if not account.get("created", 0) <= len(emails):
            self.wrong.append(f"{how}: {len(emails)} records, and {account['created']} are said to be created")

    def _undo(self, place: Place, how: str) -> None:
        code, said = place.headgate("undo", 1, ok=False)
        if code != 0:
            self.wrong.append(f"{how}: the undo ended with {code}: {said[-500:]}")
        if place.records() != self.before:
            self.wrong.append(f"{how}: undone, the API has not what it had: {place.records()}")
        if differ := place.ids_differ():
            self.wrong.append(f"{how}, undone: {differ}")
