"""Writes `docs/reference/`: everything there is to know about definitions, codes, commands and connectors, from the code.

python docs/generate.py           write the pages
python docs/generate.py --check   only say whether they are as the code would have them (exit 1 if not)
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from headgate.model import errors
from headgate.model.codes import CODES
from headgate.model.outcome import REJECTS, Account, Outcome
from headgate.model.spec import ImportSpec, ProjectSpec
from headgate.model.types import KINDS
from headgate.model.write import Operation
from headgate.spi.destination import Capabilities

sys.path.insert(0, str(Path(__file__).parent))  # also where this is not what was started

from guarantees import guarantees
from words import code, default, kind, nested, table, title

HERE = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code: change it there. -->\n\n"


# --- the server --------------------------------------------------------------------------------------------------------


def http_api() -> str:
    """Every route of the server."""
    from headgate.server.described import OPERATIONS
    from headgate.server.openapi import TAGS

    out = [
        "# HTTP API\n\nWhat `headgate serve` answers to. The same is at `/api/openapi.json` as an OpenAPI 3.1 document, and at `/api/docs` as a page."
        " Errors are problem details (RFC 9457): `code` is permanent, `detail` is for a person, `hint` is the way out.\n"
    ]
    for tag in TAGS:
        out.append(f"\n## {tag.capitalize()}\n")
        for (method, path), of in OPERATIONS.items():
            if of.tag != tag:
                continue
            out.append(f"\n### {method} {code(path)}\n\n{of.summary} Good answer: {of.status}")
            out.append(f" ({code(of.answer)}).\n" if of.answer else ".\n")
            rows = [[code(n), "query", text] for n, (_, text) in of.query.items()]
            rows += [[code(n), "header", text] for n, text in of.headers.items()]
            rows += [[code(kind), "body", ""] for kind in ([of.body] if of.body else []) + list(of.bodies)]
            rows += [[str(status), "answer", text] for status, (text, _) in of.more.items()]
            out.append("\n" + table(["", "", ""], rows) if rows else "")
    return "".join(out)


# --- definitions -------------------------------------------------------------------------------------------------------


def definition() -> str:
    """Every key of `headgate.yaml` and `imports/*.yaml`."""
    models = [ImportSpec, *nested(ImportSpec), ProjectSpec, *nested(ProjectSpec)]
    out = [
        "# Definitions\n\nAn import is a file `imports/NAME.yaml`. The project's settings are in `headgate.yaml`. A key that is not listed"
        " here is refused, with its place and a suggestion. `headgate schema` prints the same as JSON Schema, for editors.\n\n"
        "Where a list of names is expected, a single name may stand for it. Texts may hold references, which are put in when the definition is used: `${env:NAME}` (an environment variable)"
        " and `${file:PATH}` (a file's content, such as a mounted secret).\n"
    ]
    for model in models:
        out.append(f"\n## {title(model)}\n\n{inspect.getdoc(model)}\n\n")
        rows = (
            [code(f.alias or name), kind(f.annotation), default(f), f.description or ""]
            for name, f in model.model_fields.items()
        )
        out.append(table(["key", "value", "default", "meaning"], rows))
    return "".join(out)


TYPES = {
    "text": ("string, varchar, char, str", "Text of any length; `text(n)`: at most n characters."),
    "smallint": ("", "Whole number of 16 bits, -32768 to 32767."),
    "integer": ("int", "Whole number of 32 bits, up to 2147483647."),
    "bigint": ("long", "Whole number of 64 bits, up to 9223372036854775807."),
    "decimal": ("numeric", "Exact number; `decimal(p,s)`: p digits in all (at most 38), s of them after the point. Plain `decimal` is `decimal(38,10)`."),
    "double": ("float, real", "Number of 64 bits with a floating point, never infinite."),
    "boolean": ("bool", "True or false."),
    "date": ("", "Day, without a zone."),
    "time": ("", "Time of day, to the microsecond."),
    "timestamp": ("datetime", "Day and time without a zone, to the microsecond."),
    "timestamptz": ("", "Moment in time: day and time with a zone, to the microsecond."),
    "uuid": ("", "Universally unique identifier."),
    "json": ("", "JSON document."),
    "binary": ("bytes, blob", "Bytes, written as hexadecimal or Base64."),
}  # fmt: skip


def field_types() -> str:
    """The types a field may have."""
    rows = (
        [code(k), ", ".join(code(a) for a in TYPES[k][0].split(", ") if a), TYPES[k][1]] for k in KINDS if k != "other"
    )
    return (
        "# Types\n\nThe `type` of a field. A value that is not of the type, or that the type would change, is a reject"
        " ([codes](codes.md), TY01 to TY13), never a silent conversion. Without a `type`, a field has that of the destination's column.\n\n"
        + table(["type", "also", "holds"], rows)
    )


# --- codes, outcomes, exit codes ---------------------------------------------------------------------------------------

GROUPS = {
    "RD": "Reading", "TY": "Types", "RU": "Rules of a field", "TR": "Transforms", "EX": "Expressions", "LK": "Lookups",
    "KY": "Keys", "DE": "Refused by the destination", "FI": "Files that are moved", "HE": "Held", "UN": "Not known",
}  # fmt: skip


def codes() -> str:
    """Every code of a reject."""
    out = [
        "# Codes of rejects\n\nEvery refused record carries a code. A code never changes its meaning and is never used again.\n"
    ]
    for group, name in GROUPS.items():
        rows = (
            [f'<a id="{c.code}"></a>{code(c.code)}', code(c.name), c.meaning, code(c.bad), code(c.good), c.way_out]
            for c in CODES.values()
            if c.code.startswith(group)
        )
        out.append(f"\n## {name}\n\n" + table(["code", "name", "meaning", "bad", "good", "way out"], rows))
    return "".join(out)


OUTCOMES = {
    Outcome.CREATED: "was not at the destination, is now",
    Outcome.UPDATED: "was there, and at least one field was different",
    Outcome.UNCHANGED: "was there with the same values; nothing was written",
    Outcome.DELETED: "was there, and is no more (`operation: delete`, `delete_when`)",
    Outcome.SKIPPED: "left out on purpose: by the `filter`, as a `duplicate`, as `existing` or `missing`",
    Outcome.INVALID: "refused by a rule of the definition, before it reached the destination",
    Outcome.REJECTED: "refused in the matching, or by the destination itself",
    Outcome.HELD: "left alone because the destination's record changed after the plan was made",
    Outcome.UNKNOWN: "sent, and no answer yet",
}  # fmt: skip
COUNTS = {
    "read": "records read from the source",
    **{o.value: w for o, w in OUTCOMES.items()},
    "mirror_deleted": "records of the destination that mirror deleted (or marked), because the source has them no more; they are no records of the source and so stand outside the sum",
    "skips": "how many were skipped, by reason",
    "balance": "`read` less all outcomes; a run is kept only if it is 0",
}


def outcomes() -> str:
    """What becomes of records, and the account in JSON."""
    rows = ([code(o.value), text, "yes" if o in REJECTS else ""] for o, text in OUTCOMES.items())
    keys = ([code(k), COUNTS[k]] for k in Account().as_dict())
    return (
        "# Outcomes\n\nEvery record read ends in exactly one outcome:\n\n"
        + table(["outcome", "of a record that", "counts as a reject"], rows)
        + "\n`read = created + updated + unchanged + deleted + skipped + invalid + rejected + held + unknown`. A run that does not balance is not kept.\n"
        "\n## The account in JSON\n\nThe key `account` of a run or a plan in `--json` holds:\n\n"
        + table(["key", "meaning"], keys)
    )


EXIT_CODES = {
    0: "All well.",
    1: "Failed; nothing that was not committed before is kept.",
    2: "Wrong use: the command, an option or the definition is wrong. Nothing was read or written.",
    3: "Done, with rejects: the good records are in, the others are listed by `headgate rejects`.",
    130: "Stopped by a person (Ctrl-C); nothing half written is left.",
}


def exit_codes() -> str:
    """Exit codes, and the errors that lead to them."""

    def tree(cls: type[errors.HeadgateError]) -> list[type[errors.HeadgateError]]:
        return [cls, *(c for s in cls.__subclasses__() for c in tree(s) if c.__module__ == errors.__name__)]

    rows = (
        [code(e.__name__), (inspect.getdoc(e) or "").split("\n\n")[0], str(e.exit_code), "yes" if e.retryable else ""]
        for e in tree(errors.HeadgateError)
    )
    return (
        "# Exit codes and errors\n\n"
        + table(["exit code", "meaning"], ([str(c), m] for c, m in EXIT_CODES.items()))
        + "\nErrors are written to standard error as a message and a way out. In Python they are exceptions of `headgate.model.errors`:\n\n"
        + table(["error", "meaning", "exit code", "may pass when tried again"], rows)
    )


# --- transforms, commands, connectors ----------------------------------------------------------------------------------


def transforms() -> str:
    """Every transform with its settings and examples."""
    from headgate.mapping import TRANSFORMS

    out = [
        "# Transforms\n\nA field's `transform` is a name or a list of them, done in order; one with settings is written `{name: settings}`."
        " Settings can be named (`{split: {by: ' ', take: -1}}`), listed in order (`{split: [' ', -1]}`), or, where one is enough, bare"
        " (`{truncate: 3}`). Transforms make text of text, before the field's type is read; a blank stays blank. What one can make"
        " nothing of is a reject [TR01].\n\n"
        + table(["transform", "does"], ([f"[{code(t.name)}](#{t.name})", t.summary] for t in TRANSFORMS.values()))
    ]
    for t in TRANSFORMS.values():
        out.append(f"\n## {t.name}\n\n{t.summary}\n")
        if t.settings:
            rows = (
                [
                    code(s.name),
                    SETTINGS.get(s.kind, ", ".join(map(code, s.kind.split("|")))),
                    written(s.default),
                    s.summary,
                ]
                for s in t.settings
            )
            out.append("\n" + table(["setting", "value", "default", "meaning"], rows))
        if t.examples:
            rows = ([code(f"transform: {flow(e.use)}"), code(e.before), result(e.after)] for e in t.examples)
            out.append("\n" + table(["written as", "makes of", "this"], rows))
    return "".join(out)


SETTINGS = {
    "text": "text",
    "number": "whole number",
    "texts": "text, or a list of them",
    "pairs": "mapping of text",
    "formats": "format, or a list of them",
}


def written(value: object) -> str:
    """A setting's default, as it would be written."""
    from headgate.mapping.transforms.base import NOTHING

    return "**required**" if value is NOTHING else flow(value) if value in ("", ()) else code(flow(value))


