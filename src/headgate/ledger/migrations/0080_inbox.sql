-- Events that came to hooks, from their acceptance until they were imported, and a while longer to know them when they
-- come again. event_id is the sender's. event is what kind it is, where the definition says. round counts how often it was
-- taken up again by hand, attempts how often it was taken out since, failures how often that failed. due is
-- when it may be tried next. answer is JSON: what became of its records. host, pid, born and heartbeat say which process is at it. repeats says how often it came again,
-- differing how often of these with another body.
create table headgate_inbox (
  id bigint not null primary key,
  import_name text not null,
  event_id text not null,
  event text not null,
  content_type text not null,
  body bytea not null,
  digest text not null,
  state text not null,
  received text not null,
  changed text not null,
  due text not null,
  round bigint not null default 0,
  attempts bigint not null default 0,
  failures bigint not null default 0,
  reason text not null default '',
  answer text not null default '{}',
  host text not null default '',
  pid bigint not null default 0,
  born text not null default '',
  heartbeat text not null default '',
  repeats bigint not null default 0,
  differing bigint not null default 0,
  unique (import_name, event_id)
);
create index headgate_inbox_by_state on headgate_inbox (import_name, state, id);
insert into headgate_counter (name, value) values ('inbox', 0);
