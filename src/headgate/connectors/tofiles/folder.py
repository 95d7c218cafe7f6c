"""The folder that files are published in, and what is remembered of it.

`.headgate-files/` in the folder holds files that are being written (`new/TOKEN`), files that were replaced (`kept/TOKEN`), and
`state.db`: fences and checkpoints, what the last runs published, and the steps of a publication that is not carried out yet.

A publication is committed by the transaction that writes its steps down, together with the checkpoint. They are carried out
afterwards, by whoever has the lock of the database, and each can be done again: who dies in between leaves the rest to the
next who claims a scope or publishes here.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from headgate.model.errors import DestinationError, Fenced
from headgate.model.write import Ticket

from .sink import digest, sync_folder

HIDDEN: Final = ".headgate-files"
_SECONDS: Final = 30.0
"""To wait for another process that is publishing."""
_REMEMBERED: Final = 1_000
"""Publications of all tables."""
_TABLES: Final = """
create table if not exists scope (scope text primary key, fence integer not null, checkpoint text);
create table if not exists begun (token text primary key, scope text not null, fence integer not null);
create table if not exists published (
  number integer primary key autoincrement, token text not null unique, body text not null, undone integer not null default 0
);
create table if not exists step (number integer primary key autoincrement, body text not null);
"""


@dataclass(frozen=True, slots=True)
class Published:
    """A file as a publication left it.

    Attributes:
        name: within the folder.
        digest: SHA-256; None for one that was taken away, as the last run of its table had made it and this one did not.
        kept: where what it replaced is kept, within the folder; None where there was none.
        records: how many are in it that the run wrote.
    """

    name: str
    digest: str | None
    kept: str | None = None
    records: int = 0


@dataclass(frozen=True, slots=True)
class Publication:
    """What a run published.

    Attributes:
        token: a name of its own.
        table: as the definition names it, and with the date filled in (`naming.Naming.pattern`).
        records: how many.
        content: digest of the records.
        fields: names and types of the fields.
    """

    token: str
    table: str
    pattern: str
    records: int
    content: str
    fields: tuple[tuple[str, str], ...]
    files: tuple[Published, ...] = ()
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the folder, which can be made again.

    Attributes:
        do: ``put`` (`source` takes the place of `name`, which is kept first), ``away`` (`name` is moved to `kept`), ``back``
            (`kept` takes the place of `name`), ``remove``.
    """

    do: str
    name: str
    source: str = ""
    kept: str | None = None


