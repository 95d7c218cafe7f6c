"""What a connection to a folder of files can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from headgate.model.errors import UsageError
from headgate.model.strict import Strict

Format = Literal["csv", "tsv", "json", "jsonl", "xml", "xlsx", "parquet"]
Compression = Literal["none", "gzip", "bzip2", "xz", "zstd"]


class SplitSpec(Strict):
    """How the records of one run are spread over several files."""

    rows: int | None = Field(
        None,
        ge=1,
        description="Most records in a file; `{part}` or `{part:04}` in the table's name says where the number goes.",
    )
    by: str | None = Field(
        None,
        description="A field: a file for each of its values, named after it. The same as `{FIELD}` in the table's name.",
    )


class FileOptions(Strict):
    """A connection to a folder of files. The format follows from the ending of the table's name (`customers.csv.gz`)."""

    url: str = Field(
        description="The folder: `file://out` from the project's folder on, `file:///srv/out` anywhere. It is made if it is not there."
    )
    format: Format | None = Field(None, description="Format of tables whose name has no ending; it gets one then.")
    compression: Compression | None = Field(
        None,
        description="Compression of files whose name has no ending for it (`.gz`, `.bz2`, `.xz`, `.zst`); within Parquet zstd by default.",
    )
    existing: Literal["replace", "reject", "number", "add"] = Field(
        "replace",
        description="What happens to a file that is there: it is replaced (and comes back with `headgate undo`), the run is refused, the new file gets a number (`customers-2.csv`), or records are added at its end (CSV, JSON Lines).",
    )
    split: SplitSpec = Field(SplitSpec(), description="How records are spread over several files.")
    keep: int = Field(
        3,
        ge=1,
        le=1000,
        description="Of how many runs of a table the replaced files are kept, in `.headgate-files`, for undo.",
    )
    encoding: str = Field("utf-8", description="CSV, XML: character set. JSON is UTF-8.")
    bom: bool = Field(False, description="CSV: begin with a byte order mark, by which Excel knows UTF-8.")
    delimiter: str | None = Field(
        None, min_length=1, max_length=4, description="CSV: what separates values; a comma, or a tab in `.tsv`."
    )
    quote: str = Field('"', min_length=1, max_length=1, description="CSV: quote character; doubled within a value.")
    quoting: Literal["needed", "all"] = Field("needed", description="CSV: which values are quoted.")
    line_end: Literal["lf", "crlf"] = Field("lf", description="CSV, JSON Lines: what ends a line.")
    header: bool = Field(True, description="CSV, XLSX: begin with the names of the fields.")
    null: str = Field(
        "", description="CSV: what is written where there is no value. A text that is the same is quoted."
    )
    neutralize: bool = Field(
        False,
        description="CSV: put an apostrophe before texts that a spreadsheet could take for a formula. It is part of the value then.",
    )
    sheet: str = Field("Records", min_length=1, max_length=31, description="XLSX: name of the sheet.")
    root: str = Field("records", description="XML: the outermost element.")
    record: str = Field("record", description="XML: the element of a record.")

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"{value!r} is no character set; utf-8, utf-16, cp1252 and latin-1 are some") from None
        return value

    @model_validator(mode="after")
    def _fits(self) -> FileOptions:
        if self.existing == "add" and self.split.rows:
            raise ValueError("existing: add does not go with split.rows")
        if self.quote == self.delimiter or "\n" in (self.delimiter or "") or "\r" in (self.delimiter or ""):
            raise ValueError("the delimiter is neither the quote character nor a line end")
        if any(c in self.null for c in f"{self.quote}\r\n{self.delimiter or ','}"):
            raise ValueError("null has no quote characters, delimiters or line ends in it")
        return self


def read(options: Mapping[str, Any]) -> FileOptions:
    """A connection's options.

    Raises:
        UsageError: one is not known or has no sense.
    """
    try:
        return FileOptions.model_validate({k: v for k, v in options.items() if k != "type"})
    except ValidationError as e:
        first = e.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        known = ", ".join(FileOptions.model_fields)
        hint = f"A connection to a folder of files knows {known}." if first["type"] == "extra_forbidden" else ""
        raise UsageError(f"the connection's {place or 'options'}: {what}", hint=hint) from None
