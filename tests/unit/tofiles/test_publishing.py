from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from headgate.connectors.tofiles import folder as folder_module
from headgate.connectors.tofiles.folder import HIDDEN
from headgate.model.errors import Cancelled, DestinationError, Fenced
from headgate.model.write import Operation, Ticket, WriteSpec
from headgate.spi.destination import NamesMade, Writer
from headgate.testing.runs import Row, batches, fields, run
from support.tofiles import to, write

ITEM = fields(id="integer", country="text")
ROWS: list[Row] = [{"id": i, "country": c} for i, c in enumerate(("FR", "CH", "FR", None, "a/b", "FR"), 1)]
SCOPE = "a ledger/an import"


def spec(table: str, **more: Any) -> WriteSpec:
    return WriteSpec(table, ITEM, (), Operation.APPEND, create=True, **more)


def applied(folder: Path, of: WriteSpec, rows: list[Row], **options: Any) -> Writer:
    """A writer that only has to commit."""
    writer = to(folder, **options).open(of)
    for batch in batches(of, rows):
        writer.write(batch)
    writer.match()
    writer.apply()
    return writer


def seen(folder: Path) -> dict[str, str]:
    """Files that anybody sees, and what is in them."""
    found = (p for p in folder.rglob("*") if p.is_file() and HIDDEN not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(found)}


def left(folder: Path) -> list[str]:
    """What is left of files that were not published."""
    return [p.name for p in (folder / HIDDEN / "new").glob("*")]


def test_nothing_is_seen_before_the_commit_and_nothing_left_without_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    writer = to(out).open(spec("a.csv"))
    writer.write(batches(spec("a.csv"), ROWS)[0])
    assert isinstance(writer, NamesMade)
    writer.match()
    assert [c.summary for c in writer.made()] == ["make a.csv: 6 records"]
    assert not out.exists(), "a plan makes not even the folder"
    writer.apply()
    assert seen(out) == {}
    writer.abort()
    writer.abort()
    assert (seen(out), left(out)) == ({}, [])


def test_a_writer_that_has_ended_or_was_cancelled_takes_no_more(tmp_path: Path) -> None:
    writer = applied(tmp_path, spec("a.csv"), ROWS)
    writer.commit()
    with pytest.raises(DestinationError):
        writer.write(batches(spec("a.csv"), ROWS)[0])
    cancelled = to(tmp_path).open(spec("a.csv"))
    cancelled.cancel()
    with pytest.raises(Cancelled):
        cancelled.match()


@pytest.mark.parametrize("operation", [o for o in Operation if o is not Operation.APPEND])
def test_what_files_cannot_is_refused(operation: Operation, tmp_path: Path) -> None:
    write(tmp_path, "a.csv", ITEM, ROWS)
    with pytest.raises(DestinationError):
        to(tmp_path).open(WriteSpec("a.csv", ITEM, ("id",), operation))
    with pytest.raises(DestinationError, match="batch by batch"):
        to(tmp_path).open(spec("a.csv", batched=True))
    with pytest.raises(DestinationError, match=r"no file b\.csv"):
        to(tmp_path).open(WriteSpec("b.csv", ITEM, (), Operation.APPEND))


def test_files_by_number_of_records(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", ITEM, ROWS, split={"rows": 4})
    assert seen(tmp_path) == {
        "a-0001.csv": "id,country\n1,FR\n2,CH\n3,FR\n4,\n",
        "a-0002.csv": "id,country\n5,a/b\n6,FR\n",
    }


@pytest.mark.parametrize("size", [1, 2, 100])
def test_files_by_value_and_number(size: int, tmp_path: Path) -> None:
    of = spec("{country}/a.csv")
    run(to(tmp_path, split={"rows": 2}).open(of), of, ROWS, size=size)
    assert seen(tmp_path) == {
        "FR/a-0001.csv": "id,country\n1,FR\n3,FR\n",
        "FR/a-0002.csv": "id,country\n6,FR\n",
        "CH/a-0001.csv": "id,country\n2,CH\n",
        "(none)/a-0001.csv": "id,country\n4,\n",
        "a%2Fb/a-0001.csv": "id,country\n5,a/b\n",
    }


def test_too_many_files_and_too_long_names_are_refused(tmp_path: Path) -> None:
    many: list[Row] = [{"id": i, "country": str(i)} for i in range(501)]
    with pytest.raises(DestinationError, match="more than 500 files"):
        write(tmp_path, "{country}.csv", ITEM, many)
    ran = write(tmp_path, "{country}.csv", ITEM, [{"id": 1, "country": "x" * 151}, {"id": 2, "country": "x" * 150}])
    assert ran.codes == {0: "DE05"}


def test_parts_that_the_last_run_made_and_this_one_does_not_go(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", ITEM, ROWS, split={"rows": 2})
    (tmp_path / "a-0009.csv").write_text("somebody's own")
    writer = applied(tmp_path, spec("a.csv"), ROWS[:2], split={"rows": 2})
    assert isinstance(writer, NamesMade)
    assert [c.summary for c in writer.made()] == [
        "replace a-0001.csv: 2 records",
        "take away a-0002.csv, which the last run made",
        "take away a-0003.csv, which the last run made",
    ]
    writer.commit()
    assert list(seen(tmp_path)) == ["a-0001.csv", "a-0009.csv"]


def test_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(DestinationError, match="is there already"):
        write(tmp_path, "a.csv", ITEM, ROWS, existing="reject")
    with pytest.raises(DestinationError, match="is there already"):
        write(tmp_path, "{country}.csv", ITEM, [{"id": 1, "country": "a"}], existing="reject")
    for _ in range(2):
        write(tmp_path, "a.csv", ITEM, ROWS[:1], existing="number")
    assert seen(tmp_path) == {"a.csv": "mine", "a-2.csv": "id,country\n1,FR\n", "a-3.csv": "id,country\n1,FR\n"}
    write(tmp_path, "a.csv", ITEM, [])
    assert seen(tmp_path)["a.csv"] == "id,country\n"
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(DestinationError, match="is a folder"):
        write(tmp_path, "b.csv", ITEM, ROWS)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "csv.zst", "jsonl", "jsonl.bz2", "jsonl.xz"])
