"""What the stage holds, and what changes look like, follows from the spec alone."""

from __future__ import annotations

import pyarrow as pa

from headgate.connectors.postgres.dialect import PostgresDialect
from headgate.model.table import Column
from headgate.model.types import FieldType
from headgate.model.write import Operation, WriteField, WriteSpec
from headgate.spi.grounds import MISSING
from headgate.sql import Statements, Target, changes_schema

FIELDS = (WriteField("k", FieldType("bigint")), WriteField("v", FieldType.parse("decimal(6,2)"), keeps=True))
TARGET = Target('"t"', {f.name: Column(f.name, f.type) for f in FIELDS}, ("ctid",), unique=True)


def staged(**more: bool) -> list[tuple[str, str, str]]:
    spec = WriteSpec("t", FIELDS, ("k",), Operation.UPSERT, **more)
    return [(c.source, c.name, c.sql) for c in Statements(PostgresDialect(), spec, TARGET).stage_columns()]


def test_the_stage_has_the_columns_of_the_batches_under_names_of_its_own() -> None:
    assert staged(deletes=True) == [
        ("_n", "_n", "bigint"),
        ("_delete", "_delete", "boolean"),
        ("_keep_v", "k1", "boolean"),
        ("k", "f0", "bigint"),
        ("v", "f1", "numeric"),
    ]


def test_the_stage_of_a_plan_has_what_the_records_were() -> None:
    expected = ["_n", "_action", "_keep_v", "k", "v", "_old_k", "_old_v"]
    assert [source for source, _, _ in staged(planned=True)] == expected


def test_changes_have_the_types_of_the_fields() -> None:
    schema = changes_schema(WriteSpec("t", FIELDS, ("k",), Operation.UPSERT))
    assert schema.names == ["_n", "_action", "k", "v", "_old_k", "_old_v"]
    assert schema.field("_old_v").type == pa.decimal128(6, 2)


def test_a_composite_key_is_named_whole() -> None:
    refusal = MISSING.refusal(7, ("a", "b"))
    assert (refusal.number, refusal.code, refusal.field) == (7, "KY04", "")
    assert "a and b" in refusal.reason
