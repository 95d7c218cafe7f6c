"""The command `headgate`: its one entry, its one exit.

Exit codes: 0 all well; 1 failed; 2 wrong use or wrong definition; 3 done, with rejects; 130 cancelled by hand.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from typing import Any

import click

from headgate import __version__
from headgate.model.errors import HeadgateError, UsageError

_COMMANDS = {
    "init": "project_commands", "new": "new_command", "check": "project_commands", "imports": "project_commands",
    "connections": "project_commands", "demo": "demo_command", "schema": "project_commands", "plan": "run_commands",
    "run": "run_commands", "resume": "undo_commands", "undo": "undo_commands", "runs": "ledger_commands", "show": "ledger_commands", "rejects": "ledger_commands",
    "retry": "retry_command", "serve": "serve_command", "worker": "worker_command", "hooks": "hooks_command",
    "tokens": "access_commands", "users": "access_commands", "audit": "access_commands",
    "triggers": "triggers_commands",
    "singer": "singer_command",
}  # fmt: skip


class _Lazy(click.Group):
    """Imports a command's module only when it is used, so that `headgate --help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click says so
        """In the order in which a person meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click says so
        """The command, or None."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"headgate.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click does, with the nearest name in the message."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            raise UsageError(
                f"there is no command {args[0]!r}",
                hint=f"Did you mean {near[0]}?" if near else "headgate --help lists them.",
            )
        return super().resolve_command(ctx, args)


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="headgate")
def cli() -> None:
    """Bring data into applications: look before, account for every record, take nothing on trust.

    \b
    The shortest import:
      headgate run products.xlsx --into sqlite:///shop.db#product --key sku --create

    \b
    In a project:
      headgate init shop; cd shop
      headgate new inbox/products.xlsx --into shop#product --key sku
      headgate plan products
      headgate run products

    \b
    Exit codes: 0 all well; 1 failed; 2 wrong use or definition; 3 done, with rejects; 130 cancelled.
    """


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit."""
    # A command is short and its data is in Arrow's memory: looking for cycles costs a tenth of its start, and taking
    # the interpreter apart at its end as much again. Everything that must be closed is closed by then.
    gc.disable()
    # Pydantic would look through all packages that are installed for plugins, of which none is wanted here.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = run(sys.argv[1:] if argv is None else argv)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def run(argv: list[str]) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    as_json = "--json" in argv
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = cli.main(argv, prog_name="headgate", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as e:
        sys.stdout.write(e.format_message() + "\n")
        return 0
    except click.ClickException as e:
        text = e.format_message()
        hint = f"Try {e.ctx.command_path} --help." if isinstance(e, click.UsageError) and e.ctx else ""
        return _failed(UsageError(text, hint=hint), as_json)
    except HeadgateError as e:
        return _failed(e, as_json)
    except (KeyboardInterrupt, click.Abort):
        return _failed(HeadgateError("stopped"), as_json, code=130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:  # noqa: BLE001 - the one exit: a fault of our own is shown whole, as such
        import traceback

        traceback.print_exc()
        return _failed(
            HeadgateError("this is a fault of Headgate's own", hint="Please report it with the lines above."), as_json
        )
    return result if isinstance(result, int) else 0


def _failed(error: HeadgateError, as_json: bool, code: int | None = None) -> int:
    code = error.exit_code if code is None else code
    if as_json:
        from .output import error_json, print_json

        print_json(error_json(error, code))
    else:
        sys.stderr.write(f"headgate: {error}\n")
    return code
