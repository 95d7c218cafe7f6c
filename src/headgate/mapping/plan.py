"""Which fields an import has, and of which types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from headgate.model.errors import DefinitionError
from headgate.model.spec import FieldSpec, ImportSpec
from headgate.model.table import TableSchema
from headgate.model.types import TEXT, FieldType
from headgate.model.write import Operation

from .suggest import hint


@dataclass(frozen=True, slots=True)
class FieldTypes:
    """The two types of a field: `declared` says how a value is read and checked, `written` what the destination takes."""

    declared: FieldType
    written: FieldType


def normalise(name: str) -> str:
    """A name without regard to case, blanks, underscores, hyphens and dots."""
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def _match(name: str, names: list[str]) -> str | None:
    """The one of `names` that is `name`, but for case, blanks and underscores where that is unambiguous."""
    if name in names:
        return name
    for same in (str.casefold, normalise):
        found = [n for n in names if same(n) == same(name)]
        if len(found) == 1:
            return found[0]
    return None


def plan_fields(spec: ImportSpec, source: list[str], table: TableSchema | None) -> dict[str, FieldSpec]:
    """The fields as they will be made, each with the source column, expression or value it comes from.

    A definition without fields takes every source column (a deletion only the key's), under the name of the table's column
    where there is a table.

    Args:
        source: the source's columns.
        table: the destination's table; None where it is to be made.

    Raises:
        DefinitionError: the source has a column too many; or a source column is not there, or nothing in the table goes by its name; a key is not among the fields.
    """
    if spec.fields:
        bound = {name: _bound(spec, name, field, source) for name, field in spec.fields.items()}
        return bound | _unclaimed(spec, bound, source, table)
    columns = [c.name for c in table.columns] if table else source
    fields: dict[str, FieldSpec] = {}
    strange = []
    for name in source:
        column = _match(name, columns)
        if spec.operation is Operation.DELETE and column not in spec.key:
            continue
        if column is None or column in fields:
            strange.append(name)
        else:
            fields[column] = FieldSpec.model_validate({"from": name})
    policy = spec.changes.new_columns
    if strange and table and policy == "add":
        fields |= {name: FieldSpec.model_validate({"from": name}) for name in _free(strange, fields)}
    elif strange and table and policy != "ignore":
        raise DefinitionError(
            f"the table {table.name} has no column for {', '.join(map(repr, strange))}",
            where="fields",
            hint=f"{hint(strange[0], columns, 'columns of the table')} Name the fields in the definition, or leave these out.",
        )
    for key in spec.key:
        if key not in fields:
            raise DefinitionError(
                f"the key {key!r} is not among the source's columns",
                where="key",
                hint=hint(key, list(fields) or source, "columns"),
            )
    return fields


def unclaimed(spec: ImportSpec, fields: Mapping[str, FieldSpec], source: list[str]) -> list[str]:
    """The source's columns that no field takes anything of, and no expression speaks of."""
    taken = {c for f in fields.values() for c in f.columns}
    taken |= {c for c in source for path in taken if path.startswith(f"{c}.")}
    texts = [t for t in (spec.filter, spec.delete_when, *(f.expr for f in fields.values())) if t]
    return [c for c in source if c not in taken and not any(_speaks_of(t, c) for t in texts)]


def _speaks_of(expression: str, column: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", expression, re.IGNORECASE) is not None


def _unclaimed(
    spec: ImportSpec, fields: Mapping[str, FieldSpec], source: list[str], table: TableSchema | None
) -> dict[str, FieldSpec]:
    """Fields for columns that no field of the definition takes, where it wants them."""
    policy = spec.changes.new_columns
    if policy in (None, "ignore") or not (left := unclaimed(spec, fields, source)):
        return {}
    if policy == "reject":
        raise DefinitionError(
            f"the source has the column{'s' if left[1:] else ''} {', '.join(map(repr, left))}, which no field takes",
            where="schema.new_columns",
            hint=f"Take {left[0]!r} in a field, or say schema.new_columns: ignore.",
        )
    there = [c.name for c in table.columns] if table else []
    names = _free([_match(name, there) or name for name in left], fields)
    return {name: FieldSpec.model_validate({"from": column}) for name, column in zip(names, left, strict=True)}


def _free(names: list[str], fields: Mapping[str, FieldSpec]) -> list[str]:
    """The names, when fields can have them.

    Raises:
        DefinitionError: a field goes by one of them already, or it is Headgate's own.
    """
    have = {n.casefold() for n in fields}
    for name in names:
        if name.casefold() in have or name.startswith("_"):
            raise DefinitionError(
                f"the column {name!r} of the source cannot be added under its own name",
                where="schema.new_columns",
                hint=f"Give it a field: OTHER_NAME: {{ from: {name!r} }}.",
            )
        have.add(name.casefold())
    return names


def _bound(spec: ImportSpec, name: str, field: FieldSpec, source: list[str]) -> FieldSpec:
    if field.expr is not None or "value" in field.model_fields_set:
        return field
    wanted = field.columns or [name]
    lost = next((c for c in wanted if c not in source), None)
    if lost is None:
        return field.model_copy(update={"source": wanted if wanted[1:] else wanted[0]})
    if field.source is None and (found := _match(name, source)):
        return field.model_copy(update={"source": found})
    absent = without(spec, name, field, source)
    if absent is not field:
        return absent
    raise DefinitionError(
        f"there is no column {lost!r} in the source", where=f"fields.{name}", hint=hint(lost, source, "columns")
    )


def without(spec: ImportSpec, name: str, field: FieldSpec, source: list[str]) -> FieldSpec:
    """The field as it is made of a source that lacks a column of it: of no value, where the definition says so."""
    made = field.expr is not None or "value" in field.model_fields_set
    wanted = field.columns or [name]
    if made or spec.changes.missing_columns == "reject" or name in spec.key or all(c in source for c in wanted):
        return field
    value = field.default if field.blank in (None, "default") else None
    return field.model_copy(update={"source": None, "value": value})


def effective_types(
    fields: Mapping[str, FieldSpec], table: TableSchema | None, inferred: Mapping[str, FieldType]
) -> dict[str, FieldTypes]:
    """How each field is read, and as what it is written: as declared, else as the table's column, else as `inferred`
    (by source column), else as text. What is written is always what the table's column takes.

    Raises:
        DefinitionError: the table has no such column, or it is generated, or it cannot hold the declared type.
    """
    return {name: _types(name, field, table, inferred) for name, field in fields.items()}


def _types(name: str, field: FieldSpec, table: TableSchema | None, inferred: Mapping[str, FieldType]) -> FieldTypes:
    declared = FieldType.parse(field.type) if field.type else None
    if table is None:
        found = declared or (_of_value(field) if "value" in field.model_fields_set else None)
        plain = not (field.transform or field.lookup or field.format)
        found = found or (inferred.get(field.column) if field.column is not None and plain else None) or TEXT
        return FieldTypes(found, found)
    where = f"fields.{name}"
    column = table.column(name)
    if column is None:
        raise DefinitionError(
            f"the table {table.name} has no column {name!r}",
            where=where,
            hint=hint(name, [c.name for c in table.columns], "columns"),
        )
    if column.generated:
        raise DefinitionError(
            f"the column {name!r} of {table.name} is made by the database and cannot be written",
            where=where,
            hint="Leave the field out.",
        )
    if declared is None:
        return FieldTypes(column.type, column.type)
    shorter = declared.kind == column.type.kind == "text" and declared.length is None
    if not shorter and not column.type.holds(declared):
        raise DefinitionError(
            f"the column {name!r} of {table.name} is {column.type} and cannot hold every {declared}",
            where=where,
            hint=f"Declare the type {column.type}, or leave it out; values that do not fit are then rejects.",
        )
    return FieldTypes(column.type if shorter else declared, column.type)


def _of_value(field: FieldSpec) -> FieldType:
    match field.value:
        case bool():
            return FieldType("boolean")
        case int():
            return FieldType("bigint")
        case float():
            return FieldType("double")
        case _:
            return TEXT
