"""What statements are like in databases that are known; any other one is taken to keep to the standard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from .options import AdbcOptions


@dataclass(frozen=True, slots=True)
class Vendor:
    """How a database wants its statements.

    Attributes:
        mark: what stands for a parameter; before its number where it is not ``?``.
        quote: what names are quoted with.
        begin: what a transaction begins with, so that it is one consistent read.
        cursor: whether a statement with parameters is read through a cursor, as its driver would hold all of its records
            at once.
        guesses: whether the driver tells the types of columns from values it has read, not from the table.
        text: the type that shows any value as text.
    """

    mark: str = "?"
    quote: str = '"'
    begin: tuple[str, ...] = ()
    cursor: bool = False
    guesses: bool = False
    text: str = "varchar"

    def name(self, name: str) -> str:
        """A name in quotes."""
        return self.quote + name.replace(self.quote, self.quote * 2) + self.quote

    def parameter(self, number: int) -> str:
        """What stands for the parameter of that number, counted from 1."""
        return self.mark if self.mark == "?" else f"{self.mark}{number}"


_BACKTICKS: Final = Vendor(quote="`")
_KNOWN: Final = {
    "postgres": Vendor("$", begin=("set transaction isolation level repeatable read, read only",), cursor=True),
    "sqlite": Vendor(begin=("pragma query_only = on",), guesses=True, text="text"),
    "duckdb": Vendor("$"),
    "sql server": Vendor("@p"),
    "mysql": _BACKTICKS,
    "mariadb": _BACKTICKS,
    "bigquery": replace(_BACKTICKS, text="string"),
    "databricks": replace(_BACKTICKS, text="string"),
    "spark": replace(_BACKTICKS, text="string"),
}


def vendor(name: str, options: AdbcOptions) -> Vendor:
    """The database by the name that its driver gives, but for what the connection says."""
    found = next((v for word, v in _KNOWN.items() if word in name.lower()), Vendor())
    return replace(
        found,
        mark=found.mark if options.placeholder is None else options.placeholder.rstrip("1"),
        quote=options.quote or found.quote,
    )
