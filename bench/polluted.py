"""How much of a polluted table is read: every variant of `pollution.py`, through the source `files`, with nothing said about it (detected)
and with its dialect given (told).

    bench/run.py polluted              all of them, and the table in docs/benchmarks.md
    bench/polluted.py KIND ...         those whose kind or name has the word, one by one

A file has ten measures between 0 and 1: whether it could be read, and precision, recall and F1 of the names of its columns, of its
records and of its values, each compared as a multiset with what is in the file. Its points are their sum. The simple score is the mean
over all files; the weighted one counts a file as often as its pollution was met in the benchmark's survey. A record that was refused is
one that was not read, whatever the list of rejects says about it.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pollution import Variant, variants

from headgate.connectors.files import FileSource
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- polluted files: written by bench/polluted.py -->\n", "<!-- end of polluted files -->"
MODES: dict[str, dict[str, Any] | None] = {
    "detected": None,
    "told": {},
    "told, `stray_quotes: keep`": {"stray_quotes": "keep"},
}
ASKED = {"detected": "9.95 / 9.70", "told": "", "told, `stray_quotes: keep`": "9.97 / 9.90"}


def points(variant: Variant, mode: str, folder: Path) -> float:
    """The points of one file, of ten."""
    (folder / "polluted.csv").write_bytes(variant.text.encode())
    extra = MODES[mode]
    options = {} if extra is None else {k: v for k, v in variant.told.items() if v is not None} | extra
    try:
        names, records = _read(folder, options)
    except SourceError:
        return 0.0
    header = _measures(variant.header, names) if variant.header else 3.0
    rows = _measures(variant.records, records)
    cells = _measures([c for r in variant.records for c in r], [c for r in records for c in r])
    return 1.0 + header + rows + cells


def _read(folder: Path, options: dict[str, Any]) -> tuple[list[str], list[tuple[str, ...]]]:
    source = FileSource(SourceSpec(path="polluted.csv", **options), folder)
    scan = source.open(source.partitions()[0])
    try:
        rows = [tuple(v or "" for v in r.values()) for b in scan.batches() for r in b.records.to_pylist()]
        return scan.schema.names, rows
    finally:
        scan.close()
        source.close()


def _measures(wanted: Sequence[Any], got: Sequence[Any]) -> float:
    """Precision, recall and F1, summed up."""
    if not wanted:
        return 3.0
    right = (Counter(wanted) & Counter(got)).total()
    if not right:
        return 0.0
    precision, recall = right / len(got), right / len(wanted)
    return precision + recall + 2 * precision * recall / (precision + recall)


def measure(chosen: Iterable[Variant]) -> dict[str, list[tuple[Variant, float]]]:
    """Every file's points, by mode."""
    found: dict[str, list[tuple[Variant, float]]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as folder:
        for variant in chosen:
            for mode in MODES:
                found[mode].append((variant, points(variant, mode, Path(folder))))
    return found


def report(found: dict[str, list[tuple[Variant, float]]]) -> str:
    """The results in Markdown."""
    kinds = dict.fromkeys(v.kind for v, _ in found["detected"])
    lines = [f"| pollution | files | weight | {' | '.join(MODES)} |", "| --- | ---: | ---: |" + " ---: |" * len(MODES)]
    total = sum(v.weight for v, _ in found["detected"])
    for kind in kinds:
        of = {mode: [(v, p) for v, p in some if v.kind == kind] for mode, some in found.items()}
        weight = sum(v.weight for v, _ in of["detected"]) / total
        figures = " | ".join(f"{_weighted(some):.3f}" for some in of.values())
        lines.append(f"| {kind} | {len(of['detected']):,} | {weight:.1%} | {figures} |")
    count = len(found["detected"])
    simple = " | ".join(f"**{sum(p for _, p in some) / count:.3f}**" for some in found.values())
    weighted = " | ".join(f"**{_weighted(some):.3f}**" for some in found.values())
    lines += [f"| simple score | {count:,} | | {simple} |", f"| weighted score | {count:,} | 100% | {weighted} |"]
    lines.append(f"| asked for (simple / weighted) | | | {' | '.join(ASKED.values())} |")
    return "\n".join(lines)


def _weighted(some: list[tuple[Variant, float]]) -> float:
    return sum(v.weight * p for v, p in some) / sum(v.weight for v, _ in some)


def run() -> None:
    """All of them; the table goes into the page."""
    told = report(measure(variants()))
    print(told)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{told}\n{END}{rest.partition(END)[2]}")


def main(words: list[str]) -> None:
    """Some of them, each with its points."""
    chosen = [v for v in variants() if any(w in v.kind or w in v.name for w in words)]
    found = measure(chosen)
    for at, variant in enumerate(chosen):
        print(f"{variant.name:28}", *(f"{mode} {found[mode][at][1]:.3f}" for mode in MODES))
    print(report(found))


if __name__ == "__main__":
    main(sys.argv[1:])
