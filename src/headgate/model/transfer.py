"""Moving files as they are, as a definition writes it: names, and how it is done."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, field_validator

from .dates import unknown_part
from .source import SourceSpec
from .strict import Strict
from .write import Operation

if TYPE_CHECKING:
    from .spec import ImportSpec

OF_FILES: Final = "of files"
"""What the operation of a run of files ends with, where records have the same operation."""

_NAMES: Final = ("path", "folder", "name", "stem", "suffix")
_TIMES: Final = ("date", "changed")
_ROW: Final = "row."
_KEYS: Final = frozenset({
    "description", "source", "operation", "destination", "transfer", "limits", "rejects", "missing", "schedule", "watch", "after", "on",
    "notify",
})  # fmt: skip
_OF_SOURCE: Final = frozenset({"path", "connection", "done"})
_NOT_OF_LISTS: Final = frozenset({"again", "done", "explode", "group", "incremental", "write_back"})
_NO_NAME: Final = ("Cc", "Cs", "Zl", "Zp")
"""What no name has: control characters, bytes that are no text, and line ends. Blanks of every kind, marks that join characters and those
that others have put to use of their own are in names that people and their machines give."""
_LONGEST_NAME: Final = 255


class BackupSpec(Strict):
    """Where what is overwritten or deleted is kept, so that `headgate undo` can put it back."""

    connection: str | None = Field(
        None, description="Connection of the project by name, or a URL; by default the destination's."
    )
    path: str = Field(min_length=1, description="Folder; each run has one of its own in it, named by the run's number.")


class ManifestSpec(Strict):
    """A list that says more of each file than its name does: `{row.COLUMN}` in `destination.path`."""

    source: SourceSpec = Field(
        description="Where the list is, as of an import: a file, a table, a query, a request. It is not sent itself."
    )
    file: str = Field(
        "file", min_length=1, description="Its column that names the files: by their `{path}`, or by their names."
    )

    @field_validator("source")
    @classmethod
    def _is_read_again(cls, value: SourceSpec) -> SourceSpec:
        if lost := sorted(value.model_fields_set & _NOT_OF_LISTS):
            raise ValueError(f"{lost[0]} does not go with a manifest, which is read whole in every run as it is")
        if value.path == "-":
            raise ValueError("a manifest is no standard input, as every run reads it")
        return value

    @field_validator("source", mode="before", json_schema_input_type=str | SourceSpec)
    @classmethod
    def _path_only(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


class TransferSpec(Strict):
    """How files are moved."""

    parallel: int = Field(4, ge=1, le=64, description="How many files are on their way at a time.")
    existing: Literal["replace", "skip", "reject"] = Field(
        "replace",
        description="What becomes of a file whose name is taken at the destination by another content: it replaces that, or is skipped, or rejected [KY03].",
    )
    verify: Literal["quick", "read"] = Field(
        "quick",
        description="How is checked that what arrived is what was sent: by its size, and its digest where the destination tells one (`quick`), or by reading all of it back (`read`).",
    )
    permissions: Literal["new", "keep"] = Field(
        "new",
        description="What permissions files get: those that the destination gives new files, or the source's (`keep`): who may read, write and execute, never setuid, setgid and sticky. For folders and SFTP servers.",
    )
    growing: Literal["reject", "wait"] = Field(
        "reject",
        description="What becomes of a file that changes while it is read: a reject [FI01], or it is waited for until it has been the same for `settle` seconds.",
    )
    settle: float = Field(
        2, ge=0.1, le=3600, description="growing: wait: seconds a file must have been the same, before and after."
    )
    patience: float = Field(60, ge=0, description="growing: wait: seconds to wait for one file before it is a reject.")
    backup: BackupSpec | None = Field(
        None, description="Where what is overwritten or deleted is kept; a bare text is a folder of the destination."
    )

    manifest: ManifestSpec | None = Field(
        None,
        description="A list with more about each file (a bare text is its path), of which names are made (`{row.customer}/{name}`). A file that it does not have is a reject [FI08].",
    )

    @field_validator("manifest", mode="before", json_schema_input_type=str | ManifestSpec | None)
    @classmethod
    def _list_only(cls, value: object) -> object:
        return {"source": value} if isinstance(value, str) else value

    @field_validator("backup", mode="before", json_schema_input_type=str | BackupSpec | None)
    @classmethod
    def _folder_only(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


def moves_files(spec: ImportSpec) -> bool:
    """Whether an import moves files as they are."""
    either = spec.operation in (Operation.MIRROR, Operation.DELETE)
    to_files = spec.destination.path is not None and not spec.destination.table
    return spec.operation is Operation.UPLOAD or (either and to_files and not spec.model_fields_set - _KEYS)


def named(operation: Operation) -> str:
    """The operation of a run of files, as the ledger keeps it."""
    return operation.value if operation is Operation.UPLOAD else f"{operation.value} {OF_FILES}"


def of_files(operation: str) -> bool:
    """Whether a run's operation (`named`) is one that moves files."""
    return operation == Operation.UPLOAD or operation.endswith(OF_FILES)