def test_records_are_added_to_a_file(kind: str, tmp_path: Path) -> None:
    for start in (0, 2, 4):
        write(tmp_path, f"a.{kind}", ITEM, ROWS[start : start + 2], existing="add", bom=True)
    write(tmp_path, f"b.{kind}", ITEM, ROWS, bom=True)
    from headgate.connectors.tofiles.sink import unpacked

    found = []
    for name in ("a", "b"):
        with unpacked(
            tmp_path / f"{name}.{kind}",
            {"gz": "gzip", "zst": "zstd", "bz2": "bzip2", "xz": "xz"}.get(kind.rpartition(".")[2], "none"),
        ) as file:
            found.append(bytes(file.read()))
    assert found[0] == found[1]


def test_what_cannot_be_added_to_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,city\n1,Bern")
    with pytest.raises(DestinationError, match="whose header is 'id,city'"):
        write(tmp_path, "a.csv", ITEM, ROWS, existing="add")
    (tmp_path / "a.csv").write_text("id,country\n1,CH")
    write(tmp_path, "a.csv", ITEM, ROWS[:1], existing="add")
    assert seen(tmp_path) == {"a.csv": "id,country\n1,CH\n1,FR\n"}
    with pytest.raises(DestinationError, match="cannot be added"):
        write(tmp_path, "a.xlsx", ITEM, ROWS, existing="add")


@pytest.mark.parametrize("existing", ["add", "number", "reject"])
def test_a_file_that_somebody_writes_meanwhile_stops_the_run(existing: str, tmp_path: Path) -> None:
    writer = applied(tmp_path, spec("a.csv"), ROWS, existing=existing)
    (tmp_path / "a.csv").write_text("id,country\n9,CH\n")
    with pytest.raises(DestinationError, match="somebody else"):
        writer.commit()
    writer.abort()
    assert (seen(tmp_path), left(tmp_path)) == ({"a.csv": "id,country\n9,CH\n"}, [])


def test_the_checkpoint_comes_with_the_files_and_who_was_overtaken_cannot_commit(tmp_path: Path) -> None:
    destination = to(tmp_path)
    assert destination.claim(Ticket(SCOPE, 1)) is None
    late = applied(tmp_path, spec("a.csv", ticket=Ticket(SCOPE, 1)), ROWS)
    writer = applied(tmp_path, spec("a.csv", ticket=Ticket(SCOPE, 1)), ROWS[:1])
    writer.commit("first")
    assert to(tmp_path).claim(Ticket(SCOPE, 2)) == "first"
    with pytest.raises(DestinationError):
        late.commit("late")
    late.abort()
    with pytest.raises(Fenced):
        to(tmp_path).claim(Ticket(SCOPE, 1))
    assert to(tmp_path).claim(Ticket(SCOPE, 3)) == "first"
    assert to(tmp_path).claim(Ticket("another", 1)) is None
    assert (seen(tmp_path), left(tmp_path)) == ({"a.csv": "id,country\n1,FR\n"}, [])


def test_a_writer_that_was_overtaken_is_fenced(tmp_path: Path) -> None:
    late = applied(tmp_path, spec("a.csv", ticket=Ticket(SCOPE, 1)), ROWS)
    token = left(tmp_path)
    to(tmp_path).claim(Ticket(SCOPE, 2))
    assert left(tmp_path) == [], f"{token} is nobody's"
    with pytest.raises((Fenced, DestinationError)):
        late.commit("late")
    late.abort()
    assert seen(tmp_path) == {}


