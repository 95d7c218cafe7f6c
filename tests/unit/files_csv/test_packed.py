"""Compressed files: told from their content, read as what is in them, and no bombs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
import tarfile
import textwrap
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from headgate.connectors.files import FileSource, packed
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec

from .conftest import Reading

CSV = b"id,name\n1,a\n2,b\n"
LONG = b"id,name\n" + b"".join(b"%d,some name %d\n" % (i, i * i) for i in range(50_000))


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}
ENDINGS = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}


def opened(folder: Path, path: str, **options: object) -> Reading:
    source = FileSource(SourceSpec.model_validate({"path": path, **options}), folder)
    with closing(source):
        [part] = source.partitions()
        with closing(source.open(part)) as scan:
            return Reading(scan)


@pytest.mark.parametrize("kind", PACK)
def test_a_compressed_file_is_told_by_its_content(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(PACK[kind](CSV))
    source = FileSource(SourceSpec(path="a.csv"), tmp_path)
    scan = source.open(source.partitions()[0])
    assert Reading(scan).rows == [("1", "a"), ("2", "b")]
    assert [str(o) for o in scan.locate([1])] == ["a.csv, line 3"]
    folder = source._temporary()
    scan.close()
    assert list(folder.iterdir()) == []
    source.close()


@pytest.mark.parametrize("kind", PACK)
def test_the_name_inside_tells_the_format(kind: str, tmp_path: Path) -> None:
    name = f"a.parquet.{ENDINGS[kind].upper()}"
    (tmp_path / name).write_bytes(PACK[kind](CSV))
    with pytest.raises(SourceError, match="a.parquet is not Parquet, whatever its name says"):
        opened(tmp_path, name)


@pytest.mark.parametrize("kind", PACK)
def test_parts_that_follow_each_other_are_all_read(kind: str, tmp_path: Path) -> None:
    pad = b"\0" * 8 if kind == "xz" else b""
    (tmp_path / "a").write_bytes(PACK[kind](CSV) + pad + PACK[kind](b"3,c\n") + pad)
    assert opened(tmp_path, "a").rows == [("1", "a"), ("2", "b"), ("3", "c")]
    (tmp_path / "b").write_bytes(PACK[kind](LONG))
    assert len(opened(tmp_path, "b").rows) == 50_000


@pytest.mark.parametrize("kind", PACK)
def test_damaged_and_cut_data_is_refused_and_leaves_no_copy(kind: str, tmp_path: Path) -> None:
    whole = PACK[kind](LONG)
    middle = len(whole) // 2
    for data in (whole[:-20], whole[:middle], whole[:middle] + b"\xff" * 60 + whole[middle + 60 :]):
        (tmp_path / "a.csv").write_bytes(data)
        source = FileSource(SourceSpec(path="a.csv"), tmp_path)
        with closing(source):
            with pytest.raises(SourceError, match=r"a\.csv cannot be unpacked: .") as e:
                source.open(source.partitions()[0])
            assert "damaged or cut short" in e.value.hint
            assert list(source._temporary().iterdir()) == []


@pytest.mark.parametrize("kind", PACK)
def test_a_compression_that_is_not_there_is_an_error(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    with pytest.raises(SourceError, match=f"a.csv is not compressed with {kind}") as e:
        opened(tmp_path, "a.csv", compression=kind)
    assert "Leave source.compression out" in e.value.hint


def test_a_text_that_begins_like_a_compressed_file_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"BZh9,name\n1,a\n")
    assert opened(tmp_path, "a.csv").rows == [("1", "a")]


def test_compression_none_reads_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(gzip.compress(CSV))
    with pytest.raises(SourceError, match="compressed with gzip, not CSV"):
        opened(tmp_path, "a.csv", compression="none")


def test_a_window_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    # The window's size is one byte of the first block's header, so none of that size is needed to ask for it.
    asks = bytearray(lzma.compress(CSV))
    begin, end = 12, 12 + (asks[12] + 1) * 4 - 4
    asks[asks.index(b"\x21\x01", begin) + 2] = 36  # 1 GiB
    asks[end : end + 4] = zlib.crc32(asks[begin:end]).to_bytes(4, "little")
    (tmp_path / "a.csv.xz").write_bytes(bytes(asks))
    with pytest.raises(SourceError, match="cannot be unpacked: Memory usage limit") as e:
        opened(tmp_path, "a.csv.xz")
    assert "smaller window" in e.value.hint


def test_an_archive_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.csv", "a.csv")
    with pytest.raises(SourceError, match="a tar archive"):
        opened(tmp_path, "a.tar.gz")


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(SourceError, match="not a whole zip"):
        FileSource(SourceSpec(path="a.zip"), tmp_path).partitions()
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", LONG)
    whole = (tmp_path / "b.zip").read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[:5000] + b"\xff" * 60 + whole[5060:])
    with pytest.raises(SourceError, match=r"b\.zip: b\.csv cannot be unpacked"):
        opened(tmp_path, "b.zip")


# ---- bombs -------------------------------------------------------------------------------------------------------------

MIB = 1 << 20


@pytest.mark.parametrize("kind", PACK)
def test_a_bomb_is_stopped_at_the_limit(kind: str, tmp_path: Path) -> None:
    bomb = PACK[kind](b"\0" * (16 * MIB)) * 4
    assert len(bomb) < 100_000
    (tmp_path / "a.csv").write_bytes(bomb)
    with pytest.raises(SourceError, match=r"unpacks to more than source.max_unpacked, 33,554,432 bytes") as e:
        opened(tmp_path, "a.csv", max_unpacked=32 * MIB)
    assert "Raise it" in e.value.hint


def test_a_real_bomb_is_stopped_without_being_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv.zst").write_bytes(zstd(b"\0" * (64 * MIB)) * 40)
    source = FileSource(SourceSpec(path="a.csv.zst"), tmp_path)
    with closing(source):
        with pytest.raises(SourceError, match="unpacks to more than 1,024 MiB, over 200 times its size") as e:
            source.open(source.partitions()[0])
        assert "source.max_unpacked" in e.value.hint
        assert list(source._temporary().iterdir()) == []


def test_an_archive_that_is_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for n in range(9):
            archive.writestr(f"{n}.csv", b"\0" * (8 * MIB))
    source = FileSource(SourceSpec(path="a.zip", max_unpacked=64 * MIB), tmp_path)
    with closing(source), pytest.raises(SourceError, match="a.zip unpacks to more than source.max_unpacked"):
        source.partitions()
    source = FileSource(SourceSpec(path="a.zip", max_unpacked=72 * MIB), tmp_path)
    with closing(source):
        assert len(source.partitions()) == 9


def test_a_member_larger_than_the_archive_says_is_not_unpacked_further(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.csv", b"a,b\n" * (4 * MIB))
    data = (tmp_path / "a.zip").read_bytes()
    size = (16 * MIB).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(SourceError, match="cannot be unpacked: Bad CRC"):
        opened(tmp_path, "a.zip", max_unpacked=5000)


def test_what_is_large_and_not_a_bomb_is_read_where_the_limit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "_LARGE", MIB)
    rows = b"id,name\n" + b"1,a\n" * MIB
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(rows))
    with pytest.raises(SourceError, match="over 200 times its size"):
        opened(tmp_path, "a.csv.xz")
    assert len(opened(tmp_path, "a.csv.xz", max_unpacked=len(rows)).rows) == MIB
    with pytest.raises(SourceError, match="max_unpacked"):
        opened(tmp_path, "a.csv.xz", max_unpacked=len(rows) - 1)


def test_unpacking_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "a.csv.zst").write_bytes(zstd(b"\0" * (64 * MIB)) * 8)
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(b"\0" * (64 * MIB)) * 8)
    code = f"""
        import resource
        from pathlib import Path
        from headgate.connectors.files import packed
        from headgate.connectors.files.base import Piece
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name, kind in (("a.csv.zst", "zstd"), ("a.csv.xz", "xz")):
            path = Path({str(tmp_path)!r}) / name
            packed.unpack(Piece(name, path, kind), path.with_suffix(".out"), None)
            assert path.with_suffix(".out").stat().st_size == 512 << 20
            path.with_suffix(".out").unlink()
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64
