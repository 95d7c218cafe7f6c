"""How pages follow each other, as far as parameters and answers tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .document import Api
from .operations import Listing, Parameter, norm
from .shapes import Leaf, Shapes

_PAGE = frozenset({"page", "pagenumber", "pageno", "pagenum", "pageindex", "currentpage"})
_OFFSET = frozenset({"offset", "skip", "start", "startindex", "startat", "pageoffset"})
_CURSOR = frozenset({
    "cursor", "after", "pagetoken", "nexttoken", "pagecursor", "nextcursor", "continuationtoken", "nextpagetoken", "startingtoken", "marker",
    "startcursor", "pageafter", "bookmark", "paginationtoken",
})  # fmt: skip
_AFTER_RECORD = frozenset({"startingafter", "afterid"})
_SIZES = (
    "perpage", "pagesize", "limit", "size", "pagelimit", "maxresults", "resultsperpage", "itemsperpage", "top", "take", "count", "maxitems", "first",
)  # fmt: skip
_NEXT_URL = frozenset(
    {"nexturl", "nextlink", "nextpageurl", "nextpagelink", "nexthref", "nexturi", "nextpageuri", "odatanextlink"}
)
_NEXT_CURSOR = frozenset({
    "nextcursor", "nextpagetoken", "nexttoken", "endcursor", "nextpagecursor", "continuationtoken", "nextcontinuationtoken", "nextmarker",
    "nextbookmark", "paginationtoken",
})  # fmt: skip
_CURSOR_IN = frozenset(
    {"cursor", "cursors", "paging", "pagination", "meta", "metadata", "responsemetadata", "page", "pageinfo"}
)
_TOTAL = frozenset({"total", "totalcount", "totalresults", "totalrecords", "totalitems", "totalelements"})
_PAGES = frozenset({"totalpages", "numpages", "lastpage", "pagestotal"})
_MOST_AT_ONCE = 1_000


@dataclass(slots=True)
class Paging:
    """What is proposed.

    Attributes:
        found: the definition's `pagination`; None where there is none, or it is not clear.
        remarks: what a person should look at.
    """

    found: dict[str, Any] | None = None
    remarks: list[str] = field(default_factory=list)


def paging(api: Api, listing: Listing) -> Paging:
    """How the pages of a request follow each other."""
    asked = [p for p in listing.parameters if p.place == "query"]
    leaves = [v for v in Shapes(api).leaves(listing.answer) if v.shape.kind in ("value", "any")]
    groups = {k: [p for p in asked if p.norm in names] for k, names in _GROUPS.items()}
    size = next((p for s in _SIZES for p in asked if p.norm == s), None)
    known = {p.name for group in groups.values() for p in group} | ({size.name} if size else set())
    found = (
        _links(listing)
        or _next(leaves, has_cursor=bool(groups["cursor"]))
        or _cursor(groups["cursor"], leaves)
        or _after_record(groups["after"], listing, leaves)
        or _counted(groups, leaves)
    )
    if found is None:
        return Paging(None, _unclear(known, leaves))
    remarks = found.pop("remarks", [])
    if size is not None and "param" in found and (most := _most(size)) is not None:
        found |= {"size": most, "size_param": size.name}
    elif size is not None and "param" not in found and (most := _most(size)) is not None:
        return Paging(found, [*remarks, f"The query can ask for more at once: {size.name}, at most {most}."])
    return Paging(found, remarks)


_GROUPS = {"page": _PAGE, "offset": _OFFSET, "cursor": _CURSOR, "after": _AFTER_RECORD}


def _links(listing: Listing) -> dict[str, Any] | None:
    return {"type": "link"} if listing.links else None


def _next(leaves: list[Leaf], *, has_cursor: bool) -> dict[str, Any] | None:
    """The next page's URL in the answer."""
    names = {norm(v.keys[-1]) for v in leaves}
    for leaf in leaves:
        last, above = norm(leaf.keys[-1]), norm(leaf.keys[-2]) if len(leaf.keys) > 1 else ""
        is_text = leaf.type.kind == "text"
        plain = last in ("next", "nextpage") and (
            leaf.shape.is_url or above == "links" or (not has_cursor and not above and "previous" in names)
        )
        if is_text and (last in _NEXT_URL or plain or (last == "href" and above == "next")):
            return {"type": "next", "path": leaf.path}
    return None


