from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from headgate.connectors.files import FileSource
from headgate.model.spec import SourceSpec
from headgate.testing.hostile_sources import MakeOf
from headgate.testing.source import Make, SourceConformance

ROWS = [{"sku": f"{i:05}", "name": ("Lamp, small", "Tafel ø", 'say "no"')[i % 3], "qty": str(i)} for i in range(200)]
CSV = "sku,name,qty\n" + "".join(f'{r["sku"]},"{r["name"].replace(chr(34), chr(34) * 2)}",{r["qty"]}\n' for r in ROWS)
LINES = "".join(json.dumps(r) + "\n" for r in ROWS)
RAGGED = CSV.replace('00007,"Tafel ø",7', "00007").replace(",120\n", ",120,too,many\n")
BROKEN = LINES.replace(json.dumps(ROWS[7]), '{"sku": ').replace(json.dumps(ROWS[120]), "[1]")
LONG = "id\n" + "".join(f"{i}\n" for i in range(70_000))  # more than one batch


def without(*numbers: int) -> list[dict[str, str]]:
    return [r for i, r in enumerate(ROWS) if i not in numbers]


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content.encode(encoding))


def workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Products")
        sheet.write(0, 0, "Products")
        for i, values in enumerate([list(ROWS[0]), *(list(r.values()) for r in ROWS)]):
            sheet.write_row(i + 2, 0, values)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("items.csv", CSV)


def arrow(path: Path, new: Callable[..., Any]) -> None:
    table = pa.Table.from_pylist(ROWS)
    with new(str(path), table.schema) as out:
        out.write_table(table, max_chunksize=60)


def avro(path: Path, names: Sequence[str], records: Sequence[dict[str, Any]]) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": n, "type": "string"} for n in names]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, records, codec="deflate", sync_interval=1000)


def several(path: Path) -> None:
    path.write_text(CSV)
    path.with_name("items-2.csv").write_text(CSV)


WIDTHS = {"sku": 6, "name": 12, "qty": 3}
FIXED = "".join(f"{r['sku']:<6}{r['name']:<12}{r['qty']:>3}\n" for r in ROWS)

XML = "".join("<item>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in r.items()) + "</item>\n" for r in ROWS)

OPTIONS: dict[str, dict[str, Any]] = {
    "fixed": {"widths": WIDTHS},
    "fixed-ragged": {"widths": WIDTHS},
    "fixed-unlined": {"widths": WIDTHS},
}
INPUTS: dict[str, tuple[str, Callable[[Path], object], list[dict[str, Any]]]] = {
    "csv": ("items.csv", text(CSV), ROWS),
    "csv-windows": ("items.csv", text(CSV.replace("\n", "\r\n"), "cp1252"), ROWS),
    "csv-ragged": ("items.csv", text(RAGGED), without(7, 120)),
    "csv-gzip": ("items.csv.gz", lambda path: path.write_bytes(gzip.compress(CSV.encode())), ROWS),
    "csv-bzip2": ("items.csv.bz2", lambda path: path.write_bytes(bz2.compress(CSV.encode())), ROWS),
    "csv-xz": ("items.csv.xz", lambda path: path.write_bytes(lzma.compress(CSV.encode())), ROWS),
    "csv-zstd": ("items.csv.zst", lambda path: path.write_bytes(pa.Codec("zstd").compress(CSV.encode())), ROWS),
    "csv-zip": ("items.zip", zipped, ROWS),
    "csv-several": ("items-*.csv", lambda path: several(path.with_name("items-1.csv")), ROWS * 2),
    "csv-long": ("items.csv", text(LONG), [{"id": str(i)} for i in range(70_000)]),
    "fixed": ("items.txt", text(FIXED, "utf-16"), ROWS),
    "fixed-ragged": (
        "items.txt",
        text(FIXED.replace("Tafel ø       7", "Tafel ø").replace("120\n", "120 x\n")),
        without(7, 120),
    ),
    "fixed-unlined": ("items.txt", text(FIXED.replace("\n", "")), ROWS),
    "jsonl": ("items.jsonl", text(LINES), ROWS),
    "jsonl-broken": ("items.jsonl", text(BROKEN), without(7, 120)),
    "json": ("items.json", text(json.dumps({"items": ROWS})), ROWS),
    "parquet": (
        "items.parquet",
        lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=60),
        ROWS,
    ),
    "arrow-file": ("items.arrow", lambda path: arrow(path, pa.ipc.new_file), ROWS),
    "arrow-stream": ("items.arrows", lambda path: arrow(path, pa.ipc.new_stream), ROWS),
    "avro": ("items.avro", lambda path: avro(path, list(ROWS[0]), ROWS), ROWS),
    "xml": ("items.xml", text(f"<shop><items>{XML}</items></shop>"), ROWS),
    "xlsx": ("items.xlsx", workbook, ROWS),
}


