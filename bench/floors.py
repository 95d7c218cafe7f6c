"""The floors: what a careful person would write by hand for one table, with the database's own bulk loader.

Each function gives a command line. The table ``bench.orders`` is there, typed and with its primary key, unless said otherwise.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orders import COLUMNS

TABLE = "bench.orders"
BASE = "bench_base.orders"
SET = ", ".join(f"{c} = excluded.{c}" for c in COLUMNS if c != "id")
LOADS = Path(__file__).with_name("handwritten.py")


def psql(program: str, url: str, script: str, work: Path) -> list[str]:
    """psql running a script."""
    file = work / "floor.sql"
    file.write_text(script)
    return [program, "-qX", "-v", "ON_ERROR_STOP=1", "-f", str(file), url]


def copy(source: Path) -> str:
    r"""psql's \copy into the table with its key."""
    return f"\\copy {TABLE} from '{source}' csv header\n"


def upsert(source: Path) -> str:
    """Staging, then INSERT .. ON CONFLICT."""
    return f"""begin;
create temp table staged (like {TABLE});
\\copy staged from '{source}' csv header
insert into {TABLE} select * from staged on conflict (id) do update set {SET};
commit;
"""


def delete(source: Path) -> str:
    """Staging the keys, then DELETE .. USING."""
    return f"""begin;
create temp table staged (id bigint);
\\copy staged from '{source}' csv header
delete from {TABLE} o using staged s where o.id = s.id;
commit;
"""


def dirty(source: Path) -> str:
    """Staging as text, every value checked, the good records on, the bad ones with their reason into a file."""
    number, money = r"^[-+]?\d{1,9}$", r"^[-+]?\d{1,10}(\.\d{1,2})?$"
    columns = ", ".join(COLUMNS)
    return f"""begin;
create function pg_temp.is_moment(v text) returns boolean language plpgsql stable as
$$ begin perform v::timestamptz; return true; exception when data_exception then return false; end $$;
create temp table staged (n bigint generated always as identity, {", ".join(f"{c} text" for c in COLUMNS)});
\\copy staged ({columns}) from '{source}' csv header
create temp table refused as select n, why from (
  select n, case when id is null or id !~ '{number}' then 'id: not a number'
    when customer_email is null then 'customer_email: missing' when sku is null then 'sku: missing'
    when qty is null or qty !~ '{number}' then 'qty: not a number'
    when unit_price is null or unit_price !~ '{money}' then 'unit_price: not a number'
    when ordered_at is null or not pg_temp.is_moment(ordered_at) then 'ordered_at: not a time' end as why from staged) checked
  where why is not null;
insert into refused select n, 'id: a duplicate' from (select n, row_number() over (partition by id::bigint order by n) as nth
  from staged where not exists (select from refused r where r.n = staged.n)) numbered where nth > 1;
insert into {TABLE} select id::bigint, customer_email, sku, qty::integer, unit_price::numeric, currency, ordered_at::timestamptz,
  shipped::boolean, note, country from staged where not exists (select from refused r where r.n = staged.n);
\\copy (select why, staged.* from staged join refused using (n) order by n) to 'refused.csv' csv header
commit;
"""


def piped(psql: str, url: str) -> list[str]:
    """One psql's COPY into another's, of the million records that are there."""
    out, into = f"\\copy {BASE} to stdout", f"\\copy {TABLE} from stdin"
    return [
        "bash",
        "-ceo",
        "pipefail",
        '"$0" -qX -c "$2" "$1" | "$0" -qX -v ON_ERROR_STOP=1 -c "$3" "$1"',
        psql,
        url,
        out,
        into,
    ]


def handwritten(mode: str, source: Path, url: str) -> list[str]:
    """A Python script of the usual kind: a reader, values made in Python, psycopg's COPY."""
    return [sys.executable, str(LOADS), mode, str(source), url, TABLE]
