"""Queries that people write, with parameters named after colons."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from headgate.model.errors import DefinitionError

_PARAMETER: Final = r"|--[^\n]*|/\*.*?\*/|::|:(?P<name>[A-Za-z_]\w*)"
_TOKENS: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$""" + _PARAMETER, re.DOTALL)
_MYSQL_TOKENS: Final = re.compile(
    r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`(?:[^`]|``)*`|\#[^\n]*""" + _PARAMETER, re.DOTALL
)


def with_parameters(
    query: str,
    given: Collection[str],
    spell: Callable[[str], str],
    other: Callable[[str], str] = str,
    *,
    mysql: bool = False,
) -> str:
    """A query with its parameters spelled as a driver takes them; texts, names in quotes, comments and casts are none.

    Args:
        given: the parameters that have a value.
        spell: a parameter by its name.
        other: everything between.
        mysql: whether texts have backslashes before quotes, names stand in backticks, and comments may begin with ``#``.

    Raises:
        DefinitionError: a parameter has no value, or a value no parameter.
    """
    pieces: list[str] = []
    used: set[str] = set()
    end = 0
    for token in (_MYSQL_TOKENS if mysql else _TOKENS).finditer(query):
        if (name := token["name"]) is None:
            continue
        used.add(name)
        pieces += [other(query[end : token.start()]), spell(name)]
        end = token.end()
    if wrong := used.symmetric_difference(given):
        name = min(wrong)
        what = "has no value among params" if name in used else "is not in the query"
        raise DefinitionError(f"the parameter :{name} {what}")
    return "".join([*pieces, other(query[end:])])
