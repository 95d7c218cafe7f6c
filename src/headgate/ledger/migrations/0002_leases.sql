-- Which ledger this is: destinations keep its imports' checkpoints under this name.
create table headgate_identity (
  id text not null primary key
);

-- parent_id is the run that an undo takes back. base is the folder that a relative path in the
-- destination's URL starts from. lease names the import at its destination; fence is the right to commit
-- there. checkpoint is how far a run that commits batch by batch has come, as its destination keeps it.
alter table headgate_run add column parent_id bigint;
alter table headgate_run add column base text not null default '';
alter table headgate_run add column lease text not null default '';
alter table headgate_run add column fence bigint not null default 0;
alter table headgate_run add column checkpoint text not null default '';

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
