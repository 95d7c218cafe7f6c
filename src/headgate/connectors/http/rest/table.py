"""The files that jobs get and give: CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from headgate.connectors.http.job import JobSpec

from .requests import Parcel
from .template import text

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The records of a job.

    Attributes:
        data: the file.
        by: columns by which a record is known in the files of results; only the own id where that is one of them.
        marks: of the records, in their order (`mark`).
    """

    data: bytes
    by: Sequence[str]
    marks: Sequence[str]


def table(job: JobSpec, parcel: Parcel, key: Sequence[str]) -> Table:
    """The file of a job.

    Args:
        key: names of the key's fields.

    Raises:
        ValueError: a text cannot be told from no value.
    """
    rows = [row(job, parcel.name, item.values.id, item.values.record) for item in parcel.items]
    columns = list(dict.fromkeys(name for one in rows for name in one))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    by = list(key) if key and set(key) <= set(columns) else columns
    if parcel.name in ("update", "delete"):
        by = [job.own]
    return Table(out.getvalue().encode(), by, [mark(one, by) for one in rows])


def row(job: JobSpec, name: str, id_: Any, record: Mapping[str, Any]) -> Row:
    """A record as a row.

    Raises:
        ValueError: a text cannot be told from no value.
    """
    own = {job.own: text(id_)} if name in ("update", "delete") else {}
    if name == "delete":
        return own
    cells = dict(_cells(record, ""))
    for column, value in cells.items():
        if job.clear and value == job.clear:
            raise ValueError(f"{column}: {value} stands for no value in this file")
    return {**own, **{c: job.clear if v in (None, "") else text(v) for c, v in cells.items()}}


def _cells(record: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _cells(value, f"{before}{name}.")
        else:
            yield before + name, value


def mark(one: Mapping[str, str | None], by: Sequence[str]) -> str:
    """What tells a row from others, short."""
    whole = "\x1f".join(one.get(name) or "" for name in by)
    return blake2b(whole.encode(), digest_size=10).hexdigest()


def rows(body: Any) -> list[Row]:
    """The rows of a file that was answered."""
    if not isinstance(body, str):
        return []
    return [
        {k: v or "" for k, v in one.items() if k is not None} for one in csv.DictReader(io.StringIO(body, newline=""))
    ]
