"""Every statement of the ledger, in SQL that SQLite (3.24 on) and PostgreSQL both run; `?` stands for a value."""

from __future__ import annotations

from typing import Final

CREATE_VERSIONS: Final = """
create table if not exists headgate_schema (
  version bigint not null primary key,
  name text not null,
  applied text not null
)"""
VERSIONS: Final = "select version from headgate_schema"
ADD_VERSION: Final = "insert into headgate_schema (version, name, applied) values (?, ?, ?)"

COUNT_UP: Final = "update headgate_counter set value = value + 1 where name = ?"
COUNTER: Final = "select value from headgate_counter where name = ?"

RUN_COLUMNS: Final = (
    "id", "import_name", "kind", "operation", "destination", "fingerprint", "plan_id", "parent_id", "status", "account",
    "partitions", "schema_changes", "warnings", "error", "started", "finished", "base", "lease", "fence", "checkpoint",
    "in_doubt",
)  # fmt: skip
PROCESS_COLUMNS: Final = ("host", "pid", "born", "heartbeat")
_RUN: Final = f"select {', '.join(RUN_COLUMNS)} from headgate_run"

ADD_RUN: Final = (
    f"insert into headgate_run ({', '.join(RUN_COLUMNS + PROCESS_COLUMNS)})"
    f" values ({', '.join('?' for _ in RUN_COLUMNS + PROCESS_COLUMNS)})"
)
RUN: Final = f"{_RUN} where id = ?"
BEGIN_QUEUED: Final = (
    f"update headgate_run set {', '.join(f'{c} = ?' for c in RUN_COLUMNS[1:] + PROCESS_COLUMNS)} where id = ?"
)
RUNS: Final = f"""
{_RUN} where (? = '' or import_name = ?) and (? = '' or kind = ?) and (? = '' or status = ?) and (? = 0 or id < ?)
order by id desc limit ?"""
CHANGED: Final = f"{_RUN} where (status in ('queued', 'running') or heartbeat >= ?) order by id desc limit ?"
NEAREST_RUNS: Final = """
select max(case when id < ? then id end), min(case when id > ? then id end) from headgate_run"""
# These change nothing: whoever comes to the same row waits until the transaction has ended.
LOCK_RUN: Final = "update headgate_run set status = status where id = ?"
LOCK_LEASE: Final = "update headgate_lease set fence = fence where name = ?"
LOCK_COUNTER: Final = "update headgate_counter set value = value where name = ?"
STATUS: Final = "select status from headgate_run where id = ?"
PROGRESS: Final = "update headgate_run set account = ?, heartbeat = ? where id = ? and status in ('queued', 'running')"
FINISH: Final = """
update headgate_run
set status = ?, account = ?, partitions = ?, schema_changes = ?, warnings = ?, error = ?, finished = ?,
    in_doubt = ?, heartbeat = ?
where id = ?"""
OPEN_RUNS: Final = """
select id, host, pid, born, heartbeat, lease from headgate_run where status = 'running' order by id"""
ABANDON: Final = """
update headgate_run set status = 'failed', error = ?, finished = ?, in_doubt = case when lease = '' then 0 else 1 end
where id = ? and status in ('queued', 'running')"""
IN_DOUBT: Final = f"{_RUN} where in_doubt = 1 and status = 'failed' order by id"
DOUBT: Final = "update headgate_run set error = ?, in_doubt = 1 where id = ? and status = 'failed'"
PRUNABLE: Final = """
select id, import_name, coalesce(finished, '') from headgate_run
where status not in ('queued', 'running') order by id desc"""
DELETE_RUN: Final = "delete from headgate_run where id = ?"

ADD_REJECT: Final = """
insert into headgate_reject (run_id, number, outcome, body) values (?, ?, ?, ?)
on conflict (run_id, number) do nothing"""
REJECT_COLUMNS: Final = ("number", "outcome", "body", "state", "fixed_by")
REJECT_OUTCOMES: Final = """
select outcome, count(*) from headgate_reject where run_id = ? and state <> 'fixed' group by outcome"""
REJECT_STATES: Final = """
select outcome, state, count(*) from headgate_reject where run_id = ? group by outcome, state"""
ADD_REJECT_COUNT: Final = """
insert into headgate_reject_count (run_id, code, field, records, example) values (?, ?, ?, ?, ?)
on conflict (run_id, code, field) do update set
  records = headgate_reject_count.records + excluded.records,
  example = case when excluded.example < headgate_reject_count.example
    then excluded.example else headgate_reject_count.example end"""
REJECT_COUNTS: Final = """
select c.code, c.field, c.records, r.number, r.outcome, r.body, r.state, r.fixed_by
from headgate_reject_count c join headgate_reject r on r.run_id = c.run_id and r.number = c.example
where c.run_id = ?"""


IDENTITY: Final = "select id from headgate_identity"
ADD_IDENTITY: Final = "insert into headgate_identity (id) values (?)"

