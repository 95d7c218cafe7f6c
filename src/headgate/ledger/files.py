"""Files that belong to runs: saved plans and journals. They are local; a ledger that machines share has copies of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

from .store import Store


class RunFiles(ABC):
    """The part of a ledger that knows where files of its runs are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    def identity(self) -> str:
        """What tells this ledger from every other."""

    def journal_path(self, run_id: int) -> Path:
        """The folder of what undo needs of a run. Whoever reads it says `fetch_journal` first."""
        return self._folder / "journal" / str(run_id)

    def changes_path(self, run_id: int) -> Path:
        """The file that holds every change a plan would make (Arrow IPC, columns as `Writer.changes` gives them).
        Whoever plans writes it, and then says `keep`; the ledger makes its folder when a plan begins and removes it with
        the plan. Whoever reads it says `fetch` first.
        """
        return self._folder / "plans" / f"{run_id}.arrow"

    def corrected_path(self, name: str) -> Path:
        """Where a file with corrected records waits for its retry."""
        return self._folder / "corrected" / name

    def keep(self, path: Path) -> None:
        """Keep a finished file that belongs to a run, so that it outlives a power cut and every machine of the ledger
        can have it. Comes before the ledger says that the run is done.

        Args:
            path: where the ledger said that it lies.
        """
        self._store.keep(self._name(path), path)

    def fetch(self, path: Path) -> Path:
        """The same path, with the file there if the ledger has it, from whatever machine it came."""
        if not path.exists():
            self._store.fetch(self._name(path), path)
        return path

    def kept(self, folder: Path) -> list[Path]:
        """Local paths of the files in a folder that other machines can have."""
        return [self._folder / name for name in self._store.kept(self._name(folder))]

    def forget(self, path: Path) -> None:
        """Keep a file, or all in a folder, no longer for other machines."""
        self._store.forget(self._name(path))

    def has_journal(self, run_id: int) -> bool:
        """Whether there is a journal of a run, on whatever machine it was written."""
        path = self.journal_path(run_id)
        return bool(self.kept(path)) if self._store.shared else path.is_dir()

    def fetch_journal(self, run_id: int) -> Path:
        """The folder of the journal of a run that is done, with exactly what belongs to it: several machines may have
        written parts of it, and what lies here may have been left by one that died before it committed.
        """
        folder = self.journal_path(run_id)
        if self._store.shared:
            kept = set(self.kept(folder))
            for path in {*folder.glob("*.arrow"), *folder.glob("*.json")} - kept:
                path.unlink(missing_ok=True)
            for path in kept:
                self._store.fetch(self._name(path), path)
        return folder

    @cached_property
    def _folder(self) -> Path:
        """The local folder of files. Ledgers that are not in it themselves have one each, as all have a plan 1."""
        return self._store.folder / f"ledger-{self.identity()}" if self._store.shared else self._store.folder

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()
