from __future__ import annotations

import pytest

from headgate.model.errors import DefinitionError
from headgate.sql import with_parameters


@pytest.mark.parametrize(
    ("query", "spelled"),
    [
        ("select :a", "select <a>"),
        ("select a::text, :a::int, b[1:2]", "select a::text, <a>::int, b[1:2]"),
        ("select ':a', 'it''s :a', \":a\", :a -- :a", "select ':a', 'it''s :a', \":a\", <a> -- :a"),
        ("select /* :a\n:a */ :a, $$:a$$, $x$ :a $$ $x$", "select /* :a\n:a */ <a>, $$:a$$, $x$ :a $$ $x$"),
        ("select :a+:a", "select <a>+<a>"),
    ],
)
def test_only_parameters_are_replaced(query: str, spelled: str) -> None:
    assert with_parameters(query, ["a"], lambda name: f"<{name}>") == spelled


def test_what_is_between_can_be_escaped() -> None:
    doubled = with_parameters(
        "select '5%', :a", ["a"], lambda name: f"%({name})s", lambda text: text.replace("%", "%%")
    )
    assert doubled == "select '5%%', %(a)s"


@pytest.mark.parametrize(("given", "said"), [([], "has no value"), (["a", "b"], ":b is not in the query")])
def test_every_parameter_has_its_value(given: list[str], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        with_parameters("select :a", given, str)
