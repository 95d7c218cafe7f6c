"""Reading the project's own Markdown: its fenced blocks, and sessions of commands in them.

A fence says what its block is: ```` ```console ```` is a session (``$ `` before each command, ``# exit N`` behind one that does not
end with 0); ```` ```yaml title="imports/products.yaml" ```` is a file, there from then on; every other block is just shown.
A comment ``<!-- project: demo -->`` on a page begins it in a copy of the bundled demo, ``<!-- needs: postgres -->`` (or
``mysql``) gives it an empty database as ``$DATABASE_URL``, ``<!-- needs: api -->`` an API of customers as ``$CRM_URL``,
``<!-- needs: salesforce -->`` a Salesforce as ``$SALESFORCE_URL`` with its login, ``<!-- needs: people -->`` an API of people,
``<!-- needs: applications -->`` servers behind the presets with their tokens as ``$HUBSPOT_TOKEN`` and ``$SHOPIFY_TOKEN``,
``<!-- needs: server -->`` a server of the page's project as ``$HEADGATE_URL``. In expected output ``…`` stands for any text, on a line of its own for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_DIRECTIVE = re.compile(r"^<!-- (project|needs): (\w+) -->$", re.MULTILINE)
_EXIT = re.compile(r"\s+# exit (\d+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the file it is (or nothing), its text and the line it begins on."""

    language: str
    title: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a session: what is typed, the exit code it should end with, and the output it should have."""

    text: str
    exit_code: int
    output: tuple[str, ...]


def pages() -> list[Path]:
    """The pages people write (the reference is generated)."""
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name != "reference")]


def name(page: Path) -> str:
    """A page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        title = _TITLE.search(found[2])
        yield Block(found[1], title[1] if title else "", found[3], text.count("\n", 0, found.start()) + 1)


def directives(page: Path) -> dict[str, str]:
    """What a page needs: ``project`` and ``needs``."""
    return dict(_DIRECTIVE.findall(page.read_text()))


def session(text: str) -> list[Command]:
    """The commands of a console block; a line that ends with a backslash goes on."""
    commands = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        typed = lines.pop(0)
        while typed.endswith("\\"):
            typed = typed[:-1] + lines.pop(0)
        code = _EXIT.search(typed)
        commands.append(Command(_EXIT.sub("", typed), int(code[1]) if code else 0, tuple(lines)))
    return commands


def matches(expected: tuple[str, ...], output: str) -> bool:
    """Whether output is as expected, ``…`` standing for anything; a command shown without output may say what it likes."""
    if not expected:
        return True
    pattern = "".join("(?:.*\n)*" if line.strip() == "…" else _line(line) for line in expected)
    return re.fullmatch(pattern, "".join(f"{x.rstrip()}\n" for x in output.strip("\n").splitlines())) is not None


def _line(expected: str) -> str:
    return ".*".join(re.escape(part) for part in expected.rstrip().split("…")) + "\n"
