"""What was found in a file of records, decision by decision: what, how sure, and what says otherwise."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from headgate.model.counting import counted

from .runs import DELIMITERS

_SIGNS = DELIMITERS | {
    "": "none", '"': "double quote", "'": "apostrophe", ", ": "comma and blank", "; ": "semicolon and blank", "\t\t": "two tabs",
    "^": "caret", "~": "tilde", ":": "colon", " ": "blank",
}  # fmt: skip
_OPTION = {"before the table": "skip", "after the table": "footer", "another table": "footer"}


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that was decided about a file.

    Attributes:
        name: what was decided.
        found: the decision, for people.
        sure: how sure it is, in words; empty where that is no question.
        options: keys of the definition that decide it otherwise.
    """

    name: str
    found: str
    sure: str
    options: tuple[str, ...]

    def json(self) -> dict[str, object]:
        """As programs read it."""
        return asdict(self)


def decisions(findings: Mapping[str, Any], given: Collection[str] = ()) -> list[Decision]:
    """What was decided about a delimited text; nothing for other formats.

    Args:
        given: the keys of `source` that the definition says.
    """
    return list(_decisions(findings, given)) if findings.get("format") == "csv" else []


def _decisions(findings: Mapping[str, Any], given: Collection[str]) -> Iterator[Decision]:
    def decision(name: str, found: str, *options: str, sure: float | None = None) -> Decision:
        words = "as you say" if set(options) & set(given) else "" if sure is None else _words(sure)
        return Decision(name, found, words, tuple(f"source.{o}" for o in options))

    sure = findings["sure"]
    yield decision("encoding", findings["encoding"], "encoding", sure=sure["encoding"])
    yield decision("delimiter", _sign(findings["delimiter"]), "delimiter", sure=sure["delimiter"])
    quote, escape = findings["quote"], findings["escape"]
    inside = "" if not quote else ", doubled inside" if escape == "doubled" else f", {_sign(escape)} before it inside"
    yield decision("quote", _sign(quote) + inside, "quote", "escape")
    yield decision("header", _header(findings), "header", "header_rows", sure=sure["header"])
    yield decision("columns", str(findings["columns"]), "columns")
    yield decision("line ends", findings["line_end"])
    for left in findings["left_out"]:
        yield decision("left out", left["words"].replace(" left out", "", 1), _OPTION[left["what"]])


def _sign(sign: str) -> str:
    return _SIGNS.get(sign) or (sign if sign.isprintable() else repr(sign))


def _header(findings: Mapping[str, Any]) -> str:
    row, rows = findings["header"], findings["header_rows"]
    if not row:
        return "none"
    return f"row {row}" if rows == 1 else f"rows {row} to {row + rows - 1}, joined"


def _words(sure: float) -> str:
    if sure >= 1:
        return "certain"
    return "nearly certain" if sure >= 0.9 else "likely" if sure >= 0.7 else "a guess"


def remarks(findings: Mapping[str, Any]) -> list[str]:
    """The notes that no decision shows."""
    shown = {left["words"] for left in findings.get("left_out") or []}
    if "left_out" in findings:
        shown |= {
            n for n in findings["notes"] if n.startswith(f"{counted(findings['columns'], 'column')}, separated by")
        }
    return [n for n in findings.get("notes") or [] if n not in shown]
