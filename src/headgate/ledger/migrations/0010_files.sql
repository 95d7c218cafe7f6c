-- Files of runs in a ledger that several machines share, in pieces of 1 MiB numbered from 0. A ledger in a
-- file has its files beside it, and none here.
create table headgate_piece (
  name text not null,
  number bigint not null,
  bytes bytea not null,
  primary key (name, number)
);
