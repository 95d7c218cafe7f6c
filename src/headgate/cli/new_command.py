"""`headgate new`: a definition proposed from a file, or from the description of an API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.model.errors import UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.draft import ProposedField
    from headgate.app.openapi import Api, ApiDraft
    from headgate.app.project import Project

_RECORDS = "source.request.records="


@click.command()
@click.argument("file", metavar="[FILE | NAME]", required=False)
@click.option("--into", metavar="CONNECTION#TABLE", help="Where the records go.")
@click.option(
    "--key", multiple=True, metavar="FIELD", help="Field that says which record this is; several times or with commas."
)
@click.option(
    "--operation", help="insert, update, upsert (default with a key), delete, mirror, append (default without)."
)
@click.option("--name", help="Name of the import; by default the file's, or the path's of an API.")
@click.option(
    "--openapi",
    metavar="FILE|URL",
    help="Propose it from the description of an API, an OpenAPI document (3.0, 3.1) or Swagger 2.0, JSON or YAML.",
)
@click.option(
    "--path",
    metavar="PATH",
    help="With --openapi: what to ask for (`/customers`); without it, what there is is listed.",
)
@click.option(
    "--connection",
    metavar="NAME",
    help="With --openapi: the connection to the API, one of the project or a name for a new one.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set any key of the definition's source (`source.sheet=Prices`); with --openapi only source.request.records.",
)
@click.option("--print", "only_print", is_flag=True, help="Print the definition instead of writing imports/NAME.yaml.")
@json_option
def new(
    file: str | None, into: str | None, key: tuple[str, ...], operation: str | None, name: str | None, openapi: str | None,
    path: str | None, connection: str | None, settings: tuple[str, ...], only_print: bool, as_json: bool,
) -> int:  # fmt: skip
    """Propose the definition of an import from a FILE: columns found, matched to the table's, typed. Or from the
    description of an API: how it is asked, paged and logged in to, and the fields of its records.

    \b
    Example:
      headgate new inbox/products.xlsx --into shop#product --key product_no
      headgate new --openapi openapi.yaml --path /customers --into shop#customer

    \b
    Exit codes: 0 all well; 1 the file or the table cannot be read; 2 wrong use, or it is to be said which path.
    """
    if openapi is None:
        if file is None or into is None:
            raise UsageError(
                f"new needs {'a FILE' if file is None else '--into CONNECTION#TABLE'}",
                hint="headgate new FILE --into CONNECTION#TABLE --key FIELD; for an API: headgate new --openapi FILE.",
            )
        if path is not None or connection is not None:
            raise UsageError("--path and --connection go with --openapi")
        _from_file(file, into, key, operation, name, settings, only_print=only_print, as_json=as_json)
        return 0
    if file is not None and (name is not None or not file.replace("-", "").replace("_", "").isalnum()):
        raise UsageError(f"with --openapi there is no FILE to read: {file}", hint="The import's name: --name NAME.")
    from headgate.app.openapi import choose, propose_api, read_api
    from headgate.app.project import find_project

    project = find_project()
    records = _records(settings)
    api = read_api(project, openapi)
    listing = choose(api, path, records) if into is not None or path is not None else None
    if listing is None:
        _list(api, openapi, as_json=as_json)
        return 0 if into is None else 2
    if into is None:
        raise UsageError("new needs --into CONNECTION#TABLE", hint="Where do the records go?")
    draft = propose_api(project, api, listing, into, key=key, operation=operation, name=connection)
    _write_api(project, draft, file or name or draft.name, only_print=only_print, as_json=as_json)
    return 0


def _from_file(
    file: str, into: str, key: tuple[str, ...], operation: str | None, name: str | None, settings: tuple[str, ...], *,
    only_print: bool, as_json: bool,
) -> None:  # fmt: skip
    from headgate.app.draft import propose
    from headgate.app.oneline import definition_for
    from headgate.app.project import find_project

    project = find_project()
    source_only = tuple(s for s in settings if s.startswith("source."))
    wanted = definition_for(project, file, into=into, key=key, operation=operation, settings=source_only)
    draft = propose(project, wanted)
    target = _target(project, name or wanted.name, only_print=only_print)
    if target is not None:
        _write(target, draft.text)
    if as_json:
        print_json({
            "file": None if target is None else str(target), "definition": draft.text, "fields": _fields(draft.fields),
            "findings": dict(draft.findings), "unmatched": draft.unmatched, "uncovered": draft.uncovered,
        })  # fmt: skip
        return
    click.echo(draft.text, nl=False)
    _show_rest(project, target, "No column of the table fits", draft.unmatched, draft.uncovered)


def _fields(fields: list[ProposedField]) -> list[dict[str, Any]]:
    return [{"name": f.name, "from": f.column, "type": str(f.type), "confidence": f.confidence} for f in fields]


def _show_rest(project: Project, target: Path | None, title: str, unmatched: list[str], uncovered: list[str]) -> None:
    for words, names in ((title, unmatched), ("The table's columns without a value", uncovered)):
        if names:
            click.echo(f"# {words}: {', '.join(names)}")
    if target is not None:
        click.echo(f"\nWritten to {target.relative_to(project.folder)}. Next: headgate plan {target.stem}")


def _target(project: Project, name: str, *, only_print: bool) -> Path | None:
    """The file that is to be written; None if there is none to write."""
    if only_print:
        return None
    target = project.folder / "imports" / f"{name}.yaml"
    if target.exists():
        raise UsageError(f"{target} is there already", hint="Choose another name: --name NAME.")
    return target


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _records(settings: tuple[str, ...]) -> str | None:
    """What was set of where the records are."""
    if others := [s for s in settings if not s.startswith(_RECORDS)]:
        raise UsageError(
            f"--set {others[0]}: with --openapi only source.request.records is set",
            hint="Change the definition once it is written.",
        )
    return settings[-1].removeprefix(_RECORDS) if settings else None


def _list(api: Api, document: str, *, as_json: bool) -> None:
    """What there is to ask for."""
    from rich.table import Table
    from rich.text import Text

    from headgate.app.openapi import listings
    from headgate.report.words import shown

    there = listings(api)
    if as_json:
        print_json({
            "operations": [{"path": o.path, "records": o.records, "summary": o.summary} for o in there],
        })  # fmt: skip
        return
    if not there:
        click.echo(
            f"No GET request in {document} is said to answer with a list of records. One can be named: --path PATH"
        )
        return
    table = Table(show_edge=False, pad_edge=False)
    for column in ("path", "records", "what it is"):
        table.add_column(column)
    for one in there:
        table.add_row(*(Text(shown(v)) for v in (one.path, one.records or "the answer", one.summary)))
    console().print(table)
    click.echo(f"\nChoose one: headgate new --openapi {document} --path {there[0].path} --into CONNECTION#TABLE")


def _write_api(project: Project, draft: ApiDraft, name: str, *, only_print: bool, as_json: bool) -> None:
    from headgate.app.openapi import connection_lines, with_connection
    from headgate.app.project import SETTINGS

    there = draft.connection
    target = _target(project, name, only_print=only_print)
    if target is not None and there.options:
        if not project.is_project:
            raise UsageError(
                f"{project.folder} is no project, so there is nowhere to keep the connection to the API",
                hint="Make one: headgate init. Or look at it only: --print.",
            )
        settings = project.folder / SETTINGS
        settings.write_text(with_connection(settings.read_text(encoding="utf-8"), there, settings), encoding="utf-8")
    if target is not None:
        _write(target, draft.text)
    added = connection_lines(there) if there.options else []
    if as_json:
        print_json({
            "file": None if target is None else str(target), "definition": draft.text, "fields": _fields(draft.fields),
            "connection": {"name": there.name, "added": "".join(f"{line}\n" for line in added)},
            "remarks": draft.remarks + there.remarks, "unmatched": draft.unmatched, "uncovered": draft.uncovered,
        })  # fmt: skip
        return
    if added:
        click.echo(f"# {'Added to' if target is not None else 'For'} {SETTINGS}:")
        click.echo("".join(f"#   {line}\n" for line in ["connections:", *(f"  {line}" for line in added)]))
    click.echo(draft.text, nl=False)
    _show_rest(project, target, "No column of the table fits", draft.unmatched, draft.uncovered)
