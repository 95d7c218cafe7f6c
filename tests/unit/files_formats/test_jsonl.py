"""JSON Lines: values as written, one bad line costs only itself."""

from __future__ import annotations

import json
import random

import pytest

from headgate.model.errors import SourceError
from headgate.spi.source import BATCH_ROWS


def values(read, *literals):
    """What the literals of one column come out as."""
    got = read("jsonl", "".join(f'{{"a": {x}}}\n' for x in literals))
    assert not got.faults
    return [r["a"] for r in got.records]


NUMBERS = [
    "0",
    "-0",
    "7",
    "1.10",
    "1E5",
    "1e-400",
    "1E400",
    "-0.0",
    "100000.00",
    "0.1000000000000000055511151231257827",
]
BIG = [
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1" * 5000,
]


@pytest.mark.parametrize("number", NUMBERS + BIG)
def test_a_number_keeps_its_literal(read, number):
    assert values(read, number) == [number]


def test_numbers_of_all_kinds_in_one_column_keep_their_literals(read):
    assert values(read, *NUMBERS, *BIG) == NUMBERS + BIG


def test_minus_zero_among_integers_keeps_its_sign(read):
    assert values(read, "1", "-0", "0", "-1") == ["1", "-0", "0", "-1"]


def test_text_stays_and_null_is_null(read):
    assert values(read, '"00501"', '"NA"', '""', "null", '" 1E5 "', '"true"') == [
        "00501",
        "NA",
        "",
        None,
        " 1E5 ",
        "true",
    ]


def test_truth_values_are_words(read):
    assert values(read, "true", "false", "null") == ["true", "false", None]


def test_a_column_may_mix_kinds(read):
    got = values(read, '"x"', "1", "2.50", "true", "null", '[1.10, "é"]', '{"b": 1E5}')
    assert got == ["x", "1", "2.50", "true", None, '[1.10,"é"]', '{"b":1E5}']


def test_nested_values_keep_their_numbers_and_lose_only_blanks(read):
    assert values(read, '{ "b" : [ 1.10, 12345678901234567890123 ] }') == ['{"b":[1.10,12345678901234567890123]}']


def test_a_column_that_turns_nested_late_is_read_from_there_on(read):
    lines = ['{"a": 1, "pad": "%s"}' % ("x" * 980)] * 4300 + ['{"a": {"x": 1.10}}']
    got = read("jsonl", "\n".join(lines))
    assert not got.faults
    assert [r["a"] for r in got.records[-2:]] == ["1", '{"x":1.10}']


def test_escapes_are_decoded_and_the_last_of_equal_keys_wins(read):
    got = read("jsonl", '{"a": "caf\\u00e9 \\ud83d\\ude00\\n\\"", "b": 1, "b": 2}\n')
    assert got.records == [{"a": 'café 😀\n"', "b": "2"}]


def test_columns_come_in_order_of_first_appearance_and_missing_keys_are_null(read):
    got = read("jsonl", '{"b": 1}\n{"a": 2, "b": 3}\n{"c d": 4}\n')
    assert got.scan.schema.names == ["b", "a", "c d"]
    assert got.records[2] == {"b": None, "a": None, "c d": "4"}


@pytest.mark.parametrize("key", ['a"b', "a\\b", "a\nb", "", "c0", "é.x"])
def test_any_key_can_be_a_column(read, key):
    got = read("jsonl", json.dumps({key: 1.5, "z": "x"}) + "\n" + json.dumps({key: "t"}) + "\n")
    assert got.records == [{key: "1.5", "z": "x"}, {key: "t", "z": None}]


BROKEN = [
    (b'{"a": 1', "RD05"),
    (b'{"a": NaN}', "RD05"),
    (b'{"a": 01}', "RD05"),
    (b'{"a": 1} {"a": 2}', "RD05"),
    (b"[1, 2]", "RD05"),
    (b"17", "RD05"),
    (b"a,b", "RD05"),
    (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "RD05"),
    (b'{"a": "\\ud800"}', "RD04"),
    (b'{"a": "caf\xe9"}', "RD04"),
    (b'{"a": {"b": "caf\xe9"}}', "RD04"),
    (b'{"a": "x\\u0000y"}', "RD07"),
    (b'{"a": 1, "new": 2}', "RD02"),
]


@pytest.mark.parametrize(("line", "code"), BROKEN, ids=[f"{line[:16]!r}" for line, _ in BROKEN])
def test_a_bad_line_is_a_fault_and_the_next_is_read(read, line, code):
    # The sample must not know the bad line's key, so it lies beyond it.
    good = b'{"a": "%s"}\n' % (b"x" * 990)
    before = 4300
    got = read("jsonl", good * before + line + b"\n" + good)
    assert got.codes == [(before, code)]
    assert got.ordinals == [*range(before), before + 1]
    assert got.scan.locate([before])[0].line == before + 1


def test_bytes_that_are_no_text_within_a_nested_column_are_a_fault(read):
    got = read("jsonl", b'{"a": {"b": "x"}}\n{"a": {"b": "caf\xe9"}}\n{"a": [1.10]}\n')
    assert [r["a"] for r in got.records] == ['{"b":"x"}', "[1.10]"]
    assert got.codes == [(1, "RD04")]


