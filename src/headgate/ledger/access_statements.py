"""The statements of `access.py`, in SQL that SQLite and PostgreSQL both run; `?` stands for a value."""
# ruff: noqa: S105 - statements, not secrets

from __future__ import annotations

from typing import Final

_TOKEN: Final = "select name, role, imports, created, expires, used, revoked from headgate_token"
TOKENS: Final = f"{_TOKEN} order by created, name"
TOKEN_OF: Final = f"{_TOKEN} where digest = ?"
TOKEN_NAMED: Final = f"{_TOKEN} where name = ?"
ANY_TOKEN: Final = "select 1 from headgate_token limit 1"
# A name can be given again once its token is of no use any more.
REPLACE_TOKEN: Final = """
delete from headgate_token where name = ? and (revoked is not null or (expires is not null and expires <= ?))"""
ADD_TOKEN: Final = """
insert into headgate_token (name, digest, role, imports, created, expires) values (?, ?, ?, ?, ?, ?)
on conflict (name) do nothing"""
REVOKE: Final = "update headgate_token set revoked = ? where name = ? and revoked is null"
USED: Final = "update headgate_token set used = ? where digest = ?"

_USER: Final = "select name, role, disabled, created from headgate_user"
USERS: Final = f"{_USER} order by name"
USER: Final = f"{_USER} where name = ?"
PASSWORD: Final = "select password, disabled from headgate_user where name = ?"
ADD_USER: Final = """
insert into headgate_user (name, password, role, created) values (?, ?, ?, ?) on conflict (name) do nothing"""
SET_PASSWORD: Final = "update headgate_user set password = ? where name = ?"
SET_ROLE: Final = "update headgate_user set role = ? where name = ?"
SET_DISABLED: Final = "update headgate_user set disabled = ? where name = ?"
REMOVE_USER: Final = "delete from headgate_user where name = ?"

ADD_SESSION: Final = "insert into headgate_session (digest, user_name, created, expires) values (?, ?, ?, ?)"
SESSION: Final = """
select u.name, u.role, u.disabled, u.created from headgate_session s join headgate_user u on u.name = s.user_name
where s.digest = ? and s.expires > ? and s.created > ? and u.disabled = 0"""
EXTEND: Final = "update headgate_session set expires = ? where digest = ?"
END_SESSION: Final = "delete from headgate_session where digest = ?"
END_SESSIONS: Final = "delete from headgate_session where user_name = ?"
FORGET_SESSIONS: Final = "delete from headgate_session where expires <= ?"

ADD_ENTRY: Final = """
insert into headgate_audit (id, at, who, address, action, subject, result, detail) values (?, ?, ?, ?, ?, ?, ?, ?)"""
ENTRIES: Final = """
select id, at, who, address, action, subject, result, detail from headgate_audit
where (? = '' or who = ?) and (? = '' or action = ? or substr(action, 1, ?) = ?) and (? = '' or subject = ?)
  and at >= ? and at < ? and id < ?
order by id desc limit ?"""
