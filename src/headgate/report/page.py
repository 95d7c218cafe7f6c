"""What the text reports are written on: a console, narrow or wide, terminal or file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from headgate.model.run import Status

from .words import shown

STYLES = {
    Status.SUCCEEDED: "bold green",
    Status.PARTIAL: "bold yellow",
    Status.FAILED: "bold red",
    Status.CANCELLED: "bold red",
}


class Page:
    """Writes lines, indented blocks and columns. Markup is never read out of text, so data cannot format anything;
    on what is not a terminal all signs of our own are ASCII, and the console leaves colours out.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = console.width
        fancy = console.is_terminal and not console.options.ascii_only
        self.arrow, self.dots = ("→", "…") if fancy else ("->", "...")

    def line(self, *parts: str | tuple[str, str], indent: int = 0, hanging: int = 0) -> None:
        """One paragraph, wrapped at the console's width; a part is a text, or a text with its style.

        Args:
            parts: what to write.
            indent: columns left empty before every line.
            hanging: columns left empty besides before all lines but the first.
        """
        text = Text()
        for part in parts:
            text.append(*((shown(part),) if isinstance(part, str) else (shown(part[0]), part[1])))
        first, *_ = text.wrap(self._console, max(self.width - indent, 20)) or [Text()]
        self._print(indent, first)
        rest = text[len(first.plain) :]
        if rest.plain.strip():
            lines = _stripped(rest).wrap(self._console, max(self.width - indent - hanging, 20))
            for line in lines:
                self._print(indent + hanging, line)

    def entry(self, text: str) -> None:
        """One of many lines that others may search: wrapped on a terminal, whole in a file or pipe."""
        if self._console.is_terminal:
            self.line(text, hanging=2)
        else:
            self._print(0, Text(shown(text)))

    def _print(self, indent: int, line: Text) -> None:
        line.rstrip()
        self._console.print(Text(" " * indent).append_text(line), soft_wrap=True, highlight=False)

    def heading(self, text: str) -> None:
        """The name of a section, after an empty line."""
        self._console.print()
        self.line((text, "bold"))

    def columns(self, rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: int = 2) -> None:
        """Rows in columns, as wide as they need; those of the indexes `right` flush right, and the last one wrapped."""
        cells = [[shown(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        before = sum(widths[:-1]) + 2 * (len(widths) - 1)
        hanging = before if before <= self.width // 2 else 2
        for row in cells:
            filled = [
                " " * (w - cell_len(c)) + c if i in right else c + " " * (w - cell_len(c))
                for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ]
            self.line("  ".join(filled).rstrip(), indent=indent, hanging=hanging)

    def cut(self, text: str, width: int) -> str:
        """At most `width` columns of a terminal, the last of them dots where something is left out."""
        return text if cell_len(text) <= width else set_cell_size(text, max(width - len(self.dots), 0)) + self.dots


def _stripped(text: Text) -> Text:
    return text[len(text.plain) - len(text.plain.lstrip()) :]
