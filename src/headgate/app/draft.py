"""`headgate new`: a definition proposed from a file and, where there is one, the destination's table."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from headgate.engine.nested import nested
from headgate.engine.prepare import infer
from headgate.mapping import Notation, match_columns, notations
from headgate.model.errors import UsageError
from headgate.model.record import Batch
from headgate.model.spec import FieldSpec, ImportSpec
from headgate.model.table import TableSchema
from headgate.model.types import FieldType
from headgate.spi.source import Scan

from .project import Definition, Project
from .service import source_name

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True, slots=True)
class ProposedField:
    """A field as proposed.

    Attributes:
        confidence: how sure the match with the table's column is, 0 to 1; None where there is no table.
    """

    name: str
    column: str
    type: FieldType
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed definition.

    Attributes:
        unmatched: source columns without a column in the table.
        uncovered: table columns that would get no value.
    """

    text: str
    fields: list[ProposedField]
    findings: Mapping[str, object]
    unmatched: list[str]
    uncovered: list[str]


def propose(project: Project, wanted: Definition) -> Draft:
    """Propose a definition.

    Args:
        wanted: what is known already: source, destination, perhaps key and operation.

    Raises:
        HeadgateError: the file or the destination cannot be used, or a key is none of the fields.
    """
    spec = wanted.spec
    with closing(nested(project.source(spec.source, wanted.base), spec)) as source, closing(
        project.destination(spec.destination.connection, wanted.base)
    ) as destination:  # fmt: skip
        table = destination.inspect(spec.destination.table)
        partitions = source.partitions()
        scan = source.open(partitions[0])
        columns, findings = list(scan.schema.names), dict(scan.findings)
        written = _written(scan)
        scan.close()
        types = infer({c: FieldSpec() for c in columns}, source, partitions)
    fields = matched(columns, table) if table else named(columns, types)
    known = {f.column for f in fields}
    covered = {f.name for f in fields}
    uncovered = [c.name for c in table.columns if c.name not in covered and not c.generated] if table else []
    key = [_field(k, fields) for k in spec.key]
    text = _text(project, wanted, fields, key, findings, written, create=table is None)
    return Draft(text, fields, findings, [c for c in columns if c not in known], uncovered)


def _field(key: str, fields: list[ProposedField]) -> str:
    """The field that a key means, which may be named as the source names it."""
    names = [f.name for f in fields]
    if (found := next((n for n in (key, *(f.name for f in fields if f.column == key)) if n in names), None)) is None:
        raise UsageError(f"the key {key!r} is none of the fields", hint=f"They are: {', '.join(names)}.")
    return found


def _written(scan: Scan) -> dict[str, Notation]:
    """Columns of text whose first records are all numbers that are no plain ones."""
    with closing(_batches(scan)) as batches:
        first = next(batches, None)
    return notations(first.records) if first is not None else {}


def _batches(scan: Scan) -> Generator[Batch]:
    yield from scan.batches()


def matched(columns: list[str], table: TableSchema) -> list[ProposedField]:
    """The columns that a table has a column for, in their order."""
    types = {c.name: c.type for c in table.columns}
    found = sorted(match_columns(columns, table), key=lambda m: columns.index(m.source))
    return [ProposedField(m.column, m.source, types[m.column], m.confidence) for m in found]


def named(columns: list[str], types: Mapping[str, FieldType]) -> list[ProposedField]:
    """The columns as fields of a table that is to be made, each under a name of its own that needs no quotes."""
    fields: list[ProposedField] = []
    taken: set[str] = set()
    for column in columns:
        name = base = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)).strip("_").lower() or "column"
        n = 1
        while name in taken:
            n += 1
            name = f"{base}_{n}"
        taken.add(name)
        fields.append(ProposedField(name, column, types.get(column, FieldType("text")), None))
    return fields


def _text(
    project: Project,
    wanted: Definition,
    fields: list[ProposedField],
    key: list[str],
    findings: Mapping[str, object],
    written: Mapping[str, Notation],
    *,
    create: bool,
) -> str:
    spec = wanted.spec
    lines = [
        f"# Proposed by `headgate new` from {source_name(project, wanted)}: look it over; it is yours now.",
        "source:",
    ]
    given = spec.source.model_dump(exclude_unset=True, by_alias=True)
    told = {
        k: findings[k]
        for k in ("format", "encoding", "delimiter", "sheet", "header", "records")
        if k in findings and k not in given and (k != "records" or isinstance(findings[k], str))
    }
    if findings.get("header_rows", 1) not in (0, 1) and not {"header", "header_rows"} & given.keys():
        # A header whose row is named has one row unless more are said.
        told["header_rows"] = findings["header_rows"]
    lines += [f"  {k}: {scalar(v)}" for k, v in {**given, **told}.items() if v is not None]
    lines += field_lines(fields, {c: n.words for c, n in written.items()})
    lines += last_lines(spec.model_copy(update={"key": key}), create=create)
    return "\n".join(lines) + "\n"


def field_lines(fields: list[ProposedField], said: Mapping[str, str]) -> list[str]:
    """The fields as a definition has them.

    Args:
        said: by column, what is to be said about it.
    """
    lines = ["fields:"]
    width = max((len(scalar(f.name)) for f in fields), default=0) + 1
    for f in fields:
        words = [f"{f.confidence:.0%} sure"] if f.confidence is not None and f.confidence < 1 else []
        words += [said[f.column]] if f.column in said else []
        remark = f"  # {'; '.join(words)}" if words else ""
        lines.append(
            f"  {scalar(f.name) + ':':<{width}} {{ from: {scalar(f.column)}, type: {scalar(str(f.type))} }}{remark}"
        )
    return lines


def last_lines(spec: ImportSpec, *, create: bool) -> list[str]:
    """Key, operation and destination as a definition has them."""
    lines = []
    key = list(spec.key)
    if key:
        lines.append(f"key: {scalar(key[0]) if len(key) == 1 else json.dumps(key, ensure_ascii=False)}")
    lines.append(f"operation: {spec.operation.value}")
    lines.append("destination:")
    lines += [f"  connection: {scalar(spec.destination.connection)}", f"  table: {scalar(spec.destination.table)}"]
    if create or spec.destination.create:
        lines.append("  create: true")
    return lines


def scalar(value: Any) -> str:
    """A value as YAML, which reads it as the same."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value == value.strip():
        return value
    written = json.dumps(value, ensure_ascii=False)
    # YAML folds lines that JSON has none of (U+0085, U+2028), and refuses other signs that cannot be printed.
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in written)
