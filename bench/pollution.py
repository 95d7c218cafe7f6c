"""One table in 2,290 variants, each polluted in one way, with what a reader must make of it.

The ways and how often each is met are those of the Pollock benchmark (Vitagliano, Hameed, Jiang, Reisener, Wu, Naumann: "Pollock: A Data
Loading Benchmark", VLDB 2023), made anew from its description over a table of our own: 84 rows of nine columns, the header among them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

HEADER = ("DAY", "CLOCK", "Pieces", "ITEM", "Price", "Kind", "Description", "Page", "Remarks")
_WRITTEN_IN_QUOTES = (6, 7)
_THINGS = (
    "Spade",
    "Rake",
    "Watering Can",
    "Shears",
    "Wheelbarrow",
    "Men's Gloves",
    "Hose Reel",
    "Trowel",
    "Kids' Apron",
    "Twine",
)
_SIZES = ('12"', "Large", "Slim, Short", "Leather/Wool", "3-in-1", "Set of 4", "Heavy Duty", "No. 8", '5" Blade', "Dry")
_WORDS = ("sturdy", "light", "made of ash", "doesn't rust", "for small hands", "sharpened twice", "folds away", "easy to clean",
          "50% lighter than before", "tested for years: it holds", "fits everyone's shed", "grips of 8\\'9\"")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writing:
    """How a file writes its table.

    Attributes:
        escape: what makes a quote inside quotes literal: the quote itself, another sign, or nothing.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    newline: str = "\r\n"

    def cell(self, value: str, column: int) -> str:
        """A value, quoted where the table's own comma-separated file has quotes around it."""
        if not (column in _WRITTEN_IN_QUOTES or "," in value or '"' in value):
            return value
        sign = self.escape.replace('"', self.quote) if self.escape == '"' else self.escape
        return self.quote + value.replace(self.quote, sign + self.quote) + self.quote

    def row(self, values: tuple[str, ...]) -> list[str]:
        """The cells of a row."""
        return [self.cell(v, i) for i, v in enumerate(values)]

    def text(self, rows: list[tuple[str, ...]]) -> str:
        """Rows, each with its line end."""
        return "".join(self.delimiter.join(self.row(r)) + self.newline for r in rows)


