"""Times and metadata as each kind of bucket has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.connectors.objects.along import attributes, metadata, modified_ns
from headgate.spi.store import Sending

SECOND = 1_000_000_000
PUT = datetime(2026, 3, 7, 13, 45, 0, 500_000, tzinfo=UTC)
PUT_NS = 1_772_891_100 * SECOND + 500_000_000


def sending(modified: int | None = None, **metadata: str) -> Sending:
    return Sending(lambda _: None, modified_ns=modified, metadata=metadata)


@pytest.mark.parametrize(
    ("scheme", "at", "text"),
    [
        ("s3", 1_700_000_000 * SECOND, "1700000000"),
        ("s3", 1_700_000_000 * SECOND + 120_000_000, "1700000000.12"),
        ("s3", 1_700_000_000 * SECOND + 1, "1700000000.000000001"),
        ("s3", 0, "0"),
        ("s3", -1_500_000_000, "-1.5"),
        ("gs", 1_700_000_000 * SECOND + 120_000_000, "2023-11-14T22:13:20.120000000Z"),
        ("az", 1_700_000_000 * SECOND + 123_456_789, "2023-11-14T22:13:20.123456789Z"),
    ],
)
def test_times_are_written_as_rclone_does(scheme: str, at: int, text: str) -> None:
    assert attributes("a.bin", sending(at), scheme)["mtime"] == text
    assert modified_ns({"mtime": text}, PUT) == at


@given(st.integers(0, 4_000_000_000 * SECOND), st.sampled_from(["s3", "gs", "az"]))
def test_a_time_comes_back_as_it_was(at: int, scheme: str) -> None:
    assert modified_ns({"mtime": attributes("a.bin", sending(at), scheme)["mtime"]}, PUT) == at


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000 * SECOND + 500_000_000),
        ("1700000000.5", 1_700_000_000_500_000_000),
    ],
)
def test_times_are_read_in_any_zone(text: str, at: int) -> None:
    assert modified_ns({"mtime": text}, PUT) == at


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "1e400", "99999999999", "-62135596801", "\u0661", "nan", "2023-13-14T22:13:20Z", "1700000000,5"],
)
def test_what_is_no_time_is_when_the_object_was_put(text: str) -> None:
    assert modified_ns({"mtime": text}, PUT) == PUT_NS


def test_what_a_bucket_says_of_itself_does_not_go_along() -> None:
    said = {"Content-Type": "a/b", "Storage-Class": "GLACIER", "mtime": "1", "owner": "north"}
    assert metadata(said) == {"Content-Type": "a/b", "owner": "north"}


@pytest.mark.parametrize(
    ("scheme", "name"), [("az", "made_by"), ("azure", "made_by"), ("s3", "made-by"), ("gs", "made-by")]
)
def test_names_are_what_the_bucket_can_have(scheme: str, name: str) -> None:
    along = attributes("a.txt", sending(**{"made-by": "us", "Cache-Control": "no-store"}), scheme)
    assert along == {"Content-Type": "text/plain", "Cache-Control": "no-store", name: "us"}


def test_a_name_of_a_digit_is_none_in_azure() -> None:
    assert "_1st" in attributes("a.txt", sending(**{"1st": "x"}), "az")