@dataclass(slots=True)
class Folder:
    """A folder of files.

    Attributes:
        path: where; it need not be there.
    """

    path: Path
    keep: int = 3
    _made: bool = field(default=False, init=False)

    @property
    def state(self) -> Path:
        """Where what is remembered is."""
        return self.path / HIDDEN / "state.db"

    # What there is

    def published(self) -> list[Publication]:
        """What the last runs published, the last first."""
        if not self.state.exists():
            return []
        with self._open() as con:
            rows = con.execute("select body, undone from published order by number desc").fetchall()
        return [_publication(body, bool(undone)) for body, undone in rows]

    def latest(self, pattern: str) -> Publication | None:
        """The last publication of a table that was not taken back."""
        return next((p for p in self.published() if p.pattern == pattern and not p.undone), None)

    def files(self) -> list[str]:
        """Files in the folder and in folders that are in it, without hidden ones."""
        found = []
        for root, folders, names in os.walk(self.path):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            at = Path(root).relative_to(self.path)
            found += [(at / n).as_posix() for n in names if not n.startswith(".")]
        return sorted(found)

    # Committing

    def claim(self, ticket: Ticket) -> str | None:
        """Take over a scope, and carry out what was committed; the last checkpoint.

        Raises:
            Fenced: the scope was taken with a higher fence.
        """
        if not self.path.is_dir():
            return None
        self._make()
        self.carry_out()
        with self._locked() as con:
            row = con.execute("select fence, checkpoint from scope where scope = ?", (ticket.scope,)).fetchone()
            _check_fence(row, ticket)
            con.execute(
                "insert into scope (scope, fence) values (?, ?) on conflict (scope) do update set fence = excluded.fence",
                (ticket.scope, ticket.fence),
            )
            lost = con.execute(
                "delete from begun where scope = ? and fence < ? returning token", (ticket.scope, ticket.fence)
            ).fetchall()
        for (token,) in lost:
            shutil.rmtree(self.place(token), ignore_errors=True)
        return str(row[1]) if row and row[1] is not None else None

    def begin(self, ticket: Ticket | None) -> str:
        """A place for files that are being written; its token."""
        token = uuid.uuid4().hex
        self._make()
        with self._locked() as con:
            scope, fence = (ticket.scope, ticket.fence) if ticket else ("", 0)
            con.execute("insert into begun values (?, ?, ?)", (token, scope, fence))
        try:
            self.place(token).mkdir(parents=True)
        except OSError as e:
            raise self.failed(e) from e
        return token

    def place(self, token: str) -> Path:
        """Where the files of a token are until they are published."""
        return self.path / HIDDEN / "new" / token

    def make_room(self, token: str) -> None:
        """Remove what was written of a publication that is not to be: where no room is left, there is none to note that either."""
        shutil.rmtree(self.place(token), ignore_errors=True)

    def forget(self, token: str) -> None:
        """Remove what was not published. Never raises: what is left is removed by who claims the scope next."""
        with suppress(DestinationError):
            with self._locked() as con:
                begun = con.execute("delete from begun where token = ? returning token", (token,)).fetchall()
            if begun:  # what was committed is needed until it is carried out
                shutil.rmtree(self.place(token), ignore_errors=True)

    def publish(
        self,
        ticket: Ticket | None,
        checkpoint: str,
        what: Publication,
        steps: Sequence[Step],
        expected: Mapping[str, str | None],
    ) -> None:
        """Commit files, and put them in their places.

        Args:
            steps: in which `kept` says where a file is kept, if there is one.
            expected: digests of files that must be as they were, None for those that must not be there.

        Raises:
            Fenced: somebody else has claimed the ticket's scope.
            DestinationError: a file is not as expected; or what was committed could not be carried out yet.
        """
        self.carry_out()
        self._sync(what.token)
        with self._locked() as con:
            _keep(con, ticket, checkpoint)
            for name, was in expected.items():
                if digest(self.path / name) != was:
                    raise DestinationError(
                        f"{self.path / name} was written by somebody else while the run went on",
                        hint="Nothing of this run was kept. Run it again.",
                    )
            con.execute("insert into published (token, body) values (?, ?)", (what.token, json.dumps(asdict(what))))
            con.execute("delete from begun where token = ?", (what.token,))
            _write_down(con, steps)
        self.carry_out()
        with suppress(DestinationError):
            self._prune(what.pattern)
        shutil.rmtree(self.place(what.token), ignore_errors=True)

    def _sync(self, token: str) -> None:
        try:
            for folder in (self.place(token), self.place(token).parent, self.path / HIDDEN, self.path):
                sync_folder(folder)
        except OSError as e:
            raise self.failed(e) from e

    def take_back(
        self, ticket: Ticket | None, checkpoint: str, what: Publication | None, steps: Sequence[Step]
    ) -> None:
        """Commit that a publication was taken back, and do it.

        Args:
            what: None where nothing is.
        """
        self._make()
        self.carry_out()
        with self._locked() as con:
            _keep(con, ticket, checkpoint)
            if what is not None:
                con.execute("update published set undone = 1 where token = ?", (what.token,))
            _write_down(con, steps)
        self.carry_out()

    def carry_out(self) -> None:
        """Do what was committed and is not done yet.

        Raises:
            DestinationError: it cannot be done; it stays committed, and is tried again by whoever comes next.
        """
        if not self.state.exists():
            return
        with self._locked() as con:
            steps = [Step(**json.loads(b)) for (b,) in con.execute("select body from step order by number")]
            if not steps:
                return
            try:
                for step in steps:
                    self._do(step)
                for folder in {(self.path / s.name).parent for s in steps}:
                    if folder.is_dir():
                        sync_folder(folder)
            except OSError as e:
                raise DestinationError(
                    f"{e.filename or self.path}: the files were committed and cannot be put in their places: {e.strerror or e}",
                    hint="Set that right; whatever run comes next puts them there first.",
                ) from e
            con.execute("delete from step")

    def _do(self, step: Step) -> None:
        there = self.path / step.name
        kept = self.path / step.kept if step.kept else None
        match step.do:
            case "put":
                source = self.path / step.source
                if not source.exists():  # done before
                    return
                there.parent.mkdir(parents=True, exist_ok=True)
                if kept is not None and there.exists() and not kept.exists():
                    _copy(there, kept)
                move(source, there)
            case "away":
                if kept is not None and there.exists() and not kept.exists():
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    move(there, kept)
            case "back":
                if kept is not None and kept.exists():
                    there.parent.mkdir(parents=True, exist_ok=True)
                    move(kept, there)
            case _:
                there.unlink(missing_ok=True)

    def _prune(self, pattern: str) -> None:
        """Let go of replaced files that are too old to be asked for."""
        known = self.published()
        of_table = [p for p in known if p.pattern == pattern]
        gone = {p.token for p in of_table[self.keep :]} | {p.token for p in known[_REMEMBERED:]}
        with self._locked() as con:
            con.executemany("delete from published where token = ?", [(t,) for t in gone])
        for token in gone:
            shutil.rmtree(self.path / HIDDEN / "kept" / token, ignore_errors=True)

    # The state

    def _make(self) -> None:
        if self._made and self.state.exists():
            return
        try:
            self.state.parent.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise self.failed(e) from e
        with self._open() as con:
            try:
                con.executescript(_TABLES)
            except sqlite3.Error as e:
                raise self._state_failed(e) from e
        self._made = True

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            con = sqlite3.connect(self.state, timeout=_SECONDS, isolation_level=None)
        except sqlite3.Error as e:
            raise self._state_failed(e) from e
        with closing(con):
            yield con

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        """A transaction in which nobody else publishes; it is kept if nothing is raised."""
        with self._open() as con:
            try:
                con.execute("begin immediate")
                yield con
                con.execute("commit")
            except sqlite3.Error as e:
                raise self._state_failed(e) from e

    def _state_failed(self, e: sqlite3.Error) -> DestinationError:
        return DestinationError(
            f"{self.state}: what is remembered of the folder cannot be read or written: {e}",
            hint="Check that there is room and that the folder can be written to.",
        )

    def failed(self, e: OSError) -> DestinationError:
        """What is raised where something cannot be written."""
        return DestinationError(
            f"{self.path}: cannot be written to: {e.strerror or e}", hint="Make room, or see who may write there."
        )


