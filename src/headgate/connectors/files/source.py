"""The source ``files``: files of the project, of any format that is known, compressed or not."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from headgate.model.errors import HeadgateError, SourceError
from headgate.model.record import Batch, Origin
from headgate.model.source import MoveSpec
from headgate.model.spec import SourceSpec
from headgate.spi.registry import Connected
from headgate.spi.source import Partition, Scan

from . import formats, inputs, packed, remote
from .base import Input, Piece


class FileSource:
    """Files as a source (`headgate.spi.source.Source`): one partition a file, or a member of a zip archive.

    Args:
        options: the definition's source.
        base: folder relative paths start from.
        connected: the place where the files lie, if that is not this machine.
    """

    schemes = ("file",)

    def __init__(self, options: SourceSpec, base: Path, connected: Connected | None = None) -> None:
        self._options, self._base = options, base
        self._place = connected.place if connected is not None else None
        self._fetched: dict[Path, str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._spooled: Path | None = None
        self._unpacked = 0
        self._signs: dict[Path, object] = {}

    def partitions(self) -> list[Partition]:
        """All files, patterns in name order, members of archives in the archive's order.

        Raises:
            SourceError: there is no such file, nothing matches, or an archive cannot be read.
        """
        files = self._files()
        for _, path in files if self._place is None else ():
            self._signs.setdefault(path, inputs.sign(path))
        return [
            Partition(p.name, p.size, {"path": str(p.path), "compression": p.compression, "member": p.member})
            for name, path in files
            for p in inputs.pieces(name, path, self._options)
        ]

    def open(self, partition: Partition) -> Scan:
        """Open a file, unpacked to a temporary copy if need be, which goes when the scan is closed.

        Raises:
            SourceError: it cannot be read, or is not what its name or the definition says.
        """
        path = Path(str(partition.options["path"]))
        compression = str(partition.options["compression"])
        copy: Path | None = None
        if compression != "none":
            self._unpacked += 1
            copy = self._temporary() / f"{self._unpacked}{Path(partition.name).suffix}"
            piece = Piece(partition.name, path, compression, str(partition.options["member"]), partition.size)
            try:
                packed.unpack(piece, copy, self._options.max_unpacked)
            except BaseException:
                copy.unlink(missing_ok=True)
                raise
        try:
            scan = self._open(Input(partition.name, copy or path, self._options), compression)
        except BaseException:
            if copy is not None:
                copy.unlink(missing_ok=True)
            raise
        return scan if copy is None else _Unpacked(scan, copy)

    def digest(self, partition: Partition) -> str:
        """SHA-256 of the file, and which member of it is meant.

        Raises:
            SourceError: it cannot be read.
        """
        try:
            with Path(str(partition.options["path"])).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as e:
            raise SourceError(f"{partition.name} cannot be read: {e.strerror or e}") from e
        member = str(partition.options["member"])
        return f"{content}/{member}" if member else content

    def finish(self, partitions: Sequence[Partition]) -> list[str]:
        """Delete or move the files, as the definition says (`headgate.spi.source.Finishes`).

        One of this machine that is no longer the one that was read is left, as nobody has read what is in it now.
        """
        if self._options.done == "keep":
            return []
        paths = dict.fromkeys(Path(str(p.options["path"])) for p in partitions)
        folder = self._options.done.move if isinstance(self._options.done, MoveSpec) else None
        failed: list[str] = []
        for path in paths:
            if path == self._spooled:
                continue
            try:
                if self._signs.get(path) != (now := inputs.sign(path)) and now is not None and self._place is None:
                    failed.append(
                        f"{path.name} has changed since it was read: it is left where it is, for the next run"
                    )
                elif self._place is not None and self._fetched is not None:
                    remote.done(self._place, self._fetched[path], folder)
                else:
                    inputs.done(path, self._base / folder if folder is not None else None)
            except (HeadgateError, OSError) as e:
                what = "moved" if folder is not None else "deleted"
                failed.append(f"{path.name} was imported, but could not be {what}: {e}")
        return failed

    def close(self) -> None:
        """Disconnect, and remove temporary copies."""
        if self._place is not None:
            self._place.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = self._spooled = None

    def _files(self) -> list[tuple[str, Path]]:
        paths = self._options.path if self._options.path is not None else []
        if self._place is not None:
            if self._fetched is None:
                self._fetched = remote.fetch(self._place, paths, self._temporary())
            return [(name, path) for path, name in self._fetched.items()]
        if paths not in ("-", ["-"]):
            return inputs.find(paths, self._base)
        if self._spooled is None:
            # Standard input can be read once; planning, running and retrying read it several times.
            spooled = self._temporary() / "stdin"
            inputs.spool(spooled)
            self._spooled = spooled
        return [(inputs.STDIN, self._spooled)]

    def _open(self, given: Input, compression: str) -> Scan:
        name = packed.inner_name(given.name, compression)
        told, delimiter = self._options.told_format, self._options.delimiter
        is_text = self._options.encoding is not None or (
            delimiter is not None and delimiter != "\t" and delimiter < " "
        )
        try:
            return formats.opener(formats.tell(given.path, name, told, is_text=is_text))(given)
        except OSError as e:
            raise SourceError(
                f"{given.name} cannot be read: {e.strerror or e}", hint="Check the file and its permissions."
            ) from e

    def _temporary(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="headgate-")
        return Path(self._folder.name)


class _Unpacked:
    """A scan of a temporary copy, which is removed when the scan is closed."""

    def __init__(self, scan: Scan, copy: Path) -> None:
        self._scan, self._copy = scan, copy

    @property
    def schema(self) -> pa.Schema:
        return self._scan.schema

    @property
    def findings(self) -> Mapping[str, object]:
        return self._scan.findings

    def batches(self) -> Iterator[Batch]:
        return self._scan.batches()

    def locate(self, ordinals: Sequence[int]) -> list[Origin]:
        return self._scan.locate(ordinals)

    def progress(self) -> float:
        return self._scan.progress()

    def close(self) -> None:
        self._scan.close()
        self._copy.unlink(missing_ok=True)
