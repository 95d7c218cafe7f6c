"""Answers that are kept as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.connectors.http.exchange import Answer, Call
from headgate.connectors.http.pages import Asking, Found, Values
from headgate.connectors.http.paging import Page
from headgate.connectors.http.spool import Spool
from headgate.model.errors import SourceError
from headgate.model.request import RequestSpec


class Bodies(Asking):
    """Answers with these bodies."""

    def __init__(self, bodies: list[bytes], room: Path) -> None:
        self.bodies, self.room = bodies, room
        self.pages = 0

    def found(self, spec: RequestSpec, values: Values) -> Iterator[Found]:
        for body in self.bodies:
            if body == b"stop":
                raise KeyboardInterrupt
            self.room.write_bytes(body)
            yield Found([], Answer(Call("GET", ""), 200, {}, self.room), True, Page(1, 1, None, b"", {}))


@pytest.mark.parametrize(
    ("bodies", "kept"),
    [
        ([b"id,name\n1,a\n", b"id,name\n2,b\n"], b"id,name\n1,a\n2,b\n"),
        ([b"id,name\r\n1,a", b"id,name\r\n2,b"], b"id,name\r\n1,a\n2,b"),
        ([b"\xef\xbb\xbfid\n1\n", b"\xef\xbb\xbfid\n2\n", b"id\n3\n"], b"\xef\xbb\xbfid\n1\n2\n3\n"),
        ([b"1,a\n", b"2,b\n", b"3,c\n"], b"1,a\n2,b\n3,c\n"),
        ([b"id\n", b"id\n"], b"id\n"),
        ([b"id,name\n1,a\n", b'"id","name"\n2,b\n'], b"id,name\n1,a\n2,b\n"),
        ([b"1,2\n", b"2,1\n"], b"1,2\n2,1\n"),
        ([b"", b"id\n1\n"], b"id\n1\n"),
        ([b"name\nAnn\n", b"full name\nBob\n"], b"name\nAnn\nfull name\nBob\n"),
        ([b"1,a\n", b"1,a,b\n"], b"1,a\n1,a,b\n"),
    ],
)
def test_pages_are_one_file_with_one_header(bodies: list[bytes], kept: bytes, tmp_path: Path) -> None:
    spool = Spool(Bodies(bodies, tmp_path / "page"), RequestSpec(), tmp_path)
    spool.advance()
    assert spool.path.read_bytes() == kept


@pytest.mark.parametrize("head", [b"id,name,town", b"town;id;name"])
def test_a_page_with_more_or_fewer_columns_is_an_error(head: bytes, tmp_path: Path) -> None:
    for n, bodies in enumerate([[b"id,name\n1,a\n", head + b"\n"], [head + b"\n", b"id,name\n1,a\n"]]):
        spool = Spool(Bodies(bodies, tmp_path / f"page{n}"), RequestSpec(), tmp_path)
        with pytest.raises(SourceError, match="page . has other columns than the first page: "):
            spool.advance()


def test_a_page_with_the_columns_in_another_order_is_an_error(tmp_path: Path) -> None:
    spool = Spool(Bodies([b"id,name\n1,a\n", b"name,id\nb,2\n"], tmp_path / "page"), RequestSpec(), tmp_path)
    with pytest.raises(SourceError, match="columns of the first page in another order: name,id"):
        spool.advance()


def test_what_was_broken_off_is_not_taken_for_all(tmp_path: Path) -> None:
    spool = Spool(Bodies([b"id\n1\n", b"stop"], tmp_path / "page"), RequestSpec(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        spool.advance()
    for again in (spool.advance, spool.digest):
        with pytest.raises(SourceError, match="not read to its end"):
            again()
    assert not spool.done
