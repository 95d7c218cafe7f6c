"""The conformance suite of stores: places that files can be put into (`headgate.spi.store`).

A connector's test module needs no more than this::

    class TestShelf(StoreConformance):
        @pytest.fixture
        def connect(self, tmp_path):
            return lambda: ShelfStore({"url": f"shelf://{tmp_path}"})

The suite tests what the store's `Can` states. What it cannot do beside that is named in `gaps` (name of the test, without
parameters: reason), where it is a strict xfail, so that a gap that was closed breaks the build until it is struck off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Final

import pytest

from headgate.model.errors import Cancelled, SourceError
from headgate.spi.store import PART, Changed, Sending, Store, Stored, Versions

ConnectStore = Callable[[], Store]

CONTENTS: Final = {
    "a.txt": b"one",
    "b c.bin": bytes(range(256)),
    "sub/\u00e9.txt": b"",
    "sub/deep/d.txt": b"x" * 300_000,
}
HARD_NAMES: Final = ("a+b & c.txt", "q#1.txt", "what?.txt", 'it\'s "so".txt', "\u00fc.txt", "[1]*.txt", "100%.txt")
THEN: Final = 1_700_000_000_123_456_789
_SECOND: Final = 1_000_000_000
ALONG: Final = {
    "Content-Type": "application/x-test",
    "Cache-Control": "max-age=60",
    "Content-Disposition": 'attachment; filename="a b.txt"',
    "Content-Encoding": "gzip",
    "Content-Language": "de",
    "owner": "the  north",
}


class Desk:
    """A store, a folder of this machine, and short ways from one to the other."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.told: list[int] = []

    def file(self, data: bytes) -> Path:
        """A file of this machine."""
        file = self.folder / "file to send"
        file.write_bytes(data)
        return file

    def part(self, path: str) -> str:
        """What a file is called while it is not whole."""
        name = f".headgate-00000000-{hashlib.sha256(path.encode()).hexdigest()[:16]}.part"
        assert PART.fullmatch(name)
        return str(PurePosixPath(path).with_name(name))

    def put(self, path: str, data: bytes, over: Stored | None = None, **along: Any) -> Stored:
        """Send a file, in the way of the store.

        Args:
            along: more of `Sending`.
        """
        self.told = []
        how = Sending(self.told.append, over=over, **along)
        if not self.store.can.parts:
            return self.store.send(self.file(data), path, how)
        self.store.send(self.file(data), self.part(path), how)
        return self.store.publish(self.part(path), path, over)

    def read(self, path: str) -> bytes:
        """What lies at a path."""
        return b"".join(self.store.read(path))

    def there(self, path: str) -> Stored:
        """What lies at a path, looked at."""
        found = self.store.look(path)
        assert found is not None
        return found


def _seconds(one: Stored) -> int | None:
    """When it changed, to the second."""
    return None if one.modified_ns is None else one.modified_ns // _SECOND


