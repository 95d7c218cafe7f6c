"""XML: records found or named, nested values by their path, and nothing that a document declares is followed."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from headgate.connectors.files import FileSource
from headgate.model.errors import SourceError
from headgate.model.spec import SourceSpec
from headgate.spi.source import BATCH_ROWS

SHOP = """<?xml version="1.0"?>
<catalog made="2024-01-02">
  <meta><version>3</version></meta>
  <products>
    <product id="1"><sku>A-1</sku><price currency="EUR">1.10</price><address><city>Paris</city><zip>00501</zip></address></product>
    <product id="2">
      <sku> A&amp;2 </sku><price currency="USD">1E5</price><note/>
    </product>
  </products>
</catalog>
"""


def test_attributes_and_nested_elements_are_columns_by_their_path(read):
    got = read("xml", SHOP)
    assert got.records == [
        {"@id": "1", "sku": "A-1", "price/@currency": "EUR", "price": "1.10", "address/city": "Paris", "address/zip": "00501", "note": None},
        {"@id": "2", "sku": " A&2 ", "price/@currency": "USD", "price": "1E5", "address/city": None, "address/zip": None, "note": None},
    ]  # fmt: skip
    assert got.scan.findings["records"] == "/catalog/products/product"
    assert [(o.row, o.line) for o in got.scan.locate([0, 1])] == [(1, 5), (2, 6)]
    assert (str(got.scan.locate([1])[0]), got.scan.progress()) == ("input.xml, line 6", 1.0)


@pytest.mark.parametrize("path", ["product", "products/product", "/catalog/products/product", "x:products/x:product"])
def test_records_may_be_named(read, path):
    assert [r["@id"] for r in read("xml", SHOP, records=path).records] == ["1", "2"]


def test_records_may_be_any_elements(read, opened):
    assert read("xml", SHOP, records="meta").records == [{"version": "3"}]
    assert read("xml", SHOP, records="/catalog").records[0]["@made"] == "2024-01-02"
    assert read("xml", SHOP, records="sku").records == [{"text()": "A-1"}, {"text()": " A&2 "}]
    for path in ("lost", "/product", "catalog/product"):
        with pytest.raises(SourceError, match="has no element ") as e:
            opened("xml", SHOP, records=path)
        assert "source.records" in e.value.hint
    got = read("xml", SHOP, records="lost", columns=["a"])
    assert (got.records, got.scan.schema.names) == ([], ["a"])


@pytest.mark.parametrize(
    ("document", "path", "records"),
    [
        ("<r><a x='1'/><a x='2'/></r>", "/r/a", [{"@x": "1"}, {"@x": "2"}]),
        (
            "<r><meta><b/></meta><p><a><t>1</t><t>2</t></a><a><t>3</t></a></p></r>",
            "/r/p/a",
            [{"t": '["1","2"]'}, {"t": '["3"]'}],
        ),
        ("<r><p><a><n>1</n><m>2</m></a></p></r>", "/r/p/a", [{"n": "1", "m": "2"}]),
        ("<a><n>1</n><m>2</m></a>", "/a", [{"n": "1", "m": "2"}]),
        ("<a n='1'/>", "/a", [{"@n": "1"}]),
        ("<a>1</a>", "/a", [{"text()": "1"}]),
    ],
)
def test_records_are_the_only_repeated_elements_or_the_one_there_is(read, document, path, records):
    got = read("xml", document)
    assert (got.scan.findings["records"], got.records) == (path, records)


def test_several_repeated_elements_must_be_told_apart(opened):
    with pytest.raises(SourceError, match="several elements that are repeated: r/a .2 .*, r/b .3 ") as e:
        opened("xml", "<r><a/><a/><b/><b/><b/></r>")
    assert "source.records" in e.value.hint


def test_repeated_elements_become_json(read):
    item = "<item n='1'><sku>A</sku><tag>x</tag><tag>y</tag></item>"
    orders = f"<orders><order><id>1</id>{item}<item><sku>B</sku></item></order><order><id>2</id><item><sku>C</sku></item></order></orders>"
    got = read("xml", orders)
    assert [json.loads(r["item"]) for r in got.records] == [
        [{"@n": "1", "sku": "A", "tag": ["x", "y"]}, {"sku": "B"}],
        [{"sku": "C"}],
    ]
    assert got.scan.findings["notes"] == ["elements that are repeated become JSON text: item"]
    got = read("xml", "<r><a><t k='1'>x</t><t/>mixed <t>z</t></a><a><b><c>1</c><c>2</c></b></a></r>")
    assert got.records == [
        {"t": '[{"@k":"1","text()":"x"},null,"z"]', "text()": "mixed", "b/c": None},
        {"t": None, "text()": None, "b/c": '["1","2"]'},
    ]


def test_prefixes_are_left_out(read):
    document = """<s:catalog xmlns:s="urn:s" xmlns="urn:d" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="x y">
      <s:p s:id="1" q:id="2" xmlns:q="urn:q" xsi:type="T"><name xsi:nil="true"/><s:price xmlns:q="urn:q">1</s:price></s:p>
      <s:p s:id="3"><name>x</name></s:p></s:catalog>"""
    assert read("xml", document).records == [
        {"@id": "1", "@q:id": "2", "name": None, "price": "1"},
        {"@id": "3", "@q:id": None, "name": "x", "price": None},
    ]


def test_text_comes_as_written(read):
    document = (
        "<r><a><t>  x\n y&#13; </t><u><![CDATA[<b>&amp;]]> z</u></a><a><!-- no --><t>1<!-- 2 -->3<?pi x?></t></a></r>"
    )
    assert read("xml", document).records == [
        {"t": "  x\n y\r ", "u": "<b>&amp; z"},
        {"t": "13", "u": None},
    ]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "shift_jis", "koi8-r"]
)
def test_the_encoding_a_document_declares_is_its_own(read, encoding):
    word = {"shift_jis": "日本", "koi8-r": "Привет"}.get(encoding, "Größe")
    said = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    document = f'<?xml version="1.0" encoding="{said}"?><r><a n="1">{word}</a><a n="2">x</a></r>'
    got = read("xml", document.encode(encoding))
    assert got.records[0] == {"@n": "1", "text()": word}
    got = read("xml", f"<r><a>{word}</a><a>x</a></r>".encode(encoding), encoding=said)
    assert got.records[0] == {"text()": word}


def test_an_element_the_first_records_do_not_have_is_a_fault(read):
    rows = "".join(f"<a><n>{n}</n><t>{'x' * 1000}</t></a>\n" for n in range(6000))
    got = read("xml", f"<r>{rows}<a><n>1</n><new>2</new></a><a><n>2</n><new/></a></r>")
    assert got.codes == [(6000, "RD02")]
    assert (got.faults[0].problem.column, got.faults[0].raw) == ("new", {"n": "1", "new": "2"})
    assert len(got.records) == 6001
    named = read("xml", f"<r>{rows}<a><n>1</n><new>2</new></a></r>", columns=["n", "new"])
    assert (named.codes, named.records[-1]) == ([], {"n": "1", "new": "2"})


def test_a_record_longer_than_the_longest_is_a_fault_and_not_held(read):
    got = read(
        "xml",
        f"<r><a><n>1</n></a><a><n>{'<b/>' * 500_000}</n></a><a><n>{'x' * 5_000_000}</n></a><a><n>4</n></a></r>",
        max_record=100_000,
        records="a",
    )
    assert got.records == [{"n": "1"}, {"n": "4"}]
    assert got.codes == [(1, "RD08"), (2, "RD08")]


def test_many_records_come_in_bounded_batches_and_again(read):
    rows = "".join(f'<a id="{n}"/>\n' for n in range(BATCH_ROWS + 5000))
    got = read("xml", f"<r>{rows}</r>")
    assert [r["@id"] for r in got.records] == [str(n) for n in range(BATCH_ROWS + 5000)]
    assert max(map(len, got.batches)) <= BATCH_ROWS
    assert [b.ordinals for b in got.scan.batches()] == [b.ordinals for b in got.batches]
    assert [o.line for o in got.scan.locate([0, 69_999])] == [1, 70_000]


# ---- hostile documents ---------------------------------------------------------------------------------------------------

LAUGHS = (
    "<!DOCTYPE r [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(10))
    + "]>\n<r><a>&k;</a><a/></r>"
)
QUADRATIC = f"<!DOCTYPE r [<!ENTITY a '{'x' * 100_000}'>]><r><a>{'&a;' * 10_000}</a><a/></r>"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (LAUGHS, "refused at line 1: it declares the entity 'a'"),
        (QUADRATIC, "refused at line 1: it declares the entity 'a'"),
        ("<!DOCTYPE r [\n<!ENTITY x SYSTEM 'file:///etc/passwd'>]><r><a>&x;</a><a/></r>", "refused at line 2: it declares the entity 'x'"),
        ("<!DOCTYPE r [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/x.dtd'> %p;]><r><a/><a/></r>", "it declares the entity 'p'"),
        ("<!DOCTYPE r SYSTEM 'file:///etc/passwd'>\n<r><a>&x;</a><a/></r>", "line 2: it uses the entity 'x', which is not declared"),
        ("<r>\n<a>&nbsp;</a></r>", "not XML at line 2, column 4: undefined entity"),
        ("<a>" * 5000 + "</a>" * 5000, "nested more than 200 deep"),
        ("<r><a/><a " + "x" * 3_000_000, "is longer than source.max_record"),
        ("<r><a/><a/><!-- " + "x" * 3_000_000, "is longer than source.max_record"),
    ],
)  # fmt: skip
def test_what_could_harm_is_refused_with_its_line(read, document, message):
    with pytest.raises(SourceError, match=message) as e:
        read("xml", document, max_record=1 << 20)
    assert "input.xml" in e.value.message
    assert e.value.hint


def test_a_document_type_without_entities_is_no_harm(read):
    assert read("xml", "<!DOCTYPE r SYSTEM 'file:///no/such/file'><r><a n='1'/><a n='2'/></r>").records == [
        {"@n": "1"},
        {"@n": "2"},
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "line 1"),
        ("   ", "line 1"),
        ("a,b\n1,2\n", "not XML at line 1, column 1"),
        ("<r>\n<a>1</a>\n<a>2</b>\n</r>", "not XML at line 3, column 7: mismatched tag"),
        ("<r>\n<a>1</a>\n<a>2</a>", "not XML at line 3"),
        ("<r><a n='1'/><a n='1' n='2'/></r>", "duplicate attribute"),
        ("<r><a>\0</a></r>", "not XML at line 1, column 7"),
        ("<r><a>1</a></r><r/>", "junk after document element"),
        ("<?xml version='1.0' encoding='klingon'?><r/>", "says that it is in 'klingon'"),
    ],
)
def test_what_is_no_xml_is_refused_with_its_place(read, document, message):
    with pytest.raises(SourceError, match=message):
        read("xml", document)


def test_bytes_that_are_no_text_are_refused_with_their_place(read):
    with pytest.raises(SourceError, match=r"not XML at line 2, column \d+: not well-formed"):
        read("xml", b"<r><a>1</a>\n<a>caf\xe9</a></r>")


def test_records_before_the_damage_are_given(opened):
    rows = "".join(f"<a><n>{n}</n><t>{'x' * 60}</t></a>\n" for n in range(100_000))
    scan = opened("xml", f"<r>{rows}<a><n>1</a></r>")
    seen: list[str] = []
    with pytest.raises(SourceError, match="line 100001, column "):
        for batch in scan.batches():
            seen += batch.records["n"].to_pylist()
    assert seen == [str(n) for n in range(100_000)]


@pytest.mark.parametrize(
    ("name", "content"), [("export", SHOP), ("a.txt.xml", SHOP), ("export", SHOP.partition("\n")[2])]
)
def test_it_is_told_by_name_or_content(tmp_path: Path, name, content):
    (tmp_path / name).write_text(content)
    source = FileSource(SourceSpec(path=name), tmp_path)
    with closing(source), closing(source.open(source.partitions()[0])) as scan:
        assert scan.findings["format"] == "xml"


def test_memory_is_bounded_by_a_record(tmp_path: Path):
    with (tmp_path / "a.xml").open("w") as file:
        file.write("<r>")
        for n in range(40):
            file.write(f"<a><n>{n}</n><t>{'x' * 1000}</t></a>\n" * 1000)
        file.write("</r>")
    code = f"""
        import resource
        from pathlib import Path
        from headgate.connectors.files.base import Input
        from headgate.connectors.files.xml_scan import open_xml
        from headgate.model.spec import SourceSpec
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        path = Path({str(tmp_path)!r}) / "a.xml"
        scan = open_xml(Input("a.xml", path, SourceSpec(path="a.xml")))
        batches = scan.batches()
        sum(len(next(batches)) for _ in range(1)), next(batches)
        before = peak()
        assert sum(map(len, scan.batches())) == 40_000
        print(peak() - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60


@pytest.mark.parametrize("document", ["<catalog/>", "<catalog xmlns='urn:x' xmlns:a='urn:a'>\n</catalog>"])
def test_an_empty_root_is_no_record(document, opened, read):
    with pytest.raises(SourceError, match="nothing in its element catalog") as e:
        opened("xml", document)
    assert "source.records" in e.value.hint
    assert read("xml", document, records="product", columns=["@id"]).records == []


@pytest.mark.parametrize(("document", "record"), [("<n>5</n>", {"text()": "5"}), ("<n a='5'/>", {"@a": "5"})])
def test_a_root_with_something_in_it_is_the_record(document, record, read):
    assert read("xml", document).records == [record]
