"""Asking an HTTP API for records, as definitions write it (`source.request`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from .strict import Scalar, Strict

Place = Literal["query", "body", "header"]

_CONDITION = re.compile(r"(?P<path>[^\s=!]+)(?:\s*(?P<sign>==|!=)\s*(?P<value>.*))?")


class PagePagination(Strict):
    """Pages that are counted. It ends at `pages`, when `more` is not true, or at a page without records."""

    type: Literal["page"] = Field(description="Pages that are counted: `?page=1`, `?page=2`, …")
    param: str = Field("page", description="Parameter with the number of the page.")
    start: int = Field(1, description="Number of the first page.")
    size: int | None = Field(None, ge=1, description="Records to ask for; by default what the API gives.")
    size_param: str = Field("per_page", description="Parameter with `size`.")
    send: Place = Field("query", description="Where the parameters go; in a body, dots lead into it.")
    pages: str | None = Field(None, description="Path in the answer to the number of pages, where it has one.")
    more: str | None = Field(None, description="Path in the answer to whether there are more pages, where it has one.")


class OffsetPagination(Strict):
    """Pages that begin after a number of records. It ends at `total`, when `more` is not true, or at a page without records."""

    type: Literal["offset"] = Field(description="Pages that begin after so many records: `?offset=0`, `?offset=100`, …")
    param: str = Field("offset", description="Parameter with the number of records before the page.")
    start: int = Field(0, description="Where the first page begins.")
    size: int | None = Field(None, ge=1, description="Records to ask for; by default what the API gives.")
    size_param: str = Field("limit", description="Parameter with `size`.")
    send: Place = Field("query", description="Where the parameters go; in a body, dots lead into it.")
    total: str | None = Field(None, description="Path in the answer to the number of all records, where it has one.")
    more: str | None = Field(None, description="Path in the answer to whether there are more pages, where it has one.")


class CursorPagination(Strict):
    """Pages of which each names the next. It ends when there is no cursor, or `more` is not true."""

    type: Literal["cursor"] = Field(description="Each answer has a cursor, which asks for the next page.")
    param: str = Field("cursor", description="Parameter with the cursor.")
    send: Place = Field("query", description="Where the parameter goes; in a body, dots lead into it.")
    path: str | None = Field(None, description="Path in the answer to the next cursor (`meta.next_cursor`).")
    header: str | None = Field(None, description="Header of the answer with the next cursor.")
    record: str | None = Field(
        None, description="Key of the last record that is the next cursor (`id`, as with `starting_after`)."
    )
    more: str | None = Field(None, description="Path in the answer to whether there are more pages, where it has one.")
    size: int | None = Field(None, ge=1, description="Records to ask for; by default what the API gives.")
    size_param: str = Field("limit", description="Parameter with `size`.")

    @model_validator(mode="after")
    def _one_place(self) -> CursorPagination:
        if sum(p is not None for p in (self.path, self.header, self.record)) != 1:
            raise ValueError("a cursor is found in one place: path, header, or record")
        return self


class LinkPagination(Strict):
    """Pages that a `Link` header leads through; it ends when there is none."""

    type: Literal["link"] = Field(description="The header `Link` has the next page's URL.")
    rel: str = Field("next", description="Which of the links is followed.")


class NextPagination(Strict):
    """Pages of which each has the next one's URL; it ends when there is none."""

    type: Literal["next"] = Field(description="The answer has the next page's URL.")
    path: str = Field("next", description="Path in the answer to the URL, which may be relative.")


Pagination = Annotated[
    PagePagination | OffsetPagination | CursorPagination | LinkPagination | NextPagination, Field(discriminator="type")
]


