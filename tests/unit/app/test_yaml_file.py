"""Definitions are read with the place of every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.app import yaml_file
from headgate.model.errors import DefinitionError
from headgate.model.spec import ImportSpec

GOOD = """\
source: inbox/a.csv
fields:
  sku: { from: Sku, transform: [trim] }
  name: Name
  country: { value: NO }
  code: { value: 00501 }
  price: { value: 12.50 }
key: sku
destination: { connection: shop, table: product }
"""


def read(tmp_path: Path, text: str) -> ImportSpec:
    file = tmp_path / "products.yaml"
    file.write_text(text, encoding="utf-8")
    return yaml_file.parse(yaml_file.read(file, "imports/products.yaml"), ImportSpec)


def test_a_good_definition_is_read_with_its_short_forms(tmp_path: Path) -> None:
    spec = read(tmp_path, GOOD)
    assert spec.source.path == "inbox/a.csv"
    assert spec.fields["name"].source == "Name"
    assert spec.key == ["sku"]


@pytest.mark.parametrize(("field", "value"), [("country", "NO"), ("code", "00501"), ("price", "12.50")])
def test_values_stay_as_written(tmp_path: Path, field: str, value: str) -> None:
    assert read(tmp_path, GOOD).fields[field].value == value


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("transform:", "transfrom:", "imports/products.yaml:3:21: unknown key 'transfrom', did you mean 'transform'?"),
        ("key: sku", "key: sku\nkeys: x", "imports/products.yaml:9:1: unknown key 'keys', did you mean 'key'?"),
        ("key: sku", "key: skuu", "the key 'skuu' is not among the fields"),
        ("key: sku", "key: sku\noperation: upsrt", "imports/products.yaml:9:12: operation: Input should be"),
        (
            "from: Sku",
            "from: Sku, type: decimall",
            "imports/products.yaml:3:27: fields.sku.type: 'decimall' is not a type",
        ),
        ("from: Sku", "from: Sku, expr: a", "imports/products.yaml:3:8: fields.sku: a field is made in one way"),
        (
            ", table: product",
            "",
            "imports/products.yaml:9:14: destination: a destination of records has a connection and a table; table is missing",
        ),
        ("  name: Name", "  name: Name\n  name: Other", "imports/products.yaml:5:3: 'name' is written twice"),
        ("key: sku", "key: [sku", "imports/products.yaml:"),
        ("from: Sku", "from: Sku, lookup: units", "the lookup 'units', which is not defined"),
    ],
)
def test_mistakes_are_pointed_at(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DefinitionError) as e:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(e.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="gone.yaml: there is no such file"):
        yaml_file.read(tmp_path / "gone.yaml")