def flow(value: object) -> str:
    """A value as YAML in one line."""
    if value == "":
        return "nothing"
    if value == ():
        return "none"
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1000)
        .removesuffix("...\n")
        .strip()
    )


def result(after: str | None) -> str:
    """What an example gives: a text, nothing, or a reject."""
    if after is None:
        return "no value"
    return f"reject [{after}](codes.md#{after})" if after in CODES else code(after)


def json_output() -> str:
    """What `--json` prints, from the descriptions of the functions that make it."""
    from headgate import report

    shapes = {
        "Runs": report.run_json, "Plans": report.plan_json, "Rejects": report.rejects_json,
        "Retries": report.retry_json, "Hooks": report.hooks_json, "Events": report.event_json,
    }  # fmt: skip
    out = [
        "# JSON output\n\nWith `--json` a command prints one document to standard output, and nothing else there. Several runs are a list.\n"
    ]
    for name, function in shapes.items():
        text = (inspect.getdoc(function) or "").partition("\n\nArgs:")[0].replace("``", "`")
        out.append(f"\n## {name}\n\n{text}\n")
    keys = ([code(k), w] for k, w in FAILURE.items())
    return (
        "".join(out)
        + '\n## Failures\n\nA command that fails prints `{"error": {...}}`, and its exit code is not 0:\n\n'
        + table(["key", "meaning"], keys)
    )


