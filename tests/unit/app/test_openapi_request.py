"""From parameters and answers to a request: its pages, what it cannot do without, its parents, what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.app import yaml_file
from headgate.model.spec import ImportSpec
from support.openapi import CUSTOMER, document, items, listing, proposed, query

NUMBER = {"type": "integer"}
TEXT: dict[str, Any] = {"type": "string"}
URL = {"type": "string", "format": "uri"}


def within(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def always(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """An answer with items, in which one value always is."""
    return items(**{name: schema}) | {"required": [name]}


def spec(text: str) -> ImportSpec:
    return yaml_file.parse(yaml_file.document(text, "proposed"), ImportSpec)


def request(text: str) -> dict[str, Any]:
    found = spec(text).source.request
    assert found is not None
    return found.model_dump(exclude_unset=True)


def text(name: str) -> dict[str, Any]:
    return query(name, type="string")


@pytest.mark.parametrize(
    ("parameters", "answer", "pages"),
    [
        ([query("page", type="integer", default=1)], items(), {"type": "page", "param": "page"}),
        ([query("pageNumber", minimum=0, type="integer")], items(), {"type": "page", "param": "pageNumber", "start": 0}),
        ([query("page", about="Zero-based page index (0..N)")], items(), {"type": "page", "param": "page", "start": 0}),
        ([query("page")], items(totalElements=NUMBER), {"type": "page", "param": "page", "start": 0}),
        (
            [query("page", about="counting starts at 1"), query("per_page", type="integer", maximum=200, default=20)],
            items(meta=within(total_pages=NUMBER)),
            {"type": "page", "param": "page", "pages": "meta.total_pages", "size": 200, "size_param": "per_page"},
        ),
        (
            [query("$skip"), query("$top", type="integer", maximum=50_000)],
            items(total=NUMBER, count=NUMBER),
            {"type": "offset", "param": "$skip", "size": 1000, "size_param": "$top"},
        ),
        ([query("startIndex", type="integer", default=1)], items(), {"type": "offset", "param": "startIndex", "start": 1}),
        ([text("cursor"), query("limit")], items(meta=within(next_cursor=TEXT)), {"type": "cursor", "param": "cursor", "path": "meta.next_cursor"}),
        ([text("pageToken")], items(nextPageToken=TEXT), {"type": "cursor", "param": "pageToken", "path": "nextPageToken"}),
        ([text("after")], items(paging=within(cursors=within(after=TEXT, before=TEXT))), {"type": "cursor", "param": "after", "path": "paging.cursors.after"}),
        ([text("starting_after"), text("ending_before")], items(has_more={"type": "boolean"}), {"type": "cursor", "param": "starting_after", "record": "id"}),
        ([text("starting_after")], always("has_more", {"type": "boolean"}), {"type": "cursor", "param": "starting_after", "record": "id", "more": "has_more"}),
        ([query("page")], items(next=URL), {"type": "next", "path": "next"}),
        ([query("offset"), query("limit")], items(count=NUMBER, next=TEXT, previous=TEXT), {"type": "next", "path": "next"}),
        ([], items(links=within(next=TEXT, prev=TEXT)), {"type": "next", "path": "links.next"}),
        ([], items(_links=within(next=within(href=TEXT))), {"type": "next", "path": "_links.next.href"}),
        ([], items(**{"@odata.nextLink": TEXT}), {"type": "next", "path": "@odata.nextLink"}),
    ],
)  # fmt: skip
def test_how_pages_follow_each_other(
    parameters: list[dict[str, Any]], answer: dict[str, Any], pages: dict[str, Any], tmp_path: Path
) -> None:
    draft = proposed(tmp_path, document({"/customers": listing(answer, *parameters)}))
    assert request(draft.text)["pagination"] == pages
    assert draft.remarks == []


def test_a_header_link_leads_through_pages(tmp_path: Path) -> None:
    path = listing(
        items(), query("page"), query("per_page", type="integer", maximum=100), headers={"link": {"schema": TEXT}}
    )
    draft = proposed(tmp_path, document({"/customers": path}))
    assert request(draft.text)["pagination"] == {"type": "link"}
    assert draft.remarks == ["The query can ask for more at once: per_page, at most 100."]


@pytest.mark.parametrize(
    ("parameters", "answer", "told"),
    [
        ([query("limit")], items(), "parameters limit"),
        ([query("page"), query("offset")], items(), "parameters offset, page"),
        ([text("cursor")], items(total=NUMBER), "parameters cursor; the answer's total"),
        ([text("cursor")], items(next_cursor=TEXT, end_cursor=TEXT), "the answer's next_cursor, end_cursor"),
        ([text("page")], items(), "parameters page"),
        ([], items(next=TEXT), "the answer's next"),
        ([], items(meta=within(total=NUMBER)), "the answer's meta.total"),
    ],
)
def test_pages_that_are_not_sure_are_a_remark(
    parameters: list[dict[str, Any]], answer: dict[str, Any], told: str, tmp_path: Path
) -> None:
    draft = proposed(tmp_path, document({"/customers": listing(answer, *parameters)}))
    assert "pagination" not in request(draft.text)
    assert told in draft.remarks[0]
    assert "# - There seem to be pages (" in draft.text


def test_no_remark_where_there_are_no_pages(tmp_path: Path) -> None:
    draft = proposed(tmp_path, document({"/customers": listing(items(), text("country"))}))
    assert (draft.remarks, "pagination" in draft.text, "country" in draft.text) == ([], False, False)


def test_where_pages_begin_is_said_to_be_open(tmp_path: Path) -> None:
    draft = proposed(tmp_path, document({"/customers": listing(items(), query("page"))}))
    assert request(draft.text)["pagination"] == {"type": "page", "param": "page"}
    assert "Whether the first page is 0 or 1 is not said" in draft.remarks[0]


def test_what_has_to_be_sent_is_there(tmp_path: Path) -> None:
    header = {"name": "X-Version", "in": "header", "required": True, "schema": TEXT | {"default": "2"}}
    path = listing(
        items(),
        query("status", required=True, type="string", enum=["open", "closed"], about="Which\nones # there are"),
        query("account", required=True, type="string"),
        query("page", required=True, type="integer", default=1),
        query("deep", type="boolean", default=False),
        query("size", required=True, type="integer", default=20),
        header,
        {"name": "Accept", "in": "header", "required": True, "schema": TEXT},
    )
    draft = proposed(tmp_path, document({"/customers": path}))
    found = request(draft.text)
    assert (found["query"], found["headers"]) == (
        {"status": "open", "account": "FILL_IN", "size": 20},
        {"X-Version": "2"},
    )
    assert "      status: open  # required; one of open, closed; Which ones # there are\n" in draft.text
    assert draft.remarks == ["account has to be filled in."]


def place(name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema or TEXT}


def order(*properties: str) -> dict[str, Any]:
    return within(data={"type": "array", "items": within(**dict.fromkeys(properties, TEXT))})


PARENT = listing(
    {"type": "array", "items": {"$ref": "#/components/schemas/Customer"}}, query("page", type="integer", default=1)
)


@pytest.mark.parametrize(
    ("path", "properties", "name", "take"),
    [
        ("/customers/{id}/orders", ("id", "total"), "customer_id", "id"),
        ("/customers/{customerId}/orders", ("id",), "customer_id", "id"),
        ("/customers/{customer_name}/orders", ("id",), "customer_name", "name"),
        ("/customers/{id}/orders", ("id", "customer_id"), "parent_id", "id"),
        ("/customers/{id}/orders", ("id", "customer_id", "parent_id"), "of_parent_id", "id"),
    ],
)
def test_lists_of_a_parent(path: str, properties: tuple[str, ...], name: str, take: str, tmp_path: Path) -> None:
    paths = {"/customers": PARENT, path: listing(order(*properties), place(path.split("{")[1].split("}")[0]))}
    draft = proposed(tmp_path, document(paths), path)
    source = spec(draft.text).source
    assert source.request is not None
    assert source.request.parent is not None
    assert source.request.path == f"/customers/{{{name}}}/orders"
    assert source.request.parent.take == {name: take}
    assert source.request.parent.path == "/customers"
    assert source.request.parent.pagination is not None
    assert source.columns == [name, *properties]
    assert draft.fields[0].column == name
    assert draft.remarks == []


def test_a_path_without_a_list_of_parents_is_filled_in_by_hand(tmp_path: Path) -> None:
    path = "/shops/{shop}/customers/{id}/orders"
    paths = {
        "/shops/{shop}/customers": PARENT,
        path: listing(order("id"), place("shop", type="string", example="a/b"), place("id")),
    }
    draft = proposed(tmp_path, document(paths), path)
    found = request(draft.text)
    assert (found["path"], found["parent"]["path"]) == (
        "/shops/a_b/customers/{customer_id}/orders",
        "/shops/a_b/customers",
    )
    assert draft.remarks == ["{shop} of the path is a/b here."]
    del paths["/shops/{shop}/customers"]
    draft = proposed(tmp_path, document(paths), path)
    assert request(draft.text)["path"] == "/shops/a_b/customers/FILL_IN/orders"
    assert "parent" not in draft.text


def test_what_is_new_is_offered_as_a_comment_that_is_valid(tmp_path: Path) -> None:
    path = listing(items(), text("updated_since"), text("country"))
    draft = proposed(tmp_path, document({"/customers": path}))
    assert "incremental" not in spec(draft.text).source.model_fields_set
    taken = draft.text.replace("  # incremental:", "  incremental:").replace(
        "  request:\n", '  request:\n    query: { updated_since: "{since}" }\n'
    )
    source = spec(taken).source
    assert source.incremental is not None
    assert (source.incremental.column, source.incremental.overlap) == ("updated_at", "5m")
    assert '# Only what is new: say under request query: { updated_since: "{since}" }, and here\n' in draft.text


def test_what_the_document_says_is_never_more_than_a_comment(tmp_path: Path) -> None:
    evil = "x\n  connection: other\r\n\u2028fields: {}\x85operation: delete\n#"
    entry = {"type": "object", "properties": {evil: TEXT, "a: b #": TEXT, "id": NUMBER, "{since}": TEXT}}
    path = listing(items(entry), query(evil, required=True, type="string", about=evil), summary=evil)
    paths = {"/a": path, f"/{evil}": path}
    for chosen in paths:
        draft = proposed(tmp_path, document(paths, info={"title": evil}), chosen)
        found = spec(draft.text)
        assert found.operation == "upsert"
        assert [f.column for f in draft.fields] == ["a: b #", "id", "{since}"]
        assert found.source.connection == draft.connection.name
        assert found.source.request is not None
        assert list(found.source.request.query) == [evil]


def test_long_lists_of_columns_go_over_lines_and_come_back_whole(tmp_path: Path) -> None:
    names = [f"column number {n}" for n in range(60)]
    draft = proposed(tmp_path, document({"/a": listing(items(within(**dict.fromkeys(names, TEXT))))}))
    assert spec(draft.text).source.columns == names
    assert max(map(len, draft.text.splitlines()[1:])) <= 120


def test_every_value_of_the_example_is_there(tmp_path: Path) -> None:
    draft = proposed(tmp_path, document({"/customers": listing(items())}))
    assert {f.column.split(".")[0] for f in draft.fields} == set(CUSTOMER["properties"])  # type: ignore[call-overload]
