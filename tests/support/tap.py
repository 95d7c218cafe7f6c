"""A Singer tap for tests: it writes what its configuration says.

`streams` are names with a schema each, `write` is the lines in order (messages, or texts as they are), `say` what it says on
standard error, `exit` its code; `hang` is a pipe that it and a process it starts hold open without an end. What it was given
goes to the file `seen`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SELF = [sys.executable, str(Path(__file__))]


def _after(word: str) -> Any:
    return json.loads(Path(sys.argv[sys.argv.index(word) + 1]).read_text()) if word in sys.argv else None


def main() -> None:
    config = _after("--config")
    if "--discover" in sys.argv:
        if config.get("mute"):
            sys.exit("no discovery")
        streams = [{"tap_stream_id": n, "stream": n, "schema": s} for n, s in config.get("streams", {}).items()]
        print(json.dumps({"streams": streams}))
        return
    if seen := config.get("seen"):
        files = [
            sys.argv[i]
            for i, word in enumerate(sys.argv)
            if i and sys.argv[i - 1] in ("--config", "--catalog", "--state")
        ]
        found = {
            "state": _after("--state"), "catalog": _after("--catalog"), "words": sys.argv,
            "modes": [oct(Path(f).stat().st_mode & 0o777) for f in files],
        }  # fmt: skip
        with Path(seen).open("a") as out:
            out.write(json.dumps(found) + "\n")
    for line in config.get("write", []):
        print(line if isinstance(line, str) else json.dumps(line), flush=True)
    for line in config.get("say", []):
        print(line, file=sys.stderr, flush=True)
    if config.get("hang"):
        with Path(config["hang"]).open("w") as pipe:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[pipe.fileno()])
            print("up", file=pipe, flush=True)
            child.wait()
    sys.exit(config.get("exit", 0))


if __name__ == "__main__":
    main()
