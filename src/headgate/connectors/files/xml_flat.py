"""An element as a record: attributes as ``@id``, elements in it by their path (``address/city``), repeated ones as JSON."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Final

from headgate.spi.columns import as_json

from .xml_records import Element

# What XPath calls an element's own text; for records that are text, and text beside elements.
TEXT: Final = "text()"


def flat(record: Element, lists: AbstractSet[str]) -> dict[str, str | None]:
    """The values of a record by column. Empty elements have none.

    Args:
        lists: paths of elements that are lists even where there is only one.
    """
    out: dict[str, str | None] = {}
    _into(out, record, "", lists)
    return out


def _into(out: dict[str, str | None], element: Element, path: str, lists: AbstractSet[str]) -> None:
    before = f"{path}/" if path else ""
    if element.attributes:
        for name, value in element.attributes.items():
            out[f"{before}@{name}"] = value
    children = element.children
    if not children:
        own = None if element.missing else element.text or None
        if own is not None or not element.attributes:
            out[path or TEXT] = own
        return
    repeated = _repeated(children)
    for child in children:
        where = before + child.name
        if where in lists or child.name in repeated:
            if where not in out:
                out[where] = as_json([_value(c) for c in children if c.name == child.name])
        else:
            _into(out, child, where, lists)
    if beside := element.text.strip():
        out[path or TEXT] = beside


def _repeated(children: Collection[Element]) -> set[str]:
    if len(children) < 2:
        return set()
    names = [c.name for c in children]
    once = set(names)
    return {n for n in once if names.count(n) > 1} if len(once) < len(names) else set()


def _value(element: Element) -> object:
    """An element as JSON has it: a text, or an object of what is in it."""
    own = None if element.missing else element.text or None
    if not element.attributes and not element.children:
        return own
    found: dict[str, object] = {f"@{k}": v for k, v in (element.attributes or {}).items()}
    lists: dict[str, list[object]] = {name: [] for name in _repeated(element.children or ())}
    for child in element.children or ():
        value = _value(child)
        if child.name in lists:
            lists[child.name].append(value)
        found[child.name] = lists.get(child.name, value)
    if element.children:
        own = element.text.strip() or None
    return found | ({TEXT: own} if own is not None else {})


def find_lists(record: Element, lists: set[str], path: str = "") -> None:
    """Add the paths of elements that are repeated in a record, outermost."""
    before = f"{path}/" if path else ""
    repeated = _repeated(record.children or ())
    lists |= {before + n for n in repeated}
    for child in record.children or ():
        if child.children and before + child.name not in lists:
            find_lists(child, lists, before + child.name)
