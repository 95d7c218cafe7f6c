"""References to secrets and settings in connections: `${env:NAME}`, `${env:NAME:-default}`, `${file:path}`.

They are resolved when a connection is used, never when a definition is read, so that checking a definition needs no secrets.
A secret is kept as it is, also in the user and password of a URL: signs that mean something there need not be written as %40.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headgate.model.errors import UsageError

_REFERENCE = re.compile(r"\$\{(\w+):([^}]*)\}")
# Up to the last @, as a password may hold one.
_PASSWORD = re.compile(r"(://[^/@:\s]*:)\S*@")
# What stands before the host of a URL; the name of a reference may hold any sign.
_LOGIN = re.compile(r"[\w+.-]+://((?:\$\{[^}]*\}|[^@/?#])*)@")
_QUERY_SECRET = re.compile(r"([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*", re.IGNORECASE)


def resolve(value: Any, base: Path, what: str, found: list[str] | None = None) -> Any:
    """`value` with every reference in its texts replaced.

    Args:
        base: folder that `${file:…}` starts from.
        what: whose value it is, for messages (``connection shop``).
        found: gets what the references stood for.

    Raises:
        UsageError: a variable is not set, a file cannot be read, or the kind of reference is unknown.
    """
    if isinstance(value, dict):
        return {k: resolve(v, base, what, found) for k, v in value.items()}
    if isinstance(value, list):
        return [resolve(v, base, what, found) for v in value]
    if not isinstance(value, str):
        return value
    login = _LOGIN.match(value)
    start, end = login.span(1) if login else (0, 0)

    def replaced(m: re.Match[str]) -> str:
        one = _one(m[1], m[2], base, what)
        if found is not None:
            found.append(one)
        return quote(one, safe="") if start <= m.start() < end else one

    return _REFERENCE.sub(replaced, value)


def _one(kind: str, name: str, base: Path, what: str) -> str:
    if kind == "env":
        name, has_default, default = name.partition(":-")
        found = os.environ.get(name, default if has_default else None)
        if found is None:
            raise UsageError(f"{what}: the environment variable {name} is not set", hint=f"Set it: export {name}=…")
        return found
    if kind == "file":
        try:
            return (base / name).read_text(encoding="utf-8").strip()
        except OSError as e:
            raise UsageError(f"{what}: {base / name} cannot be read: {e.strerror}") from None
    raise UsageError(f"{what}: unknown reference ${{{kind}:…}}", hint="There are ${env:NAME} and ${file:path}.")


def without_secrets(url: str) -> str:
    """The URL as it may be shown: its password and secret-looking query values are left out."""
    return _QUERY_SECRET.sub(r"\1***", _PASSWORD.sub(r"\1***@", url))