def test_an_unknown_key_is_named_and_its_record_kept_whole(read):
    got = read("jsonl", ('{"a": "%s"}\n' % ("x" * 990)) * 4300 + '{"a": 1, "late": 2.50}\n{"a": 3, "other": null}\n')
    (fault,) = got.faults
    assert (fault.problem.column, fault.problem.value) == ("late", "2.50")
    assert fault.raw == {"a": "1", "late": "2.50"}
    assert got.records[-1] == {"a": "3"}


def test_columns_named_by_the_definition_are_all_there_are(read):
    got = read("jsonl", '{"a": 1, "b": 2}\n{"c": 3}\n', columns=["c", "a"])
    assert got.records == [{"c": None, "a": "1"}, {"c": "3", "a": None}]
    assert not got.faults


def test_words_that_mean_nothing_are_null(read):
    got = read("jsonl", '{"a": "NA", "b": -1}\n{"a": "na", "b": 0}\n', nulls=["NA", "-1"])
    assert got.records == [{"a": None, "b": None}, {"a": "na", "b": "0"}]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_no_records_and_line_numbers_stay_true(read, end):
    got = read("jsonl", end.join(["", '{"a": 1}', "", "  ", '{"a": 2}', "bad", '{"a": 3}']))
    assert [r["a"] for r in got.records] == ["1", "2", "3"]
    assert [o.line for o in got.scan.locate([0, 1, 2, 3])] == [2, 5, 6, 7]
    assert got.codes == [(2, "RD05")]


def test_objects_that_share_or_span_lines_do_not_shift_the_count(read):
    # Two on one line and none on the next make as many objects as lines.
    got = read("jsonl", '{"a": 1}\n{"a": 2} {"a": 3}\n\n{"a": 4}\n')
    assert [r["a"] for r in got.records] == ["1", "4"]
    assert got.codes == [(1, "RD05")]
    assert got.rows == [1, 4]


def test_a_line_that_is_too_long_is_a_fault_and_is_not_held(read):
    long = '{"a": "%s"}\n' % ("x" * 900_000)
    got = read("jsonl", '{"a": 1}\n' + long + '{"a": 2}\n', max_record=2048)
    assert [r["a"] for r in got.records] == ["1", "2"]
    assert got.codes == [(1, "RD08")]
    assert got.rows == [1, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_other_encodings_are_read(read, encoding):
    text = '{"a": "café"}\n{"a": "x"}\n'
    options = {"encoding": encoding} if encoding == "latin-1" else {}
    got = read("jsonl", text.encode(encoding), **options)
    assert [r["a"] for r in got.records] == ["café", "x"]
    got.scan.close()
    got.scan.close()


def test_a_scan_reads_again_and_says_the_same(read, opened):
    lines = [json.dumps({"n": n}) if n % 1000 else "bad" for n in range(BATCH_ROWS + 10_000)]
    got = read("jsonl", "\n".join(lines))
    again = list(got.scan.batches())
    assert [b.records.num_rows for b in again] == [b.records.num_rows for b in got.batches]
    assert [n for b in again for n in b.ordinals] == got.ordinals
    assert [f for b in again for f in b.faults] == got.faults
    assert sorted(got.ordinals + [f.ordinal for f in got.faults]) == list(range(len(lines)))
    assert max(len(b) for b in again) <= BATCH_ROWS
    assert got.scan.progress() == 1.0


def test_very_short_lines_are_cut_into_batches(read):
    got = read("jsonl", '{"a":1}\n' + "{}\n" * (2 * BATCH_ROWS))
    assert sum(map(len, got.batches)) == 2 * BATCH_ROWS + 1
    assert max(map(len, got.batches)) <= BATCH_ROWS
    assert got.ordinals == list(range(2 * BATCH_ROWS + 1))


def test_random_documents_come_out_as_the_standard_library_reads_them(read):
    rng = random.Random(7)

    def value():
        pick = rng.randrange(8)
        if pick < 3:
            return "".join(rng.choice('ab"\\\n\té😀{}[],:') for _ in range(rng.randrange(9)))
        return [rng.randrange(-9, 9), rng.random(), None, True, [1, {"x": "}"}]][pick - 3]

    rows = [{k: value() for k in "abc" if rng.random() < 0.9} for _ in range(3000)]
    got = read("jsonl", "".join(json.dumps(r, ensure_ascii=rng.random() < 0.5) + "\n" for r in rows))

    def text(v):
        if v is None or isinstance(v, str):
            return v
        return json.dumps(v, separators=(",", ":"), ensure_ascii=False)

    assert got.records == [{k: text(r.get(k)) for k in got.scan.schema.names} for r in rows]


@pytest.mark.parametrize("content", ["", "  \n \n", "id,name\n1,x\n", "<html>"])
def test_what_is_not_json_is_refused(opened, content):
    with pytest.raises(SourceError, match=r"input\.jsonl"):
        opened("jsonl", content)


def test_one_json_document_named_lines_is_read_as_what_it_is(read):
    got = read("jsonl", '[\n {"a": 1},\n {"a": 2}\n]')
    assert [r["a"] for r in got.records] == ["1", "2"]
    assert got.scan.findings["format"] == "json"
    assert got.scan.findings["notes"]
