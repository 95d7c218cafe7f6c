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
