"""The files of jobs, and what files of results say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from headgate.connectors.http.job import JobSpec
from headgate.connectors.http.presets import filled
from headgate.connectors.http.resource import EndpointSpec
from headgate.connectors.http.rest.requests import Item, Parcel
from headgate.connectors.http.rest.table import mark, rows, table
from headgate.connectors.http.rest.template import Values
from headgate.model.outcome import Outcome
from headgate.spi.deciding import Change


@pytest.fixture
def job() -> JobSpec:
    options = filled({"preset": "salesforce", "instance": "example"})
    return JobSpec.model_validate(options["resources"]["*/bulk"]["create"]["job"])


def parcel(name: str, *records: dict[str, Any]) -> Parcel:
    items = [Item(Change(Outcome.CREATED, i, r), (), Values(f"id{i}", r, r, None)) for i, r in enumerate(records)]
    return Parcel("request", name, EndpointSpec(path="/"), items)


def test_a_file_has_the_columns_of_all_records(job: JobSpec) -> None:
    made = table(job, parcel("create", {"A": 'x,"y"\n', "N": Decimal("1.50")}, {"A": None, "P": {"Q": True}}), ["A"])
    assert made.data == b'A,N,P.Q\n"x,""y""\n",1.50,\n#N/A,,true\n'
    assert made.by == ["A"]
    assert made.marks == [mark(one, ["A"]) for one in rows(made.data.decode())]


def test_records_that_are_there_are_known_by_their_ids(job: JobSpec) -> None:
    made = table(job, parcel("update", {"A": "x"}, {"N": 2}), ["A"])
    assert (made.data, made.by) == (b"Id,A,N\nid0,x,\nid1,,2\n", ["Id"])
    made = table(job, parcel("delete", {"A": "x"}), ["A"])
    assert (made.data, made.by) == (b"Id\nid0\n", ["Id"])


def test_without_a_key_they_are_known_by_all_they_have(job: JobSpec) -> None:
    made = table(job, parcel("create", {"A": "x", "B": "y"}, {"A": "x", "B": "z"}, {"A": "x", "B": "y"}), [])
    assert made.by == ["A", "B"]
    assert made.marks[0] == made.marks[2] != made.marks[1]
    made = table(job, parcel("create", {"A": "x"}, {"B": "y"}), ["A", "C"])
    assert made.by == ["A", "B"]


def test_what_would_be_taken_for_no_value_is_told(job: JobSpec) -> None:
    with pytest.raises(ValueError, match="stands for no value"):
        table(job, parcel("create", {"A": "#N/A"}), [])


def test_answers_that_are_no_file_have_no_rows() -> None:
    assert rows(None) == rows({"a": 1}) == rows("") == []
