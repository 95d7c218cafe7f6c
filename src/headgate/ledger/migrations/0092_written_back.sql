-- The ids that the sources of imports were told (source.write_back), by marks and keys as in headgate_id.
create table headgate_id_written (
  import_name text not null,
  destination text not null,
  mark text not null,
  key text,
  id text not null,
  primary key (import_name, destination, mark)
);
