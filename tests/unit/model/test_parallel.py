"""Reading by several connections, as definitions write it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.model.source import ParallelSpec, SourceSpec

TABLE = {"connection": "shop", "table": "item"}


def test_a_number_alone_is_how_many() -> None:
    said = SourceSpec.model_validate(TABLE | {"parallel": 4})
    assert said.parallel == ParallelSpec(connections=4)
    assert SourceSpec.model_validate(said.model_dump(exclude_unset=True)) == said
    by = SourceSpec.model_validate(TABLE | {"parallel": {"connections": 2, "by": "id"}})
    assert by.parallel == ParallelSpec(connections=2, by="id")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (TABLE | {"parallel": 1}, "greater than or equal to 2"),
        (TABLE | {"parallel": 33}, "less than or equal to 32"),
        (TABLE | {"parallel": True}, "parallel"),
        (TABLE | {"parallel": {"by": "id"}}, "connections"),
        (TABLE | {"parallel": {"connections": 2, "by": ""}}, "by"),
        ({"connection": "shop", "query": "select 1", "parallel": 4}, "parallel goes with a table"),
        ({"connection": "shop", "request": {"path": "/x"}, "parallel": 4}, "parallel does not go with a request"),
        ({"path": "x.csv", "parallel": 4}, "parallel goes with a connection"),
        ({"connection": "shop", "path": "x.csv", "parallel": 4}, "parallel does not go with files"),
    ],
)
def test_what_cannot_be_read_so_is_refused(source: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SourceSpec.model_validate(source)
