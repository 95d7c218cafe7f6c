"""Reading lookups: each table, query, file or map of ids once a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from headgate.model.errors import DefinitionError, SourceError
from headgate.model.reading import Reading
from headgate.model.spec import FieldSpec, LookupSpec
from headgate.spi.destination import Destination, Readable
from headgate.spi.source import Source

Absent = Mapping[str, pa.Table]


@dataclass(frozen=True, slots=True)
class KnownIds:
    """The ids that a destination gave the records of an import.

    Attributes:
        key: the import's.
        pages: keys as texts with the ids, some thousands at a time.
    """

    key: Sequence[str]
    pages: Iterable[Sequence[tuple[Sequence[str], str]]]


class Access(Protocol):
    """How lookups reach what they read."""

    def source(self, lookup: LookupSpec) -> Source:
        """The file of a lookup that has a path."""
        ...

    def destination(self, connection: str) -> Destination:
        """The connection of one that has none; closed by who asks."""
        ...

    def ids(self, import_name: str) -> KnownIds:
        """The ids of the records of an import of the project.

        Raises:
            UsageError, DefinitionError: there is no such import, or what it writes to gives no ids.
        """
        ...


def read_lookups(lookups: Mapping[str, LookupSpec], access: Access) -> dict[str, pa.Table]:
    """The entries of each lookup as text: the columns that are compared, then the one that is taken.

    Raises:
        DefinitionError: a file, table or query does not have a column, or the connection cannot be looked up in.
        SourceError, DestinationError: it cannot be read.
    """
    read: dict[object, pa.Table] = {}
    found = {}
    for name, lookup in lookups.items():
        same = lookup.model_dump_json(exclude={"create", "ignore_case"})
        if same not in read:
            read[same] = _entries(name, lookup, access)
        found[name] = read[same]
    return found


def _entries(name: str, lookup: LookupSpec, access: Access) -> pa.Table:
    if lookup.values is not None:
        takes = [
            None if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in lookup.values.values()
        ]
        return pa.table([pa.array(list(lookup.values), pa.string()), pa.array(takes, pa.string())], ["match", "take"])
    if lookup.ids is not None:
        return _from_ids(access.ids(lookup.ids))
    columns = [*(lookup.match or []), str(lookup.take)]
    if lookup.connection is not None:
        return _from_connection(name, lookup, columns, access.destination(lookup.connection))
    return _from_file(lookup, columns, access.source)


def _from_ids(known: KnownIds) -> pa.Table:
    width = len(known.key)
    schema = pa.schema([(f"c{k}", pa.string()) for k in range(width + 1)])
    pages = (zip(*((*key, id_) for key, id_ in page if len(key) == width), strict=True) for page in known.pages)
    columns = ([pa.array(c, pa.string()) for c in page] for page in pages)
    return pa.Table.from_batches([pa.RecordBatch.from_arrays(c, schema=schema) for c in columns if c], schema)


def check_ids(
    fields: Mapping[str, FieldSpec], lookups: Mapping[str, LookupSpec], read: Mapping[str, pa.Table]
) -> list[str]:
    """Check that fields give lookups of ids as many values as the key has that those are known by.

    Returns:
        What there is to be said of those lookups, for people.

    Raises:
        DefinitionError: a field gives it another number of values.
    """
    of = {n: lookup.ids for n, lookup in lookups.items() if lookup.ids is not None}
    for name, field in fields.items():
        if field.lookup not in of:
            continue
        width, given = read[field.lookup].num_columns - 1, max(len(field.columns), 1)
        if given != width:
            raise DefinitionError(
                f"the key of {of[field.lookup]} has {width} fields, and field {name!r} gives the lookup {field.lookup!r} {given}",
                where=f"fields.{name}",
                hint="Name a column for each of them, in their order: from: [A, B].",
            )
    return [
        f"lookup {name}: no ids of {other} are known yet; run that first: headgate run {other}"
        for name, other in of.items()
        if not read[name].num_rows
    ]


def _from_connection(name: str, lookup: LookupSpec, columns: list[str], destination: Destination) -> pa.Table:
    reading = Reading(tuple(columns), lookup.table or "", lookup.query or "", {**lookup.where, **lookup.params})
    with closing(destination):
        if not (destination.capabilities.lookups and isinstance(destination, Readable)):
            raise DefinitionError(
                f"the connection {lookup.connection} cannot be looked up in",
                where=f"lookups.{name}",
                hint="Look in a file: path, match and take.",
            )
        pieces = list(destination.read(reading))
    schema = pa.schema([(f"c{k}", pa.string()) for k in range(len(columns))])
    return pa.Table.from_batches([p.rename_columns(schema.names) for p in pieces], schema)


def _from_file(lookup: LookupSpec, columns: list[str], open_source: Callable[[LookupSpec], Source]) -> pa.Table:
    pieces: list[pa.Table] = []
    with closing(open_source(lookup)) as source:
        for partition in source.partitions():
            with closing(source.open(partition)) as scan:
                missing = [c for c in columns if c not in scan.schema.names]
                if missing:
                    there = ", ".join(scan.schema.names)
                    raise DefinitionError(
                        f"lookup {lookup.path}: there is no column {missing[0]!r}", hint=f"There are: {there}."
                    )
                pieces += [
                    pa.table([_text(b.records.column(c)) for c in columns], [f"c{k}" for k in range(len(columns))])
                    for b in scan.batches()
                ]
    if not pieces:
        raise SourceError(f"lookup {lookup.path} has no records")
    return pa.concat_tables(pieces)


def _text(column: pa.Array) -> pa.Array:
    return column.cast(pa.string())
