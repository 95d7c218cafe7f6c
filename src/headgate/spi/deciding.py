"""What every operation and option means, in plain Python, for destinations whose records are at hand as dicts.

This is written to be read: records are dicts, what is there is a dict of numbered rows, and every decision stands in
`Decides._decide`, one record at a time. Where the contract leaves room, this is the way taken:

- The duplicates rule works within one match: with `batched`, a later batch finds what an earlier one committed.
- Refused deletions by mirror (only a plan that has drifted has them) are left alone and not counted at all.
- Mirror without any record empties its scope; not to let that happen is the engine's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any, Final

import msgspec
import pyarrow as pa

from headgate.model.codes import CODES
from headgate.model.outcome import Account, Outcome
from headgate.model.write import ACTION, DELETE, KEEP, NUMBER, OLD, Matched, Operation, Refusal, WriteSpec

Row = dict[str, Any]
LISTED_ROWS: Final = 65_536
"""Most rows of a batch that is given out."""

SKIPS: Final = {
    "duplicate": "another record of the run has this key, and counts",
    "existing": "the destination already has a record with this key",
    "missing": "the destination has no record with this key",
}


class Change(msgspec.Struct, frozen=True):
    """What is to be done with one record. (There is one for every record, and this kind of class is made the quickest.)

    Attributes:
        action: created, updated or deleted.
        number: the record's number within the run; None for a deletion by mirror.
        values: the value each field will have; of a deletion only the key's.
        row: number of the destination's row; None for created.
    """

    action: Outcome
    number: int | None
    values: Row
    row: int | None = None


class Decides(ABC):
    """Decides what becomes of the records of one match; a writer derives from it.

    Attributes:
        _spec: what the writer was told.
        _records: those written since the last commit, as batches have them (`headgate.spi.destination.Writer.write`).
        _rows: what is there, by a number of its own.
        _changes: what is to be done, in the order of the records, mirror's deletions last.
        _decided: everything but the changes.
    """

    def __init__(self, spec: WriteSpec) -> None:
        self._spec = spec
        self._records: list[Row] = []
        self._rows: dict[int, Row] = {}
        self._changes: list[Change] = []
        self._decided = Matched(Account())

    @abstractmethod
    def _check_open(self) -> None:
        """Called for every record; raises to break off."""

    def _typed(self, name: str, value: object) -> list[object]:
        """Of mirror: values written in a definition (one, or a list of them) as rows hold those of that column."""
        raise NotImplementedError(f"{type(self).__name__} does not mirror: {name}, {value}")

    def _shown(self, value: Any) -> Any:
        """A row's value as `changes` shows it, in the type of its field."""
        return value

    def match(self, *, deletions: bool = True) -> Matched:
        """Decide what becomes of every record written since the last commit."""
        self._check_open()
        self._changes, self._decided = [], Matched(Account())
        # Deletions by mirror that come from a plan are no records of the source.
        self._decided.account.read = sum(r[NUMBER] is not None for r in self._records)
        found = self._by_key(self._rows.items())
        for record in self._one_a_key():
            self._check_open()
            self._decide(record, found.get(self._key(record), []) if self._spec.key else [])
        if self._spec.operation is Operation.MIRROR:
            self._sweep(deletions=deletions and not self._spec.planned)
        self._changes.sort(key=lambda c: (c.number is None, c.number))
        return self._result(self._changes, [])

    def changes(self) -> Iterator[pa.RecordBatch]:
        """The changes field by field (`headgate.spi.destination.Writer.changes`)."""
        fields = self._spec.fields
        schema = pa.schema(
            [(NUMBER, pa.int64()), (ACTION, pa.string())]
            + [(f.name, f.type.arrow) for f in fields]
            + [(OLD + f.name, f.type.arrow) for f in fields]
        )
        for start in range(0, len(self._changes), LISTED_ROWS):
            rows = []
            for c in self._changes[start : start + LISTED_ROWS]:
                old = self._rows[c.row] if c.row is not None else {}
                news = {f.name: self._shown(c.values.get(f.name)) for f in fields}
                olds = {OLD + f.name: self._shown(old.get(f.name)) for f in fields}
                rows.append({NUMBER: c.number, ACTION: c.action.value, **news, **olds})
            yield pa.RecordBatch.from_pylist(rows, schema=schema)

    def _forget(self) -> None:
        """Be ready for other records."""
        self._records, self._changes = [], []

    def _result(self, done: list[Change], refused: list[Refusal]) -> Matched:
        """The account with these changes made, and these records refused or skipped besides."""
        account = deepcopy(self._decided.account)
        account.outcomes.update(c.action for c in done if c.number is not None)
        account.mirror_deleted = sum(c.number is None for c in done)
        for r in refused:
            account.add(Outcome(r.outcome), reason=r.code if r.outcome == Outcome.SKIPPED else "")
        refusals = sorted(self._decided.refusals + refused, key=lambda r: r.number)
        return Matched(account, refusals, self._decided.in_scope)

    def _deletes(self, record: Row) -> bool:
        return self._spec.operation is Operation.DELETE or bool(record.get(DELETE))

    def _key(self, row: Row) -> tuple[object, ...]:
        return tuple([row[k] for k in self._spec.key])  # quicker than a generator, for every record

    def _decide(self, record: Row, found: list[int]) -> None:
        """What becomes of one record, whose key `found` rows have."""
        spec, number = self._spec, record[NUMBER]
        if spec.planned:
            self._decide_planned(record, found)
        elif found and spec.operation is Operation.INSERT:
            self._skip_or_reject(number, spec.existing, "existing", "KY03")
        elif len(found) > 1:
            self._refuse(number, Outcome.REJECTED, "KY05")
        elif not found and (self._deletes(record) or spec.operation is Operation.UPDATE):
            self._skip_or_reject(number, spec.missing, "missing", "KY04")
        elif not found:
            # A field for updates only is left out, and so is empty.
            values = {f.name: None if f.when == "updated" else record[f.name] for f in spec.fields}
            self._changes.append(Change(Outcome.CREATED, number, values))
        elif self._deletes(record):
            self._delete(number, found[0])
        else:
            self._update(record, found[0])

    def _update(self, record: Row, row: int) -> None:
        """Updated if a field differs that is written to existing records, unchanged otherwise."""
        old = self._rows[row]
        values, differs = {}, False
        for f in self._spec.fields:
            stays = f.when == "created" or bool(record.get(KEEP + f.name))
            values[f.name] = old[f.name] if stays else record[f.name]
            differs |= f.when != "updated" and not same(values[f.name], old[f.name])
        if differs:
            self._changes.append(Change(Outcome.UPDATED, record[NUMBER], values, row))
        else:
            self._decided.account.add(Outcome.UNCHANGED)

    def _decide_planned(self, record: Row, found: list[int]) -> None:
        """Do as planned if the destination's record is as it was, and hold it otherwise."""
        number, action = record[NUMBER], Outcome(record[ACTION])
        names = [f.name for f in self._spec.fields]
        watched = [n for n in names if not record.get(KEEP + n)]
        if not self._spec.key and action is Outcome.DELETED:
            taken = {c.row for c in self._changes}
            found = [row for row in reversed(self._rows) if row not in taken]
        alike = [row for row in found if all(same(self._shown(self._rows[row][n]), record[OLD + n]) for n in watched)]
        if self._spec.forced:
            alike = found
        if number is None:
            # A deletion by mirror: of several records with one key each stands for itself.
            taken = {c.row for c in self._changes}
            if left := [row for row in alike if row not in taken]:
                self._delete(None, left[0])
        elif action is Outcome.CREATED and not found:
            self._changes.append(Change(action, number, {n: record[n] for n in names}))
        elif (action is Outcome.CREATED and not self._spec.forced) or (self._spec.key and len(found) != 1) or not alike:
            self._refuse(number, Outcome.HELD, "HE01")
        elif action is Outcome.DELETED:
            self._delete(number, alike[0])
        else:
            old = self._rows[alike[0]]
            values = {n: old[n] if record.get(KEEP + n) else record[n] for n in names}
            self._changes.append(Change(Outcome.UPDATED, number, values, alike[0]))

    def _sweep(self, *, deletions: bool) -> None:
        """Mirror: delete or mark the rows in its charge whose key the source does not have."""
        scope = {c: self._typed(c, v) for c, v in self._spec.scope.items()}
        marks = {c: self._typed(c, v)[0] for c, v in self._spec.mark.items()}
        keys = {self._key(r) for r in self._records}
        for number, row in self._rows.items():
            if all(row[c] in values for c, values in scope.items()):
                self._decided.in_scope += 1
                marked = bool(marks) and all(row[c] == v for c, v in marks.items())
                if deletions and not marked and self._key(row) not in keys:
                    self._delete(None, number)

    def _one_a_key(self) -> Iterable[Row]:
        """The records without those that lose by the duplicates rule, which are skipped or refused here."""
        if not self._spec.key or self._spec.planned:
            return self._records
        last = self._spec.duplicates == "last"
        one: dict[tuple[object, ...], Row] = {}
        for record in sorted(self._records, key=lambda r: r[NUMBER], reverse=last):
            if one.setdefault(self._key(record), record) is record:
                continue
            if self._spec.duplicates == "reject":
                self._refuse(record[NUMBER], Outcome.INVALID, "KY02")
            else:
                self._skip(record[NUMBER], "duplicate")
        return one.values()

    def _delete(self, number: int | None, row: int) -> None:
        values = {k: self._rows[row][k] for k in self._spec.key}
        self._changes.append(Change(Outcome.DELETED, number, values, row))

    def _by_key(self, rows: Iterable[tuple[int, Row]]) -> dict[tuple[object, ...], list[int]]:
        found: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for number, row in rows:
            key = self._key(row)
            found[tuple(map(self._shown, key)) if self._spec.planned else key].append(number)
        return found

    def _skip_or_reject(self, number: int, what: str, reason: str, code: str) -> None:
        if what == "skip":
            self._skip(number, reason)
        else:
            self._refuse(number, Outcome.REJECTED, code)

    def _skip(self, number: int, reason: str) -> None:
        self._decided.account.add(Outcome.SKIPPED, reason=reason)
        if self._decided.account.skips[reason] <= self._spec.listed_skips:
            self._decided.refusals.append(Refusal(number, Outcome.SKIPPED, reason, SKIPS[reason]))

    def _refuse(self, number: int, outcome: Outcome, code: str) -> None:
        self._decided.account.add(outcome)
        self._decided.refusals.append(Refusal(number, outcome, code, CODES[code].meaning))


def same(a: object, b: object) -> bool:
    """Whether two values are equal; NaN is equal to itself."""
    return a == b or (a != a and b != b)
