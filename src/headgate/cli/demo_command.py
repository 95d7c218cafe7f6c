"""`headgate demo`: the shop's story on bundled real data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.model.errors import UsageError

from .output import console, json_option, print_json

if TYPE_CHECKING:
    from headgate.app.project import Project
    from headgate.model.run import Run

# Prices update products, so products come first.
ORDER = ("products", "categories", "countries", "goods-received", "prices", "supplier-prices")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="demo-shop")
@click.option("--force", is_flag=True, help="Start again where the folder is there already.")
@json_option
def demo(folder: Path, force: bool, as_json: bool) -> None:
    """Run a shop's imports on bundled real data, into SQLite: look before, run, see what was refused, run again.

    \b
    Example:
      headgate demo
      headgate demo my-shop

    \b
    Exit codes: 0 all went as the story goes; 1 failed; 2 the folder is there already.
    """
    from headgate.app.project import open_project

    _copy(folder, force=force)
    project = open_project(folder)
    story = _Story(project, as_json=as_json)
    story.tell(f"A bicycle shop's data in {folder}: a product list in Excel, price lists, goods received, countries.")
    story.plan("products", "1. Look before: what would importing the product list do?")
    story.run_plan("2. Do exactly that.")
    story.runs(
        ORDER[1:-1],
        "3. The shop's other files: a table to mirror, countries (Namibia's code is NA), five days of goods, three price lists.",
    )
    story.runs(ORDER[-1:], "4. A supplier's list with mistakes in it: good rows go in, bad ones are refused and shown.")
    story.rejects()
    again = story.runs(ORDER, "5. Everything once more: nothing changes.", quiet=True)
    changed = sum(
        r.account.outcomes[o] for r in again for o in r.account.outcomes if o in ("created", "updated", "deleted")
    )
    story.tell(f"   {sum(r.account.read for r in again):,} records read again, {changed} changed.")
    story.end(folder)


def _copy(folder: Path, *, force: bool) -> None:
    bundled = Path(__file__).parent.parent / "demo"
    if folder.exists() and any(folder.iterdir()):
        if not force:
            raise UsageError(
                f"{folder} is there already",
                hint=f"headgate demo --force starts it again, or name another folder: headgate demo {folder}-2",
            )
        if not (folder / "headgate.yaml").is_file():
            raise UsageError(f"{folder} is no demo project; it is left alone")
        shutil.rmtree(folder)
    shutil.copytree(bundled, folder, ignore=shutil.ignore_patterns("__pycache__"))


class _Story:
    """Executes and tells."""

    def __init__(self, project: Project, *, as_json: bool) -> None:
        self._project = project
        self._json = as_json
        self._out = console()
        self._data: list[Any] = []
        self._last: Run | None = None
        # The ledger of the demo is the demo's own, whatever HEADGATE_HOME says.
        os.environ.pop("HEADGATE_HOME", None)

    def tell(self, text: str) -> None:
        if not self._json:
            self._out.print(
                f"\n{text}" if text[0].isdigit() else text, markup=False, style="bold" if text[0].isdigit() else ""
            )

    def plan(self, name: str, text: str) -> None:
        from headgate.app.service import make_plan

        from .run_commands import show_plan

        self.tell(text)
        self._command(f"headgate plan {name}")
        run = self._last = make_plan(self._project, self._project.load(name))
        self._data.append(show_plan(self._project, run, samples=3, as_json=self._json))

    def run_plan(self, text: str) -> None:
        from headgate.app.service import run_saved_plan

        assert self._last is not None
        self.tell(text)
        self._command(f"headgate run --plan {self._last.id}")
        self._show(run_saved_plan(self._project, self._last.id))

    def runs(self, names: tuple[str, ...], text: str, *, quiet: bool = False) -> list[Run]:
        from headgate.app.service import run_import

        self.tell(text)
        done = []
        for name in names:
            if not quiet:
                self._command(f"headgate run {name}")
            run = run_import(self._project, self._project.load(name))
            if not quiet or self._json:
                self._show(run)
            done.append(run)
            if not quiet:
                self._last = run
        if quiet:
            self._command(f"headgate run {' '.join(names)}")
        return done

    def rejects(self) -> None:
        from headgate.report import rejects_text

        assert self._last is not None
        self._command(f"headgate rejects {self._last.id}")
        if not self._json:
            rejects_text(self._project.ledger.rejects(self._last.id), self._out)

    def end(self, folder: Path) -> None:
        if self._json:
            print_json(self._data)
            return
        number = self._last.id if self._last else 1
        self.tell("Go on yourself:")
        for line in (
            f"cd {folder}",
            "headgate runs",
            f"headgate show {number}",
            f"headgate rejects {number} --xlsx fix.xlsx",
            "headgate new inbox/products.xlsx --into shop#product2 --key product_no --print",
        ):
            self._command(line)

    def _command(self, text: str) -> None:
        if not self._json:
            self._out.print(f"$ {text}", markup=False, style="cyan")

    def _show(self, run: Run) -> None:
        from .run_commands import show_run

        self._data.append(show_run(self._project, run, as_json=self._json))
