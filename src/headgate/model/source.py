"""Where an import's records come from, as a definition writes it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from .group import GroupSpec
from .incremental import IncrementalSpec
from .request import RequestSpec
from .strict import Scalar, Strict


def single_select(text: str) -> str:
    """A query without the semicolon at its end.

    Raises:
        ValueError: it is not a single SELECT.
    """
    query = text.strip().removesuffix(";").rstrip()
    if not query.lower().startswith(("select", "with")) or ";" in query:
        raise ValueError("a query is a single SELECT, without semicolons")
    return query


class MoveSpec(Strict):
    """Where a file goes."""

    move: str = Field(description="Folder, relative to the project, or to the folder of the connection.")


class ParallelSpec(Strict):
    """Reading a table by several connections at once; `parallel: 4` means `parallel: { connections: 4 }`."""

    connections: int = Field(ge=2, le=32, description="How many, and how many ranges of the column.")
    by: str | None = Field(
        None,
        min_length=1,
        description="Column whose ranges are read: numbers, dates, times or text, best with an index. By default the first of the primary key.",
    )

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return {"connections": value} if isinstance(value, int) and not isinstance(value, bool) else value


class WriteBackSpec(Strict):
    """What of an API's answers is written back to the source's table: the API's own id of each record."""

    table: str | None = Field(None, description="Table whose rows get the ids; by default the one that is read.")
    set: dict[str, Literal["id"]] = Field(
        min_length=1, description="Columns of that table, and what they get: `{ crm_id: id }`."
    )