class StoreConformance:
    """What every store must do; subclass it and say how to connect to one.

    Required: the fixture ``connect``, a function that makes a new `Store`; all it makes during one test must lead to the same
    place, which is empty when the test begins.

    Attributes:
        gaps: tests that it does not pass, with the reason.
    """

    gaps: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def connect(self) -> ConnectStore:
        """Override: a function that makes a store."""
        raise NotImplementedError("a subclass of StoreConformance defines the fixture `connect`")

    @pytest.fixture
    def desk(self, request: pytest.FixtureRequest, connect: ConnectStore, tmp_path: Path) -> Iterator[Desk]:
        """An empty store; the test is expected to fail where it is a gap."""
        name = getattr(request.node, "originalname", request.node.name)
        if gap := self.gaps.get(name):
            request.applymarker(pytest.mark.xfail(reason=gap, strict=True))
        store = connect()
        (folder := tmp_path / "desk of the suite").mkdir()
        yield Desk(store, folder)
        store.close()
        store.close()  # which may be called twice

    def test_every_gap_is_the_name_of_a_test(self) -> None:
        assert {g for g in self.gaps if not hasattr(self, g)} == set()

    # What is sent is there

    @pytest.mark.parametrize("path", CONTENTS)
    def test_what_was_sent_comes_back(self, desk: Desk, path: str) -> None:
        sent = desk.put(path, CONTENTS[path])
        assert (sent.path, sent.size) in {(path, len(CONTENTS[path])), (path, -1)}
        assert desk.read(path) == CONTENTS[path]
        desk.store.fetch(path, desk.folder / "came back")
        assert (desk.folder / "came back").read_bytes() == CONTENTS[path]
        there = desk.there(path)
        assert there.size in (len(CONTENTS[path]), -1)
        assert there.same(sent)

    @pytest.mark.parametrize("name", HARD_NAMES)
    def test_names_may_have_any_characters(self, desk: Desk, name: str) -> None:
        desk.put(f"sub/{name}", name.encode())
        assert desk.read(f"sub/{name}") == name.encode()
        if desk.store.can.lists:
            assert [s.path for s in desk.store.listed("sub", deep=False)] == [f"sub/{name}"]

    def test_it_is_told_how_much_is_on_its_way(self, desk: Desk) -> None:
        desk.put("d.txt", CONTENTS["sub/deep/d.txt"])
        assert sum(desk.told) == len(CONTENTS["sub/deep/d.txt"])

    def test_a_digest_is_of_the_content(self, desk: Desk) -> None:
        digest = desk.put("a.txt", b"one").digest or desk.there("a.txt").digest
        if digest.startswith("md5:"):
            assert digest == f"md5:{hashlib.md5(b'one', usedforsecurity=False).hexdigest()}"

    def test_a_time_of_change_is_kept(self, desk: Desk) -> None:
        if not desk.store.can.modified:
            pytest.skip("not stated: times of change are kept")
        desk.put("a.txt", b"one", modified_ns=THEN)
        assert _seconds(desk.there("a.txt")) == THEN // _SECOND

    def test_lists_say_the_time_that_is_kept(self, desk: Desk) -> None:
        can = desk.store.can
        if not can.lists or not can.modified or can.noted:
            pytest.skip("not stated: lists say the time of change that is kept")
        desk.put("a.txt", b"one", modified_ns=THEN)
        assert [_seconds(s) for s in desk.store.listed("", deep=True)] == [THEN // _SECOND]

    @pytest.mark.parametrize("permissions", [0o640, 0o755, 0o400])
    def test_permissions_are_kept(self, desk: Desk, permissions: int) -> None:
        self._needs_permissions(desk)
        desk.put("a.txt", b"one", permissions=permissions | 0o7000, modified_ns=THEN)
        assert desk.there("a.txt").permissions == permissions
        assert [s.permissions for s in desk.store.listed("", deep=True)] == [permissions]
        if desk.store.can.modified:
            assert _seconds(desk.there("a.txt")) == THEN // _SECOND

    def test_permissions_are_there_before_a_part_shows(self, desk: Desk) -> None:
        self._needs_permissions(desk)
        self._needs_parts(desk)
        part = desk.part("a.txt")
        assert desk.store.send(desk.file(b"one"), part, Sending(lambda _: None, permissions=0o751)).permissions == 0o751
        assert desk.there(part).permissions == 0o751

    def test_a_part_is_for_nobody_else_before_it_has_its_permissions(self, desk: Desk) -> None:
        self._needs_permissions(desk)
        self._needs_parts(desk)
        part = desk.part("d.txt")

        def stop(_: int) -> None:
            raise Cancelled("enough")

        with pytest.raises(Cancelled):
            desk.store.send(desk.file(CONTENTS["sub/deep/d.txt"]), part, Sending(stop, permissions=0o644))
        assert desk.there(part).permissions == 0o600

    def test_a_part_that_may_not_be_written_is_sent_anew(self, desk: Desk) -> None:
        self._needs_permissions(desk)
        self._needs_parts(desk)
        part, how = desk.part("a.txt"), Sending(lambda _: None, permissions=0o400)
        desk.store.send(desk.file(b"one"), part, how)
        assert desk.store.send(desk.file(b"another"), part, how).permissions == 0o400
        assert desk.read(part) == b"another"

    @staticmethod
    def _needs_permissions(desk: Desk) -> None:
        if not desk.store.can.permissions:
            pytest.skip("not stated: it has permissions")

    def test_metadata_is_kept(self, desk: Desk) -> None:
        self._needs_metadata(desk)
        first = desk.put("a.txt", b"one", metadata=ALONG, modified_ns=THEN)
        assert desk.there("a.txt").metadata == ALONG
        desk.put("a.txt", b"another", first)
        assert set(desk.there("a.txt").metadata) <= {"Content-Type"}

    def test_a_type_is_told_by_the_name_where_nothing_else_tells_it(self, desk: Desk) -> None:
        self._needs_metadata(desk)
        desk.put("a.html", b"one")
        assert desk.there("a.html").metadata == {"Content-Type": "text/html"}

    @staticmethod
    def _needs_metadata(desk: Desk) -> None:
        if not desk.store.can.metadata:
            pytest.skip("not stated: it has metadata")

    def test_what_goes_along_with_a_file_goes_along_with_its_copy(self, desk: Desk) -> None:
        can = desk.store.can
        desk.put("a.txt", b"one", **self._along(desk))
        before = desk.there("a.txt")
        desk.store.copy("a.txt", "kept/a.txt")
        after = desk.there("kept/a.txt")
        assert not can.modified or after.modified_ns == before.modified_ns
        assert (after.permissions, after.metadata) == (before.permissions, before.metadata)

    @staticmethod
    def _along(desk: Desk) -> dict[str, Any]:
        """All that may go along with a file, of what the store can keep."""
        can = desk.store.can
        stated = {"modified_ns": can.modified, "permissions": can.permissions, "metadata": can.metadata}
        along = {"modified_ns": THEN, "permissions": 0o640, "metadata": ALONG}
        return {name: value for name, value in along.items() if stated[name]}

    # What is there is shown

    def test_what_is_not_there_is_none_and_no_file(self, desk: Desk) -> None:
        assert desk.store.look("none.txt") is None
        assert desk.store.look("no folder/none.txt") is None
        with pytest.raises(SourceError):
            desk.store.fetch("none.txt", desk.folder / "came back")
        with pytest.raises(SourceError):
            desk.read("none.txt")
        if desk.store.can.lists:
            assert list(desk.store.listed("no folder", deep=True)) == []

    def test_a_folder_is_listed_by_itself_or_with_those_in_it(self, desk: Desk) -> None:
        if not desk.store.can.lists:
            pytest.skip("not stated: it lists")
        for path, data in CONTENTS.items():
            desk.put(path, data)
        listed = {s.path: s for s in desk.store.listed("", deep=True)}
        assert {p: s.size for p, s in listed.items()} == {p: len(d) for p, d in CONTENTS.items()}
        assert [p for p, s in listed.items() if not s.same(desk.store.look(p))] == []
        assert {s.path for s in desk.store.listed("", deep=False)} == {"a.txt", "b c.bin"}
        assert {s.path for s in desk.store.listed("sub", deep=False)} == {"sub/\u00e9.txt"}
        assert {s.path for s in desk.store.listed("sub", deep=True)} == {"sub/\u00e9.txt", "sub/deep/d.txt"}
        assert {e.path for e in desk.store.files("", deep=True)} == set(CONTENTS)

    def test_another_content_is_another_state(self, desk: Desk) -> None:
        first = desk.put("a.txt", b"one")
        desk.put("a.txt", b"another", first)
        assert not desk.there("a.txt").same(first)
        assert desk.read("a.txt") == b"another"

    # What is there is left alone

    def test_nothing_is_put_over_what_has_come(self, desk: Desk) -> None:
        desk.put("a.txt", b"theirs")
        with pytest.raises(Changed):
            desk.put("a.txt", b"one")
        assert desk.read("a.txt") == b"theirs"

    def test_nothing_is_put_over_what_has_changed(self, desk: Desk) -> None:
        first = desk.put("a.txt", b"one")
        desk.put("a.txt", b"theirs, and longer", first)
        with pytest.raises(Changed):
            desk.put("a.txt", b"another", first)
        assert desk.read("a.txt") == b"theirs, and longer"

    def test_a_sending_that_is_broken_off_changes_nothing(self, desk: Desk) -> None:
        first = desk.put("d.txt", b"there before")

        def stop(_: int) -> None:
            raise Cancelled("enough")

        to = desk.part("d.txt") if desk.store.can.parts else "d.txt"
        with pytest.raises(Cancelled):
            desk.store.send(desk.file(CONTENTS["sub/deep/d.txt"]), to, Sending(stop, over=first))
        assert desk.read("d.txt") == b"there before"
        assert desk.there("d.txt").same(first)

    # Parts

    def test_a_part_shows_when_it_is_published(self, desk: Desk) -> None:
        self._needs_parts(desk)
        part = desk.part("sub/a.txt")
        desk.store.send(desk.file(b"one"), part, Sending(lambda _: None))
        assert desk.store.look("sub/a.txt") is None
        desk.store.publish(part, "sub/a.txt", None)
        assert desk.read("sub/a.txt") == b"one"
        assert desk.store.look(part) is None

    def test_a_part_goes_on_where_it_was_left(self, desk: Desk) -> None:
        self._needs_parts(desk)
        data, told, part = CONTENTS["sub/deep/d.txt"] + b"end", list[int](), desk.part("d.txt")
        desk.store.send(desk.file(data[:100_000]), part, Sending(lambda _: None))
        desk.store.send(desk.file(b"?" * 100_000 + data[100_000:]), part, Sending(told.append, at=100_000))
        assert sum(told) == len(data) - 100_000
        desk.store.publish(part, "d.txt", None)
        assert desk.read("d.txt") == data

    def test_a_part_that_is_sent_anew_has_nothing_of_the_old_one(self, desk: Desk) -> None:
        self._needs_parts(desk)
        part = desk.part("a.txt")
        desk.store.send(desk.file(b"one that is longer"), part, Sending(lambda _: None))
        assert desk.store.send(desk.file(b"one"), part, Sending(lambda _: None)).size == len(b"one")
        assert desk.read(part) == b"one"

    @staticmethod
    def _needs_parts(desk: Desk) -> None:
        if not desk.store.can.parts:
            pytest.skip("not stated: it has parts")

    # Copies, moves, deletions

    def test_a_copy_has_the_content(self, desk: Desk) -> None:
        desk.put("a.txt", b"one")
        desk.store.copy("a.txt", "kept/before/a.txt")
        assert desk.read("kept/before/a.txt") == b"one"

    def test_a_copy_stays_when_its_original_is_replaced(self, desk: Desk) -> None:
        first = desk.put("a.txt", b"one")
        desk.store.copy("a.txt", "kept/a.txt")
        desk.put("a.txt", b"another", first if desk.store.look("a.txt") is not None else None)
        assert (desk.read("a.txt"), desk.read("kept/a.txt")) == (b"another", b"one")

    def test_a_file_may_be_moved_over_another(self, desk: Desk) -> None:
        desk.put("a.txt", b"one")
        desk.put("done/a.txt", b"another")
        desk.store.move("a.txt", "done/a.txt")
        assert desk.store.look("a.txt") is None
        assert desk.read("done/a.txt") == b"one"

    def test_what_is_deleted_is_gone(self, desk: Desk) -> None:
        if not desk.store.can.deletes:
            pytest.skip("not stated: it deletes")
        desk.put("a.txt", b"one")
        desk.put("b.txt", b"two")
        desk.store.delete("a.txt")
        assert desk.store.look("a.txt") is None
        assert desk.read("b.txt") == b"two"

    def test_an_earlier_version_comes_back(self, desk: Desk) -> None:
        first = desk.put("a.txt", b"one", **self._along(desk))
        there = desk.there("a.txt")
        version = there.version
        if not isinstance(desk.store, Versions) or not version:
            pytest.skip("not stated: it keeps versions")
        desk.put("a.txt", b"another", first)
        came = desk.store.fetch_version("a.txt", version, desk.folder / "came back")
        assert (came.modified_ns, came.metadata) == (there.modified_ns, there.metadata)
        assert (desk.folder / "came back").read_bytes() == b"one"
        with pytest.raises(SourceError):
            desk.store.fetch_version("a.txt", "none", desk.folder / "came back")