# Leases
ADD_LEASE: Final = "insert into headgate_lease (name, fence) values (?, 0) on conflict (name) do nothing"
RAISE_FENCE: Final = "update headgate_lease set fence = fence + 1 where name = ?"
LEASE: Final = "select fence, run_id from headgate_lease where name = ?"
HOLD: Final = "update headgate_lease set run_id = ? where name = ?"
RELEASE: Final = "update headgate_lease set run_id = null where name = ? and run_id = ?"
HOLDER: Final = (
    "select id, host, pid, born, heartbeat, lease from headgate_run where id = ? and status in ('queued', 'running')"
)
HEARTBEAT: Final = (
    "update headgate_run set heartbeat = ? where id = ? and fence = ? and status in ('queued', 'running')"
)
UNFINISHED: Final = f"""
{_RUN} where import_name = ? and destination = ? and kind = 'run' and checkpoint <> '' and status in ('failed', 'cancelled')
and id > (select coalesce(max(id), 0) from headgate_run where import_name = ? and destination = ? and kind = 'run' and status in ('succeeded', 'partial', 'undone'))
order by id desc limit 1"""
REOPEN: Final = """
update headgate_run set status = 'running', error = '', finished = null, fence = ?, host = ?, pid = ?, born = ?, heartbeat = ?
where id = ?"""
CHECKPOINT: Final = (
    "update headgate_run set checkpoint = ?, account = ?, partitions = ?, heartbeat = ? where id = ? and fence = ?"
)
SET_STATUS: Final = "update headgate_run set status = ? where id = ?"
ADD_FILE: Final = (
    "insert into headgate_file (lease, digest, run_id) values (?, ?, ?) on conflict (lease, digest, run_id) do nothing"
)
KNOWN_FILES: Final = """
select f.digest, max(f.run_id) from headgate_file f join headgate_run r on r.id = f.run_id
where f.lease = ? and r.status in ('succeeded', 'partial') group by f.digest"""
CHILDREN: Final = f"{_RUN} where parent_id = ? order by id"

# Rejects of a run that goes on after a crash
FORGET_REJECTS: Final = "delete from headgate_reject where run_id = ? and number >= ?"
FORGET_REJECT_COUNTS: Final = "delete from headgate_reject_count where run_id = ?"
REPLACE_REJECT: Final = "update headgate_reject set body = ? where run_id = ? and number = ?"

# Retries. A retry's family is its parent, itself, and the other retries of that parent: a record fixed or ignored is so in all.
_RETRIES: Final = "select id from headgate_run where kind = 'retry' and parent_id = ?"
OPEN_RETRIES: Final = f"{_RETRIES} and status = 'running'"
RETRIES: Final = f"{_RETRIES} order by id"
_FAMILY: Final = f"(run_id = ? or run_id in ({_RETRIES})) and outcome <> 'skipped'"
ADD_CARRIED: Final = """
insert into headgate_carried (run_id, number)
select ?, number from headgate_reject where run_id = ? and number = ? and state = 'open' and outcome <> 'skipped'"""
CARRIED_OUTCOMES: Final = """
select r.outcome, count(*) from headgate_carried c join headgate_reject r on r.number = c.number
where c.run_id = ? and r.run_id = ? and r.state <> 'fixed' and r.outcome <> 'skipped' group by r.outcome"""
_REFUSED_AGAIN: Final = "select number from headgate_reject where run_id = ? and outcome <> 'skipped'"
FIX: Final = f"""
update headgate_reject set state = 'fixed', fixed_by = ?
where {_FAMILY} and number in (select number from headgate_carried where run_id = ?) and number not in ({_REFUSED_AGAIN})"""
REFUSE_AGAIN: Final = f"""
update headgate_reject set
  outcome = (select n.outcome from headgate_reject n where n.run_id = ? and n.number = headgate_reject.number),
  body = (select n.body from headgate_reject n where n.run_id = ? and n.number = headgate_reject.number)
where run_id = ? and number in ({_REFUSED_AGAIN})"""
FIXED_OUTCOMES: Final = """
select outcome, count(*) from headgate_reject where run_id = ? and state = 'fixed' and fixed_by = ? group by outcome"""
UNFIX: Final = (
    f"update headgate_reject set state = 'open', fixed_by = null where {_FAMILY} and state = 'fixed' and fixed_by = ?"
)
SETTLE: Final = "update headgate_run set account = ?, status = ? where id = ?"
STATE: Final = "select state, fixed_by from headgate_reject where run_id = ? and number = ? and outcome <> 'skipped'"
SET_STATE: Final = f"update headgate_reject set state = ? where {_FAMILY} and number = ? and state = ?"

# Files that machines share
ADD_PIECE: Final = "insert into headgate_piece (name, number, bytes) values (?, ?, ?)"
PIECES: Final = "select count(*) from headgate_piece where name = ?"
PIECE: Final = "select bytes from headgate_piece where name = ? and number = ?"
FORGET_PIECES: Final = "delete from headgate_piece where name in (?, ?) or substr(name, 1, ?) = ?"
NAME_PIECES: Final = "update headgate_piece set name = ? where name = ?"
NAMES: Final = "select distinct name from headgate_piece where substr(name, 1, ?) = ?"


def rejects_page(outcomes: int, states: int) -> str:
    """The rejects of a run after a number, of that many outcomes and states: run, number, outcomes, states, limit, offset."""
    return (
        f"select {', '.join(REJECT_COLUMNS)} from headgate_reject where run_id = ? and number > ?"
        f" and outcome in ({', '.join('?' for _ in range(outcomes))})"
        f" and state in ({', '.join('?' for _ in range(states))}) order by number limit ? offset ?"
    )