def _cursor(asked: list[Parameter], leaves: list[Leaf]) -> dict[str, Any] | None:
    """A cursor in the answer that a parameter takes."""
    found = [v for v in leaves if norm(v.keys[-1]) in _NEXT_CURSOR]
    found = found or [
        v for v in leaves
        if norm(v.keys[-1]) in ("next", "after") and len(v.keys) > 1 and norm(v.keys[-2]) in _CURSOR_IN
    ]  # fmt: skip
    if len(asked) != 1 or len(found) != 1 or found[0].type.kind not in ("text", "bigint", "integer", "uuid"):
        return None
    return {"type": "cursor", "param": asked[0].name, "path": found[0].path} | _more(leaves)


def _after_record(asked: list[Parameter], listing: Listing, leaves: list[Leaf]) -> dict[str, Any] | None:
    """The last record's id as the cursor."""
    if len(asked) != 1 or "id" not in listing.entry.members:
        return None
    return {"type": "cursor", "param": asked[0].name, "record": "id"} | _more(leaves)


def _more(leaves: list[Leaf]) -> dict[str, Any]:
    """Whether there are more pages. Only where it is always there: a page without it would be taken for the last."""
    found = [v for v in leaves if norm(v.keys[-1]) in ("hasmore", "hasnext", "hasnextpage") and v.always]
    return {"more": found[0].path} if len(found) == 1 and found[0].type.kind == "boolean" else {}


def _counted(groups: dict[str, list[Parameter]], leaves: list[Leaf]) -> dict[str, Any] | None:
    """Pages by number, or by the records before them."""
    pages = [p for p in groups["page"] if _is_number(p)]
    offsets = [p for p in groups["offset"] if _is_number(p)]
    if groups["cursor"] or len(pages) + len(offsets) != 1:
        return None
    (param,) = pages or offsets
    numbers = [v for v in leaves if v.type.kind in ("bigint", "integer", "double")]
    start = _first(param)
    if offsets:
        # A total is often that of the page, and the first page would be taken for the last: a page without records is sure.
        return {"type": "offset", "param": param.name} | ({"start": start} if start else {})
    if start is None and any(v.path in ("pageable", "totalElements") or v.keys[0] == "pageable" for v in leaves):
        start = 0
    found: dict[str, Any] = {"type": "page", "param": param.name}
    if start is None:
        found["remarks"] = [
            f"Whether the first page is 0 or 1 is not said; it is 1 here (start: 0 otherwise). Look at {param.name} in the API's description."
        ]
        return found
    if start == 0:
        return found | {"start": 0}
    count = [v.path for v in numbers if norm(v.keys[-1]) in _PAGES]
    return found | ({"pages": count[0]} if len(count) == 1 else {})


def _first(param: Parameter) -> int | None:
    """Where counting begins, where that is said."""
    for key in ("default", "minimum"):
        if isinstance(said := param.schema.get(key), int) and not isinstance(said, bool) and said in (0, 1):
            return said
    text = str(param.node.get("description") or "").lower()
    if re.search(
        r"zero[- ]based|0[- ]based|(?:start|begin|count)\w*\s+(?:at|from|with)\s+(?:0|zero)\b|\(0\.\.n\)", text
    ):
        return 0
    return (
        1
        if re.search(r"one[- ]based|1[- ]based|(?:start|begin|count)\w*\s+(?:at|from|with)\s+(?:1|one)\b", text)
        else None
    )


def _is_number(param: Parameter) -> bool:
    types = param.schema.get("type")
    return any(t in ("integer", "number") for t in (types if isinstance(types, list) else [types]))


def _most(size: Parameter) -> int | None:
    """The largest page that can be asked for, where that is said."""
    most = size.schema.get("maximum")
    return min(most, _MOST_AT_ONCE) if isinstance(most, int) and not isinstance(most, bool) and most > 0 else None


def _unclear(asked: set[str], leaves: list[Leaf]) -> list[str]:
    """A remark, if there seem to be pages."""
    telling = _TOTAL | _PAGES | _NEXT_CURSOR | {"next", "hasmore", "hasnext", "cursor"}
    told = [v.path for v in leaves if norm(v.keys[-1]) in telling]
    if not asked and not told:
        return []
    where = [f"parameters {', '.join(sorted(asked))}"] if asked else []
    where += [f"the answer's {', '.join(told[:5])}"] if told else []
    return [
        f"There seem to be pages ({'; '.join(where)}), but not how they follow each other: without pagination only the first is read."
    ]
