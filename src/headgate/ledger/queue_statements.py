"""Every statement of the queue, in SQL that SQLite and PostgreSQL both run; `?` stands for a value."""

from __future__ import annotations

from typing import Final

COLUMNS: Final = (
    "id", "kind", "import_name", "parameters", "cause", "requested", "not_before", "status", "run_id", "attempts", "host",
    "pid", "born", "heartbeat", "cancel", "progress",
)  # fmt: skip
_WORK: Final = f"select {', '.join(COLUMNS)} from headgate_work"
ADD: Final = f"insert into headgate_work ({', '.join(COLUMNS)}) values ({', '.join('?' for _ in COLUMNS)})"
WORK: Final = f"{_WORK} where id = ?"
WORK_OF_RUN: Final = f"{_WORK} where id = ? or run_id = ? order by case when id = ? then 0 else 1 end, id desc limit 1"
LIST: Final = f"{_WORK} where status <> 'done' and (? = '' or import_name = ?) order by id"
OF_RUNS: Final = f"{_WORK} where id >= ? and id <= ?"

# What writes waits for what is being done to its import, by a worker or by hand; plans write nothing and go by, and callers who
# wait are served beside.
_FREE: Final = """
w.status = 'queued' and w.cancel = 0 and w.not_before <= ? and (w.kind = 'plan' or (
  not exists (select 1 from headgate_work c where c.status = 'claimed' and c.kind <> 'plan' and c.import_name = w.import_name)
  and not exists (select 1 from headgate_run r
    where r.status = 'running' and r.kind <> 'requests' and r.lease <> '' and r.import_name = w.import_name)))"""
NEXT: Final = f"select w.id from headgate_work w where {_FREE} order by w.id limit 1"
CLAIM: Final = """
update headgate_work set status = 'claimed', attempts = attempts + 1, host = ?, pid = ?, born = ?, heartbeat = ?, progress = ''
where id = ? and status = 'queued'"""
BEGUN: Final = "update headgate_work set run_id = ? where id = ?"
HEARTBEAT: Final = """
update headgate_work set heartbeat = ? where status = 'claimed' and host = ? and pid = ? and born = ?"""
MINE: Final = (
    "select id, cancel from headgate_work where status = 'claimed' and host = ? and pid = ? and born = ? order by id"
)
PROGRESS: Final = "update headgate_work set progress = ? where id = ? and status = 'claimed'"
DONE: Final = "update headgate_work set status = 'done' where id = ? and status <> 'done'"
_HOLDER: Final = "status = 'claimed' and host = ? and pid = ? and born = ?"
DONE_BY: Final = f"update headgate_work set status = 'done' where id = ? and {_HOLDER}"
HAND_BACK: Final = f"""
update headgate_work set status = 'queued', attempts = attempts - ?, not_before = ?, host = '', pid = 0, born = '', heartbeat = ''
where id = ? and {_HOLDER}"""
CLAIMED: Final = f"{_WORK} where status = 'claimed' order by id"
LOST: Final = """
update headgate_work set status = ?, host = '', pid = 0, born = '', heartbeat = ''
where id = ? and status = 'claimed' and host = ? and pid = ? and born = ? and heartbeat = ?"""
CANCEL: Final = "update headgate_work set cancel = 1 where id = ?"

# Of the run of a piece of work
CLOSE_QUEUED: Final = """
update headgate_run set status = ?, error = ?, finished = ?, heartbeat = ? where id = ? and status = 'queued'"""
ABANDON: Final = """
update headgate_run set status = 'failed', error = ?, finished = ?, heartbeat = ?, in_doubt = case when lease = '' then 0 else 1 end
where id = ? and status = 'running'"""
SAY: Final = "update headgate_run set error = ?, heartbeat = ? where id = ? and status in ('failed', 'cancelled')"