FAILURE = {
    "kind": "the error, by its name in [Exit codes and errors](exit-codes.md)",
    "message": "what happened, and where",
    "hint": "what to do about it; empty where there is nothing to say",
    "exit_code": "the command's exit code",
}


def commands() -> str:
    """Every command with its options."""
    from headgate.cli.main import cli

    root = click.Context(cli, info_name="headgate", **cli.context_settings)
    out = ["# Commands\n\n" + help_of(cli, root)]
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        if command and not command.hidden:
            context = click.Context(command, parent=root, info_name=name)
            out.append(f"\n## headgate {name}\n\n" + help_of(command, context))
            out.extend(parts_of(command, context))
    return "".join(out) + "\nThe exit codes are in [exit-codes.md](exit-codes.md).\n"


def parts_of(command: click.Command, context: click.Context) -> Iterator[str]:
    """The commands that a command is made of, if it is."""
    for name, part in command.commands.items() if isinstance(command, click.Group) else ():
        below = click.Context(part, parent=context, info_name=name)
        yield f"\n### {below.command_path}\n\n" + help_of(part, below)


def help_of(command: click.Command, context: click.Context) -> str:
    """A command's help as the terminal shows it at 100 columns."""
    context.terminal_width = context.max_content_width = 100
    return f"```text\n{command.get_help(context).rstrip()}\n```\n"


