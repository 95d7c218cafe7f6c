-- 1 while its destination has not said what a run committed whose process is gone or was not answered.
alter table headgate_run add column in_doubt bigint not null default 0;
