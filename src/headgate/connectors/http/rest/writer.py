"""Writing the records of one run to a resource of an API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any

import pyarrow as pa
from msgspec import structs

from headgate.connectors.http.resource import ResourceSpec
from headgate.model.codes import CODES
from headgate.model.errors import Cancelled, DestinationError
from headgate.model.outcome import Account, Outcome
from headgate.model.sent import Sent
from headgate.model.write import ACTION, KEEP, NUMBER, OLD, Images, Matched, Operation, Refusal, WriteSpec
from headgate.spi.deciding import Change, Decides, Row, same
from headgate.spi.outbox import Outbox
from headgate.spi.unheld import Unheld

from .answers import DONE, MISSING, UNKNOWN, Verdict
from .earlier import Earlier, concluded, mark
from .finder import Finder
from .ids import told
from .imaging import Imaging
from .items import Items, LackingError, is_foreign
from .jobs import Jobs
from .paths import at
from .records import Records
from .refusals import Tally, became, field_of, refusal, refused
from .requests import Item, Parcel
from .sender import Sender
from .sending import Desk, Sending, parcels
from .shape import Fields, Shape
from .template import UnfitError, text
from .there import There
from .values import Foreign, unwritable
from .ways import NAMES, endpoints, way

_Todo = tuple[str, Change, Row | None, Fields | None]
"""A change with the name of its endpoint, the record it is about, and its fields where those are made already."""


class RestWriter(Decides):
    """Writes one run.

    Args:
        spec: what to do.
        resource: where to.
        sender: sends requests; it is closed with the destination.
        outbox: where what is sent is kept.
        table: what templates call so.
    """

    def __init__(
        self, spec: WriteSpec, resource: ResourceSpec, sender: Sender, outbox: Outbox, table: str = ""
    ) -> None:
        super().__init__(spec)
        self._resource, self._sender, self._outbox = resource, sender, outbox
        self._shape = Shape(resource, spec)
        self._endpoints = endpoints(spec, resource)
        self._there = There(self._shape)
        self._unfit: dict[tuple[object, ...], UnfitError] = {}
        self._pool = ThreadPoolExecutor(sender.client.options.concurrency, "headgate-api")
        columns = dict.fromkeys([resource.id, *self._shape.types, *spec.scope, *spec.mark])
        self._general = {
            "table": table or spec.table,
            "columns": [n for n in columns if n not in resource.write_only],
        }
        matched = resource.find is not None and bool(spec.key)
        self._finder = Finder(sender, resource, self._shape.key, self._shape.types, self._general) if matched else None
        self._lists = spec.operation is Operation.MIRROR and resource.listing is not None
        self._marks = {name: self._typed(name, value)[0] for name, value in spec.mark.items()}
        self._imaging = Imaging(self._shape, self._marks)
        self._jobs = Jobs(sender, resource, list(self._shape.types), self._general, spec.key)
        self._earlier = Earlier((), {})
        other = "created" if spec.operation is Operation.UPDATE else "updated"
        self._blind = [f.name for f in spec.fields if f.when != other]
        """The fields that are written without asking what is there."""
        # Nothing is to be decided of these: every record is created, whatever is there.
        self._appends = spec.operation is Operation.APPEND and not spec.planned and not spec.deletes
        self._written = Records(self._shape)
        self._unheld = Unheld(spec, unwritable)
        self._done: list[tuple[Change, Verdict, Item | None]] = []
        self._swept: list[tuple[Change, Mapping[str, str | None]]] = []
        self._partly: set[int] = set()
        """Numbers of records of which some columns are to stay as they are."""
        self._made = Items(self._shape, self._endpoints, self._general, self._marks, self._imaging)
        self._matched = self._finished = False
        self._cancelled = threading.Event()
        self._tell: Callable[[int], None] = lambda _: None

    def watch(self, tell: Callable[[int], None]) -> None:
        """Have somebody told how many records `apply` has brought to an end (`headgate.spi.destination.Tells`)."""
        self._tell = tell

    def write(self, batch: pa.RecordBatch) -> None:
        """Hand over mapped records."""
        self._check_open()
        self._written.add(self._unheld.without(batch))

    # Deciding

    def match(self, *, deletions: bool = True) -> Matched:
        """Read the records that have the keys of those written, and decide."""
        self._check_open()
        self._matched = True
        self._there, self._done, self._unfit = There(self._shape), [], {}
        self._rows = self._there.rows
        self._earlier = Earlier(self._left(), self._endpoints)
        if self._streams:
            return self._unheld.counted(self._appended())
        self._records += self._written.taken()
        if self._lists:
            from .listing import listed  # which takes what reads APIs along

            general = {**self._general, "fields": self._general["columns"][1:]}
            self._there.take(listed(self._sender, self._resource, general, self._check_open))
        keys = self._there.has_keys() or not self._rows
        if self._finder is not None:
            self._read(self._finder)
        self._swept = self._swept_earlier()
        # Who has lost a record must not take it for gone.
        matched = super().match(deletions=deletions and not self._unheld.refusals)
        if not keys and matched.in_scope:
            raise DestinationError(
                f"none of the records that listing of the resource {self._spec.table} gives has a value of the key ({', '.join(self._spec.key)}) that the source could have, so all would be taken for gone",
                hint="Check key of the definition, and what listing asks for: its records must have the key's fields.",
            )
        deleted = (
            self._there.records[c.row] for c in self._changes if c.row is not None and self._does(c) is Outcome.DELETED
        )
        images = (self._earlier.image(c.number) or {} for c, _, _ in self._done if c.action is Outcome.DELETED)
        also = (old for _, old in self._swept)
        self._shape.also(deleted, (name for image in chain(images, also) for name in image))
        return self._unheld.counted(matched)

    @property
    def _streams(self) -> bool:
        """Whether the records become rows only when their turn to be sent comes."""
        return self._appends and not self._earlier

    def _appended(self) -> Matched:
        """Records of which nothing is to be decided."""
        self._changes, self._decided = [], Matched(Account())
        self._decided.account.read = len(self._written)
        matched = self._result([], [])
        matched.account.add(Outcome.CREATED, len(self._written))
        return matched

    def _created(self) -> Iterator[tuple[Change, Row, Fields | None]]:
        """The changes of those, made as they are taken, with their records, and their fields where those are made already."""
        names = self._blind
        whole = len(names) == len(self._spec.fields)
        for row, fields in self._written.with_fields(names):
            values = row if whole and fields is not None else {n: row[n] for n in names}
            yield Change(Outcome.CREATED, row[NUMBER], values), row, fields

    def changes(self) -> Iterator[pa.RecordBatch]:
        """See `headgate.spi.destination.Writer.changes`."""
        if self._streams:
            self._changes = [change for change, _, _ in self._created()]
        return super().changes()

    def _left(self) -> Sequence[Sent]:
        ticket = self._spec.ticket
        if ticket is None:
            return ()
        left = self._outbox.left(ticket.scope)
        found, answers = concluded(left, self._endpoints, self._jobs, self._sender, self._resource)
        self._outbox.answered(ticket, answers)
        return found

    def _read(self, finder: Finder) -> None:
        wanted: dict[tuple[object, ...], Any] = {}
        for record in self._records:
            row = {k: record[k] for k in self._spec.key}
            row = {k: record[OLD + k] if v is None and OLD + k in record else v for k, v in row.items()}
            key = tuple(row.values())
            if key in self._there.found:  # it was listed; what was not is looked for, as a listing may lack pages
                continue
            values = self._shape.values(row, row, None, nulls=True)
            try:
                finder.check(values)
            except UnfitError as e:
                self._unfit[key] = e
                continue
            wanted.setdefault(key, values)
        self._there.take(chain.from_iterable(finder.find(list(wanted.items()), self._pool).values()))

    def _swept_earlier(self) -> list[tuple[Change, Mapping[str, str | None]]]:
        """What an earlier process has deleted, or marked, as the source had it no more; each with what it was before."""
        if not self._lists:
            return []
        there = self._there.ids()
        swept: list[tuple[Change, Mapping[str, str | None]]] = []
        for id_, old in self._earlier.swept:
            row = there.get(text(id_))
            # An API may list nothing any more that is marked.
            if row is None or (self._marks and self._is_marked(self._rows[row])):
                swept.append((Change(Outcome.DELETED, None, self._shape.key_of(old), row), old))
        return swept

    def _decide(self, record: Row, found: list[int]) -> None:
        number = record[NUMBER]
        if self._unfit and (unfit := self._unfit.get(self._key(record))) is not None:
            self._decided.account.add(Outcome.REJECTED)
            self._decided.refusals.append(Refusal(number, Outcome.REJECTED, "DE05", str(unfit), unfit.field))
            return
        if self._earlier and number is not None:
            left = [self._rows[row] for row in found]
            if (
                settled := self._earlier.settled(number, mark(record), lambda c: self._is(c, record, left))
            ) is not None:
                action, verdict = settled
                values = left[0] if left and action is not Outcome.DELETED else record
                names = self._spec.key if action is Outcome.DELETED else [f.name for f in self._spec.fields]
                self._done.append((Change(action, number, {n: values[n] for n in names}), verdict, None))
                return
        if self._finder is not None or self._lists or self._spec.planned:
            super()._decide(record, found)
            if self._spec.planned and any(record.get(KEEP + f.name) for f in self._spec.fields if f.keeps):
                self._partly.add(number)
        else:
            self._decide_blindly(record)

    def _key_values(self, record: Row) -> Row:
        return {k: record[k] for k in self._spec.key}

    def _decide_blindly(self, record: Row) -> None:
        """Without asking what is there."""
        number, operation = record[NUMBER], self._spec.operation
        if self._deletes(record):
            self._changes.append(Change(Outcome.DELETED, number, self._key_values(record)))
            return
        update = operation is Operation.UPDATE
        values = {n: record[n] for n in self._blind if not (update and record.get(KEEP + n))}
        self._changes.append(Change(Outcome.UPDATED if update else Outcome.CREATED, number, values))

    def _is(self, action: Outcome, record: Row, left: Sequence[Row]) -> bool | None:
        """Whether what is there is what is left when this was done to the record; None where nobody can look."""
        if self._finder is None:
            return None
        if action is Outcome.DELETED:
            return not left
        if action is Outcome.CREATED:  # nobody had this key before; values may be as the API likes them
            return bool(left)
        written = [f.name for f in self._spec.fields if f.when == "always" and not record.get(KEEP + f.name)]
        return any(all(same(row[n], record[n]) for n in written) for row in left)

    def _is_done(self, item: Item, records: Sequence[Any]) -> bool:
        """The same for an item whose request was not answered, of what was read back."""
        action = self._does(item.change)
        if action is Outcome.DELETED:
            return not records and not is_foreign(item.key)  # which find cannot be asked for
        if action is Outcome.CREATED:  # nobody had this key before
            return bool(records)
        values = self._marks if action is not item.change.action else item.change.values
        return any(all(same(row[n], v) for n, v in values.items()) for row in map(self._shape.row, records))

    def _result(self, done: list[Change], refused: list[Refusal]) -> Matched:
        """What was settled by an earlier process counts with the rest."""
        settled = [(c, v) for c, v, item in self._done if item is None]
        more = [became(c, v) for c, v in settled if v.what == DONE]
        also = [r for c, v in settled if (r := refusal(self._spec, c, v)) is not None]
        found = super()._result(done + more + [c for c, _ in self._swept], refused + also)
        return replace(found, in_scope=found.in_scope + sum(c.row is None for c, _ in self._swept))

    def _shown(self, value: Any) -> Any:
        return None if isinstance(value, Foreign) else value

    # Carrying out

    def apply(self) -> Matched:
        """Send what was decided; what is sent is done, whatever comes after."""
        self._check_open()
        not_done: list[Refusal] = []
        left: list[str] = []
        desk = Desk(
            self._sender, self._resource, list(self._shape.types), self._general, self._finder, self._is_done,
            self._outbox, self._spec.ticket, self._kept, self._jobs,
        )  # fmt: skip
        items: Iterable[tuple[str, Item]] = self._items(self._todo(), not_done, left)
        first: list[Parcel] = []
        if self._earlier:
            first, items = self._earlier.first(list(items))
        tally, count = Tally(self._spec), 0

        def take(said: Sequence[tuple[Item, Verdict]]) -> None:
            nonlocal count
            tally.add(said)
            if not self._streams:  # nobody asks for them again
                self._done += [(item.change, verdict, item) for item, verdict in said]
            count += len(said)
            self._tell(count)

        Sending(desk, self._pool, take).run(chain(first, parcels(items, self._endpoints)))
        left += self._still_there(tally.open)
        found = self._result([], not_done + tally.refusals)
        found.account.outcomes.update(tally.counts)
        found.account.mirror_deleted += tally.swept
        return replace(self._unheld.counted(found), left=left)

    def _todo(self) -> Iterator[_Todo]:
        """What is to be done."""
        if self._streams:
            name = way(Outcome.CREATED, self._endpoints, self._spec.table)
            return ((name, *created) for created in self._created())
        by_action = self._by_action()
        ways = {a: way(a, self._endpoints, self._spec.table) for a in by_action}  # before anything is sent
        by_number = {} if self._spec.ticket is None else {r[NUMBER]: r for r in self._records}
        return (
            (ways[a], c, by_number.get(c.number) if c.number is not None else None, None)
            for a in NAMES
            for c in by_action.get(a, ())
        )

    def _still_there(self, said: Sequence[tuple[Item, Verdict]]) -> list[str]:
        """Records that mirror would have gone and that may still be there, with the reasons. That an API knows nothing of a
        record that it has just listed may also mean that the endpoint is another one."""
        finder, told = self._finder, []
        asked = [(i.key, i.values) for i, v in said if v.what == MISSING and not is_foreign(i.key)]
        found = finder.find(asked, self._pool) if finder is not None else {}
        gone = {key for key, _ in asked if finder is not None and not found.get(key)}
        for item, verdict in said:
            if verdict.what != MISSING or item.key not in gone:
                words = "the API knows no such record, and had listed it; " if verdict.what == MISSING else ""
                told.append(f"{self._named(item.change)}: {words}{verdict.reason}".removesuffix("; "))
        return told

    def _by_action(self) -> dict[Outcome, list[Change]]:
        found: dict[Outcome, list[Change]] = {}
        for change in self._changes:
            found.setdefault(self._does(change), []).append(change)
        return found

    def _items(self, todo: Iterable[_Todo], not_done: list[Refusal], left: list[str]) -> Iterator[tuple[str, Item]]:
        """What is sent, made as it is taken; what cannot be sent is refused, or left as it is where it is none of the source's."""
        marks = self._spec.ticket is not None
        for name, change, record, fields in todo:
            there, row = None, None
            if change.row is not None:
                there, row = self._there.records[change.row], self._rows[change.row]
            told_by = mark(record) if marks and record is not None else 0
            partly = change.number in self._partly
            try:
                yield name, self._made.item(change, name, told_by, there, row, fields, partly=partly)
            except (ValueError, UnfitError, LackingError) as e:
                if change.number is None:
                    left.append(f"{self._named(change)}: {e}")
                elif isinstance(e, LackingError):
                    not_done.append(refused(change, "DE04", CODES["DE04"].meaning, e.field))
                else:
                    field = field_of(self._spec, e.field) if isinstance(e, UnfitError) else ""
                    not_done.append(refused(change, "DE05", str(e), field))

    def _does(self, change: Change) -> Outcome:
        """What it comes to at the API: where mirror marks, a deletion is an update."""
        return self._imaging.does(change)

    def _named(self, change: Change) -> str:
        """A record that the source has no more, for people."""
        record = self._there.records[change.row] if change.row is not None else {}
        key = ", ".join(f"{k} {text(v)}" for k in self._spec.key if (v := self._shape.of(record, k)) is not None)
        return key or f"{self._resource.id} {text(at(record, self._resource.id))}"

    def _is_marked(self, row: Row) -> bool:
        return all(same(row[name], value) for name, value in self._marks.items())

    def _typed(self, name: str, value: object) -> list[object]:
        """Values written in a definition (one, or a list of them) as rows hold those of that column."""
        return self._shape.typed(name, value if isinstance(value, list) else [value])

    def _kept(self, item: Item) -> Any:
        """What undo needs of a record that is changed, as the outbox keeps it; and of one that mirror deletes its key."""
        if item.old is None or not (self._spec.journal or item.change.number is None):
            return None
        return self._shape.imaged(item.old)

    # The journal

    def images(self) -> Images:
        """Which columns undo knows."""
        return self._imaging.images()

    def before(self) -> Iterator[pa.RecordBatch]:
        """Records that will be updated or deleted, as they are, or as they were before an earlier process did it; but for those
        of mirror's deletions, of which `after` knows which were done."""
        rows = [
            self._imaging.row(c, self._imaging.written(c), self._shape.imaged(self._there.records[c.row]))
            for c in self._changes
            if c.row is not None and c.number is not None
        ]
        for change, verdict, item in self._done:
            old = self._earlier.image(change.number) if item is None and verdict.what == DONE else None
            if old is not None:
                rows.append(self._imaging.row(change, self._imaging.written(change), old))
        rows += [self._imaging.row(change, self._imaging.written(change), old) for change, old in self._swept]
        return self._imaging.batches(rows)

    def after(self) -> Iterator[pa.RecordBatch]:
        """Records that were created, as the API has them; and those that mirror has deleted, or marked, as they were."""
        made = [(c, v) for c, v, _ in self._done if v.what == DONE and became(c, v).action is Outcome.CREATED]
        lacking = [(self._key(c.values), c) for c, v in made if v.record is None and self._resource.fields]
        read = self._read_back(lacking)
        gone = [c for c, v, _ in self._done if c.number is None and v.what in (DONE, UNKNOWN)]
        rows = [
            self._imaging.row(c, self._imaging.written(c), self._shape.imaged(self._there.records[c.row]))
            for c in gone
            if c.row is not None
        ]
        for change, verdict in made:
            found = read.get(self._key(change.values)) or [None]
            record = verdict.record if verdict.record is not None else found[0]
            new = self._shape.imaged(record) if record is not None else {}
            known = self._imaging.of(change.values)
            rows.append(
                self._imaging.row(
                    structs.replace(change, action=Outcome.CREATED),
                    {**new, **{n: v for n, v in known.items() if new.get(n) is None}},
                    {},
                )
            )
        return self._imaging.batches(rows)

    def _read_back(self, wanted: Sequence[tuple[tuple[object, ...], Change]]) -> dict[tuple[object, ...], list[Any]]:
        if not wanted or self._finder is None:
            return {}
        asked = [(key, self._shape.values(self._key_values(c.values), (), None, nulls=True)) for key, c in wanted]
        return self._finder.find(asked, self._pool)

    def drop(self) -> bool:
        """A resource is nothing that is removed."""
        return False

    # The end

    def ids(self) -> Mapping[tuple[str, ...], str | None]:
        """See `headgate.spi.destination.GivesIds`."""
        if not self._spec.key:
            return {}
        looked = self._records if self._finder is not None or self._lists else ()
        deleting = (r for r in looked if self._deletes(r) or r.get(ACTION) == Outcome.DELETED)
        gone = [key for r in deleting if (key := self._key(r)) not in self._there.found]
        gone += [self._key(change.values) for change, _ in self._swept if not self._marks]
        done = [(self._key(c.values), self._does(c), v, i.values.id if i else None) for c, v, i in self._done]
        return told(self._shape, self._there.found, gone, done)

    def commit(self, checkpoint: str = "") -> None:
        """Keep the checkpoint; everything is visible already."""
        self._check_open()
        if self._spec.ticket is not None:
            self._outbox.commit(self._spec.ticket, checkpoint)
        self._forget()
        self._done, self._there, self._swept = [], There(self._shape), []
        self._unheld.forget()
        self._finished = self._matched and not self._spec.batched

    def _forget(self) -> None:
        super()._forget()
        self._written.forget()

    def abort(self) -> None:
        """Send nothing more."""
        self._finished = True
        self._forget()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def cancel(self) -> None:
        """Make `write`, `match` and `apply` raise `Cancelled` from now on; what is on its way is waited for."""
        self._cancelled.set()
        self._sender.cancel()

    def _check_open(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled("the run was cancelled")
        if self._finished:
            raise DestinationError("the writer has ended", hint="Open a new one.")