class SourceSpec(Strict):
    """Where the records come from: files, or a table, a query or a request of a connection."""

    path: str | list[str] | None = Field(
        None,
        description="File, pattern (`inbox/*.csv`, read in name order), list of them, or `-` for standard input. Relative to the project.",
    )
    connection: str | None = Field(
        None, description="Connection of the project by name, or a URL, that is asked for the records."
    )
    table: str | None = Field(None, description="Connection: table or view to read.")
    query: str | None = Field(
        None, description="Connection: a single SELECT instead of a table; names after colons (`:since`) are `params`."
    )
    params: dict[str, Scalar] = Field({}, description="Query: values of its parameters; they are bound, not pasted in.")
    incremental: IncrementalSpec | None = Field(
        None,
        description="Connection: read only what is new since the last run. A request says `{since}` where the API is told since when.",
    )
    parallel: ParallelSpec | None = Field(
        None,
        description="Connection: read a table by several connections at once, each a range of a key, all of one consistent state (`4`, or `{ connections: 4, by: id }`). PostgreSQL only.",
    )
    write_back: WriteBackSpec | None = Field(
        None,
        description="Table or query of a database, where the records go to an API: at the end of each run, rows get the API's own ids of their records (`{ set: { crm_id: id } }`).",
    )
    request: RequestSpec | None = Field(None, description="Connection to an HTTP API: what it is asked.")
    format: (
        Literal["csv", "fixed", "json", "jsonl", "xml", "xlsx", "xls", "xlsb", "ods", "parquet", "arrow", "avro"] | None
    ) = Field(
        None,
        description="Format; by default told from the name and the content. `xlsx`, `xls`, `xlsb` and `ods` all mean a workbook.",
    )
    compression: Literal["none", "gzip", "bzip2", "xz", "zstd", "zip"] | None = Field(
        None, description="Compression; by default told from the content. Every file in a zip archive is read."
    )
    max_unpacked: int | None = Field(
        None,
        ge=1,
        description="Bytes a compressed file, or all of a zip archive, may unpack to; by default 1 GiB, or 200 times its size if that is more.",
    )
    encoding: str | None = Field(
        None, description="Character set of a text file; by default detected (BOM, UTF-8, then by likelihood)."
    )
    delimiter: str | None = Field(
        None, min_length=1, description="CSV: what separates values; `whitespace` for any run of blanks and tabs."
    )
    quote: str | None = Field(None, max_length=1, description="CSV: quote character; empty for none.")
    escape: str | None = Field(
        None, max_length=1, description="CSV: what makes the next quote literal; by default the quote doubled."
    )
    header: bool | int | None = Field(
        None,
        description="CSV, fixed width, XLSX: row number of the header (1-based), `false` for none, `true` for the first row that is not skipped; by default found, and none where the width is fixed.",
    )
    header_rows: int | None = Field(
        None,
        ge=1,
        le=20,
        description="CSV: how many rows the header has; the names of a column are joined with a blank. By default found; 1 where `header` names a row.",
    )
    columns: list[str] | None = Field(
        None, description="Names of the columns, for files without a header (or instead of it)."
    )
    skip: int | None = Field(
        None, ge=0, description="CSV, fixed width, XLSX: rows to leave out before the header or the first record."
    )
    footer: int | None = Field(
        None,
        ge=0,
        description="CSV: lines to leave out at the end. By default footnotes and further tables below the first are found and left out; 0 reads everything.",
    )
    stray_quotes: Literal["reject", "keep"] = Field(
        "reject",
        description='CSV: what becomes of a record whose quotes cannot all be meant (`5" pipe`, one that is never closed): a reject [RD03], or the only way to read it as one record of the right width, with the odd quotes in its values.',
    )
    ragged: Literal["reject", "fill"] = Field(
        "reject",
        description="CSV: what becomes of a record with too few or too many values: a reject [RD01, RD02], or those missing at its end are no values, and empty ones too many at its end are left out.",
    )
    widths: dict[str, Annotated[int, Field(ge=1)] | Literal["rest"]] | None = Field(
        None,
        min_length=1,
        description="Fixed width: the columns in their order, each with its number of characters (`{sku: 8, price: 10}`); `rest` for a last one that goes to the end of the line.",
    )
    ruler: str | None = Field(
        None,
        description="Fixed width: in place of widths a line with dashes where the columns are (`-------- ----------`); `=` for a column that begins right after one of dashes, `>` at the end for one that goes to the end of the line.",
    )
    sheet: str | int | None = Field(
        None,
        description="XLSX: sheet by name or number (1-based); by default the first with records, of hidden ones last.",
    )
    records: str | None = Field(
        None,
        description="JSON: where the list of records is, as keys joined by dots (`data.items`); by default the document itself, or its only list. XML: which elements are records, by the end of their path (`products/product`), or all of it after a slash (`/catalog/product`); by default the only ones that are repeated.",
    )
    explode: str | None = Field(
        None,
        description="A list within each record (a column, or a path: `order.lines`) of which every entry becomes a record of its own: the entry as a column of that name, what an entry has as `lines.sku`, with all other columns beside.",
    )
    group: GroupSpec | None = Field(
        None,
        description="Rows that follow each other become one record with a list of lines (`{ by: [order_no], as: lines, take: [sku, qty] }`). With `explode` too, rows are grouped first.",
    )
    done: Literal["keep", "delete"] | MoveSpec = Field(
        "keep",
        description="Files: what becomes of them after a run that came to its end: left where they are, deleted, or moved (`{ move: archive }`). After a run that failed they are left.",
    )
    nulls: list[str] = Field(
        [], description="Words that mean no value, exactly as written. None by default: `NA` stays `NA`."
    )
    again: Literal["skip", "run"] | None = Field(
        None,
        description="What to do with a file whose content was imported by this import before, whatever its name: leave it out, or read it again. By default `skip` for append and where files are watched for (but not for mirror), `run` otherwise.",
    )
    max_record: int = Field(16 << 20, ge=1024, description="Longest record in bytes; a longer one is a reject [RD08].")

    @field_validator("query")
    @classmethod
    def _select(cls, value: str | None) -> str | None:
        return None if value is None else single_select(value)

    @model_validator(mode="after")
    def _whole_groups(self) -> SourceSpec:
        if self.group is not None and self.incremental is not None:
            raise ValueError(
                "group does not go with incremental: of a record of several rows only the new ones would be read"
            )
        return self

    @model_validator(mode="after")
    def _whose_rows(self) -> SourceSpec:
        if self.write_back is not None and self.write_back.table is None and self.table is None:
            raise ValueError("of a query write_back needs a table")
        return self

    @model_validator(mode="after")
    def _one_kind(self) -> SourceSpec:
        if self.path is None and self.connection is None:
            raise ValueError("a source has a path or a connection")
        if self.connection is None and (lost := sorted(self.model_fields_set & _ONLY_CONNECTIONS)):
            raise ValueError(f"{lost[0]} goes with a connection")
        if self.connection is not None and [self.path, self.table, self.query, self.request].count(None) != 3:
            raise ValueError("a connection goes with either a table, or a query, or a request, or a path")
        if self.path is not None:
            if lost := sorted(self.model_fields_set & _ONLY_CONNECTIONS):
                raise ValueError(f"{lost[0]} does not go with files")
            return self
        what, allowed = ("a request", _OF_REQUESTS) if self.request is not None else ("a table or query", _OF_TABLES)
        if lost := sorted(self.model_fields_set - allowed):
            hint = "; say request.records" if lost[0] == "records" and self.request is not None else ""
            raise ValueError(f"{lost[0]} does not go with {what} of a connection{hint}")
        if self.query is None and self.params:
            raise ValueError("params go with a query")
        if self.query is not None and self.parallel is not None:
            raise ValueError(
                "parallel goes with a table: of a query's records nothing is known by which to divide them"
            )
        if self.request is not None and self.incremental is not None:
            self._asks_since(self.request)
        return self

    def _asks_since(self, request: RequestSpec) -> None:
        if "{since}" not in request.model_dump_json(exclude={"parent"}):
            raise ValueError("with incremental, the request says {since} where the API is told since when")
        if self.columns is None:
            raise ValueError("with incremental, name the columns: an answer without anything new has none to show")

    @property
    def shown(self) -> str:
        """What is read, for people; secrets of a URL are the caller's to hide."""
        if self.path is not None:
            files = self.path if isinstance(self.path, str) else ", ".join(self.path)
            return f"{self.connection}: {files}" if self.connection else files
        if self.request is not None:
            return f"{self.connection} {self.request.method} {self.request.path}".rstrip()
        return f"{self.connection}#{self.table}" if self.table else f"a query of {self.connection}"

    @property
    def told_format(self) -> str | None:
        """The format, where it is said or follows from another key; ``xlsx`` for every kind of workbook."""
        if self.format in ("xls", "xlsb", "ods"):
            return "xlsx"
        return self.format or (None if self.widths is None and self.ruler is None else "fixed")

    @model_validator(mode="after")
    def _fits_format(self) -> SourceSpec:
        fixed = [k for k in ("widths", "ruler") if getattr(self, k) is not None]
        if len(fixed) > 1:
            raise ValueError("the columns' places are given by widths or by a ruler, not by both")
        if self.told_format == "fixed" and not fixed:
            raise ValueError("format: fixed needs widths, or a ruler")
        if fixed and self.told_format != "fixed":
            raise ValueError(f"{fixed[0]} goes with format: fixed")
        if self.widths is not None and self.columns is not None:
            raise ValueError("widths names the columns; columns goes with a ruler")
        if "rest" in list((self.widths or {}).values())[:-1]:
            raise ValueError("only the last column can have the width rest")
        if self.ruler is not None and not re.fullmatch("[ =-]*[=-]>?", self.ruler):
            raise ValueError(
                "a ruler has dashes (or =) where columns are, blanks between them, and perhaps > at its end"
            )
        return self


_ONLY_CONNECTIONS = frozenset({"table", "query", "params", "incremental", "parallel", "request", "write_back"})
_OF_TABLES = frozenset({
    "connection", "explode", "group", "table", "query", "params", "incremental", "parallel", "columns", "write_back",
})  # fmt: skip
_OF_REQUESTS = frozenset({
    "connection", "explode", "group", "request", "incremental", "format", "encoding", "delimiter", "quote", "escape", "columns", "nulls", "again", "max_record",
})  # fmt: skip
