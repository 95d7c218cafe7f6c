"""Which source column is meant for which column of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from headgate.model.table import TableSchema

ALIASES: Final = (
    ("number", "no", "nr", "num", "code"), ("identifier", "id", "key"), ("quantity", "qty", "amount", "count"),
    ("price", "cost", "rate"), ("description", "desc", "text", "details"), ("email", "mail", "e mail", "email address"),
    ("phone", "telephone", "tel", "mobile", "phone number"), ("name", "title", "label"), ("first name", "given name", "forename", "fname"),
    ("last name", "surname", "family name", "lname"), ("postcode", "zip", "zip code", "postal code", "plz"),
    ("country", "nation", "country code"), ("city", "town"), ("street", "address", "address line"), ("company", "organisation", "organization", "firm"),
    ("date of birth", "dob", "birthday", "birth date"), ("created", "created at", "created on", "creation date"),
    ("updated", "updated at", "modified", "modified at", "modified date", "last modified"), ("sku", "article", "item number", "product number", "product code", "part number"),
    ("category", "group", "type", "kind"), ("manufacturer", "brand", "maker", "vendor", "supplier"),
)  # fmt: skip
_LEAST = 0.7


@dataclass(frozen=True, slots=True)
class ColumnMatch:
    """A source column and the table's column it is most likely meant for, with a confidence from 0 to 1."""

    source: str
    column: str
    confidence: float


def match_columns(source: list[str], table: TableSchema) -> list[ColumnMatch]:
    """The likely pairs, in the order of the source; each column is in one pair at most, and poor matches are left out."""
    from rapidfuzz.fuzz import token_sort_ratio

    columns = [c.name for c in table.columns if not c.generated]
    scored = []
    for s in source:
        for c in columns:
            a, b = _words(s), _words(c)
            score = 1.0 if a == b else 0.95 if a.replace(" ", "") == b.replace(" ", "") else 0.0
            score = score or max(
                0.9 if _alias(a, b) else 0.0, 0.9 * token_sort_ratio(_common(a, table), _common(b, table)) / 100
            )
            scored.append((score, s, c))
    found: dict[str, ColumnMatch] = {}
    taken: set[str] = set()
    for score, s, c in sorted(scored, key=lambda x: -x[0]):
        if score >= _LEAST and s not in found and c not in taken:
            found[s] = ColumnMatch(s, c, round(score, 2))
            taken.add(c)
    return [found[s] for s in source if s in found]


def _words(name: str) -> str:
    """``ListPrice``, ``list_price`` and ``List Price`` as ``list price``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", spaced).casefold().split())


def _alias(a: str, b: str) -> bool:
    return any(a in words and b in words for words in ALIASES)


def _common(name: str, table: TableSchema) -> str:
    """Words by the first of their aliases, without the table's own name: ``product_nr`` of product is ``number``."""
    own = {_words(table.name.rpartition(".")[2]), _words(table.name.rpartition(".")[2]).rstrip("s")}
    first = {w: words[0] for words in ALIASES for w in words if " " not in w}
    kept = [first.get(w, w) for w in name.split() if w not in own] or name.split()
    return " ".join(kept)