class ErrorSpec(Strict):
    """How an answer says that it is an error although its status says that all is well."""

    when: str = Field(
        description="Path that is there and neither empty nor false (`errors`), or a comparison (`status != ok`, `success == false`)."
    )
    message: str | None = Field(None, description="Path to the words of the error (`errors.0.message`).")

    @field_validator("when")
    @classmethod
    def _readable(cls, value: str) -> str:
        if not _CONDITION.fullmatch(value.strip()):
            raise ValueError(f"{value!r} is neither a path nor a comparison; write errors, or status != ok")
        return value

    @property
    def condition(self) -> tuple[str, str, str]:
        """The path, ``==``, ``!=`` or nothing, and the value compared."""
        m = _CONDITION.fullmatch(self.when.strip())
        assert m is not None, "validated"
        return m["path"], m["sign"] or "", (m["value"] or "").strip().strip("'\"")


class AskSpec(Strict):
    """One kind of request, and what its answers are."""

    path: str = Field("", description="Path after the connection's URL (`/customers`).")
    method: Literal["GET", "POST"] = Field("GET", description="`POST` for APIs that are asked so (searches).")
    query: dict[str, Scalar | list[Scalar]] = Field(
        {}, description="Parameters of the URL; a list gives one several times."
    )
    headers: dict[str, str] = Field(
        {}, description="Headers beside the connection's. Secrets belong in the connection."
    )
    body: dict[str, Any] | list[Any] | str | None = Field(
        None, description="POST: what is sent; a mapping or list as JSON, a text as it is."
    )
    graphql: str | None = Field(
        None, description="A GraphQL query; it is posted, and answers with `errors` are errors."
    )
    variables: dict[str, Any] = Field(
        {}, description="GraphQL: its variables; pagination sets its parameter among them."
    )
    records: str | None = Field(
        None,
        description="Path in the answer to the list of records (`data.items`; `*` stands for every element of a list: `edges.*.node`). By default the answer itself, or its only list.",
    )
    pagination: Pagination | None = Field(None, description="How further pages are asked for; by default there is one.")
    error: ErrorSpec | None = Field(None, description="How an answer with status 200 says that it is an error.")
    max_pages: int = Field(
        10_000, ge=1, description="Most pages; another one is an error, so that a list without end is noticed."
    )
    repeatable: bool | None = Field(
        None,
        description="Whether a request may be sent again when it is not known what became of it; by default only GET is.",
    )

    @model_validator(mode="after")
    def _body_fits(self) -> AskSpec:
        if self.graphql is not None and (self.body is not None or "method" in self.model_fields_set):
            raise ValueError("graphql makes the method and the body itself")
        if self.variables and self.graphql is None:
            raise ValueError("variables go with graphql")
        if self.body is not None and self.method == "GET":
            raise ValueError("a body goes with method: POST")
        if getattr(self.pagination, "send", "query") == "body" and not isinstance(self.body, dict):
            raise ValueError("pagination.send: body needs a body that is a mapping")
        return self

    @property
    def verb(self) -> str:
        """The method it is sent with."""
        return "POST" if self.graphql is not None else self.method

    @property
    def may_repeat(self) -> bool:
        """Whether it may be sent again."""
        if self.repeatable is not None:
            return self.repeatable
        return self.method == "GET" if self.graphql is None else not self.graphql.lstrip().startswith("mutation")

    @property
    def errors(self) -> ErrorSpec | None:
        """How an answer with status 200 says that it is an error."""
        if self.error is None and self.graphql is not None:
            return ErrorSpec(when="errors", message="errors.0.message")
        return self.error


class ParentSpec(AskSpec):
    """A request whose records say what is asked for."""

    take: dict[str, str] = Field(
        min_length=1,
        description="Names and the paths in a parent's record that they stand for (`order_id: id`). The request is sent for every parent, with `{order_id}` put in, and its records get them as columns.",
    )


class RequestSpec(AskSpec):
    """What is asked of an API, and where its answers have the records."""

    parent: ParentSpec | None = Field(
        None,
        description="Request whose records are gone through; this one is sent for each (`path: /orders/{order_id}/lines`).",
    )
