-- The schema as it is after the last migration, to be read in one place. Migrations make it; a test compares.

-- Numbers that are given out once and never again, whatever is pruned.
create table headgate_counter (
  name text not null primary key,
  value bigint not null
);
insert into headgate_counter (name, value) values ('run', 0), ('audit', 0), ('queue', 0);

-- Which ledger this is: destinations keep its imports' checkpoints under this name.
create table headgate_identity (
  id text not null primary key
);

-- Runs and plans. Times are UTC in ISO 8601 with microseconds, so that text order is time order.
-- account, partitions, schema_changes and warnings are JSON. host, pid and born say which process is at it.
-- parent_id is the run that an undo takes back, or whose records a retry tries again. base is the folder that
-- a relative path in the destination's URL starts from. lease names the import at its destination; fence is the
-- right to commit there. checkpoint is how far a run that commits batch by batch has come, as its destination keeps it.
-- in_doubt is 1 while its destination has not said what was committed of a run whose process is gone or was not answered.
create table headgate_run (
  id bigint not null primary key,
  import_name text not null,
  kind text not null,
  operation text not null,
  destination text not null,
  fingerprint text not null,
  plan_id bigint,
  status text not null,
  account text not null,
  partitions text not null,
  schema_changes text not null,
  warnings text not null,
  error text not null,
  started text not null,
  finished text,
  host text not null,
  pid bigint not null,
  born text not null,
  heartbeat text not null,
  parent_id bigint,
  base text not null default '',
  lease text not null default '',
  fence bigint not null default 0,
  checkpoint text not null default '',
  in_doubt bigint not null default 0
);
create index headgate_run_by_import on headgate_run (import_name, id);

-- Refused records, and skips worth listing. body is a JSON list:
-- file, sheet, row, line, [[code, reason, field, column, value], ...], {column: raw value}, place of the correction.
-- state is what has been done about it since: open, fixed (by the retry fixed_by) or ignored.
create table headgate_reject (
  run_id bigint not null references headgate_run (id) on delete cascade,
  number bigint not null,
  outcome text not null,
  body text not null,
  state text not null default 'open',
  fixed_by bigint,
  primary key (run_id, number)
);

-- How many records of a run have a problem with this code in this field and are open, and the first of them.
create table headgate_reject_count (
  run_id bigint not null references headgate_run (id) on delete cascade,
  code text not null,
  field text not null,
  records bigint not null,
  example bigint not null,
  primary key (run_id, code, field)
);

-- Which run is at an import, if one is. The fence only grows.
create table headgate_lease (
  name text not null primary key,
  fence bigint not null,
  run_id bigint
);

-- Files that were imported, by their content.
create table headgate_file (
  lease text not null,
  digest text not null,
  run_id bigint not null references headgate_run (id) on delete cascade,
  primary key (lease, digest, run_id)
);

-- The records of its parent that a retry tries again, by their numbers there.
create table headgate_carried (
  run_id bigint not null references headgate_run (id) on delete cascade,
  number bigint not null,
  primary key (run_id, number)
);

-- Files of runs in a ledger that several machines share, in pieces of 1 MiB numbered from 0. A ledger in a
-- file has its files beside it, and none here.
create table headgate_piece (
  name text not null,
  number bigint not null,
  bytes bytea not null,
  primary key (name, number)
);

-- Requests whose answer may be asked for again: those with a key of their caller's, and those that were answered too late. body is
-- their records, where they must outlive the process; answer is JSON, null until there is one. run_id is the run that is at it.
create table headgate_answer (
  import_name text not null,
  key text not null,
  fingerprint text not null,
  run_id bigint not null,
  body text not null,
  answer text,
  at text not null,
  primary key (import_name, key)
);
create index headgate_answer_by_time on headgate_answer (at);

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