EXAMPLE_URLS = {
    "memory": "memory://",
    "sqlite": "sqlite:///shop.db",
    "duckdb": "duckdb:///shop.duckdb",
    "postgres": "postgresql://user@localhost/shop",
    "mariadb": "mariadb://user@localhost/shop",
    "mysql": "mysql://user@localhost/shop",
    "file": "file://out",
}


def capabilities(name: str) -> Capabilities:
    """What a destination can do; of one that serves several kinds of servers, with the server of that name."""
    from headgate.spi import registry

    factory = registry.load(registry.DESTINATIONS, name)
    by_server = getattr(factory, "by_server", {})
    found: Capabilities = (
        by_server[name] if name in by_server else factory({"url": EXAMPLE_URLS[name]}, Path()).capabilities
    )
    return found


def connectors() -> str:
    """Every destination with its capabilities."""
    from headgate.spi import registry
    from headgate.spi.destination import HARD_VALUES

    out = [
        "# Connectors\n\nA connection's URL says which connector it uses. What each can do is declared by the connector and checked before anything is read.\n"
    ]
    for name, url in EXAMPLE_URLS.items():
        factory = registry.load(registry.DESTINATIONS, name)
        c = capabilities(name)
        rows = [
            ["URL", code(url)],
            ["operations", ", ".join(code(o.value) for o in Operation if o in c.operations)],
            ["all or nothing", yes(c.transactional)],
            ["tells a refused record from its neighbours", yes(c.row_rejects)],
            ["makes tables", yes(c.create_table)],
            ["types that come back exactly as written", ", ".join(code(k) for k in KINDS if k in c.exact_types)],
            ["longest column name", f"{c.max_identifier} bytes" if c.max_identifier else "no limit"],
            [
                "columns of a table that can be planned and undone",
                f"{c.max_columns:,}" if c.max_columns else "no limit",
            ],
            ["column names that differ only in case", "are one name" if c.folds_case else "are different"],
            [
                "refuses records with",
                ", ".join(w for n, w in HARD_VALUES.items() if n in c.refuses) or "nothing of this kind",
            ],
        ]
        out.append(
            f"\n## {name}\n\n{(inspect.getdoc(factory) or '').split(chr(10) * 2)[0]}\n\n" + table(["", ""], rows)
        )
        out.extend(f"- cannot: {gap}\n" for gap in c.gaps.values())
    return "".join(out) + folders() + apis()


