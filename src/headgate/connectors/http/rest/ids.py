"""The API's own ids of the records that were written, or found, by their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headgate.model.outcome import Outcome
from headgate.model.text import text_form
from headgate.model.types import IMAGE

from .answers import DONE, MISSING, Verdict
from .paths import at
from .shape import Shape
from .template import text
from .values import DECODER, Foreign, take

Key = tuple[object, ...]
Done = tuple[Key, Outcome, Verdict, Any]
"""A record's key, what was to be done with it, what became of it, and its id where that was known before."""


def told(
    shape: Shape, found: Mapping[Key, Sequence[Any]], gone: Iterable[Key], done: Iterable[Done]
) -> dict[tuple[str, ...], str | None]:
    """See `headgate.spi.destination.GivesIds`.

    Args:
        found: the API's records by their keys, as they were before.
        gone: keys that were to be deleted and that no record had.
        done: what was done, in its order.
    """
    ids: dict[Key, Any] = dict.fromkeys(gone)
    # Of several records with one key it is not known which is meant.
    ids |= {k: id_ for k, (one, *more) in found.items() if not more and (id_ := at(one, shape.resource.id)) is not None}
    for key, action, verdict, before in done:
        if verdict.what == MISSING or (verdict.what == DONE and action is Outcome.DELETED):
            ids[key] = None
        elif verdict.what == DONE:
            # Of what was read back, as no answer came, only the record is known.
            known = (verdict.id, at(verdict.record, shape.resource.id), before)
            if (id_ := next((one for one in known if one is not None), None)) is not None:
                ids[key] = id_
    texts = ((_texts(shape, key), id_) for key, id_ in ids.items())
    return {key: None if id_ is None else text(id_) for key, id_ in texts if key is not None}


def _texts(shape: Shape, key: Key) -> tuple[str, ...] | None:
    """A key as texts; None where a part of it has no value."""
    parts = [_text(shape, name, value) for name, value in zip(shape.spec.key, key, strict=True)]
    return tuple(p for p in parts if p is not None) if None not in parts else None


def _text(shape: Shape, name: str, value: object) -> str | None:
    field = shape.spec.field(name)
    if field.type != IMAGE or value is None:
        return text_form(value)
    wire = DECODER.decode(str(value))
    was = take(wire, field.was) if field.was is not None and field.was != IMAGE else None
    return text(wire) if was is None or isinstance(was, Foreign) else text_form(was)
