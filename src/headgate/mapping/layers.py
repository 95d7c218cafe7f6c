"""A SELECT in layers: each layer adds columns made from those of the layers below, so that nothing is computed twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Layers:
    """Columns by name, each placed just above the columns it is made of."""

    def __init__(self, base: Iterable[str]) -> None:
        self._level = dict.fromkeys(base, 0)
        self._columns: list[dict[str, str]] = [{}]
        self._joins: list[list[str]] = [[]]

    def __contains__(self, name: str) -> bool:
        return name in self._level

    def add(self, name: str, sql: str, uses: Iterable[str]) -> str:
        """Place a column; `uses` are the columns its SQL refers to. Returns its name."""
        level = self._place(uses)
        self._columns[level][name] = sql
        self._level[name] = level
        return name

    def join(self, table: str, on: str, names: Mapping[str, str], uses: Iterable[str]) -> None:
        """Place the columns `names` (new name to column of `table`), where `on` holds between `uses` and the new names."""
        level = self._place(uses)
        columns = ", ".join(f"{column} AS {name}" for name, column in names.items())
        self._joins[level].append(f" LEFT JOIN (SELECT {columns} FROM {table}) ON {on}")
        self._level.update(dict.fromkeys(names, level))

    def _place(self, uses: Iterable[str]) -> int:
        level = max((self._level[u] for u in uses), default=0) + 1
        while len(self._columns) <= level:
            self._columns.append({})
            self._joins.append([])
        return level

    def select(self, outputs: Mapping[str, str], source: str) -> str:
        """The whole query over `source`, a table or a query in brackets."""
        query = f"FROM {source}"
        for columns, joins in zip(self._columns[1:], self._joins[1:], strict=True):
            added = "".join(f", {sql} AS {name}" for name, sql in columns.items())
            query = f"FROM (SELECT *{added} {query}{''.join(joins)})"
        return f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in outputs.items())} {query}"
