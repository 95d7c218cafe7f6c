"""The bundled demo: its definitions are valid, its data is what the licences page says."""

from __future__ import annotations

from importlib.resources import as_file, files

import pytest
import yaml

from headgate.model.spec import ImportSpec, ProjectSpec

IMPORTS = ("categories", "countries", "goods-received", "prices", "products", "supplier-prices")


@pytest.mark.parametrize("name", IMPORTS)
def test_definition_is_valid_and_described(name: str) -> None:
    spec = ImportSpec.model_validate(
        yaml.safe_load((files("headgate") / "demo" / "imports" / f"{name}.yaml").read_text())
    )
    assert spec.description
    assert spec.destination.connection in _project().connections


def test_every_file_of_the_inbox_is_imported_and_its_licence_is_told() -> None:
    with as_file(files("headgate") / "demo") as demo:
        assert sorted(p.stem for p in (demo / "imports").iterdir()) == sorted(IMPORTS)
        inbox = {p.relative_to(demo).as_posix() for p in (demo / "inbox").rglob("*") if p.is_file()}
        sources = [
            ImportSpec.model_validate(yaml.safe_load(p.read_text())).source.path for p in (demo / "imports").iterdir()
        ]
        read = {p.relative_to(demo).as_posix() for s in sources for p in demo.glob(str(s))}
        licences = (demo / "LICENSES" / "README.md").read_text()
    assert inbox == read
    assert [f for f in inbox if f not in licences and f.rpartition("/")[0] + "/*.csv" not in licences] == []


def _project() -> ProjectSpec:
    return ProjectSpec.model_validate(yaml.safe_load((files("headgate") / "demo" / "headgate.yaml").read_text()))