def test_a_folder_that_is_not_there_has_no_checkpoint_and_is_not_made_for_it(tmp_path: Path) -> None:
    destination = to(tmp_path / "out")
    assert destination.absent()
    assert destination.claim(Ticket(SCOPE, 1)) is None
    assert destination.absent()


class Died(BaseException):
    """The process is gone."""


def dying(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many files are moved."""
    done = 0

    def move(source: Path, to: Path) -> None:
        nonlocal done
        if done == after:
            raise Died
        done += 1
        source.replace(to)

    monkeypatch.setattr(folder_module, "move", move)


@pytest.mark.parametrize("after", range(6))
def test_who_dies_between_two_files_leaves_the_rest_to_the_next(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, ticket = tmp_path / "out", Ticket(SCOPE, 1)
    write(out, "a.csv", ITEM, ROWS, split={"rows": 1})
    before = seen(out)
    expected: list[Row] = [{"id": 10 + i, "country": "x"} for i in range(3)]
    writer = applied(out, spec("a.csv", ticket=ticket), expected, split={"rows": 1})
    with monkeypatch.context() as patched:
        dying(after, patched)
        with pytest.raises(Died):
            writer.commit("done")
    writer.abort()
    assert len(seen(out)) == len(before) - max(0, after - 3)
    assert to(out).claim(Ticket(SCOPE, 2)) == "done"
    assert seen(out) == {f"a-000{i}.csv": f"id,country\n{9 + i},x\n" for i in (1, 2, 3)}
    assert left(out) == [] or all(not any((out / HIDDEN / "new" / t).iterdir()) for t in left(out))


def test_a_folder_in_the_way_keeps_what_was_committed_for_later(tmp_path: Path) -> None:
    writer = applied(tmp_path, spec("b/a.csv"), ROWS[:1])
    (tmp_path / "b").write_text("in the way")
    with pytest.raises(DestinationError, match="were committed"):
        writer.commit()
    writer.abort()
    (tmp_path / "b").unlink()
    to(tmp_path).claim(Ticket(SCOPE, 1))
    assert seen(tmp_path) == {"b/a.csv": "id,country\n1,FR\n"}


def test_replaced_files_are_kept_of_the_last_runs_only(tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path, "a.csv", ITEM, ROWS[:n], keep=2)
        write(tmp_path, f"b{n}.csv", ITEM, ROWS[:n], keep=2)
    kept = [p.read_text().count("\n") for p in (tmp_path / HIDDEN / "kept").rglob("*") if p.is_file()]
    assert sorted(kept) == [4, 5]


def test_a_copy_stands_in_where_a_file_cannot_have_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError("no links here")

    write(tmp_path, "a.csv", ITEM, ROWS[:1])
    monkeypatch.setattr(folder_module.os, "link", no_links)
    write(tmp_path, "a.csv", ITEM, ROWS[:2])
    kept = [p.read_text() for p in (tmp_path / HIDDEN / "kept").rglob("*") if p.is_file()]
    assert kept == ["id,country\n1,FR\n"]


def test_tables_and_what_is_known_of_them(tmp_path: Path) -> None:
    destination = to(tmp_path)
    assert (destination.tables(), destination.inspect("a.csv")) == ([], None)
    write(tmp_path, "a.csv", ITEM, ROWS)
    write(tmp_path, "sub/b.jsonl", ITEM, ROWS)
    (tmp_path / "c.csv").write_text("x\n1\n")
    (tmp_path / "notes.txt").write_text("x")
    assert destination.tables() == ["a.csv", "c.csv", "sub/b.jsonl"]
    known = destination.inspect("a.csv")
    assert known is not None
    assert [(c.name, str(c.type)) for c in known.columns] == [("id", "integer"), ("country", "text")]
    strange = destination.inspect("c.csv")
    assert strange is not None
    assert strange.columns == ()


@pytest.mark.parametrize("kind", ["csv", "jsonl.gz", "json.xz", "json.bz2", "xml.zst", "xml", "xlsx", "parquet"])
def test_a_file_that_cannot_grow_leaves_what_was_there(kind: str, tmp_path: Path) -> None:
    made, most = fields(id="integer", note="text"), 50_000
    rows: list[Row] = [{"id": i, "note": f"{i * 2654435761**9:x}"} for i in range(10_000)]
    of = WriteSpec(f"a.{kind}", made, (), Operation.APPEND, create=True)
    write(tmp_path, of.table, made, rows[:1])
    before = (tmp_path / of.table).read_bytes()
    writer = to(tmp_path).open(of)
    writer.write(batches(of, rows)[0])
    writer.match()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        with pytest.raises(DestinationError) as caught:
            writer.apply()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.abort()
    assert "too large" in caught.value.message
    assert ((tmp_path / of.table).read_bytes(), left(tmp_path)) == (before, [])
    assert write(tmp_path, of.table, made, rows).counts == {"created": len(rows)}
    assert len((tmp_path / of.table).read_bytes()) > most
