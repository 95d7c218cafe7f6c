#!/usr/bin/env python3
"""Everything a developer does, from a fresh clone, with nothing but Python and git.

    python3 go.py demo             make a shop's project from the bundled data and import it
    python3 go.py test [ARGS]      the tests (ARGS go to pytest)
    python3 go.py check            linters, types, layers
    python3 go.py bench [ARGS]     benchmarks (python3 go.py bench --help)
    python3 go.py crash [ARGS]     kill runs at every instant and compare (--kills 5000)
    python3 go.py docs             write docs/reference anew
    python3 go.py ANYTHING ELSE    headgate itself: python3 go.py run FILE --into sqlite:///shop.db#product --key sku

The first call makes a virtual environment in .venv and installs the project there, with uv where it can be had, with pip
otherwise. Later calls install again only when pyproject.toml changes.
"""

import sys

# No newer syntax than Python 3.6 in this file, or an old Python could not even say this.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    have = "%d.%d" % sys.version_info[:2]  # noqa: UP031
    sys.exit("Headgate needs Python 3.11, 3.12 or 3.13; this is " + have + ". Try: python3.12 go.py")

import hashlib
import os
import shutil
import subprocess
import time
import venv
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "installed"
EXTRAS = ("", "[test]", "[dev]")  # each holds what the ones before it hold
NEEDS = {"test": "[test]", "bench": "[test]", "crash": "[test]", "check": "[dev]"}
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return
    os.chdir(ROOT)
    # Starting without bytecode takes three times as long, and a virtual environment is ours to write to.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command, rest = arguments[0], arguments[1:]
    install(NEEDS.get(command, ""))
    if command == "check":
        sys.exit(check())
    if command == "test":
        # Many tests wait for a process; and each worker has servers of its own, which is why there are not many.
        become(PYTHON, "-m", "pytest", "-n", str(min(4, (os.cpu_count() or 1) + 1)), *rest)
    if command == "bench":
        become(PYTHON, "bench/run.py", *rest)
    if command == "crash":
        become(PYTHON, "tests/support/crashing.py", *rest)
    if command == "docs":
        become(PYTHON, "docs/generate.py", *rest)
    become(BIN / "headgate", *arguments)


def install(extra: str) -> None:
    """Bring .venv up to pyproject.toml and `extra`; do nothing when it is."""
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    have = STAMP.read_text().split("\n") if STAMP.exists() else [""]
    if have[0] == project and extra in have[1:] and PYTHON.exists():
        return
    began = time.monotonic()
    print(f"go.py: installing Headgate into {VENV.name} ...", end="", file=sys.stderr, flush=True)
    uv = environment()
    install = (
        [uv, "pip", "install", "--python", str(PYTHON), "--compile-bytecode"]
        if uv
        else [str(PYTHON), "-m", "pip", "install"]
    )
    quiet(*install, "--quiet", "--editable", f".{extra}")
    STAMP.write_text("\n".join([project, *EXTRAS[: EXTRAS.index(extra) + 1]]))
    print(f" done in {time.monotonic() - began:.0f} s", file=sys.stderr)


def environment() -> "str | None":
    """Make .venv if it is not there or no longer works; give uv's path, or None where uv cannot be had."""
    uv = shutil.which("uv")
    works = PYTHON.exists() and subprocess.run([PYTHON, "-c", ""], capture_output=True, check=False).returncode == 0
    if not works and uv:
        quiet(uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV)
    elif not works:
        try:
            venv.create(VENV, clear=True, with_pip=True)
        except subprocess.CalledProcessError:
            sys.exit(
                "\ngo.py: this Python cannot make virtual environments. On Debian: apt install python3-venv; or install uv."
            )
    own = BIN / ("uv.exe" if os.name == "nt" else "uv")
    if not uv and not own.exists():
        subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "uv"], capture_output=True, check=False)
    return uv or (str(own) if own.exists() else None)


def quiet(*command: str | Path) -> None:
    """Run a command, and show what it said only if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"\n{done.stdout}\ngo.py: failed: {' '.join(map(str, command))}")


def check() -> int:
    """Run every check, the later ones too when an earlier one fails."""
    failed = [c for c in CHECKS if subprocess.run([BIN / c[0], *c[1:]], check=False).returncode]
    for c in failed:
        print(f"go.py: failed: {' '.join(c)}", file=sys.stderr)
    return 1 if failed else 0


def become(*command: str | Path) -> NoReturn:
    """Run a command in this process's place, so that signals and the exit code are its own."""
    if os.name == "nt":
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], [str(c) for c in command])


if __name__ == "__main__":
    main(sys.argv[1:])
