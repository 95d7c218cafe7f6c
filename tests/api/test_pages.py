"""Every way in which pages follow each other gives every record once, in order."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any, ClassVar

import pytest

from headgate.connectors.http.source import HttpSource
from headgate.model.errors import SourceError
from headgate.testing.server import ApiServer
from support.api import RECORDS, TEXTS, Ask, Serve, read

EDGES = {"path": "data.items.pageInfo.endCursor", "more": "data.items.pageInfo.hasNextPage"}
WAYS: dict[str, dict[str, Any]] = {
    "all at once": {"path": "/all"},
    "JSON Lines": {"path": "/lines"},
    "by number, until a page is empty": {"path": "/page", "records": "items", "pagination": {"type": "page"}},
    "by number, as many as it says": {"path": "/page", "pagination": {"type": "page", "pages": "pages"}},
    "by number, while there are more": {"path": "/page", "pagination": {"type": "page", "more": "more"}},
    "by number, of another size": {"path": "/page", "pagination": {"type": "page", "size": 7}},
    "by number, more than it gives at a time": {"path": "/page", "pagination": {"type": "page", "size": 500}},
    "by offset, until a page is empty": {"path": "/offset", "records": "data.items", "pagination": {"type": "offset"}},
    "by offset, as many as it says": {
        "path": "/offset",
        "records": "data.items",
        "pagination": {"type": "offset", "total": "total"},
    },
    "by offset, more than it gives at a time": {
        "path": "/offset",
        "records": "data.items",
        "pagination": {"type": "offset", "size": 500, "total": "total"},
    },
    "cursor in the body": {"path": "/cursor", "pagination": {"type": "cursor", "path": "meta.next_cursor"}},
    "cursor in a header": {"path": "/cursor", "pagination": {"type": "cursor", "header": "X-Next-Cursor"}},
    "cursor is the last record": {
        "path": "/after",
        "pagination": {"type": "cursor", "param": "starting_after", "record": "id", "more": "has_more"},
    },
    "cursor sent in the body": {
        "path": "/search",
        "method": "POST",
        "body": {"sort": "id"},
        "pagination": {"type": "cursor", "path": "meta.next_cursor", "send": "body"},
    },
    "header Link": {"path": "/link", "pagination": {"type": "link"}},
    "next URL": {"path": "/next", "records": "items", "pagination": {"type": "next", "path": "paging.next"}},
    "GraphQL": {
        "path": "/graphql",
        "graphql": "query ($after: String) { items(after: $after) { edges { node { id } } } }",
        "records": "data.items.edges.*.node",
        "pagination": {"type": "cursor", "param": "after", **EDGES},
    },
    "XML": {"path": "/xml", "records": "items.item", "pagination": {"type": "page", "pages": "@pages"}},
    "XML, until a page is empty": {"path": "/xml", "records": "items.item", "pagination": {"type": "page"}},
    "CSV": {"path": "/csv", "pagination": {"type": "page"}},
}


@pytest.mark.parametrize("way", WAYS)
def test_all_records_are_read_once_and_in_order(way: str, api: ApiServer, ask: Ask) -> None:
    assert read(ask(api, **WAYS[way])) == TEXTS


@pytest.mark.parametrize("way", [w for w in WAYS if w not in ("all at once", "JSON Lines")])
@pytest.mark.parametrize("count", [1, 9, 10, 11, 20])
def test_the_last_page_may_be_full_or_not(way: str, count: int, serve: Serve, ask: Ask) -> None:
    assert read(ask(serve(RECORDS[:count]), **WAYS[way])) == TEXTS[:count]


@pytest.mark.parametrize("way", WAYS)
def test_an_api_without_records_has_none_if_its_columns_are_named(way: str, serve: Serve, ask: Ask) -> None:
    if way.startswith(("CSV", "XML")):
        pytest.skip("not stated: CSV has a header without records, and XML no list")
    api = serve([])
    assert read(ask(api, **WAYS[way], columns=["id", "name"])) == []
    with pytest.raises(SourceError, match="no records, so its columns are not known"):
        read(ask(api, **WAYS[way]))


@pytest.mark.parametrize(
    ("document", "records"),
    [("<a pages='1'><items/></a>", "items.item"), ("<a><items>\n </items></a>", "items.item"), ("<a n='0'/>", "item")],
)
def test_an_element_without_records_has_none(document: str, records: str, serve: Serve, ask: Ask) -> None:
    api = serve([], documents={"/none": document})
    assert read(ask(api, "/none", records=records, columns=["id"], format="xml")) == []


@pytest.mark.parametrize("document", ["<a><item><id>1</id></item></a>", "<a><items>none</items></a>"])
def test_a_path_that_leads_elsewhere_in_xml_is_an_error(document: str, serve: Serve, ask: Ask) -> None:
    api = serve([], documents={"/none": document})
    with pytest.raises(SourceError, match=r"there is no 'items\.item'"):
        read(ask(api, "/none", records="items.item", columns=["id"], format="xml"))


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("cursor", {"id": 3}, "an object with id"),
        ("cursor", [3], "a list of 1"),
        ("next", True, "true"),
        ("next", {"href": "x"}, "an object"),
    ],
)
def test_what_cannot_ask_for_the_next_page_is_no_end_of_the_list(
    path: str, value: object, what: str, serve: Serve, ask: Ask
) -> None:
    api = serve([], documents={"/some": json.dumps({"items": RECORDS[:2], "then": value})})
    with pytest.raises(SourceError, match=rf"\(then\) is {what}"):
        read(ask(api, "/some", records="items", pagination={"type": path, "path": "then"}))


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_nothing_in_the_place_of_a_cursor_is_the_end(value: object, serve: Serve, ask: Ask) -> None:
    api = serve([], documents={"/some": json.dumps({"items": RECORDS[:2], "then": value})})
    assert read(ask(api, "/some", records="items", pagination={"type": "cursor", "path": "then"})) == TEXTS[:2]


def warned(source: HttpSource) -> tuple[int, object]:
    """How many records there are, and what is said of them."""
    (partition,) = source.partitions()
    with closing(source.open(partition)) as scan:
        return sum(len(b) for b in scan.batches()), scan.findings.get("warnings", [])


@pytest.mark.parametrize(
    ("request_", "lacks"),
    [
        ({"path": "/cursor", "pagination": {"type": "cursor", "path": "meta.cursor"}}, "'meta.cursor'"),
        ({"path": "/cursor", "pagination": {"type": "cursor", "header": "X-Cursor"}}, "header X-Cursor"),
        ({"path": "/next", "records": "items", "pagination": {"type": "next", "path": "paging.nxt"}}, "'paging.nxt'"),
        ({"path": "/page", "pagination": {"type": "page", "more": "has_more"}}, "'has_more'"),
        ({"path": "/page", "pagination": {"type": "page", "size": 7, "more": "has_more"}}, "'has_more'"),
        ({"path": "/page", "records": "items", "pagination": {"type": "link"}}, "header Link"),
    ],
)
def test_a_first_page_that_may_not_be_the_only_one_is_said(
    request_: dict[str, Any], lacks: str, api: ApiServer, ask: Ask
) -> None:
    size = request_["pagination"].get("size", 10)
    said = f"there is no {lacks} in a page of {size} records, so it was taken for the only one: if there are more, correct request.pagination"
    assert warned(ask(api, **request_)) == (size, [said])


@pytest.mark.parametrize("way", WAYS)
def test_pages_that_follow_each_other_are_no_matter(way: str, api: ApiServer, ask: Ask) -> None:
    assert warned(ask(api, **WAYS[way])) == (len(RECORDS), [])


@pytest.mark.parametrize(("count", "more"), [(9, {}), (10, {"then": None}), (10, {"then": ""})])
def test_nor_is_a_page_that_is_smaller_or_says_that_it_is_the_last(
    count: int, more: dict[str, Any], serve: Serve, ask: Ask
) -> None:
    api = serve([], documents={"/some": json.dumps({"items": RECORDS[:count]} | more)})
    asked = ask(api, "/some", records="items", pagination={"type": "cursor", "path": "then"})
    assert warned(asked) == (count, [])


def test_the_api_is_asked_once_however_often_its_records_are_read(api: ApiServer, ask: Ask) -> None:
    source = ask(api, **WAYS["header Link"])
    assert read(source) == read(source) == TEXTS
    assert len(api.asked) == 4


def test_looking_at_an_api_does_not_read_all_of_it(serve: Serve, ask: Ask) -> None:
    api = serve([{"id": i, "text": "x" * 100_000} for i in range(100)])
    source = ask(api, **WAYS["header Link"])
    (partition,) = source.partitions()
    with closing(source.open(partition)) as scan:
        assert scan.schema.names == ["id", "text"]
        assert len(api.asked) == 5
        assert sum(len(b) for b in scan.batches()) == 100
    assert len(api.asked) == 10


def test_values_stay_as_they_are_written(serve: Serve, ask: Ask) -> None:
    api = serve(
        ['{"a": 1.10, "b": 1E5, "c": -0, "d": 12345678901234567890123, "e": {"f": [1.0,\n 2]}, "g": null, "h": true}']
    )
    (record,) = read(ask(api, "/all"))
    assert record == {
        "a": "1.10", "b": "1E5", "c": "-0", "d": "12345678901234567890123", "e": '{"f":[1.0,2]}', "g": None, "h": "true",
    }  # fmt: skip


def test_parameters_and_headers_are_sent(api: ApiServer, ask: Ask) -> None:
    query = {"status": ["open", "paid"], "since": "2024-01-01T00:00:00+02:00", "deleted": False, "none": None}
    connection = {"headers": {"X-Tenant": "shop"}}
    read(ask(api, "/page", connection, query=query, headers={"X-Of": "a & b"}, pagination={"type": "page", "size": 20}))
    first = api.asked[0]
    assert first.query == {
        "status": "paid", "since": "2024-01-01T00:00:00+02:00", "deleted": "false", "page": "1", "per_page": "20",
    }  # fmt: skip
    assert first.headers["x-tenant"] == "shop"
    assert first.headers["x-of"] == "a & b"
    assert [a.query["page"] for a in api.asked] == ["1", "2", "3", "4", "5"]


def test_a_body_keeps_what_it_has_beside_the_cursor(api: ApiServer, ask: Ask) -> None:
    read(ask(api, **WAYS["cursor sent in the body"]))
    assert [a.body for a in api.asked][:2] == ['{"sort":"id"}', '{"sort":"id","cursor":"c10"}']
    assert api.asked[0].headers["content-type"] == "application/json"


def test_a_next_page_named_without_tls_or_port_is_asked_for_where_the_api_is(api: ApiServer, ask: Ask) -> None:
    api.fault("elsewhere", page=1, to="http://127.0.0.1/next?from=10")
    assert read(ask(api, **WAYS["next URL"]))[:20] == TEXTS[:20]


class TestEndless:
    def test_the_same_cursor_twice_is_an_error(self, api: ApiServer, ask: Ask) -> None:
        api.fault("same", page=2, times=99)
        with pytest.raises(SourceError, match=r"page 2 asks for a page that was read already \(cursor=c10\)"):
            read(ask(api, **WAYS["cursor in the body"]))

    @pytest.mark.parametrize("way", ["header Link", "next URL"])
    def test_the_same_url_twice_is_an_error(self, way: str, api: ApiServer, ask: Ask) -> None:
        api.fault("same", page=3, times=99)
        with pytest.raises(SourceError, match="page 3 asks for a page that was read already"):
            read(ask(api, **WAYS[way]))

    def test_an_api_that_takes_no_notice_of_the_page_is_an_error(self, api: ApiServer, ask: Ask) -> None:
        with pytest.raises(SourceError, match="page 2 has the same records as the page before"):
            read(ask(api, "/page", pagination={"type": "page", "param": "p"}))

    def test_more_pages_than_expected_are_an_error(self, api: ApiServer, ask: Ask) -> None:
        assert len(read(ask(api, **WAYS["header Link"], max_pages=4))) == 35
        with pytest.raises(SourceError, match="more than 3 pages"):
            read(ask(api, **WAYS["header Link"], max_pages=3))


class TestParents:
    PARENT: ClassVar = {
        "path": "/cursor",
        "pagination": {"type": "cursor", "path": "meta.next_cursor"},
        "take": {"customer": "id"},
    }

    def test_the_request_is_sent_for_every_parent(self, serve: Serve, ask: Ask) -> None:
        parts = {str(r["id"]): [{"part": f"{r['id']}.{n}"} for n in range(int(r["id"]) % 3)] for r in RECORDS}
        api = serve(parts=parts)
        found = read(ask(api, "/records/{customer}/parts", records="parts", parent=self.PARENT))
        assert found == [{"customer": n, "part": p["part"]} for n, some in parts.items() for p in some]

    def test_what_is_taken_is_no_part_of_the_path_but_a_name_in_it(self, serve: Serve, ask: Ask) -> None:
        api = serve([{"id": "a/../b?c"}], parts={"a%2F..%2Fb%3Fc": [{"part": 1}]})
        found = read(ask(api, "/records/{customer}/parts", records="parts", parent=self.PARENT))
        assert found == [{"customer": "a/../b?c", "part": "1"}]

    def test_a_parent_without_it_is_an_error(self, serve: Serve, ask: Ask) -> None:
        api = serve([{"id": 1}, {"name": "x"}], parts={"1": [{"part": 1}]})
        with pytest.raises(SourceError, match="of a parent there is no 'id'"):
            read(ask(api, "/records/{customer}/parts", records="parts", parent=self.PARENT))

    @pytest.mark.parametrize("nr", ["", ".", ".."])
    def test_a_parent_that_would_lead_to_another_path_is_an_error(self, nr: str, serve: Serve, ask: Ask) -> None:
        api = serve([{"id": 1}, {"id": nr}], parts={"1": [{"part": 1}]})
        with pytest.raises(SourceError, match="a parent's 'id' is '.*', which a path cannot have"):
            read(ask(api, "/records/{customer}/parts", records="parts", parent=self.PARENT))
        assert [a.path for a in api.asked] == ["/cursor", "/records/1/parts"]

    def test_a_record_that_has_the_name_is_an_error(self, serve: Serve, ask: Ask) -> None:
        api = serve([{"id": 1}], parts={"1": [{"customer": 1}]})
        with pytest.raises(SourceError, match="have a key 'customer' of their own"):
            read(ask(api, "/records/{customer}/parts", records="parts", parent=self.PARENT))
