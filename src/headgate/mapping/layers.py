"""A SELECT in layers: each layer adds columns made from those of the layers below, so that nothing is computed twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Join:
    names: Mapping[str, str]
    table: str
    on: str

    @property
    def sql(self) -> str:
        columns = ", ".join(f"{column} AS {name}" for name, column in self.names.items())
        return f" LEFT JOIN (SELECT {columns} FROM {self.table}) ON {self.on}"


class Layers:
    """Columns by name, each placed just above the columns it is made of."""

    def __init__(self, base: Iterable[str]) -> None:
        self._level = dict.fromkeys(base, 0)
        self._columns: list[dict[str, str]] = [{}]
        self._joins: list[list[_Join]] = [[]]

    def __contains__(self, name: str) -> bool:
        return name in self._level

    def add(self, name: str, sql: str, uses: Iterable[str]) -> str:
        """Place a column; `uses` are the columns its SQL refers to. Returns its name."""
        level = self._place(uses)
        self._columns[level][name] = sql
        self._level[name] = level
        return name

    def join(self, table: str, on: str, names: Mapping[str, str], uses: Iterable[str]) -> None:
        """Place the columns `names` (new name to column of `table`), where `on` holds between `uses` and the new names.

        A record finds one row of the table at most.
        """
        level = self._place(uses)
        self._joins[level].append(_Join(names, table, on))
        self._level.update(dict.fromkeys(names, level))

    def _place(self, uses: Iterable[str]) -> int:
        level = max((self._level[u] for u in uses), default=0) + 1
        while len(self._columns) <= level:
            self._columns.append({})
            self._joins.append([])
        return level

    def needs(self, outputs: Mapping[str, str]) -> set[str]:
        """The columns of the base that the outputs are made of."""
        return self._used(outputs)[1]

    def select(self, outputs: Mapping[str, str], source: str) -> str:
        """The whole query over `source`, a table or a query in brackets that has the columns that are needed.

        What no output is made of is not in it, and a layer hands on only what is used above it.
        """
        query = f"FROM {source}"
        for columns, joins in self._used(outputs)[0]:
            query = f"FROM (SELECT {columns} {query}{joins})"
        return f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in outputs.items())} {query}"

    def _used(self, outputs: Mapping[str, str]) -> tuple[list[tuple[str, str]], set[str]]:
        """The columns and joins of each layer, the lowest first, and the columns of the base."""
        used = self._named(outputs.values())
        layers: list[tuple[str, str]] = []
        for columns, joins in zip(self._columns[:0:-1], self._joins[:0:-1], strict=True):
            made = {name: sql for name, sql in columns.items() if name in used}
            joined = [j for j in joins if not used.isdisjoint(j.names)]
            if made or joined:
                listed = [*sorted(used - made.keys()), *(f"{sql} AS {name}" for name, sql in made.items())]
                layers.insert(0, (", ".join(listed), "".join(j.sql for j in joined)))
                below = (used - made.keys()) | self._named([*made.values(), *(j.on for j in joined)])
                used = below.difference(*(j.names for j in joined))
        return layers, used

    def _named(self, pieces: Iterable[str]) -> set[str]:
        """The columns that are named anywhere in the SQL, were it in a text: one too many does no harm."""
        return {word for sql in pieces for word in _WORD.findall(sql) if word in self._level}
