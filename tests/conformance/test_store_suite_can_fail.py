"""Every test of the suite of stores fails for some store that is wrong, so that a pass means something."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from headgate.connectors.files.local import LocalFolder
from headgate.model.errors import Cancelled, SourceError
from headgate.spi.store import Can, Sending, Stored
from headgate.testing.store import THEN, Desk, StoreConformance


class Wrong(LocalFolder):
    """A folder that does something wrong; `fails` names tests that must notice."""

    fails: ClassVar[tuple[str, ...]] = ()


class LosesTheEnd(Wrong):
    fails = ("test_what_was_sent_comes_back", "test_a_part_goes_on_where_it_was_left")

    def read(self, path: str) -> Iterator[bytes]:
        yield b"".join(super().read(path))[:1000]


class SpellsNamesItsOwnWay(Wrong):
    fails = ("test_names_may_have_any_characters",)

    def look(self, path: str) -> Stored | None:
        return super().look(path)

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        return (replace(s, path=s.path.replace("%", "%25")) for s in super().listed(folder, deep=deep))


class SaysNothing(Wrong):
    fails = ("test_it_is_told_how_much_is_on_its_way", "test_a_sending_that_is_broken_off_changes_nothing")

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        return super().send(source, to, replace(how, told=lambda _: None))


class HasAnotherDigest(Wrong):
    fails = ("test_a_digest_is_of_the_content",)

    def look(self, path: str) -> Stored | None:
        found = super().look(path)
        return None if found is None else replace(found, digest="md5:0")


class ForgetsTimes(Wrong):
    fails = ("test_a_time_of_change_is_kept",)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        return super().send(source, to, replace(how, modified_ns=None))


class ListsOtherTimes(Wrong):
    fails = ("test_lists_say_the_time_that_is_kept",)

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        return (replace(s, modified_ns=time.time_ns()) for s in super().listed(folder, deep=deep))


class ForgetsPermissions(Wrong):
    fails = ("test_permissions_are_kept", "test_permissions_are_there_before_a_part_shows")

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        return super().send(source, to, replace(how, permissions=None))


class KeepsEveryBit(Wrong):
    fails = ("test_permissions_are_kept",)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        sent = super().send(source, to, how)
        if how.permissions is not None:
            Path(self.name, to).chmod(how.permissions)
        return sent

    def look(self, path: str) -> Stored | None:
        found = super().look(path)
        return found and replace(found, permissions=Path(self.name, path).stat().st_mode & 0o7777)


class ShowsWhatIsNotWhole(Wrong):
    fails = ("test_a_part_is_for_nobody_else_before_it_has_its_permissions",)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        sent = super().send(source, to, replace(how, permissions=None))
        Path(self.name, to).chmod(how.permissions or 0o600)
        return replace(sent, permissions=how.permissions)


class DoesNotWriteWhatItMayOnlyRead(Wrong):
    fails = ("test_a_part_that_may_not_be_written_is_sent_anew",)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        there = Path(self.name, to)
        if there.exists() and not there.stat().st_mode & 0o200:
            raise SourceError(f"{to} may not be written")
        return super().send(source, to, how)


class Labels(Wrong):
    """A folder that keeps metadata, in files beside."""

    can = replace(LocalFolder.can, metadata=True)
    fails = ("test_a_type_is_told_by_the_name_where_nothing_else_tells_it",)

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.labels: dict[str, Mapping[str, str]] = {}

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        sent = super().send(source, to, how)
        self.labels[to] = how.metadata
        return replace(sent, metadata=how.metadata)

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        self.labels[to] = self.labels.pop(part)
        return super().publish(part, to, over)

    def look(self, path: str) -> Stored | None:
        found = super().look(path)
        return found and replace(found, metadata=self.labels.get(path, {}))


class ForgetsLabels(Labels):
    fails = ("test_what_goes_along_with_a_file_goes_along_with_its_copy",)


class HasTheOldLabels(Labels):
    fails = ("test_metadata_is_kept",)

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        self.labels[part] = {**self.labels.get(to, {}), **self.labels[part]}
        return super().publish(part, to, over)


class HasEverything(Wrong):
    fails = ("test_what_is_not_there_is_none_and_no_file",)

    def look(self, path: str) -> Stored | None:
        return super().look(path) or Stored(path, 0)


class GoesTooDeep(Wrong):
    fails = ("test_a_folder_is_listed_by_itself_or_with_those_in_it",)

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        del deep
        return super().listed(folder, deep=True)


class KnowsOneState(Wrong):
    fails = ("test_another_content_is_another_state", "test_nothing_is_put_over_what_has_changed")

    def look(self, path: str) -> Stored | None:
        found = super().look(path)
        return None if found is None else replace(found, size=-1, changed="")

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        super().publish(part, to, over)
        return Stored(to, -1)


class TakesWhatIsThere(Wrong):
    fails = ("test_nothing_is_put_over_what_has_come",)

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        return super().publish(part, to, over or self.look(to))


class ShowsParts(Wrong):
    fails = ("test_a_part_shows_when_it_is_published",)

    def look(self, path: str) -> Stored | None:
        return super().look(path) or next((replace(s, path=path) for s in self.listed("sub", deep=True)), None)


class BeginsAnew(Wrong):
    fails = ("test_a_part_goes_on_where_it_was_left",)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        return super().send(source, to, replace(how, at=0))


class KeepsTheOldEnd(Wrong):
    fails = ("test_a_part_that_is_sent_anew_has_nothing_of_the_old_one",)

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        old = Path(self.name, to).read_bytes() if Path(self.name, to).exists() else b""
        new = source.read_bytes()
        source.write_bytes(new + old[len(new) :])
        return super().send(source, to, how)


class CopiesEmpty(Wrong):
    fails = ("test_a_copy_has_the_content", "test_a_copy_stays_when_its_original_is_replaced")

    def copy(self, path: str, to: str) -> None:
        super().copy(path, to)
        Path(self.name, to).unlink()
        Path(self.name, to).touch()


class MovesOnlyToWhereNothingIs(Wrong):
    fails = ("test_a_file_may_be_moved_over_another",)

    def move(self, path: str, to: str) -> None:
        if Path(self.name, to).exists():
            raise SourceError(f"{to} is there")
        super().move(path, to)


class DeletesTheFolder(Wrong):
    fails = ("test_what_is_deleted_is_gone",)

    def delete(self, path: str) -> None:
        del path
        for file in Path(self.name).glob("*"):
            file.unlink()


class GivesTheLastVersion(Wrong):
    fails = ("test_an_earlier_version_comes_back",)

    def look(self, path: str) -> Stored | None:
        found = super().look(path)
        return None if found is None else replace(found, version="1")

    def fetch_version(self, path: str, version: str, to: Path) -> Stored:
        del version
        self.fetch(path, to)
        return replace(self.look(path) or Stored(path, 0), modified_ns=THEN)


WRONG = [w for w in (*Wrong.__subclasses__(), *Labels.__subclasses__()) if w.fails]
SUITE = {n for n in dir(StoreConformance) if n.startswith("test_")} - {"test_every_gap_is_the_name_of_a_test"}


def _variants(name: str) -> Iterator[dict[str, Any]]:
    marks = [m for m in getattr(getattr(StoreConformance, name), "pytestmark", []) if m.name == "parametrize"]
    each = [[{m.args[0]: v} for v in m.args[1]] for m in marks]
    for chosen in itertools.product(*each):
        yield {k: v for part in chosen for k, v in part.items()}


def _passes(kind: type[LocalFolder], name: str, folder: Path) -> bool:
    for number, arguments in enumerate(_variants(name)):
        (place := folder / f"place{number}").mkdir()
        (own := folder / f"own{number}").mkdir()
        desk = Desk(kind({"url": place.as_uri()}), own)
        try:
            getattr(StoreConformance(), name)(desk=desk, **arguments)
        except (AssertionError, pytest.fail.Exception, SourceError, Cancelled, OSError):
            return False
        except pytest.skip.Exception:
            pass
    return True


@pytest.mark.parametrize(
    ("kind", "name"), [(w, n) for w in WRONG for n in w.fails], ids=lambda v: getattr(v, "__name__", v)
)
def test_what_is_wrong_is_noticed(kind: type[LocalFolder], name: str, tmp_path: Path) -> None:
    assert not _passes(kind, name, tmp_path)


@pytest.mark.parametrize("name", sorted(SUITE))
def test_the_intact_folder_passes_each_test_called_this_way(name: str, tmp_path: Path) -> None:
    assert _passes(LocalFolder, name, tmp_path)


def test_every_test_has_a_store_that_fails_it() -> None:
    assert SUITE - {n for w in WRONG for n in w.fails} == set()


def test_what_is_not_stated_is_skipped(tmp_path: Path) -> None:
    class Less(LocalFolder):
        can = Can(parts=False, modified=False, lists=False, deletes=False)

    (own := tmp_path / "own").mkdir()
    desk = Desk(Less({"url": tmp_path.as_uri()}), own)
    for name in (
        "test_a_time_of_change_is_kept",
        "test_lists_say_the_time_that_is_kept",
        "test_permissions_are_kept",
        "test_metadata_is_kept",
        "test_a_part_shows_when_it_is_published",
        "test_what_is_deleted_is_gone",
    ):
        with pytest.raises(pytest.skip.Exception, match="not stated"):
            getattr(StoreConformance(), name)(desk=desk, **next(_variants(name)))
