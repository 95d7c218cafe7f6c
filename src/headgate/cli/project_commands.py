"""`headgate init`, `check`, `imports`, `connections` and `schema`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.model.counting import verb
from headgate.model.errors import HeadgateError, UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.project import Definition, Project

_REFUSED = 3
_SETTINGS = """\
# A Headgate project: connections here, imports in imports/*.yaml.
connections:
  shop: sqlite:///shop.db
  # warehouse: postgresql://loader:${env:WAREHOUSE_PASSWORD}@localhost/warehouse
"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Make a project: headgate.yaml, imports/, inbox/.

    \b
    Example:
      headgate init shop

    \b
    Exit codes: 0 all well; 2 there is a project already.
    """
    if (folder / "headgate.yaml").exists():
        raise UsageError(f"{folder} is a project already")
    for part in (folder / "imports", folder / "inbox"):
        part.mkdir(parents=True, exist_ok=True)
    (folder / "headgate.yaml").write_text(_SETTINGS, encoding="utf-8")
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(".headgate/\n", encoding="utf-8")
    if as_json:
        print_json({"project": str(folder.resolve())})
    else:
        click.echo(f"Made a project in {folder}. Put a file into inbox/ and go on with:")
        click.echo("  headgate new inbox/FILE --into shop#TABLE --key FIELD")


@click.command()
@click.argument("names", nargs=-1, metavar="[IMPORT | FILE | CONNECTION#TABLE]...")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set any key of the definition (`source.delimiter=;`).",
)
@json_option
def check(names: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> int:
    """Check definitions against their source and destination, or show what is found in a FILE of records or a table.

    \b
    Example:
      headgate check
      headgate check products
      headgate check inbox/prices.csv

    \b
    Exit codes: 0 all well; 1 or 2 something is wrong.
    """
    from headgate.app.project import find_project

    project = find_project()
    chosen = list(names) or list(project.import_files)
    if not chosen:
        raise UsageError(
            "there is nothing to check: no imports/*.yaml here", hint="headgate check FILE shows what is in a file."
        )
    results, worst = [], 0
    for name in chosen:
        try:
            result = _check(project, name, settings)
        except HeadgateError as e:
            if len(chosen) == 1:
                raise
            result = {"name": name, "ok": False, "error": e.message, "hint": e.hint}
            worst = max(worst, e.exit_code)
        results.append(result)
        if not as_json:
            _show_check(result)
    if as_json:
        print_json(results)
    return worst


def _check(project: Project, name: str, settings: tuple[str, ...]) -> dict[str, Any]:
    from headgate.app.moving import check_files
    from headgate.app.oneline import definition_for
    from headgate.app.service import check, destination_name

    if name not in project.import_files and not name.endswith((".yaml", ".yml")):
        return _look(project, name, settings)
    definition = definition_for(project, name, settings=settings)
    if definition.spec.moves_files:
        return check_files(project, definition)
    with closing(check(project, definition)) as prepared:
        return {
            "name": name,
            "ok": True,
            "operation": prepared.spec.operation.value,
            "destination": destination_name(project, definition),
            "partitions": [p.name for p in prepared.partitions],
            "findings": dict(prepared.first.findings),
            "fields": [{"name": f.name, "type": str(f.type)} for f in prepared.write.fields],
            "lookups": prepared.found,
            "schema_changes": [c.summary for c in prepared.schema_changes],
            "warnings": prepared.warnings,
        }


def _look(project: Project, name: str, settings: tuple[str, ...]) -> dict[str, Any]:
    """What is found in a file of records."""
    from headgate.app.oneline import definition_for
    from headgate.engine.nested import nested
    from headgate.mapping import notations
    from headgate.model.values import python_rows
    from headgate.report.found import decisions

    wanted = definition_for(project, name, into="memory://look#look", settings=settings)
    with closing(nested(project.source(wanted.spec.source, wanted.base), wanted.spec)) as source:
        partitions = source.partitions()
        with closing(source.open(partitions[0])) as scan:
            batches = iter(scan.batches())
            first = next(batches, None)
            rows = python_rows(first.records.slice(0, 5)) if first is not None else []
            faults = first.faults[:_REFUSED] if first is not None else ()
            places = scan.locate([f.ordinal for f in faults])
            if close := getattr(batches, "close", None):
                close()
            return {
                "name": name,
                "ok": True,
                "partitions": [p.name for p in partitions],
                "findings": dict(scan.findings),
                "decisions": [d.json() for d in decisions(scan.findings, wanted.spec.source.model_fields_set)],
                "columns": list(scan.schema.names),
                "looked_at": len(first) if first is not None else 0,
                "refused": len(first.faults) if first is not None else 0,
                "first_refused": [
                    {"row": o.row, "line": o.line, "code": f.problem.code, "reason": f.problem.reason}
                    for f, o in zip(faults, places, strict=True)
                ],
                "first_records": rows,
                "numbers": {n: one.words for n, one in notations(first.records).items()} if first is not None else {},
            }


def _show_check(result: dict[str, Any]) -> None:
    out = console()
    if not result["ok"]:
        out.print(f"✗ {result['name']}: {result['error']}", markup=False)
        if result["hint"]:
            out.print(f"  {result['hint']}", markup=False)
        return
    out.print(f"✓ {result['name']}", markup=False)
    if result.get("decisions"):
        _show_decisions(result, out)
        _show_records(result, out)
        return
    findings = {k: v for k, v in result["findings"].items() if isinstance(v, str | int) and v != ""}
    out.print("  found: " + ", ".join(f"{k} {_shown(v)}" for k, v in findings.items()), markup=False)
    if unsure := {k: v for k, v in (result["findings"].get("sure") or {}).items() if v < 1}:
        out.print("  sure: " + ", ".join(f"{k} {v:.0%}" for k, v in unsure.items()), markup=False)
    for note in result["findings"].get("notes") or []:
        out.print(f"  note: {note}", markup=False)
    if "columns" in result:
        _show_refused(result, out)
        _show_records(result, out)
        return
    fields = ", ".join(f"{f['name']} {f['type']}" for f in result["fields"])
    what = f": {fields}" if fields else ""  # files that are moved have none
    out.print(f"  {result['operation']} into {result['destination']}{what}", markup=False)
    for name, found in result["lookups"].items():
        several = f", {found['ambiguous']:,} of them ambiguous" if found["ambiguous"] else ""
        out.print(
            f"  lookup {name}: {found['entries']:,} {verb(found['entries'], 'entry', 'entries')}{several}", markup=False
        )
    for change in result["schema_changes"]:
        out.print(f"  would {change}", markup=False)
    for warning in result["warnings"]:
        out.print(f"  warning: {warning}", markup=False)


def _show_decisions(result: dict[str, Any], out: Any) -> None:
    """What was decided about a file, how sure, and what says otherwise."""
    from headgate.report.found import remarks
    from headgate.report.words import shown

    decided = result["decisions"]
    width = max(len(d["found"]) for d in decided if d["name"] != "left out")
    for d in decided:
        found, sure, options = d["found"], d["sure"], ", ".join(d["options"])
        told = f"{found}  ({options})" if d["name"] == "left out" else f"{found:{width}}  {sure:14}  {options}"
        out.print(f"  {d['name']:9}  {shown(told)}".rstrip(), markup=False, soft_wrap=True)
    for note in remarks(result["findings"]):
        out.print(f"  note: {shown(note)}", markup=False, soft_wrap=True)
    _show_refused(result, out)
    if any(d["sure"] not in ("", "certain", "as you say") for d in decided):
        out.print("  Decide otherwise: headgate check FILE --set source.delimiter=';', and the same in a definition.")


def _show_refused(result: dict[str, Any], out: Any) -> None:
    from headgate.report.words import shown

    if refused := result["refused"]:
        out.print(f"  {refused:,} of the first {result['looked_at']:,} records would be refused:", markup=False)
    for one in result["first_refused"]:
        place = f"line {one['line']}" if one["line"] else f"row {one['row']}"
        out.print(f"    {place}: {one['code']}, {shown(one['reason'])}", markup=False, soft_wrap=True)


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) and not value.isalnum() else str(value)


def _show_records(result: dict[str, Any], out: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from headgate.report.words import shown

    table = Table(show_edge=False, pad_edge=False)
    columns = result["columns"][:8]
    for column in columns:
        table.add_column(Text(shown(column)), overflow="ellipsis", no_wrap=True, max_width=24)
    for row in result["first_records"]:
        table.add_row(*(Text("" if row[c] is None else shown(str(row[c]))) for c in columns))
    out.print(table)
    for column, words in result["numbers"].items():
        out.print(f"  note: {shown(column)}: {words}", markup=False)
    if more := len(result["columns"]) - len(columns):
        out.print(f"  and {more} more columns: {', '.join(result['columns'][8:])}", markup=False)


@click.command()
@json_option
def imports(as_json: bool) -> None:
    """List the project's imports and how their last run ended.

    \b
    Example:
      headgate imports

    \b
    Exit codes: 0 all well; 2 this is no project.
    """
    from headgate.app.project import find_project

    project = find_project()
    if not project.is_project:
        raise UsageError(f"{project.folder} is no project", hint="Make one: headgate init.")
    rows = [_import_row(project, name) for name in project.import_files]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("No imports yet. Make one: headgate new FILE --into CONNECTION#TABLE --key FIELD")
    _print_table(("import", "operation", "source", "destination", "last run"), rows)


def _import_row(project: Project, name: str) -> dict[str, Any]:
    from headgate.app.service import destination_name, source_name
    from headgate.model.run import Kind

    last = next((r for r in project.ledger.runs(limit=50, import_name=name) if r.kind is Kind.RUN), None)
    ended = f"{last.status} (run {last.id}, {last.started:%Y-%m-%d %H:%M})" if last else "never"
    try:
        definition: Definition = project.load(name)
    except HeadgateError as e:
        return {"import": name, "operation": "", "source": "", "destination": "", "last run": ended, "error": e.message}
    source = source_name(project, definition)
    operation = definition.spec.operation.value
    target = destination_name(project, definition)
    return {"import": name, "operation": operation, "source": source, "destination": target, "last run": ended}


def _print_table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    table = Table(show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(str(row[c])) for c in columns))
        if error := row.get("error"):
            table.add_row("", Text(str(error), style="red"))
    console().print(table)


@click.command()
@click.argument("what", required=False, type=click.Choice(["presets"]))
@click.argument("preset", required=False)
@click.option("--test", is_flag=True, help="Connect to each and count its tables or files.")
@json_option
def connections(what: str | None, preset: str | None, test: bool, as_json: bool) -> int:
    """List the project's connections, without their secrets; `presets` lists the applications whose APIs Headgate knows.

    \b
    Example:
      headgate connections --test
      headgate connections presets hubspot

    \b
    Exit codes: 0 all well; 1 one cannot be reached; 2 this is no project.
    """
    from headgate.app.project import find_project

    if what == "presets":
        from .presets_command import show_presets

        return show_presets(preset, as_json=as_json)
    project = find_project()
    if not project.is_project:
        raise UsageError(f"{project.folder} is no project", hint="Make one: headgate init.")
    rows = []
    for name in project.settings.connections:
        row = {"connection": name, "url": project.shown(name)}
        if test:
            row["state"] = _state(project, name)
        rows.append(row)
    if as_json:
        print_json(rows)
    else:
        _print_table(("connection", "url", "state") if test else ("connection", "url"), rows)
    return 1 if any(not str(r.get("state", "")).startswith(("", "reached")[test]) for r in rows) else 0


def _state(project: Project, name: str) -> str:
    try:
        if (found := project.reach(name)) is not None:
            return f"reached, {found}"
        with closing(project.destination(name, project.folder)) as destination:
            return f"reached, {len(destination.tables())} tables"
    except HeadgateError as e:
        return e.message


@click.command()
@click.option("--project", "for_project", is_flag=True, help="The schema of headgate.yaml instead of an import's.")
@click.option("--json", is_flag=True, expose_value=False, help="Changes nothing: a schema is JSON.")
def schema(for_project: bool) -> None:
    """Print the JSON Schema of definitions, for editors.

    \b
    Example:
      headgate schema > import.schema.json

    \b
    Exit codes: 0 all well.
    """
    from headgate.model.spec import ImportSpec, ProjectSpec

    model = ProjectSpec if for_project else ImportSpec
    data = model.model_json_schema(by_alias=True)
    data["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    print_json(data)
