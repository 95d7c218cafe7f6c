"""Both ways of loading give the same, whatever the values are."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Database, spec

TEXTS = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
ODD = st.none() | st.text(st.sampled_from("\\'\"\0\t\n\rN,x% 👩`\x1a"), max_size=12)
BYTES = st.none() | st.binary(max_size=40)
RECORD = st.tuples(
    TEXTS | ODD, BYTES, st.none() | st.booleans(), st.none() | st.floats(allow_nan=False, allow_infinity=False)
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORD, max_size=12))
def test_both_ways_load_what_was_given(db: Database, records: list[tuple[object, ...]]) -> None:
    numbered = [(i, *r) for i, r in enumerate(records)]
    for local in (True, False):
        db.sql("drop table if exists t")
        made = spec(
            "t", "append", create=True, id="integer", text="text", bytes="binary", yes="boolean", number="double"
        )
        db.write(made, *numbered, local_infile=local)
        assert db.sql("select * from t order by id") == numbered


def test_a_server_that_forbids_local_files_is_loaded_all_the_same(db: Database) -> None:
    db.sql("set global local_infile = 0")
    try:
        made = spec("t", "append", create=True, id="integer", text="text")
        db.write(made, *((i, "x" * i) for i in range(3000)))
    finally:
        db.sql("set global local_infile = 1")
    assert db.sql("select count(*), sum(length(text)) from t") == [(3000, 2999 * 3000 // 2)]


def test_an_empty_table_that_a_killed_run_left_is_written_by_the_next(db: Database) -> None:
    made = spec("t", "upsert", "id", create=True, id="integer", text="text")
    writer = db.writer(made)
    writer.match()
    writer.apply()
    writer.cancel()  # and is never heard of again
    db.sql(f"kill {writer._session.connection.thread_id()}")
    assert db.sql("select * from t") == []
    again = spec("t", "upsert", "id", id="integer", text="text")
    assert db.write(again, (1, "a")).account.outcomes == {"created": 1}
