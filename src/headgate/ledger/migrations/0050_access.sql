insert into headgate_counter (name, value) values ('audit', 0);

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