def folders() -> str:
    """What a connection to a folder of files can say."""
    from headgate.connectors.tofiles.options import FileOptions

    out = []
    for model in (FileOptions, *nested(FileOptions)):
        rows = (
            [code(name), kind(f.annotation), default(f), f.description or ""] for name, f in model.model_fields.items()
        )
        out.append(f"\n### {title(model)}\n\n{inspect.getdoc(model)}\n\n")
        out.append(table(["key", "value", "default", "meaning"], rows))
    return "".join(out)


def apis() -> str:
    """What a connection to an API can say."""
    from headgate.connectors.http.options import ApiOptions

    out = [
        "\n# Sources\n\nFiles need no connection; what can be said of them is in [Definitions](definition.md#source)."
    ]
    out.append(" A connection whose URL is `https://HOST/PATH` is an API, and has the keys of the first table.\n")
    for model in (ApiOptions, *nested(ApiOptions)):
        out.append(f"\n## {title(model)}\n\n{inspect.getdoc(model)}\n\n")
        rows = (
            [code(name), kind(f.annotation), default(f), f.description or ""] for name, f in model.model_fields.items()
        )
        out.append(table(["key", "value", "default", "meaning"], rows))
    return "".join(out) + known()


def known() -> str:
    """The applications whose APIs are known."""
    from headgate.connectors.http.presets import presets

    out = [
        "\n# Presets\n\nA connection with `preset: NAME` has what the preset knows, and what it says itself goes before.\n"
    ]
    for name, preset in presets().items():
        out.append(
            f"\n## {name}\n\n{preset['title']}: <{preset['documentation']}>\n\n{' '.join(preset['notes'].split())}\n\n"
        )
        if preset.get("settings"):
            rows = [
                [code(s), about.get("default", ""), about["description"]] for s, about in preset["settings"].items()
            ]
            out.append(table(["setting", "default", "meaning"], rows) + "\n")
        endpoints = ("find", "create", "update", "upsert", "delete", "listing")
        rows = [
            [
                code(resource),
                ", ".join(e for e in endpoints if e in has),
                _of_resource(has),
            ]
            for resource, has in preset["resources"].items()
        ]
        out.append(table(["resource", "endpoints", "fields"], rows))
    return "".join(out)


def _of_resource(has: Mapping[str, Any]) -> str:
    """The fields of a preset's resource."""
    listed = {"": has.get("fields", {})} | {
        f"; each of {code(n)}: ": of["fields"] for n, of in has.get("entries", {}).items()
    }
    said = "".join(what + ", ".join(f"{code(f)} {of}" for f, of in fields.items()) for what, fields in listed.items())
    only = ", ".join(map(code, has.get("write_only", ())))
    return (said or "any") + (f"; only written: {only}" if only else "")


def promised() -> str:
    """What each destination promises."""
    return guarantees({name: capabilities(name) for name in EXAMPLE_URLS}, table)


def yes(value: bool) -> str:
    """A truth value as a word."""
    return "yes" if value else "no"


PAGES: dict[str, Callable[[], str]] = {
    "definition.md": definition,
    "types.md": field_types,
    "transforms.md": transforms,
    "codes.md": codes,
    "outcomes.md": outcomes,
    "json.md": json_output,
    "commands.md": commands,
    "http-api.md": http_api,
    "exit-codes.md": exit_codes,
    "connectors.md": connectors,
    "../guarantees.md": promised,
}


def page(name: str) -> str:
    """A page as the code would have it now."""
    return NOTE + PAGES[name]()


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    changed = [n for n in PAGES if not (HERE / n).exists() or (HERE / n).read_text() != page(n)]
    for name in changed:
        if not check:
            (HERE / name).write_text(page(name))
        sys.stdout.write(f"docs/reference/{name} {'differs from the code' if check else 'written'}\n")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
