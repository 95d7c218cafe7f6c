"""The reference is what the code would have it, and leaves nothing out."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import click
import pytest
from pydantic import BaseModel

from headgate.cli.main import cli
from headgate.mapping import TRANSFORMS
from headgate.model.codes import CODES
from headgate.model.errors import HeadgateError
from headgate.model.outcome import Account, Outcome
from headgate.model.spec import ImportSpec, ProjectSpec
from headgate.model.types import KINDS
from headgate.testing.destination import DestinationConformance
from support.markdown import ROOT

REFERENCE = ROOT / "docs" / "reference"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_page_is_as_the_code_would_have_it(name: str) -> None:
    assert (REFERENCE / name).read_text() == GENERATOR.page(name), "run: python3 go.py docs"


def test_no_page_is_left_over() -> None:
    assert {p.name for p in REFERENCE.iterdir()} == {n for n in GENERATOR.PAGES if "/" not in n}


def test_every_code_has_a_place_to_link_to() -> None:
    text = (REFERENCE / "codes.md").read_text()
    assert [c for c in CODES if f'<a id="{c}"></a>`{c}`' not in text] == []


def test_every_transform_has_a_section_and_an_example() -> None:
    text = (REFERENCE / "transforms.md").read_text()
    assert [n for n in TRANSFORMS if f"\n## {n}\n" not in text] == []
    assert [n for n, t in TRANSFORMS.items() if not t.examples] == ["join"]  # its result is made of several columns


def test_every_command_and_option_is_documented_and_every_help_ends_with_an_example_and_exit_codes() -> None:
    text = (REFERENCE / "commands.md").read_text()
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        section = text.partition(f"\n## headgate {name}\n")[2].partition("\n## ")[0]
        assert section, name
        assert [o for p in command.params if isinstance(p, click.Option) for o in p.opts if o not in section] == [], (
            name
        )
        assert all(p.help for p in command.params if isinstance(p, click.Option)), name
        assert f"headgate {name}" in section.partition("xample")[2], name
        assert "xit code" in section, name
        for part, below in command.commands.items() if isinstance(command, click.Group) else ():
            own = section.partition(f"\n### headgate {name} {part}\n")[2].partition("\n### ")[0]
            assert f"headgate {name} {part}" in own.partition("xample")[2], part
            assert [o for p in below.params if isinstance(p, click.Option) for o in p.opts if o not in own] == [], part


def test_every_key_of_a_definition_is_documented() -> None:
    text = (REFERENCE / "definition.md").read_text()

    def keys(model: type[BaseModel]) -> list[str]:
        return [f.alias or n for n, f in model.model_fields.items()]

    for model in (ImportSpec, ProjectSpec, *GENERATOR.nested(ImportSpec), *GENERATOR.nested(ProjectSpec)):
        section = text.partition(f"\n## {GENERATOR.title(model)}\n")[2].partition("\n## ")[0]
        assert [k for k in keys(model) if f"| `{k}` |" not in section] == [], model
        assert all(f.description for f in model.model_fields.values()), model


def test_every_guarantee_is_proved_by_a_test_there_is() -> None:
    sys.path.insert(0, str(REFERENCE.parent))
    from guarantees import GUARANTEES

    assert [test for _, _, test in GUARANTEES if not hasattr(DestinationConformance, test)] == []


def test_every_type_outcome_count_and_exit_code_is_documented() -> None:
    types, outcomes, exits = ((REFERENCE / f"{n}.md").read_text() for n in ("types", "outcomes", "exit-codes"))
    assert [k for k in KINDS if k != "other" and f"| `{k}` |" not in types] == []
    assert [o for o in Outcome if f"| `{o.value}` |" not in outcomes] == []
    assert [k for k in Account().as_dict() if f"| `{k}` |" not in outcomes] == []
    errors = {HeadgateError, *(e for e in _below(HeadgateError) if e.__module__ == HeadgateError.__module__)}
    assert [e.__name__ for e in errors if f"| `{e.__name__}` |" not in exits] == []
    assert {e.exit_code for e in errors} <= set(GENERATOR.EXIT_CODES)


def _below(cls: type[HeadgateError]) -> list[type[HeadgateError]]:
    return [c for s in cls.__subclasses__() for c in (s, *_below(s))]
