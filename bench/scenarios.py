"""What is measured: the definition Headgate runs, the floor it is held against, and what must be there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import floors
from orders import COLUMNS

FIELDS = {
    "id": {"type": "bigint"}, "customer_email": {"type": "text", "required": True}, "sku": {"type": "text", "required": True},
    "qty": {"type": "integer", "required": True}, "unit_price": {"type": "decimal(12,2)", "required": True},
    "currency": {"type": "text", "required": True}, "ordered_at": {"type": "timestamptz", "required": True},
    "shipped": {"type": "boolean", "required": True}, "note": {"type": "text"}, "country": {"type": "text", "required": True},
}  # fmt: skip
assert list(FIELDS) == list(COLUMNS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One comparison.

    Attributes:
        input: what `orders.make` makes; `rows` of it by default.
        floor: a psql script, or the mode of the hand-written Python load, `sqlite3`, or `headgate`.
        floor_name: what the floor is, for the table.
        target: the ratio to the floor's time that is asked for.
        settings: of the definition, beside source, fields, key and destination.
        preload: the table holds a million records before.
        exits: exit codes Headgate may end with.
        parallel: how many connections read a table at once.
    """

    title: str
    input: str
    rows: int
    floor: Callable[[Path], str] | str
    floor_name: str
    target: float
    settings: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=lambda: dict(FIELDS))
    preload: bool = False
    exits: tuple[int, ...] = (0,)
    parallel: int = 1

    @property
    def itself(self) -> bool:
        """Whether the floor is Headgate without what is measured: several connections, or else its journal."""
        return self.floor == "headgate"

    @property
    def sqlite(self) -> bool:
        """Whether the destination is SQLite."""
        return self.floor == "sqlite3"

    def reads(self, source: Path, url: str) -> dict[str, Any]:
        """What Headgate reads: a file, or a table of a database."""
        if self.input == "base":
            return {"connection": url, "table": floors.BASE} | (
                {"parallel": self.parallel} if self.parallel > 1 else {}
            )
        return (
            {"connection": f"sqlite:///{source}", "table": "orders"}
            if self.input == "sqlite"
            else {"path": str(source)}
        )

    def definition(self, source: Path, url: str, table: str) -> dict[str, Any]:
        """The definition Headgate runs. Where the table is not there before, the run makes it, with its key."""
        return {
            "source": self.reads(source, url),
            "fields": self.fields,
            "key": "id",
            "destination": {"connection": url, "table": table, "create": not self.preload},
            **self.settings,
        }

    def without(self, definition: dict[str, Any]) -> dict[str, Any]:
        """The definition of a floor that is Headgate itself."""
        if self.parallel == 1:
            return definition | {"journal": False}
        return definition | {"source": {k: v for k, v in definition["source"].items() if k != "parallel"}}


INSERT = {"operation": "insert"}
SCENARIOS = {
    "S1": Scenario("CSV into a new table", "orders", 2_000_000, floors.copy, r"psql `\copy` into the table with its key", 0.8, INSERT),
    "S2": Scenario("upsert, half of them there", "upsert", 500_000, floors.upsert, "staging + `ON CONFLICT`", 1.3, {"operation": "upsert"}, preload=True),
    "journal": Scenario("the same upsert: what the journal costs", "upsert", 500_000, "headgate", "Headgate, `journal: false`", 1.15, {"operation": "upsert"}, preload=True),
    "S3": Scenario("delete by key", "delete", 200_000, floors.delete, "staging + `DELETE USING`", 1.3, {"operation": "delete"}, {"id": {"type": "bigint"}}, preload=True),
    "S4": Scenario("XLSX into a new table", "xlsx", 100_000, "xlsx", "calamine + COPY in Python", 1.2, INSERT),
    "S5": Scenario("JSON lines into a new table", "jsonl", 1_000_000, "jsonl", "json + COPY in Python", 0.6, INSERT),
    "S6": Scenario("SQLite into a new table", "sqlite", 1_000_000, "sqlite", "sqlite3 + COPY in Python", 0.6, INSERT),
    "S6pg": Scenario("PostgreSQL into a new table", "base", 1_000_000, "piped", r"psql `\copy` piped into psql `\copy`", 1.2, INSERT),
    "ranges": Scenario("the same by four connections at once", "base", 1_000_000, "headgate", "Headgate, by one connection", 1.0, INSERT, parallel=4),
    "S7": Scenario("CSV, 1% bad, all reported", "dirty", 500_000, floors.dirty, "staging as text, checks in SQL", 0.5, INSERT | {"duplicates": "reject"}, exits=(3,)),
    "sqlite": Scenario("CSV into a new SQLite table", "orders", 2_000_000, "sqlite3", "sqlite3 `.import`", 1.0, INSERT),
}  # fmt: skip