-- What programs show to be let in. digest is the SHA-256 of the text, which is kept nowhere. role is 1 viewer, 2 operator or
-- 3 admin. imports is a JSON list of names and patterns; null for all imports.
create table headgate_token (
  name text not null primary key,
  digest text not null unique,
  role bigint not null,
  imports text,
  created text not null,
  expires text,
  used text,
  revoked text
);

-- People. password is a hash that says with what parameters it was made.
create table headgate_user (
  name text not null primary key,
  password text not null,
  role bigint not null,
  disabled bigint not null default 0,
  created text not null
);

-- People who are signed in. digest is the SHA-256 of what their browser shows.
create table headgate_session (
  digest text not null primary key,
  user_name text not null references headgate_user (name) on delete cascade,
  created text not null,
  expires text not null
);

-- Who did what, when and from where. detail is JSON. Nothing here is changed or removed.
create table headgate_audit (
  id bigint not null primary key,
  at text not null,
  who text not null,
  address text not null,
  action text not null,
  subject text not null,
  result text not null,
  detail text not null
);

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

-- What is remembered of an import's triggers: JSON, by kind of trigger, and under health what was told of it last.
-- paused_by is empty while it is not paused.
create table headgate_trigger (
  import_name text not null primary key,
  state text not null,
  paused_by text not null default '',
  paused_at text not null default ''
);

-- Files that a watch has seen. stamp tells one content from the next (size and time), since is when it was first seen so,
-- done is the stamp of its done-file, state is waiting or started.
create table headgate_watched (
  import_name text not null,
  path text not null,
  stamp text not null,
  since text not null,
  done text not null,
  state text not null,
  primary key (import_name, path)
);

-- How often a webhook has come that starts imports.
create table headgate_signal (
  name text not null primary key,
  came bigint not null
);

-- What is to be told to whom. target is a digest of what the definition says of them; body is JSON; due is when it is
-- tried next; state is waiting, sent or failed.
create table headgate_notice (
  id text not null primary key,
  import_name text not null,
  event text not null,
  target text not null,
  body text not null,
  state text not null,
  attempts bigint not null,
  due text not null,
  error text not null,
  created text not null
);
create index headgate_notice_by_state on headgate_notice (state, due);

-- Which process looks after the triggers, and until when it said so.
create table headgate_keeper (
  name text not null primary key,
  holder text not null,
  until text not null
);

-- What was sent to destinations without transactions, until the checkpoint that covers it is kept. scope is the import at its
-- destination; id may also be the idempotency key that was sent along. what and answer are JSON; answer is null while it is not
-- known what became of it. Of each scope one fence: the highest that claimed it.
create table headgate_outbox_scope (
  scope text not null primary key,
  fence bigint not null,
  checkpoint text
);
create table headgate_outbox (
  scope text not null,
  place bigint not null,
  id text not null,
  what text not null,
  answer text,
  primary key (scope, id)
);

-- Files that runs have moved, or were about to: in state meant before anything is done with one, done after, and
-- undone when it was taken back. body is JSON: what is done, where the file comes from, what lay at its name before, what lies there now, and where that was kept.
create table headgate_moved (
  run_id bigint not null references headgate_run (id) on delete cascade,
  number bigint not null,
  state text not null,
  body text not null,
  primary key (run_id, number)
);

-- What an import has put at its destination: body is JSON, the state of the source and that of the copy.
create table headgate_sent (
  lease text not null,
  path text not null,
  body text not null,
  primary key (lease, path)
);

-- The ids that destinations gave records of their own (APIs do), by the records' keys, for each import at its destination. mark is
-- the key as a JSON list of texts, or, of a long one, its beginning with a hash, and key is then the whole of it.
create table headgate_id (
  import_name text not null,
  destination text not null,
  mark text not null,
  key text,
  id text not null,
  primary key (import_name, destination, mark)
);

-- The ids that the sources of imports were told (source.write_back), by marks and keys as in headgate_id.
create table headgate_id_written (
  import_name text not null,
  destination text not null,
  mark text not null,
  key text,
  id text not null,
  primary key (import_name, destination, mark)
);
