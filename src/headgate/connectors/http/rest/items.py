"""Making what is sent of changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from headgate.connectors.http.resource import EndpointSpec
from headgate.model.errors import DestinationError
from headgate.model.outcome import Outcome
from headgate.spi.deciding import Change, Row, same

from .imaging import Imaging
from .paths import at
from .requests import Item, check_fits, many_of, varies
from .shape import Fields, Shape
from .template import Values, names
from .values import Foreign, matches


class LackingError(Exception):
    """A field that must have a value has none."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Items:
    """Makes the items of a run.

    Args:
        shape: of the records.
        endpoints: that are used, by name.
        general: what else templates may name.
        marks: what mirror sets instead of deleting.
        imaging: tells what a change comes to at the API.
    """

    def __init__(
        self,
        shape: Shape,
        endpoints: Mapping[str, EndpointSpec],
        general: Mapping[str, Any],
        marks: Row,
        imaging: Imaging,
    ) -> None:
        self._shape, self._spec, self._resource = shape, shape.spec, shape.resource
        self._endpoints, self._general = endpoints, general
        self._marks, self._imaging = marks, imaging
        # Whether values stand where not every one can, and whether the API's own id is named.
        self._asks = {
            name: (varies(one), "id" in names([one.path, one.query, one.body])) for name, one in endpoints.items()
        }

    def item(
        self, change: Change, name: str, mark: int, there: Any, row: Row | None, fields: Fields | None, *, partly: bool
    ) -> Item:
        """What is sent.

        Args:
            fields: of the change, where they are made already.
            name: of the endpoint.
            mark: see `Item`.
            there: the API's record before the change, None where there is none.
            row: the same as a row.
            partly: some of an update's columns are to stay as they are.

        Raises:
            LackingError: a field has no value that must have one.
            UnfitError: a value cannot be put where the endpoint wants it.
            ValueError: JSON has no way to write one, or the record there is not known whole.
            DestinationError: the endpoint wants what nobody knows.
        """
        values, id_ = change.values, None
        endpoint = self._endpoints[name]
        marks = self._imaging.does(change) is not change.action
        self._check_required(change, values)
        sent: Iterable[str] = values
        if row is not None:
            if self._resource.partial and matches(there, self._resource.partial):
                raise ValueError("the API gives this record in part only, so it is left as it is")
            id_ = at(there, self._resource.id)
            if marks:
                values = row | self._marks
                whole = [n for n in values if n not in self._resource.read_only]
                sent = whole if name == "upsert" else self._marks
            elif change.action is Outcome.UPDATED and endpoint.send == "changed":
                sent = [n for n, v in values.items() if not same(v, row[n])]
            if endpoint.send == "changed" and self._imaging.does(change) is Outcome.UPDATED:
                values, sent = self._shape.together(values, sent, row)
        if change.action is Outcome.CREATED and self._resource.read_only:
            sent = [n for n in values if n not in self._resource.read_only]
        made = self._shape.values(values, sent, id_, nulls=endpoint.nulls == "send", there=there, fields=fields)
        replaces = change.action is Outcome.UPDATED and (partly or endpoint.send == "whole")
        if endpoint.send != "changed" and there is not None and (marks or replaces):
            more = self._marks if marks else {n: values[n] for n in sent}
            made = structs.replace(made, record=self._shape.whole(there, more, nulls=endpoint.nulls == "send"))
        if row is not None and is_foreign(values.values()):
            foreign = {n: self._shape.of(there, n) for n, v in values.items() if isinstance(v, Foreign)}
            made = structs.replace(made, fields={**made.fields, **foreign})
        item = Item(change, tuple([values[k] for k in self._spec.key]), made, there, mark)
        self._check(item, name)
        return item

    def _check(self, item: Item, name: str) -> None:
        """Refuse what cannot be put where the endpoint wants it."""
        checked, own = self._asks[name]
        if own and item.change.row is not None:
            self._check_id(item.values)
        if checked:
            check_fits(self._endpoints[name], many_of([item], list(self._shape.types), self._general))

    def _check_id(self, values: Values) -> None:
        if values.id is None and "id" not in values.fields:
            raise DestinationError(
                f"a record that find of the resource {self._spec.table} gave has nothing at {self._resource.id!r}, where its own id should be",
                hint="Say in the resource where that is (id:), and in find where the records are (records:).",
            )

    def _check_required(self, change: Change, values: Row) -> None:
        for name in self._resource.required if change.action is not Outcome.DELETED else ():
            given = name in values if change.action is Outcome.UPDATED else True
            if given and values.get(name) is None:
                raise LackingError(name)


def is_foreign(values: Iterable[object]) -> bool:
    """Whether one of them is none of its field's type."""
    return any(isinstance(v, Foreign) for v in values)
