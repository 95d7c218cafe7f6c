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
