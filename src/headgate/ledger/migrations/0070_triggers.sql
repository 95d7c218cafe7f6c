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