move = os.replace
"""How a file takes its place."""


def _copy(file: Path, to: Path) -> None:
    """Have a file at a second place, by a second name where the system can."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, to)
    except OSError:
        part = to.with_name(f"{to.name}.part")
        shutil.copy2(file, part)
        move(part, to)
    sync_folder(to.parent)


def _keep(con: sqlite3.Connection, ticket: Ticket | None, checkpoint: str) -> None:
    if ticket is None:
        return
    row = con.execute("select fence, checkpoint from scope where scope = ?", (ticket.scope,)).fetchone()
    if row is not None and row[0] != ticket.fence:
        raise Fenced("another run has taken this import over")
    con.execute(
        "insert into scope values (?, ?, ?) on conflict (scope) do update set checkpoint = excluded.checkpoint",
        (ticket.scope, ticket.fence, checkpoint),
    )


def _check_fence(row: Any, ticket: Ticket) -> None:
    if row is not None and row[0] > ticket.fence:
        raise Fenced("another run has taken this import over")


def _write_down(con: sqlite3.Connection, steps: Sequence[Step]) -> None:
    con.executemany("insert into step (body) values (?)", [(json.dumps(asdict(s)),) for s in steps])


def _publication(body: str, undone: bool) -> Publication:
    data = json.loads(body)
    files = tuple(Published(**f) for f in data.pop("files"))
    fields = tuple((n, t) for n, t in data.pop("fields"))
    return Publication(**{**data, "files": files, "fields": fields, "undone": undone})


def as_left(folder: Path, what: Publication) -> bool:
    """Whether the files of a publication are as it left them."""
    return all(digest(folder / f.name) == f.digest for f in what.files)
