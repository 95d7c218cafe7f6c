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
