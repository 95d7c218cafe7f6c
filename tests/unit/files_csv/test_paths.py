from __future__ import annotations

import io
import os
import pwd
import shutil
import tempfile
import zipfile
from pathlib import Path

import pytest

from headgate.connectors.files import FileSource
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from .conftest import Read, Reading

CSV = b"id,name\n1,a\n2,b\n"


def _source(folder: Path, path: str | list[str], **options: object) -> FileSource:
    return FileSource(SourceSpec.model_validate({"path": path, **options}), folder)


def _names(folder: Path, path: str | list[str]) -> list[str]:
    return [p.name for p in _source(folder, path).partitions()]


def test_patterns_give_files_in_name_order_each_once(tmp_path: Path) -> None:
    for name in ("in/b.csv", "in/a.csv", "in/deep/c.csv", "in/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(CSV)
    assert _names(tmp_path, "in/*.csv") == ["in/a.csv", "in/b.csv"]
    assert _names(tmp_path, "in/**/*.csv") == ["in/a.csv", "in/b.csv", "in/deep/c.csv"]
    assert _names(tmp_path, ["in/x.txt", "in/*.csv", "in/a.csv"]) == ["in/x.txt", "in/a.csv", "in/b.csv"]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_bytes(CSV)
    assert _names(tmp_path, "a[1].csv") == ["a[1].csv"]


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("in/produts.csv", "there is no file in/produts.csv", "Did you mean products.csv?"),
        ("in/zzz", "there is no file in/zzz", "There are: products.csv."),
        ("out/a.csv", "there is no file out/a.csv", "There is no folder 'out'"),
        ("in", "in is a folder", "in/*.csv"),
        ("in/*.xml", "no file matches in/*.xml", "Looked in"),
    ],
)
def test_wrong_paths_say_what_there_is(tmp_path: Path, path: str, message: str, hint: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "products.csv").write_bytes(CSV)
    with pytest.raises(SourceError) as e:
        _source(tmp_path, path).partitions()
    assert message in e.value.message
    assert hint in e.value.hint


def test_no_permission(request: pytest.FixtureRequest) -> None:
    folder = Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(folder))
    folder.chmod(0o755)
    (folder / "a.csv").write_bytes(CSV)
    (folder / "a.csv").chmod(0)
    _source(folder, "a.csv")  # what it imports is imported while it may be read
    if os.geteuid() == 0:  # a superuser may read everything
        request.addfinalizer(lambda: os.seteuid(0))
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    with pytest.raises(SourceError, match="permission denied"):
        _source(folder, "a.csv").partitions()


def test_members_of_a_zip_are_partitions_and_copies_go(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", CSV)
        archive.writestr("sub/c.csv", CSV + b"3,c\n")
        archive.writestr("__MACOSX/._b.csv", b"x")
    source = _source(tmp_path, "a.zip")
    parts = source.partitions()
    assert [p.name for p in parts] == ["a.zip: b.csv", "a.zip: sub/c.csv"]
    scans = [source.open(p) for p in parts]
    assert [len(Reading(s).rows) for s in scans] == [2, 3]
    assert str(scans[1].locate([0])[0]) == "a.zip: sub/c.csv, line 2"
    folder = source._temporary()
    assert len(list(folder.iterdir())) == 2
    for scan in scans:
        scan.close()
        scan.close()
    assert list(folder.iterdir()) == []
    source.close()
    source.close()
    assert not folder.exists()


def test_standard_input_can_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CSV)))
    source = _source(tmp_path, "-")
    for _ in range(2):
        [part] = source.partitions()
        assert part.name == "standard input"
        assert len(Reading(source.open(part)).rows) == 2
    source.close()


WORKBOOK = io.BytesIO()
with zipfile.ZipFile(WORKBOOK, "w") as _archive:
    _archive.writestr("[Content_Types].xml", "<Types/>")
    _archive.writestr("xl/workbook.xml", "<workbook/>")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (WORKBOOK.getvalue(), "a workbook, not CSV"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "a Parquet file, not CSV"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document, not CSV"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page, not CSV"),
        (b"<?xml version='1.0'?><a/>", "an XML document, not CSV"),
        (b'[{"a": 1}]', "JSON, not CSV"),
        (b'{"a": 1}\n{"a": 2}\n', "JSON Lines, not CSV"),
        (bytes(range(32)) * 200, "not text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "an old Excel workbook, not CSV"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(read: Read, content: bytes, what: str) -> None:
    with pytest.raises(SourceError, match=f"a.csv is {what}"):
        read(content)


def test_a_workbook_that_is_text(read: Read) -> None:
    with pytest.raises(SourceError, match=r"a\.xlsx is not a workbook"):
        read(CSV, name="a.xlsx")


def test_a_text_file_without_a_telling_name_is_csv(read: Read) -> None:
    assert len(read(CSV, name="export").rows) == 2


def test_progress_ends_at_one_and_batches_can_be_read_again(read: Read) -> None:
    got = read("id,n\n" + "1,a\n" * 70_000)
    assert got.scan.progress() == 1.0
    batches = got.scan.batches()
    first = next(batches)
    assert (first.ordinals, 0 < got.scan.progress() < 1) == (range(65_536), True)
    batches.close()  # type: ignore[attr-defined]
    assert sum(map(len, got.scan.batches())) == 70_000
