"""Every kind of place does what `headgate.spi.place.Place` says, against a real server."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.model.errors import ConnectionFailed, HeadgateError, SourceError, UsageError
from headgate.spi.place import Entry, looked_in, matches

from .conftest import Somewhere

FILES = {
    "a.csv": b"1",
    "b c.csv": b"22",
    "sub/d.csv": b"333",
    "sub/deep/é.csv": b"4444",
    "empty.csv": b"",
    "big.bin": bytes(9 << 20),
}


@pytest.fixture
def filled(somewhere: Somewhere) -> Somewhere:
    for path, data in FILES.items():
        somewhere.put(path, data)
    return somewhere


def test_files_of_a_folder_are_listed(filled: Somewhere) -> None:
    with closing(filled.open()) as place:
        sizes = {p: len(d) for p, d in FILES.items()}
        listed = sorted(place.files("", deep=False), key=lambda e: e.path)
        assert all(e.changed for e in listed)
        assert [replace(e, changed="") for e in listed] == [
            Entry(p, n) for p, n in sorted(sizes.items()) if "/" not in p
        ]
        assert {e.path: e.size for e in place.files("", deep=True)} == sizes
        assert [e.path for e in place.files("sub", deep=False)] == ["sub/d.csv"]
        assert list(place.files("nothing", deep=True)) == []


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_copied_whole(filled: Somewhere, tmp_path: Path, path: str) -> None:
    with closing(filled.open()) as place:
        place.fetch(path, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == FILES[path]


def test_a_file_is_moved_over_another_and_deleted(filled: Somewhere) -> None:
    with closing(filled.open()) as place:
        place.move("a.csv", "new/folder/a.csv")
        place.move("b c.csv", "new/folder/a.csv")
        place.delete("empty.csv")
    there = filled.there()
    assert there["new/folder/a.csv"] == b"22"
    assert not {"a.csv", "b c.csv", "empty.csv"} & there.keys()


def test_what_is_not_there_is_said(filled: Somewhere, tmp_path: Path) -> None:
    with closing(filled.open()) as place:
        for act in (lambda: place.fetch("no.csv", tmp_path / "x"), lambda: place.move("no.csv", "y.csv")):
            with pytest.raises(HeadgateError) as said:
                act()
            assert "no.csv" in said.value.message


def test_no_server_is_said(somewhere: Somewhere) -> None:
    url = somewhere.options["url"]
    more = (
        {"endpoint": "http://127.0.0.1:9", "timeout": 1}
        if url.startswith("s3")
        else {"url": url.rsplit(":", 1)[0] + ":9/data"}
    )
    with closing(somewhere.open(**more)) as place, pytest.raises(ConnectionFailed) as said:
        list(place.files("", deep=False))
    assert "127.0.0.1" in said.value.message or "shop" in said.value.message


def test_a_wrong_login_is_said_without_the_password(ftp: Somewhere) -> None:
    with (
        closing(ftp.open(password="wrong")) as place,
        pytest.raises(ConnectionFailed, match="refuses the login") as said,
    ):
        list(place.files("", deep=False))
    assert "wrong" not in said.value.message


def test_a_server_that_is_not_the_right_one_is_not_talked_to(sftp: Somewhere) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk6Nl0d1cHXkQl2m2m6Y8Z3m3sV0b7k0p0vJ9f4c7hB"
    with closing(sftp.open(host_key=other)) as place, pytest.raises(ConnectionFailed, match="right one") as said:
        list(place.files("", deep=False))
    assert "known_hosts" in said.value.hint


def test_a_wrong_key_is_said(sftp: Somewhere, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with closing(sftp.open(key=str(tmp_path / "key"))) as place, pytest.raises(UsageError, match="key cannot be read"):
        list(place.files("", deep=False))


def test_a_file_that_may_not_be_read_is_said(sftp: Somewhere, tmp_path: Path) -> None:
    sftp.put("folder.csv/inner", b"")
    with closing(sftp.open()) as place, pytest.raises(SourceError, match=r"folder\.csv"):
        place.fetch("folder.csv", tmp_path / "x")


@pytest.mark.parametrize(("url", "option"), [("sftp://h/x", "pasword"), ("ftp://h/x", "port")])
def test_an_unknown_option_is_named(url: str, option: str) -> None:
    with pytest.raises(UsageError, match=option):
        Somewhere({"url": url}, lambda *_: None, dict).open(**{option: 1})


@pytest.mark.parametrize(
    ("pattern", "meant", "not_meant"),
    [
        ("*.csv", ["a.csv", "b c.csv"], ["sub/a.csv", ".a.csv", "a.csvx", "a"]),
        ("sub/*.csv", ["sub/a.csv"], ["a.csv", "sub/x/a.csv"]),
        ("**/*.csv", ["a.csv", "sub/a.csv", "sub/x/a.csv"], [".git/a.csv", "a.txt"]),
        ("in-[0-9].csv", ["in-3.csv"], ["in-x.csv", "in-33.csv"]),
        ("in-[!0-9].csv", ["in-x.csv"], ["in-3.csv"]),
        ("a?.csv", ["ab.csv"], ["a.csv", "a/.csv"]),
        ("a+(b).csv", ["a+(b).csv"], ["aab.csv"]),
        ("[.csv", ["[.csv"], ["a.csv"]),
    ],
)
def test_patterns_mean_what_they_mean_in_folders_here(pattern: str, meant: list[str], not_meant: list[str]) -> None:
    assert [p for p in meant + not_meant if matches(pattern, p)] == meant


def test_a_pattern_is_looked_for_where_it_may_be() -> None:
    assert looked_in("a/b/*.csv") == ("a/b", False)
    assert looked_in("a/*/c.csv") == ("a", True)
    assert looked_in("**/*.csv") == ("", True)
    assert looked_in("a/b.csv") == ("a", False)
