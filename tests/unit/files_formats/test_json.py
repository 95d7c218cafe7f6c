"""JSON documents: lists of any size, found where they are."""

from __future__ import annotations

import json
import random

import pytest

from headgate.model.errors import SourceError


def test_a_list_of_objects_is_read_with_row_and_line(read):
    got = read("json", '[\n  {"a": 1.10},\n\n  {"a": "x", "b": null}\n]\n')
    assert got.records == [{"a": "1.10", "b": None}, {"a": "x", "b": None}]
    assert [(o.row, o.line) for o in got.scan.locate([0, 1])] == [(1, 2), (2, 4)]


def test_a_single_object_is_one_record(read, data):
    got = read("json", data / "SO43700.json")
    assert got.records[0]["UnitPrice"] == "699.0982"
    assert (len(got.records), got.scan.locate([0])[0].row) == (1, 1)


def test_the_only_list_of_objects_is_found(read):
    got = read("json", '{"count": 2, "tags": ["a"], "data": [{"a": 1}, {"a": 2}], "next": {"page": [1]}}')
    assert [r["a"] for r in got.records] == ["1", "2"]
    assert got.scan.findings["records"] == "data"


def test_several_lists_must_be_chosen_from(opened, read, data):
    with pytest.raises(SourceError, match="Genre, Artist, Track, Employee") as e:
        opened("json", data / "chinook.json")
    assert "source.records" in e.value.hint
    got = read("json", data / "chinook.json", records="Track")
    assert len(got.records) == 10
    assert got.records[0]["UnitPrice"] == "0.99"
    assert (
        got.scan.locate([0])[0].line == 1 + (data / "chinook.json").read_text().split('"Track": [')[0].count("\n") + 1
    )


@pytest.mark.parametrize("path", ["a.b", "a.b.c", "x.y"])
def test_a_path_leads_to_the_list(read, path):
    document = {"z": [{"n": 0}], "a": {"q": 1, "b": [{"n": 1}]}, "x.y": [{"n": 1}]}
    if path == "a.b.c":
        document["a"] = {"b": {"c": [{"n": 1}]}}
    got = read("json", json.dumps(document), records=path)
    assert got.records == [{"n": "1"}]


def test_a_path_that_is_not_there_names_the_keys_that_are(opened):
    with pytest.raises(SourceError, match="nope") as e:
        opened("json", '{"a": {"b": 1, "c": 2}}', records="a.nope")
    assert "b, c" in e.value.hint
    with pytest.raises(SourceError, match=r"a\.b\.c"):
        opened("json", '{"a": {"b": 1}}', records="a.b.c")


@pytest.mark.parametrize(("name", "count"), [("stores.json", 25), ("categories.json", 25)])
def test_nested_documents_keep_their_lists_as_json(read, data, name, count):
    got = read("json", data / name)
    whole = json.loads((data / name).read_text())
    assert len(got.records) == count
    assert not got.faults
    for record, wanted in zip(got.records, whole, strict=True):
        for key, value in wanted.items():
            text = record[key]
            assert (json.loads(text) if isinstance(value, list | dict) else text) == (
                value if isinstance(value, str | list | dict) else str(value)
            )


BROKEN = [
    ('[{"a": 1}, {"a": 2}', "ends too early", "line 1, column 20"),
    ('[{"a": 1},\n {"a": }]', "", "line 2, column 8"),
    ('[{"a": 1},\n]', "expected a value", "line 2, column 1"),
    ('[{"a": 1}\n {"a": 2}]', "expected ',' or ']'", "line 2, column 2"),
    ('[{"a": 1},\n {"a": "x}]', "ends inside", "line 2, column 2"),
    ('[{"a": 1}]\n]', "expected the end", "line 2, column 1"),
    ('{"data": [{"a": 1}], "next": ', "", "line 1, column 30"),
]


@pytest.mark.parametrize(("content", "reason", "place"), BROKEN)
def test_a_broken_document_is_refused_with_the_place(read, content, reason, place):
    with pytest.raises(SourceError) as e:
        read("json", content)
    assert reason in e.value.message
    assert place in e.value.message


def test_records_before_the_break_stand(opened):
    good = [json.dumps({"n": n, "pad": "x" * 900}) for n in range(5000)]
    scan = opened("json", "[" + ",".join(good) + ', {"n": 1, "pad": }]')
    got = []
    with pytest.raises(SourceError, match="line 1, column"):
        got.extend(len(b) for b in scan.batches())
    assert sum(got) == len(good)
    scan = opened("json", "[" + ",".join(good))
    got = []
    with pytest.raises(SourceError, match="ends too early"):
        got.extend(len(b) for b in scan.batches())
    assert sum(got) == len(good)


def test_elements_that_are_no_records_are_faults(read):
    got = read("json", '[{"a": 1}, 17, [1, 2], "x", null, {"a": NaN}, {"a": {"b": -Infinity}}, {"a": 2}]')
    assert got.codes == [(n, "RD05") for n in range(1, 7)]
    assert got.ordinals == [0, 7]


def test_a_list_nested_too_deeply_is_refused_or_a_fault(read):
    got = read("json", '[{"a": 1}, {"a": ' + "[" * 50_000 + "]" * 50_000 + "}]")
    assert got.codes == [(1, "RD05")]
    got = read("json", "[{}, " + '{"a":' * 50_000 + "1" + "}" * 50_000 + ', {"a": 1}]')
    assert got.codes == [(1, "RD05")]


def test_a_record_longer_than_allowed_is_refused(opened):
    with pytest.raises(SourceError, match="max_record"):
        opened("json", '[{"a": "' + "x" * 900_000 + '"}]', max_record=2048)


@pytest.mark.parametrize("text", ['{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 2'])
def test_lines_named_json_are_read_as_what_they_are(read, text):
    got = read("json", text)
    assert got.records[0] == {"a": "1"}
    assert got.scan.findings["format"] == "jsonl"
    assert got.scan.findings["notes"]


@pytest.mark.parametrize("content", ["", " \n", "17", "id,name\n1,x\n", "[]", '[1, "x"]', "\x00\x01"])
def test_what_holds_no_records_is_refused(opened, content):
    with pytest.raises(SourceError, match=r"input\.json"):
        opened("json", content)


def test_elements_across_read_limits_are_whole(read):
    rng = random.Random(3)
    rows = [
        {
            "n": n,
            "t": "".join(rng.choice('x"\\{}[],é') for _ in range(rng.randrange(60))),
            "l": [{"k": "]"}] * rng.randrange(3),
        }
        for n in range(4000)
    ]
    separators = [", ", ",\n", " ,\t"]
    body = "".join(json.dumps(r, indent=rng.choice([None, 1])) + rng.choice(separators) for r in rows[:-1])
    got = read("json", '{"x": {"l": [1, {"y": "]"}]}, "rows": [' + body + json.dumps(rows[-1]) + "]}", records="rows")
    assert not got.faults
    assert [(r["n"], r["t"], json.loads(r["l"])) for r in got.records] == [(str(r["n"]), r["t"], r["l"]) for r in rows]


def test_a_scan_reads_again_and_says_the_same(read, data):
    got = read("json", data / "categories.json")
    assert [r for b in got.scan.batches() for r in b.records.to_pylist()] == got.records
    assert got.rows == list(range(1, 26))
    assert got.scan.progress() > 0.9
