insert into headgate_counter (name, value) values ('queue', 0);

-- Work that waits, or is being done by a worker. id is the number of the run that was given out when it came; run_id that of
-- the run that carries it out, another one when it was begun again or a run that was left half-way goes on. parameters and
-- progress are JSON. status is queued, claimed or done. host, pid and born say which worker has it; cancel is 1 when it is to
-- be stopped; attempts counts how often a worker has taken it and was not heard of again.
create table headgate_work (
  id bigint not null primary key references headgate_run (id) on delete cascade,
  kind text not null,
  import_name text not null,
  parameters text not null,
  cause text not null,
  requested text not null,
  not_before text not null,
  status text not null,
  run_id bigint not null,
  attempts bigint not null default 0,
  host text not null default '',
  pid bigint not null default 0,
  born text not null default '',
  heartbeat text not null default '',
  cancel bigint not null default 0,
  progress text not null default ''
);
create index headgate_work_by_status on headgate_work (status, id);
create index headgate_work_by_run on headgate_work (run_id);
