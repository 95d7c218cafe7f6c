-- Requests whose answer may be asked for again: those with a key of their caller's, and those that were answered too late.
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
