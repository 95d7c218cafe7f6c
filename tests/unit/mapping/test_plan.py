"""Which fields there are and of which types."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.mapping import effective_types, match_columns, plan_fields
from headgate.model.errors import DefinitionError
from headgate.model.spec import ImportSpec
from headgate.model.table import Column, TableSchema
from headgate.model.types import FieldType

PRODUCT = TableSchema(
    "shop.product",
    (
        Column("id", FieldType("bigint"), generated=True),
        Column("sku", FieldType("text", length=10), nullable=False),
        Column("list_price", FieldType.parse("decimal(12,2)")),
        Column("stock", FieldType("bigint")),
        Column("note", FieldType("text")),
    ),
    key=("sku",),
)


def spec(fields: dict[str, Any] | None = None, **more: Any) -> ImportSpec:
    return ImportSpec.model_validate(
        {"source": "x", "key": "sku", "destination": {"connection": "c", "table": "t"}, "fields": fields or {}, **more}
    )


def test_without_fields_every_column_goes_to_the_tables_column_of_its_name() -> None:
    planned = plan_fields(spec(), ["SKU", "List Price", "stock"], PRODUCT)
    assert {n: f.source for n, f in planned.items()} == {"sku": "SKU", "list_price": "List Price", "stock": "stock"}


def test_without_fields_and_table_names_stay() -> None:
    assert list(plan_fields(spec(), ["sku", "List Price"], None)) == ["sku", "List Price"]


def test_without_fields_a_deletion_takes_only_the_key() -> None:
    assert list(plan_fields(spec(operation="delete"), ["sku", "whatever"], PRODUCT)) == ["sku"]


def test_columns_the_table_does_not_have_are_named_with_the_nearest() -> None:
    with pytest.raises(DefinitionError, match=r"'Sotck', 'Colour'[\s\S]*Did you mean 'stock'"):
        plan_fields(spec(), ["sku", "Sotck", "Colour"], PRODUCT)


def test_a_key_the_source_does_not_have_is_refused() -> None:
    with pytest.raises(DefinitionError, match="the key 'sku' is not among"):
        plan_fields(spec(), ["stock"], PRODUCT)


def test_a_misspelt_column_gets_a_suggestion() -> None:
    with pytest.raises(DefinitionError, match=r"no column 'ListPirce' in the source[\s\S]*Did you mean 'ListPrice'"):
        plan_fields(spec({"sku": "sku", "list_price": "ListPirce"}), ["sku", "ListPrice"], PRODUCT)


def test_a_field_takes_the_column_of_its_own_name_but_for_case() -> None:
    assert plan_fields(spec({"sku": None}), ["Sku"], None)["sku"].source == "Sku"


def test_what_is_written_is_what_the_column_takes() -> None:
    planned = plan_fields(
        spec({"sku": "a", "stock": {"from": "a", "type": "integer"}, "note": {"from": "a", "type": "date"}}),
        ["a"],
        PRODUCT,
    )
    types = effective_types(planned, PRODUCT, {"a": FieldType("bigint")})
    assert {n: (str(t.declared), str(t.written)) for n, t in types.items()} == {
        "sku": ("text(10)", "text(10)"),
        "stock": ("integer", "bigint"),
        "note": ("date", "text"),
    }


def test_without_a_table_declared_goes_before_inferred() -> None:
    planned = plan_fields(
        spec(
            {"sku": "a", "n": {"from": "a", "type": "text"}, "m": {"from": "a", "transform": "trim"}, "v": {"value": 5}}
        ),
        ["a"],
        None,
    )
    types = effective_types(planned, None, {"a": FieldType("bigint")})
    assert {n: str(t.written) for n, t in types.items()} == {"sku": "bigint", "n": "text", "m": "text", "v": "bigint"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"sku": "a", "stock": {"from": "a", "type": "decimal(9,2)"}},
            r"is bigint and cannot hold every decimal\(9,2\)",
        ),
        ({"sku": "a", "stok": "a"}, r"no column 'stok'[\s\S]*Did you mean 'stock'"),
        ({"sku": "a", "id": "a"}, "made by the database"),
    ],
)
def test_fields_the_table_cannot_take_are_refused(fields: dict[str, Any], message: str) -> None:
    planned = plan_fields(spec(fields), ["a"], PRODUCT)
    with pytest.raises(DefinitionError, match=message):
        effective_types(planned, PRODUCT, {})


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("SKU", "sku"),
        ("ListPrice", "list_price"),
        ("List price", "list_price"),
        ("Notes", "note"),
        ("Product SKU", "sku"),
        ("item number", "sku"),
    ],
)
def test_headers_find_their_column(source: str, column: str) -> None:
    found = match_columns([source], PRODUCT)
    assert [(m.source, m.column) for m in found] == [(source, column)]
    assert 0 < found[0].confidence <= 1


def test_a_header_without_a_column_is_left_out_and_no_column_is_taken_twice() -> None:
    assert [m.column for m in match_columns(["Colour", "sku", "SKU"], PRODUCT)] == ["sku"]
