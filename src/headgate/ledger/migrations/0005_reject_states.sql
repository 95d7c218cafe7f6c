-- What has been done about a reject since: open, fixed (by the retry fixed_by) or ignored.
alter table headgate_reject add column state text not null default 'open';
alter table headgate_reject add column fixed_by bigint;

-- The records of its parent that a retry tries again, by their numbers there.
create table headgate_carried (
  run_id bigint not null references headgate_run (id) on delete cascade,
  number bigint not null,
  primary key (run_id, number)
);
