"""Which encoding the files of `exports.py` are taken for.

    bench/run.py encodings                 all of them, and the table in docs/benchmarks.md
    bench/told_encodings.py GROUP ...      those of some groups, each that is read wrong

A file is right if the text that is read is the text that was written, whatever the encoding is called: many make the same of the same bytes.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

from exports import SIZES, Export, exports

from headgate.connectors.files import encoding

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- encodings: written by bench/told_encodings.py -->\n", "<!-- end of encodings -->"


def told(export: Export) -> tuple[bool, bool, str]:
    """Whether it is right, whether it is said to be no guess, and the encoding that was told."""
    found = encoding.find(export.data, [], None)
    return export.data.decode(found.name, "replace") == export.text, not found.warnings, found.name


def report() -> str:
    """The results in Markdown."""
    files: Counter[tuple[str, object]] = Counter()
    right: Counter[tuple[str, object]] = Counter()
    sure: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    used: dict[str, dict[str, None]] = defaultdict(dict)
    for export in exports():
        good, certain, _ = told(export)
        group = export.country.group
        used[group][export.encoding] = None
        for key in (export.records, "usual" if export.usual else "other"):
            for name in (group, "**all**"):
                files[name, key] += 1
                right[name, key] += good
        for name in (group, "**all**"):
            sure[name] += certain
            wrong[name] += certain and not good
    lines = [
        "| files | encodings | of them | the most usual one | the others | " + " | ".join(f"{n} records" for n in SIZES)
        + " | not a guess | of these wrong |",
        "| --- | --- |" + " ---: |" * (len(SIZES) + 5),
    ]  # fmt: skip
    for group in (*used, "**all**"):
        count = sum(files[group, n] for n in SIZES)
        figures = " | ".join(_share(right[group, k], files[group, k]) for k in ("usual", "other", *SIZES))
        lines.append(
            f"| {group} | {', '.join(used[group]) if group in used else ''} | {count:,} | {figures} | {_share(sure[group], count)} | {wrong[group]} |"
        )
    return "\n".join(lines)


def _share(right: int, of: int) -> str:
    return f"{right / of:.1%}" if of else ""


def run() -> None:
    """All of them; the table goes into the page."""
    table = report()
    print(table)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}")


def main(groups: list[str]) -> None:
    """Those that are read wrong."""
    for export in exports():
        if groups and export.country.group not in groups:
            continue
        good, certain, name = told(export)
        if not good:
            print(
                export.country.locale,
                export.records,
                export.encoding,
                "taken for",
                name,
                "" if certain else "(a guess)",
            )


if __name__ == "__main__":
    main(sys.argv[1:])
