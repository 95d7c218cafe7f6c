"""`headgate tokens`, `headgate users` and `headgate audit`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from headgate.model.access import ROLES
from headgate.model.errors import UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.access import Access

_role = click.option("--role", type=click.Choice(ROLES), required=True, help="What they may do.")


@click.group()
def tokens() -> None:
    """Say which programs may use the server: `headgate tokens new`, `list`, `revoke`.

    \b
    Example:
      headgate tokens new shop --role operator --import orders
      headgate tokens list
      headgate tokens revoke shop

    \b
    Exit codes: 0 all well; 2 wrong use.
    """


@tokens.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List all tokens, also those that are expired or revoked.

    \b
    Example:
      headgate tokens list --json

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.report.access import token_json, tokens_text

    found = _access().ledger.tokens()
    if as_json:
        print_json([token_json(t) for t in found])
    elif found:
        tokens_text(found, console())
    else:
        click.echo("There is no token; headgate serve makes the first.")


@tokens.command("new")
@click.argument("name")
@_role
@click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="IMPORT",
    help="Let it touch only this import, or those of a pattern (orders-*); may be repeated.",
)
@click.option(
    "--expires",
    default="365d",
    show_default=True,
    metavar="WHEN",
    help="90d, 12h, 8w from now, a day such as 2027-06-30, or never.",
)
@json_option
def new_token(name: str, role: str, imports: tuple[str, ...], expires: str, as_json: bool) -> None:
    """Make a token and show it, this once: only its hash is kept.

    A viewer sees imports, runs and rejects; an operator also runs, imports, retries and undoes; an administrator also changes who
    may do what.

    \b
    Example:
      headgate tokens new shop --role operator --import orders --import "stock-*"
      headgate tokens new grafana --role viewer --expires never

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.app.access import local_actor
    from headgate.report.access import token_json

    token, text = _access().new_token(name, role, local_actor(), imports=imports or None, expires=expires)
    if as_json:
        print_json(token_json(token) | {"token": text})
        return
    click.echo(text)
    until = f"until {token.expires:%Y-%m-%d %H:%M} UTC" if token.expires else "for good"
    click.echo(f"This is shown only once. It lets {name} in as {role}, {until}.", err=True)


@tokens.command("revoke")
@click.argument("name")
@json_option
def revoke_token(name: str, as_json: bool) -> None:
    """Let a token in no more; servers know within 5 seconds.

    \b
    Example:
      headgate tokens revoke shop

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.app.access import local_actor

    _access().ledger.revoke(name, local_actor())
    _done({"revoked": name}, f"{name} is revoked.", as_json=as_json)


@click.group()
def users() -> None:
    """Say which people may sign in: `headgate users add`, `list`, `password`, `role`, `disable`, `enable`, `remove`.

    \b
    Example:
      headgate users add ann --role admin
      headgate users role ann operator
      headgate users disable ann

    \b
    Exit codes: 0 all well; 2 wrong use.
    """


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List all users.

    \b
    Example:
      headgate users list

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.report.access import user_json, users_text

    found = _access().ledger.users()
    if as_json:
        print_json([user_json(u) for u in found])
    elif found:
        users_text(found, console())
    else:
        click.echo("There is no user; headgate users add makes one.")


@users.command("add")
@click.argument("name")
@_role
@json_option
def add_user(name: str, role: str, as_json: bool) -> None:
    """Add a user. Their password is asked for, or read from standard input.

    A viewer sees imports, runs and rejects; an operator also runs, imports, retries and undoes; an administrator also changes who
    may do what.

    \b
    Example:
      headgate users add ann --role operator
      headgate users add ann --role operator < password.txt

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.app.access import local_actor
    from headgate.report.access import user_json

    user = _access().add_user(name, role, _password(), local_actor())
    _done(user_json(user), f"{name} may sign in as {role}.", as_json=as_json)


@users.command("password")
@click.argument("name")
@json_option
def set_password(name: str, as_json: bool) -> None:
    """Change a user's password, which is asked for or read from standard input, and end their sessions.

    \b
    Example:
      headgate users password ann

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.app.access import local_actor

    _access().set_password(name, _password(), local_actor())
    _done({"changed": name}, f"{name} has another password and must sign in again.", as_json=as_json)


@users.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@json_option
def set_role(name: str, role: str, as_json: bool) -> None:
    """Change what a user may do, and end their sessions.

    \b
    Example:
      headgate users role ann viewer

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.app.access import local_actor

    _access().set_role(name, role, local_actor())
    _done({"changed": name, "role": role}, f"{name} is {role} and must sign in again.", as_json=as_json)


@users.command("disable")
@click.argument("name")
@json_option
def disable_user(name: str, as_json: bool) -> None:
    """Let a user in no more, and end their sessions.

    \b
    Example:
      headgate users disable ann

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    _change(name, "disabled", lambda access, by: access.ledger.set_disabled(name, True, by), as_json=as_json)


@users.command("enable")
@click.argument("name")
@json_option
def enable_user(name: str, as_json: bool) -> None:
    """Let a user in again.

    \b
    Example:
      headgate users enable ann

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    _change(name, "enabled", lambda access, by: access.ledger.set_disabled(name, False, by), as_json=as_json)


@users.command("remove")
@click.argument("name")
@json_option
def remove_user(name: str, as_json: bool) -> None:
    """Remove a user; what they did stays in the audit log.

    \b
    Example:
      headgate users remove ann

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    _change(name, "removed", lambda access, by: access.ledger.remove_user(name, by), as_json=as_json)


@click.command()
@click.option("--who", default="", help="Only what this token or user did.")
@click.option("--action", default="", help="Only this action (run.start), or this kind of thing (run).")
@click.option("--subject", default="", help="Only what was done to this import, run, token or user.")
@click.option("--since", type=click.DateTime(), help="Only from this time on, in UTC.")
@click.option("--until", type=click.DateTime(), help="Only before this time, in UTC.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, newest first.")
@json_option
def audit(
    who: str, action: str, subject: str, since: datetime | None, until: datetime | None, limit: int, as_json: bool
) -> None:
    """Show who did what, when and from where, newest first.

    \b
    Example:
      headgate audit --action token
      headgate audit --who ann --since 2026-11-01 --json

    \b
    Exit codes: 0 all well; 2 wrong use.
    """
    from headgate.report.access import entries_text, entry_json

    since, until = (at and at.replace(tzinfo=UTC) for at in (since, until))
    found = _access().ledger.entries(who=who, action=action, subject=subject, since=since, until=until, limit=limit)
    if as_json:
        print_json([entry_json(entry) for entry in found])
    elif found:
        entries_text(found, console())
    else:
        click.echo("Nothing of the kind was done.")


def _access() -> Access:
    from headgate.app.access import Access
    from headgate.app.project import find_project
    from headgate.ledger.access import AccessLedger

    project = find_project()
    if not project.is_project:
        raise UsageError("tokens and users belong to a project, and this is none", hint="Make one: headgate init.")
    return Access(AccessLedger(project.ledger.store()), project.import_files)


def _change(name: str, done: str, change: Callable[..., None], *, as_json: bool) -> None:
    from headgate.app.access import local_actor

    change(_access(), local_actor())
    _done({done: name}, f"{name} is {done}.", as_json=as_json)


def _password() -> str:
    """From a person twice, unseen; from a program the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError(
            "there is no password on standard input", hint="Type it at a terminal, or send it: … < password.txt."
        )
    return line


def _done(told: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        click.echo(text)