@dataclass(frozen=True, slots=True)
class Variant:
    """One polluted file.

    Attributes:
        kind: the way it is polluted, for the table of results.
        weight: how often that is met, among all files of the benchmark's survey.
        header, records: what is in it; an empty header for none.
        told: the source options somebody would give who knows the file.
    """

    name: str
    kind: str
    weight: float
    text: str
    header: tuple[str, ...] = HEADER
    records: list[tuple[str, ...]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


def table() -> list[tuple[str, ...]]:
    """The records, the same every time."""
    dice = random.Random(20231)
    rows = []
    for n in range(83):
        thing, size = dice.choice(_THINGS), dice.choice(_SIZES)
        kind = thing if n % 3 == 0 else f"{thing}, {size}" if n % 3 == 1 else f"{thing} {size}"
        item = f"{dice.choice(('GD', 'TL', 'WR'))}-{1000 + 97 * n}"
        about = ", ".join(dice.sample(_WORDS[:-1], 4) if n % 9 else _WORDS[-3:])
        day, clock = f"{n % 28 + 1:02}/{n // 28 + 1:02}/2023", f"{n * 15 // 60:02}:{n * 15 % 60:02}"
        price = f"${dice.randrange(90, 9999) / 100:.2f}"
        rows.append((day, clock, str(dice.randrange(34)), item, price, kind, f"{thing}s {about}.",
                     f"https://shop.example/item/{item}.html", ""))  # fmt: skip
    return rows


def variants() -> Iterator[Variant]:
    """All of them."""
    records = table()
    every = [HEADER, *records]
    plain = Writing()
    told: dict[str, Any] = {
        "encoding": "utf-8", "delimiter": ",", "quote": '"', "header": 1, "skip": 0, "columns": list(HEADER)
    }  # fmt: skip
    clean = Variant("source.csv", "clean", 1, plain.text(every), HEADER, records, told)
    yield clean
    yield from _layouts(clean, every)
    yield from _dialects(clean, every)
    for at in range(len(every)):
        yield from _rows(clean, every, at)


def _layouts(clean: Variant, every: list[tuple[str, ...]]) -> Iterator[Variant]:
    plain, records, told = Writing(), clean.records, clean.told
    text = clean.text
    yield replace(clean, name="no_payload", kind="empty file", weight=15, text="", header=(), records=[], told={})
    yield replace(clean, name="no_trailing_newline", kind="line end at the end", weight=184, text=text.rstrip("\r\n"))
    yield replace(clean, name="double_trailing_newline", kind="line end at the end", weight=5, text=text + "\r\n")
    nameless = told | {"header": False, "columns": None}
    yield replace(
        clean, name="no_header", kind="no header", weight=470, text=plain.text(records), header=(), told=nameless
    )
    for n in (2, 3):
        names = tuple(" ".join([name] * n) for name in HEADER)
        several = told | {"header_rows": n, "columns": list(names)}
        yield replace(
            clean, name=f"header_multirow_{n}", kind="header of several rows", weight=47,
            text=plain.text([HEADER] * n + records), header=names, told=several,
        )  # fmt: skip
    before = "PREAMBLE" + "," * 8 + "\r\n" + "," * 8 + "\r\n"
    below = told | {"header": 3, "skip": 2}
    yield replace(clean, name="preamble", kind="preamble", weight=282, text=before + text, told=below)
    for name, second in _second_tables(every):
        yield replace(
            clean, name=f"multitable_{name}", kind="several tables", weight=188 / 3, text=text + plain.text(second)
        )
    yield replace(clean, name="header_only", kind="few rows", weight=3, text=plain.text([HEADER]), records=[])
    yield replace(
        clean, name="one_data_row", kind="few rows", weight=4, text=plain.text(every[:2]), records=records[:1]
    )


def _second_tables(every: list[tuple[str, ...]]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    yield "same", every
    yield "less", [row[:-1] for row in every]
    yield "more", [(*row, "" if i else "col1") for i, row in enumerate(every)]


def _dialects(clean: Variant, every: list[tuple[str, ...]]) -> Iterator[Variant]:
    def written(name: str, kind: str, weight: float, writing: Writing, **told: Any) -> Variant:
        return replace(clean, name=name, kind=kind, weight=weight, text=writing.text(every), told=clean.told | told)

    for code, sign, weight in (("3B", ";", 834), ("9", "\t", 4), ("20", " ", 4), ("2C_20", ", ", 101)):
        yield written(f"field_delimiter_{code}", "delimiter", weight, Writing(delimiter=sign), delimiter=sign)
    yield written("record_delimiter_A", "line end", 1691, Writing(newline="\n"))
    yield written("record_delimiter_D", "line end", 7, Writing(newline="\r"))
    yield written("quotation_char_27", "quote", 11, Writing(quote="'"), quote="'")
    yield written("escape_char_5C", "escape", 1, Writing(escape="\\"), escape="\\")
    yield written("escape_char_00", "escape", 7, Writing(escape=""))


def _rows(clean: Variant, every: list[tuple[str, ...]], at: int) -> Iterator[Variant]:
    """The ways in which a single row is polluted."""
    lines = [",".join(Writing().row(row)) for row in every]

    def with_line(name: str, kind: str, weight: float, line: str) -> Variant:
        text = "".join(one + "\r\n" for one in [*lines[:at], line, *lines[at + 1 :]])
        return replace(clean, name=name, kind=kind, weight=weight, text=text)

    cells = Writing().row(every[at])
    for column in range(len(cells)):
        left, right = cells[:column], cells[column:]
        if column:
            one_less = ",".join(left) + ",".join(right)
            yield with_line(f"less_sep_{at}_{column}", "a delimiter too few in a row", 0.36775, one_less)
        one_more = ",".join([*left, "", *right])
        yield with_line(f"more_sep_{at}_{column}", "a delimiter too many in a row", 0.36775, one_more)
        yield _stray(with_line, every, at, column)
    yield with_line(f"field_delimiter_{at}", "another delimiter in a row", 1 / 7, " ".join(cells))


def _stray(with_line: Any, every: list[tuple[str, ...]], at: int, column: int) -> Variant:
    """A quote too many, at the beginning of a value: it belongs to the value."""
    cells = Writing().row(every[at])
    cell = cells[column]
    cells[column] = '""' + cell[1:] if cell.startswith('"') else '"' + cell
    polluted: Variant = with_line(f"extra_quote_{at}_{column}", "a quote too many in a row", 0.00926, ",".join(cells))
    row = list(every[at])
    row[column] = '"' + row[column]
    rows = [*every[:at], tuple(row), *every[at + 1 :]]
    return replace(polluted, header=rows[0], records=rows[1:], told=polluted.told | {"columns": list(rows[0])})
