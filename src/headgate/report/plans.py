"""Plans as text and as JSON, side by side: what would be created, changed field by field, and deleted."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headgate.model.outcome import Outcome
from headgate.model.record import RejectCount
from headgate.model.run import Run
from headgate.model.write import ACTION, NUMBER, OLD

from . import runs

if TYPE_CHECKING:
    from rich.console import Console

    from .page import Page


@dataclass(frozen=True, slots=True)
class Change:
    """One record a plan would change.

    Attributes:
        key: its key.
        values: for created and deleted records: field to value (deleted: as it is now).
        changes: for updated records: field, old, new.
    """

    key: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    changes: tuple[tuple[str, Any, Any], ...] = ()


@dataclass(slots=True)
class Digest:
    """A plan's changes, summed up: how many of each action, how often each field changes, and samples."""

    counts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Change]] = field(default_factory=lambda: {a: [] for a in ("created", "updated", "deleted")})


def digest(changes: Iterable[pa.RecordBatch], key: Sequence[str], samples: int) -> Digest:
    """Read all changes (columns as `headgate.spi.destination.Writer.changes` gives them), keeping `samples` an action."""
    import pyarrow.compute as pc

    made = Digest()
    for batch in changes:
        names = [n for n in batch.schema.names if n not in (NUMBER, ACTION) and not n.startswith(OLD)]
        for action, kept in made.samples.items():
            chosen = batch.filter(pc.equal(batch.column(ACTION), action))
            made.counts[action] += chosen.num_rows
            if action == Outcome.UPDATED:
                for name in names:
                    made.fields[name] += _differing(chosen.column(name), chosen.column(OLD + name))
            wanted = chosen.slice(0, samples - len(kept)).to_pylist()
            kept += [_change(row, names, key, action) for row in wanted]
    made.fields = +made.fields
    return made


def _differing(new: pa.Array, old: pa.Array) -> int:
    """In how many places two arrays differ; nothing equals nothing, and not-a-number itself."""
    import pyarrow.compute as pc

    same = pc.or_(pc.fill_null(pc.equal(new, old), False), pc.and_(pc.is_null(new), pc.is_null(old)))
    if pa.types.is_floating(new.type):
        same = pc.or_(same, pc.fill_null(pc.and_(pc.is_nan(new), pc.is_nan(old)), False))
    return len(new) - int(pc.sum(same).as_py() or 0)


def _change(row: Mapping[str, Any], names: Sequence[str], key: Sequence[str], action: str) -> Change:
    identity = {k: row[k] for k in key}
    if action == Outcome.UPDATED:
        pairs = ((n, row[OLD + n], row[n]) for n in names)
        return Change(
            identity,
            changes=tuple((n, old, new) for n, old, new in pairs if old != new and not (old != old and new != new)),
        )
    prefix = OLD if action == Outcome.DELETED else ""
    return Change(identity, {n: row[prefix + n] for n in names if n not in identity})


def plan_json(
    run: Run,
    changes: Iterable[pa.RecordBatch],
    key: Sequence[str],
    counts: Iterable[RejectCount] = (),
    *,
    samples: int = 10,
) -> dict[str, object]:
    """A plan as JSON shows it: the keys of `run_json`, and ``changes``.

    That has ``created``, ``updated``, ``deleted`` (how many records), ``fields`` (how many updated records change in each field)
    and ``samples``: of ``created`` and ``deleted`` ``{key, values}``, of ``updated`` ``{key, changes: [{field, old, new}]}``.
    Decimals are text, so that no digit is lost; dates and times are ISO 8601; binary is Base64;
    what JSON has no number for (`inf`, `nan`) is text.
    """
    made = digest(changes, key, samples)
    return runs.run_json(run, counts) | {
        "changes": {
            **{action: made.counts[action] for action in made.samples},
            "fields": dict(made.fields.most_common()),
            "samples": {action: [_sample_json(c, action) for c in kept] for action, kept in made.samples.items()},
        }
    }


def changes_json(
    changes: Iterable[pa.RecordBatch], key: Sequence[str], after: int, limit: int
) -> list[dict[str, object]]:
    """A page of a plan's changes, in their order: each with its ``action`` and the keys that samples of `plan_json` have.

    Args:
        after: leave out so many first.
        limit: at most so many.
    """
    found: list[dict[str, object]] = []
    for batch in changes:
        if after >= batch.num_rows:
            after -= batch.num_rows
            continue
        names = [n for n in batch.schema.names if n not in (NUMBER, ACTION) and not n.startswith(OLD)]
        for row in batch.slice(after, limit - len(found)).to_pylist():
            action = row[ACTION]
            found.append({"action": action, **_sample_json(_change(row, names, key, action), action)})
        after = 0
        if len(found) == limit:
            break
    return found


def _sample_json(change: Change, action: str) -> dict[str, object]:
    key = {k: _plain(v) for k, v in change.key.items()}
    if action == Outcome.UPDATED:
        return {"key": key, "changes": [{"field": f, "old": _plain(o), "new": _plain(n)} for f, o, n in change.changes]}
    return {"key": key, "values": {k: _plain(v) for k, v in change.values.items()}}


def _plain(value: object) -> object:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def plan_text(
    run: Run,
    changes: Iterable[pa.RecordBatch],
    key: Sequence[str],
    console: Console,
    counts: Sequence[RejectCount] = (),
    *,
    samples: int = 5,
) -> None:
    """A plan for a person: the balance, samples of what would become of which record, schema changes, rejects, warnings.

    Args:
        run: the plan.
        changes: all its changes, columns as `headgate.spi.destination.Writer.changes` gives them.
        key: the fields that say which record it is; empty for append.
        console: where it is written; its width is kept to.
        counts: its rejects by code and field.
        samples: how many records of each action are shown.
    """
    from .page import Page

    page, made = Page(console), digest(changes, key, samples)
    runs.head(page, run)
    page.line(("Nothing has been written.", "dim"))
    runs.schema_changes(page, run, "Would change the schema")
    for action, kept in made.samples.items():
        if made.counts[action]:
            shown = f", {len(kept):,} shown" if len(kept) < made.counts[action] else ""
            page.heading(f"Would be {action}: {made.counts[action]:,}{shown}")
            if action == Outcome.UPDATED:
                _fields(page, made)
            for change in kept:
                _sample(page, change)
    runs.rejects(page, counts, run.account.rejects)
    runs.warnings(page, run)
    runs.next_commands(page, run)


def _fields(page: Page, made: Digest) -> None:
    page.line(("fields: " + ", ".join(f"{name} {n:,}" for name, n in made.fields.most_common()), "dim"), indent=2)


def _sample(page: Page, change: Change) -> None:
    name = ", ".join(f"{k} {_short(page, v)}" for k, v in change.key.items())
    values = ", ".join(f"{k} {_short(page, v)}" for k, v in change.values.items() if v is not None)
    if change.changes:
        page.line((name, "bold"), indent=2)
        page.columns(
            [(f, _short(page, old), page.arrow, _short(page, new)) for f, old, new in change.changes], indent=4
        )
        return
    width = page.width - 2
    if name and values:
        name += ": "
    page.line((page.cut(name, width), "bold"), page.cut(values, max(width - len(name), 0)), indent=2)


def _short(page: Page, value: object) -> str:
    """A value on part of a line: nothing as (nothing), long text cut, text with blanks at its ends in quotes."""
    if value is None:
        return "(nothing)"
    text = str(_plain(value))
    return page.cut(f'"{text}"' if text != text.strip() or not text else text, max((page.width - 30) // 2, 12))
