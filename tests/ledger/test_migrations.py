"""The schema: made by migrations, equal to what is written down, brought up to date with what is in it."""

from __future__ import annotations

import re

import pytest

from headgate.ledger import Ledger, migrate, open_ledger, statements
from headgate.ledger.store import Store
from headgate.model.errors import HeadgateError
from headgate.model.run import Status

# A number between those that are known: another branch of development may have taken it.
GAP = next(n for n in range(1, 99) if n not in dict(migrate.migrations()))

COLUMNS = """
select table_name, column_name, data_type, is_nullable, coalesce(column_default, '') from information_schema.columns
where table_schema = current_schema() and table_name <> 'headgate_schema'"""
CONSTRAINTS = """
select conname, pg_get_constraintdef(oid), '', '', '' from pg_constraint
where connamespace = quote_ident(current_schema())::regnamespace and conrelid <> 'headgate_schema'::regclass"""
INDEXES = """
select indexname, replace(indexdef, quote_ident(schemaname) || '.', ''), '', '', '' from pg_indexes
where schemaname = current_schema() and tablename <> 'headgate_schema'"""


def schema(store: Store) -> set[tuple[str, ...]]:
    """Everything a store's database says of its tables."""
    if store.shared:
        return {row for part in (COLUMNS, CONSTRAINTS, INDEXES) for row in store.query(part)}
    rows = store.query("select type, name, sql from sqlite_master where name not in ('headgate_schema')")

    def plain(sql: str) -> str:
        # Columns in any order: migrations may come late, and statements name them.
        return ", ".join(sorted(re.split(r"\s*[(),]\s*", re.sub(r"\s+", " ", sql))))

    return {(kind, name, plain(sql)) for kind, name, sql in rows if not name.startswith("sqlite_")}


@pytest.fixture
def another(place: str) -> str:
    """Another place in the same folder or database."""
    if place.startswith("sqlite"):
        return place.replace("ledger.db", "another.db")
    return f"{place}{'&' if '?' in place else '?'}schema=Another one"


def make(ledger: Ledger, scripts: dict[int, str]) -> Store:
    """A ledger with these migrations alone."""
    store = ledger._store
    store.create()
    with store.migration() as session:
        session.query(statements.CREATE_VERSIONS)
        for number, script in scripts.items():
            for statement in migrate.split(script):
                session.query(statement)
            session.query(statements.ADD_VERSION, [number, f"{number:04d}", ""])
    return store


def test_the_migrations_replayed_make_the_schema(ledger, another):
    assert migrate.prepare(ledger._store, create=True)
    with open_ledger(another) as other:
        written = make(other, {1: (migrate.FOLDER.parent / "schema.sql").read_text("utf-8")})
        assert schema(ledger._store) == schema(written) != set()


def test_migrations_are_numbered_in_order():
    numbers = [n for n, _ in migrate.migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert len(list(migrate.FOLDER.iterdir())) == len(migrate.migrations())


def test_a_ledger_without_migrations_is_brought_up_to_date(place, ledger, new_run):
    make(ledger, {}).close()
    with open_ledger(place) as again:
        assert again.runs() == []
        assert again.begin(new_run()).id == 1


@pytest.mark.parametrize("left_out", [n for n, _ in migrate.migrations() if n > 1])
def test_a_migration_that_fills_a_gap_is_applied(place, ledger, another, new_run, left_out):
    make(ledger, {n: p.read_text("utf-8") for n, p in migrate.migrations() if n != left_out}).close()
    with open_ledger(place) as again, open_ledger(another) as fresh:
        assert again.begin(new_run()).id == fresh.begin(new_run()).id == 1
        assert schema(again._store) == schema(fresh._store)


def test_a_ledger_of_the_first_version_keeps_what_is_in_it(place, ledger, new_run, new_reject):
    first = dict(migrate.migrations())[1]
    store = make(ledger, {1: first.read_text("utf-8")})
    with store.transaction() as session:
        session.query("update headgate_counter set value = 7 where name = ?", ["run"])
        session.query(
            "insert into headgate_run (id, import_name, kind, operation, destination, fingerprint, status, account,"
            " partitions, schema_changes, warnings, error, started, finished, host, pid, born, heartbeat) values"
            " (7, 'products', 'run', 'upsert', 'shop#product', 'f1', 'partial', ?, '[]', '[]', '[\"careful\"]', '',"
            " '2026-03-01T12:00:00.000000+00:00', '2026-03-01T12:00:01.000000+00:00', 'here', 1, '', '')",
            ['{"read": 1, "invalid": 1}'],
        )
        session.query(
            "insert into headgate_reject values (7, 1, 'invalid', ?)",
            ['["a.csv","",2,2,[["TY02","bad","price","Price","x"]],{"Price":"x"}]'],
        )
        session.query("insert into headgate_reject_count values (7, 'TY02', 'price', 1, 1)")
    store.close()
    with open_ledger(place) as again:
        kept = again.run(7)
        assert (kept.status, kept.warnings, kept.account.read) == (Status.PARTIAL, ["careful"], 1)
        assert [(r.number, r.raw) for r in again.rejects(7)] == [(1, {"Price": "x"})]
        assert [(c.code, c.field, c.records) for c in again.reject_counts(7)] == [("TY02", "price", 1)]
        assert again.begin(new_run()).id == 8


@pytest.mark.parametrize("verb", ["runs", "begin"])
@pytest.mark.parametrize("number", [GAP, 99])
def test_a_ledger_of_a_newer_version_is_refused(place, ledger, new_run, verb, number):
    ledger.begin(new_run())
    with ledger._store.transaction() as session:
        session.query(statements.ADD_VERSION, [number, "later", ""])
    with open_ledger(place) as again, pytest.raises(HeadgateError, match=f"newer Headgate.*{number}") as caught:
        again.runs() if verb == "runs" else again.begin(new_run())
    assert "Update Headgate" in caught.value.hint
