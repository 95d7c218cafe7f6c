"""What an API can do wrong: what helps is tried, what does not is an error that says where and what to do."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from headgate.model.errors import SourceError, UsageError
from headgate.testing.server import ApiServer
from support.api import TEXTS, Ask, Serve, read

LINK = {"path": "/link", "pagination": {"type": "link"}}
PAGE = {"path": "/page", "pagination": {"type": "page"}, "records": "items"}
SEARCH = {
    "path": "/search",
    "method": "POST",
    "body": {},
    "pagination": {"type": "cursor", "path": "meta.next_cursor", "send": "body"},
}


def error(ask: Ask, *args: Any, **request: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(ask(*args, **request))
    assert "s3cret" not in str(caught.value)
    return caught.value


class TestSentAgain:
    @pytest.mark.parametrize("kind", ["500", "503", "cut", "cut_chunked", "429"])
    def test_what_passes_is_waited_for(self, kind: Any, api: ApiServer, ask: Ask, slept: list[float]) -> None:
        api.fault(kind, page=2, times=3)
        assert read(ask(api, **LINK)) == TEXTS
        assert len(slept) == 3
        assert slept[0] < slept[1] < slept[2]

    @pytest.mark.parametrize("kind", ["429", "503"])
    def test_it_waits_as_long_as_it_is_told(self, kind: Any, api: ApiServer, ask: Ask, slept: list[float]) -> None:
        api.fault(kind, page=2, Retry_After="17")
        api.fault(kind, page=3, Retry_After=format_datetime(datetime.now(UTC) + timedelta(hours=-1), usegmt=True))
        assert read(ask(api, **LINK)) == TEXTS
        assert slept == [17.0, 0.0]

    def test_it_waits_until_a_date(self, api: ApiServer, ask: Ask, slept: list[float]) -> None:
        api.fault("429", Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=200), usegmt=True))
        assert read(ask(api, **LINK)) == TEXTS
        assert len(slept) == 1
        assert 100 < slept[0] <= 200

    def test_it_does_not_wait_for_ever(self, api: ApiServer, ask: Ask, slept: list[float]) -> None:
        api.fault("429", page=2, Retry_After="86400")
        e = error(ask, api, **LINK)
        assert "(page 2): 429 Too Many Requests" in e.message
        assert "wait for 86,400 s, longer than the connection's max_wait (300 s)" in e.hint
        assert slept == []

    @pytest.mark.parametrize(
        ("kind", "said"), [("500", "500 Internal Server Error, 3 times"), ("cut", "the connection was lost")]
    )
    def test_it_is_not_sent_again_for_ever(self, kind: Any, said: str, api: ApiServer, ask: Ask) -> None:
        api.fault(kind, page=3, times=99)
        e = error(ask, api, connection={"retries": 2}, **LINK)
        assert e.message.startswith(f"GET {api.url}/link?from=20 (page 3): ")
        assert said in e.message
        assert "3 times" in e.message
        assert len(api.asked) == 5

    @pytest.mark.parametrize("kind", ["500", "cut"])
    def test_what_may_have_been_done_is_not_sent_again(self, kind: Any, api: ApiServer, ask: Ask) -> None:
        api.fault(kind, page=2)
        error(ask, api, **SEARCH)
        assert len(api.asked) == 2
        api.fault(kind, page=2)
        assert read(ask(api, **SEARCH, repeatable=True)) == TEXTS

    def test_what_was_surely_not_done_is_sent_again(self, api: ApiServer, ask: Ask) -> None:
        api.fault("429", page=2)
        assert read(ask(api, **SEARCH)) == TEXTS

    @pytest.mark.parametrize("kind", ["401", "403", "404"])
    def test_what_does_not_pass_is_not_sent_again(self, kind: Any, api: ApiServer, ask: Ask) -> None:
        api.fault(kind, page=2)
        assert f": {kind} " in error(ask, api, **LINK).message
        assert len(api.asked) == 2

    def test_no_answer_is_an_error_after_a_while(self, api: ApiServer, ask: Ask) -> None:
        api.fault("hang", page=2, times=2)
        e = error(ask, api, connection={"timeout": 0.2, "retries": 1}, **LINK)
        assert "(page 2): no answer within 0.2 s, 2 times" in e.message
        assert "timeout" in e.hint

    def test_a_read_that_failed_fails_again_the_same_way(self, api: ApiServer, ask: Ask) -> None:
        api.fault("404", page=2)
        source = ask(api, **LINK)
        for _ in range(2):
            with pytest.raises(SourceError, match="404"):
                read(source)
        assert len(api.asked) == 2


class TestNotWhatItShouldBe:
    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("not_json", "is not JSON ("),
            ("html", "is not JSON but text/html ("),
            ("empty", "is not JSON (it is empty)"),
        ],
    )
    def test_a_page_that_is_not_json_is_an_error(self, kind: Any, said: str, api: ApiServer, ask: Ask) -> None:
        api.fault(kind, page=2)
        e = error(ask, api, **PAGE)
        assert e.message.startswith(f"GET {api.url}/page?page=2 (page 2): the answer {said}")
        assert e.hint
        if kind == "html":
            assert "it begins: <!doctype html><h1>Please log in</h1>" in e.message

    @pytest.mark.parametrize("when", ["status == error", "status != null", "errors", "errors.0.message"])
    def test_an_error_in_a_good_answer_is_one(self, when: str, api: ApiServer, ask: Ask) -> None:
        api.fault("envelope", page=2)
        e = error(ask, api, **PAGE, error={"when": when, "message": "errors.0.message"})
        assert "(page 2): the answer is an error (" in e.message
        assert e.message.endswith(": the quota is used up")

    def test_an_error_in_a_good_answer_is_shown_where_its_words_are_not_known(self, api: ApiServer, ask: Ask) -> None:
        api.fault("envelope", page=1)
        assert '{"status": "error"' in error(ask, api, **PAGE, error={"when": "errors"}).message

    @pytest.mark.parametrize(
        "when", ["errors", "status == error", "more == 1", "pages == 0", "nothing.0 == 1", "items.99"]
    )
    def test_a_good_answer_is_none(self, when: str, api: ApiServer, ask: Ask) -> None:
        assert read(ask(api, **PAGE, error={"when": when})) == TEXTS

    def test_an_error_without_its_rule_lacks_its_records(self, api: ApiServer, ask: Ask) -> None:
        api.fault("envelope", page=2)
        e = error(ask, api, **PAGE)
        assert "there is no 'items': in the place of 'items' there is status, errors" in e.message

    def test_errors_of_graphql_are_errors(self, api: ApiServer, ask: Ask) -> None:
        e = error(ask, api, path="/graphql", graphql="{ nothing { id } }", records="data.items")
        assert "there is no such field" in e.message

    @pytest.mark.parametrize(
        ("path", "records", "said"),
        [
            ("/page", "data", "there is no 'data': in the place of 'data' there is items, pages, more"),
            ("/offset", "data.rows", "there is no 'data.rows': in the place of 'rows' there is items"),
            ("/offset", "total", "'total' is a number, not a list of records"),
            ("/offset", "total.x", "'x' is asked of a number"),
            ("/page", "items.*.x", "in the place of 'x' there is id, name, price"),
            ("/page", "items.99.x", "'99' is asked of a list of 10"),
        ],
    )
    def test_a_path_that_is_not_there_says_what_is(
        self, path: str, records: str, said: str, api: ApiServer, ask: Ask
    ) -> None:
        e = error(ask, api, path, records=records)
        assert said in e.message
        assert "request.records" in e.hint

    def test_several_lists_are_an_error(self, api: ApiServer, ask: Ask) -> None:
        e = error(ask, api, "/several")
        assert e.message.endswith("the answer has several lists: items, others")
        assert read(ask(api, "/several", records="items")) == TEXTS

    def test_records_that_are_none_are_rejects(self, serve: Serve, ask: Ask) -> None:
        source = ask(serve(['{"id": 1}', "7", '"x"', "null", '{"id": 2}']), "/all")
        (partition,) = source.partitions()
        faults = [f for b in source.open(partition).batches() for f in b.faults]
        assert [(f.ordinal, f.problem.code) for f in faults] == [(1, "RD05"), (2, "RD05"), (3, "RD05")]

    def test_half_a_character_spoils_its_own_record_only(self, serve: Serve, ask: Ask) -> None:
        texts = [r"\ud83d\ude00", r"cut \ud83d", r"\\ud83d", r"\ude00 cut", r"\ue000", r"\uD83D\ud83d\ude00"]
        source = ask(serve([f'{{"text": "{t}"}}' for t in texts]), "/all")
        (partition,) = source.partitions()
        batches = list(source.open(partition).batches())
        assert [r["text"] for b in batches for r in b.records.to_pylist()] == ["😀", r"\ud83d", "\ue000"]
        faults = [f for b in batches for f in b.faults]
        assert [(f.ordinal, f.problem.code) for f in faults] == [(1, "RD04"), (3, "RD04"), (5, "RD04")]
        assert faults[0].problem.value == r'{"text": "cut \ud83d"}'


class TestElsewhere:
    def test_a_redirect_at_the_same_place_is_followed(self, serve: Serve, ask: Ask) -> None:
        api = serve(login="bearer")
        api.fault("redirect", to="/all")
        assert read(ask(api, "/link", {"auth": {"type": "bearer", "token": api.TOKEN}})) == TEXTS

    @pytest.mark.parametrize(
        "auth",
        [
            {"type": "bearer", "token": ApiServer.TOKEN},
            {"type": "basic", "user": "me", "password": ApiServer.PASSWORD},
            {"type": "api_key", "key": ApiServer.KEY},
            {"type": "api_key", "name": "api_key", "key": ApiServer.KEY, "send": "query"},
        ],
    )
    def test_another_place_does_not_learn_how_to_log_in(self, auth: Any, serve: Serve, ask: Ask) -> None:
        api, other = serve(), serve()
        api.fault("redirect", to=f"{other.url}/all")
        connection = {"auth": auth, "headers": {"X-Secret": "s3cret-header"}}
        assert read(ask(api, "/link", connection, headers={"X-Own": "s3cret-own"})) == TEXTS
        (seen,) = other.asked
        assert "s3cret" not in str(seen)
        assert "Basic" not in str(seen)
        assert "s3cret" in str(api.asked[0]) or "Basic" in str(api.asked[0])

    def test_a_next_page_at_another_place_is_an_error(self, serve: Serve, ask: Ask) -> None:
        api, other = serve(), serve()
        api.fault("elsewhere", page=1, to=f"http://localhost:{other.url.rpartition(':')[2]}/link?token=s3cret-other")
        e = error(ask, api, **LINK)
        assert "the next page is elsewhere (http://localhost:" in e.message
        assert other.asked == []

    @pytest.mark.parametrize("to", ["http://[", "http://127.0.0.1:99999/x", "http://a:b/"])
    def test_what_is_no_url_is_an_error(self, to: str, api: ApiServer, ask: Ask) -> None:
        api.fault("redirect", to=to)
        assert f"the answer leads to {to!r}, which is no URL" in error(ask, api, **LINK).message
        api.fault("elsewhere", page=1, to=to)
        assert f"the answer leads to {to!r}, which is no URL" in error(ask, api, **LINK).message

    def test_an_answer_does_not_make_headers_of_the_connection_seen(self, api: ApiServer, ask: Ask) -> None:
        api.fault("redirect", to="file:///s3cret-in-header")
        e = error(ask, api, connection={"headers": {"X-Api-Token": "s3cret-in-header"}}, **LINK)
        assert "file:///***" in e.message

    def test_redirects_without_end_are_an_error(self, api: ApiServer, ask: Ask) -> None:
        api.fault("redirect", to="/link", times=99)
        assert "more than 5 redirects" in error(ask, api, **LINK).message

    def test_a_post_is_not_sent_elsewhere(self, serve: Serve, ask: Ask) -> None:
        api, other = serve(), serve()
        api.fault("redirect", to=f"{other.url}/search")
        assert f"307, which leads to {other.url}/search" in error(ask, api, **SEARCH).message
        assert other.asked == []

    def test_a_redirect_to_what_is_no_web_address_is_an_error(self, api: ApiServer, ask: Ask) -> None:
        api.fault("redirect", to="file:///etc/passwd")
        assert "which leads to file:///etc/passwd" in error(ask, api, **LINK).message


class TestAddresses:
    def test_an_address_that_is_not_public_needs_a_word(self, api: ApiServer, ask: Ask) -> None:
        e = error(ask, api, connection={"private": False}, **LINK)
        assert e.message.startswith("127.0.0.1 is not a public address")
        assert "private: true" in e.hint
        assert api.asked == []

    @pytest.mark.parametrize(
        "host",
        [
            "169.254.169.254", "[fe80::1]", "0.0.0.0", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "224.0.0.1",
            "2852039166", "0xa9fea9fe", "[64:ff9b::a9fe:a9fe]",
        ],
    )  # fmt: skip
    def test_some_addresses_are_never_connected_to(self, host: str, ask: Ask) -> None:
        e = error(ask, f"http://{host}:1", connection={"retries": 0}, **LINK)
        assert "is an address that is never connected to" in e.message

    @pytest.mark.parametrize(
        "host", ["10.0.0.1", "192.168.1.1", "[::1]", "[fc00::1]", "100.64.0.1", "[::ffff:127.0.0.1]"]
    )
    def test_others_only_if_the_connection_says_so(self, host: str, ask: Ask) -> None:
        e = error(ask, f"http://{host}:1", connection={"private": False}, **LINK)
        assert "is not a public address" in e.message

    def test_a_name_is_what_it_leads_to(self, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        def lead(*args: object, **named: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("203.0.113.1", "169.254.169.254")]

        monkeypatch.setattr(socket, "getaddrinfo", lead)
        e = error(ask, "http://api.example", **LINK)
        assert e.message.startswith("api.example (")

    def test_a_redirect_to_such_an_address_is_refused(self, api: ApiServer, ask: Ask) -> None:
        api.fault("redirect", to="http://169.254.169.254/latest/meta-data")
        assert "never connected to" in error(ask, api, **LINK).message

    def test_nobody_there_is_an_error(self, ask: Ask) -> None:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        e = error(ask, f"http://127.0.0.1:{port}", connection={"retries": 1}, **LINK)
        assert e.message == f"GET http://127.0.0.1:{port}/link: it cannot be reached: Connection refused, 2 times"

    def test_a_certificate_is_verified(self, certificate: tuple[str, str], serve: Serve, ask: Ask) -> None:
        api = serve(tls=certificate)
        e = error(ask, api, connection={"auth": {"type": "bearer", "token": api.TOKEN}}, **LINK)
        assert ": no secure connection: " in e.message
        assert "ca" in e.hint
        assert api.asked == []
        assert read(ask(api, connection={"ca": certificate[0]}, **LINK)) == TEXTS
        e = error(ask, api.url.replace("127.0.0.1", "localhost"), connection={"ca": certificate[0]}, **LINK)
        assert ": no secure connection: " in e.message

    def test_a_redirect_does_not_leave_tls(self, certificate: tuple[str, str], serve: Serve, ask: Ask) -> None:
        api, plain = serve(tls=certificate), serve()
        api.fault("redirect", to=f"{plain.url}/all")
        assert "without TLS" in error(ask, api, connection={"ca": certificate[0]}, **LINK).message
        assert plain.asked == []

    def test_a_path_cannot_be_another_host(self, api: ApiServer, ask: Ask) -> None:
        assert read(ask(api, "all")) == TEXTS
        assert ": 404 " in error(ask, api, "@169.254.169.254/all").message

    def test_a_server_without_tls_is_an_error(self, api: ApiServer, ask: Ask) -> None:
        e = error(ask, api.url.replace("http:", "https:"), connection={"retries": 0}, **LINK)
        assert ": no secure connection: " in e.message


class TestOptions:
    @pytest.mark.parametrize(
        ("connection", "said"),
        [
            ({"auth": {"type": "bearer"}}, "auth.bearer.token: Field required"),
            ({"auth": {"type": "barer", "token": "s3cret"}}, "auth: "),
            ({"token": "s3cret"}, "token: Extra inputs are not permitted"),
            ({"rate": "fast"}, "rate: 'fast' is no rate"),
            ({"url": "https://me:s3cret@api.example"}, "the user and password of an API go into auth"),
            ({"url": "https://api.example/?key=s3cret"}, "parameters go into the request's query"),
            ({"timeout": "s3cret"}, "timeout: "),
            ({"url": "https://api.example:99999"}, "url: Port out of range"),
        ],
    )
    def test_a_mistake_is_told_without_secrets(self, connection: Any, said: str, api: ApiServer, ask: Ask) -> None:
        with pytest.raises(UsageError) as caught:
            ask(api, connection=connection, **LINK)
        assert said in caught.value.message
        assert "s3cret" not in str(caught.value)

    def test_what_no_header_can_have_is_told_without_it(self, api: ApiServer, ask: Ask) -> None:
        for token in ("s3cret\n", "s3cret\r\nX: y", "s3cret€"):
            e = error(ask, api, connection={"auth": {"type": "bearer", "token": token}}, **LINK)
            assert "the header 'Authorization' has a character that no header can have" in e.message
        assert api.asked == []

    def test_requests_are_evenly_spaced(self, api: ApiServer, ask: Ask, slept: list[float]) -> None:
        assert read(ask(api, connection={"rate": "4/s"}, **LINK)) == TEXTS
        assert slept == [0.25] * 3

    def test_the_rate_of_a_connection_is_shared(self, api: ApiServer, ask: Ask, slept: list[float]) -> None:
        assert read(ask(api, connection={"rate": "4/s"}, **LINK)) == TEXTS
        assert read(ask(api, connection={"rate": "4/s"}, **LINK)) == TEXTS
        assert slept == [0.25] * 7
