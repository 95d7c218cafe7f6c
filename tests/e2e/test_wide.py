"""A file with as many columns as a table can have."""

from __future__ import annotations

from support.shop import Define, Headgate, Shop, counts

WIDTH = 1_590  # PostgreSQL's tables have 1,600 at most
KINDS = ("bigint", "decimal(12,2)", "date", "text")
KIND = {"id": "bigint"} | {f"c{i}": KINDS[i % 4] for i in range(WIDTH - 1)}


def _value(kind: str, row: int, place: int) -> str:
    """Half of them are blank: a row of PostgreSQL has 8 kB."""
    if (row + place // 4) % 2 == 0:
        return ""
    return {
        "bigint": str(row * 10_000 + place),
        "decimal(12,2)": f"{row}.{place % 100:02d}",
        "date": f"2024-{1 + place % 12:02d}-{1 + row:02d}",
        "text": f"t{place}",
    }[kind]


def _record(row: int) -> list[str]:
    return [str(row), *(_value(KIND[f"c{i}"], row, i) for i in range(WIDTH - 1))]


def _file(bad: dict[tuple[int, int], str]) -> str:
    records = [_record(row) for row in range(8)]
    for (row, place), text in bad.items():
        records[row][place] = text
    return "".join(",".join(line) + "\n" for line in [list(KIND), *records])


def test_a_file_may_have_as_many_typed_columns_as_a_table(
    postgres_shop: Shop, define: Define, headgate: Headgate
) -> None:
    """Into a new table, then compared with what is there."""
    shop = postgres_shop
    bad = {(3, 1): "many", (3, 802): "1.234", (5, 1587): "2024-02-30"}
    place = {"connection": "shop", "table": "item", "create": True}
    fields = {n: {"type": kind} for n, kind in KIND.items()}
    define(shop, _file(bad), operation="upsert", destination=place, fields=fields)
    said = headgate("run", "items", "--json")
    assert said.code == 3
    assert counts(said.json) == {"created": 6, "invalid": 2}
    told = headgate("rejects", 1, "--json").json
    problems = [(r["line"], p["field"], p["code"]) for r in told for p in r["problems"]]
    assert problems == [(5, "c0", "TY01"), (5, "c801", "TY12"), (7, "c1586", "TY05")]
    stored = shop.read("item")
    assert [r[0] for r in stored] == [0, 1, 2, 4, 6, 7]
    for row in stored:
        assert ["" if v is None else str(v) for v in row] == _record(row[0])
    assert counts(headgate("run", "items", "--json").json) == {"unchanged": 6, "invalid": 2}
