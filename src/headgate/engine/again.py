"""Files that were imported before are known by their content, whatever they are called now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from headgate.model.errors import HeadgateError
from headgate.model.spec import ImportSpec
from headgate.model.write import Operation
from headgate.spi.source import Digests, Finishes, Partition, Scan, Source


class NothingNew(HeadgateError):
    """Everything there is to read was imported before."""


def skips(spec: ImportSpec, *, replaces: bool = False) -> bool:
    """Whether what was imported before is left out.

    Args:
        replaces: `headgate.spi.destination.Capabilities.replaces`.
    """
    # A watch reads what has arrived; a mirror has to see all that is there.
    once = (spec.operation is Operation.APPEND and not replaces) or (
        spec.watch is not None and spec.operation is not Operation.MIRROR
    )
    return (spec.source.again or ("skip" if once else "run")) == "skip"


class Knowing:
    """A source that knows its partitions by their content.

    Args:
        source: what is read; it is returned as it is by `knowing` where it cannot tell.
        imported: contents that are left out, with the run that imported them.

    Attributes:
        left_out: names of partitions left out, with the run that imported them.
    """

    def __init__(self, source: Source, imported: Mapping[str, int]) -> None:
        self._source = source
        self._imported = imported
        self.left_out: dict[str, int] = {}
        self._known: list[Partition] = []

    def partitions(self) -> list[Partition]:
        """Those that are new; the same content twice is new once.

        Raises:
            NothingNew: none is.
        """
        self.left_out, self._known = {}, []
        known = dict(self._imported)
        new: list[Partition] = []
        for partition in self._source.partitions():
            digest = self._source.digest(partition) if isinstance(self._source, Digests) else ""
            if digest and digest in known:
                self.left_out[partition.name] = known[digest]
                self._known.append(partition)
                continue
            if digest and self._imported is not NONE:
                known[digest] = 0
            new.append(replace(partition, digest=digest))
        if not new:
            raise NothingNew("; ".join(self.words()))
        return new

    def words(self) -> list[str]:
        """What was left out, for people."""
        by_run = (f"by run {run}" if run else "under another name in this run" for run in self.left_out.values())
        return [f"{name} was imported already, {how}" for name, how in zip(self.left_out, by_run, strict=True)]

    def open(self, partition: Partition) -> Scan:
        """Open a partition."""
        return self._source.open(partition)

    def finish(self, partitions: Sequence[Partition]) -> list[str]:
        """Also what was left out has been imported."""
        if not isinstance(self._source, Finishes):
            return []
        return self._source.finish([*partitions, *self._known])

    def close(self) -> None:
        """Close the source."""
        self._source.close()


NONE: Mapping[str, int] = {}


def knowing(source: Source, spec: ImportSpec, imported: Mapping[str, int], *, replaces: bool = False) -> Source:
    """The source, made to know its contents where the definition needs it.

    Args:
        source: what is read.
        spec: the definition.
        imported: `Ledger.imported`.
        replaces: `headgate.spi.destination.Capabilities.replaces`.
    """
    if skips(spec, replaces=replaces):
        return Knowing(source, imported)
    return Knowing(source, NONE) if spec.commit == "batch" else source