def csv_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    return SourceSpec(path=path.name, delimiter=",", quote='"', header=1, encoding="utf-8")


def jsonl_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    path.write_text(
        "".join(json.dumps(dict(zip(names, r, strict=True)), ensure_ascii=False) + "\n" for r in rows), encoding="utf-8"
    )
    return SourceSpec(path=path.name) if len(set(names)) == len(names) else None


def parquet_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    columns = [pa.array([r[i] for r in rows], pa.string()) for i in range(len(names))]
    pq.write_table(pa.Table.from_arrays(columns, names=list(names)), path)
    return SourceSpec(path=path.name)


def arrow_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    columns = [pa.array([r[i] for r in rows], pa.string()) for i in range(len(names))]
    table = pa.Table.from_arrays(columns, names=list(names))
    with pa.ipc.new_stream(str(path), table.schema) as out:
        out.write_table(table)
    return SourceSpec(path=path.name)


def avro_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    # A name in an Avro schema is a word of letters, digits and underscores.
    if len(set(names)) < len(names) or not all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", n) for n in names):
        return None
    avro(path, names, [dict(zip(names, row, strict=True)) for row in rows])
    return SourceSpec(path=path.name)


def xml_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    # An element's name is a word; XML has no characters that do nothing but control.
    if len(set(names)) < len(names) or not all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", n) for n in names):
        return None
    items = ["".join(f"<{n}>{escape(v)}</{n}>" for n, v in zip(names, row, strict=True)) for row in rows]
    path.write_text("<items>" + "".join(f"<item>{i}</item>\n" for i in items) + "</items>", encoding="utf-8")
    return SourceSpec(path=path.name, records="item")


def xlsx_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate([names, *rows]):
            for j, cell in enumerate(row):
                sheet.write_string(i, j, cell)
    return SourceSpec(path=path.name, header=1)


def fixed_of(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> SourceSpec | None:
    # A value has no blanks around it in such a file, and no line ends in it.
    if len(set(names)) < len(names) or any(c != c.strip(" ") or "\n" in c for row in rows for c in row):
        return None
    widths = {n: max([1, *(len(r[i]) for r in rows)]) for i, n in enumerate(names)}
    lines = ["".join(cell.ljust(w) for cell, w in zip(row, widths.values(), strict=True)) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
    return SourceSpec(path=path.name, widths=widths, encoding="utf-8")


OF = {
    "csv": csv_of,
    "fixed": fixed_of,
    "jsonl": jsonl_of,
    "parquet": parquet_of,
    "arrow": arrow_of,
    "avro": avro_of,
    "xml": xml_of,
    "xlsx": xlsx_of,
}


class TestFiles(SourceConformance):
    @pytest.fixture(params=OF)
    def make_of(self, request: pytest.FixtureRequest, tmp_path: Path) -> MakeOf:
        def made(names: Sequence[str], rows: Sequence[Sequence[str]]) -> FileSource | None:
            spec = OF[request.param](tmp_path / f"given.{request.param}", names, rows)
            return FileSource(spec, tmp_path) if spec is not None else None

        return made

    @pytest.fixture(params=INPUTS)
    def make(self, request: pytest.FixtureRequest, tmp_path: Path) -> Make:
        name, write, self.expected = INPUTS[request.param]
        write(tmp_path / name)
        return lambda: FileSource(SourceSpec(path=name, **OPTIONS.get(request.param, {})), tmp_path)

    @pytest.fixture(params=("none.csv", "none.xlsx", "none-*.jsonl"))
    def make_missing(self, request: pytest.FixtureRequest, tmp_path: Path) -> Make:
        return lambda: FileSource(SourceSpec(path=request.param), tmp_path)