def check_moving(spec: ImportSpec) -> None:
    """Refuse what has no meaning where files are moved as they are.

    Raises:
        ValueError: naming it.
    """
    if lost := sorted(spec.model_fields_set - _KEYS):
        raise ValueError(f"{lost[0]} does not go with {spec.operation} of files, which are moved as they are")
    if extra := sorted(spec.source.model_fields_set - _OF_SOURCE):
        raise ValueError(f"source.{extra[0]} does not go with {spec.operation} of files, which are moved as they are")
    if spec.source.path in (None, "-"):
        raise ValueError(f"{spec.operation} moves files; the source has to have a path")
    if spec.destination.table or spec.destination.path is None:
        raise ValueError(f"{spec.operation} of files needs destination.path, and no table")
    if spec.destination.create:
        raise ValueError("create goes with a table")
    if spec.missing is not None and spec.operation is not Operation.DELETE:
        raise ValueError("missing goes with delete")
    if spec.operation is Operation.MIRROR and spec.source.done != "keep":
        raise ValueError("mirror deletes what the source has no more, and source.done would take everything away there")
    if spec.operation is Operation.MIRROR and not Template(spec.destination.path).folder:
        raise ValueError("mirror needs a folder in destination.path to be in charge of (`photos/{path}`)")
    if spec.operation is Operation.MIRROR and "date" in Template(spec.destination.path).uses:
        raise ValueError("mirror gives a file the same name in every run; {date} is another one each day")
    columns = Template(spec.destination.path).columns
    if columns and spec.transfer.manifest is None:
        raise ValueError(f"destination.path has {{row.{columns[0]}}}; transfer.manifest says which list has that")
    if spec.transfer.manifest is not None and not columns:
        raise ValueError("transfer.manifest goes with {row.COLUMN} in destination.path, which has none")


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name at the destination is made of.

    Attributes:
        path: of the file, from the folder that its pattern begins with.
        started: when the run did.
        changed: when the file did; None where its place does not say.
        row: what the manifest says of it.
    """

    path: str
    started: datetime
    changed: datetime | None
    row: Mapping[str, str | None] = field(default_factory=dict)


class Template:
    """Names made from a file's own: ``photos/{folder}/{name}``. One that ends with ``/`` is a folder for all of `{path}`.

    Raises:
        ValueError: it names something that there is not, or leads out of the connection's folder.
    """

    def __init__(self, text: str) -> None:
        self._text = text + "{path}" if text.endswith("/") or not text else text
        if text.startswith(("/", "~")):
            raise ValueError(
                f"destination.path {text!r} begins at the connection's folder; leave the {text[0]} at its beginning out"
            )
        try:
            self._pieces = list(string.Formatter().parse(self._text))
        except ValueError as e:
            raise ValueError(f"destination.path {text!r}: {e}") from None
        for _, name, form, conversion in self._pieces:
            if name is None:
                continue
            known = name in (*_NAMES, *_TIMES) or (len(name) > len(_ROW) and name.startswith(_ROW))
            if not known or conversion or (form and name not in _TIMES):
                there = ", ".join(f"{{{n}}}" for n in _NAMES)
                shown = f"{{{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}}}"
                raise ValueError(
                    f"destination.path has {shown}; there are {there}, {{date:%Y/%m}} (of the run), {{changed:%Y/%m}} (of the file) and {{row.COLUMN}} (of transfer.manifest)"
                )
            if odd := unknown_part(form or ""):
                raise ValueError(
                    f"destination.path has {{{name}:{form}}}, and {odd} is no part of a date; there are %Y, %m, %d, %H, %M, %S and others"
                )
        if not any(name for _, name, _, _ in self._pieces):
            raise ValueError(
                f"destination.path {text!r} is one name for all files; write {text}/ for a folder, or use {{name}}"
            )
        if ".." in self._text.split("/"):
            raise ValueError(f"destination.path {text!r} must not lead out of the connection's folder")

    @property
    def folder(self) -> str:
        """The folder that all names are in; empty for the connection's own."""
        fixed = self._text.partition("{")[0]
        return fixed.rpartition("/")[0]

    @property
    def uses(self) -> set[str]:
        """What names are made of."""
        return {name for _, name, _, _ in self._pieces if name}

    @property
    def columns(self) -> list[str]:
        """The manifest's columns that names are made of."""
        return sorted(name.removeprefix(_ROW) for name in self.uses if name.startswith(_ROW))

    def name(self, of: Named) -> str:
        """The name of a file at the destination.

        Raises:
            ValueError: it would be none that a file can have.
        """
        whole = "".join(self._parts(of))
        parts = [p for p in whole.split("/") if p]
        if not parts or whole.endswith("/"):
            raise ValueError(f"{whole!r} names no file")
        for part in parts:
            if part in (".", ".."):
                raise ValueError(f"{whole!r} has {part!r} in it")
            if odd := next((c for c in part if unicodedata.category(c) in _NO_NAME), ""):
                raise ValueError(f"{part!r} has {odd!r} in it, which is no character of a name")
            if len(part.encode(errors="replace")) > _LONGEST_NAME:
                raise ValueError(f"{part[:40]!r}… is longer than {_LONGEST_NAME} bytes")
        return "/".join(parts)

    def _parts(self, of: Named) -> Iterator[str]:
        path = PurePosixPath(of.path)
        folder = "" if str(path.parent) == "." else str(path.parent)
        words = {"path": of.path, "folder": folder, "name": path.name, "stem": path.stem, "suffix": path.suffix}
        for text, name, form, _ in self._pieces:
            yield text
            if name in words:
                yield words[name]
            elif name is not None and name.startswith(_ROW):
                yield _of_row(of.row, name.removeprefix(_ROW))
            elif name is not None:
                at = of.started if name == "date" else of.changed
                if at is None:
                    raise ValueError("its place does not say when it changed, which its name is made of")
                yield at.astimezone(UTC).strftime(form or "%Y-%m-%d")


class NotListedError(ValueError):
    """The manifest does not say what a file's name is made of."""


def _of_row(row: Mapping[str, str | None], column: str) -> str:
    value = (row.get(column) or "").strip()
    if not value:
        raise NotListedError(f"its row of the manifest has no {column}")
    return value
