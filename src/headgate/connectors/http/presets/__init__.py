"""Presets: what is known of an application's API, so that a connection to it need not say it.

A preset is a YAML file in this folder: `title`, `documentation` (where its makers describe the API), `notes` (what a person should
know), `settings` (what a connection has to say, or may: each has a `description`, a `default` where it need not be said, and a
`suffix` where people write one that is left out), `every` (what all resources have, those too that only the connection names), `pairs`
(what those have instead whose name is two names with a ``/`` between them: ``<from>`` and ``<to>`` stand for the two), and everything else as a connection says it (`url`, `auth`, `headers`, `rate`, `resources` …); of several `auth` the connection's `type`
chooses, and it is the first otherwise. ``{name}`` in its texts stands for a
setting, but in `resources` and `every`, where it is the mark of templates, for which ``<name>`` stands there, as ``<resource>`` does
for the resource's own name. What a connection says itself goes before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from headgate.model.errors import UsageError

_OWN: Final = ("title", "documentation", "notes", "settings", "every", "pairs")
_SETTING: Final = re.compile(r"\{(\w+)\}")
_IN_RESOURCES: Final = re.compile(r"<(\w+)>")
_WORD: Final = re.compile(r"[\w.-]+")
"""What a setting may be: it becomes part of a URL."""


def presets() -> dict[str, dict[str, Any]]:
    """All presets by name, with what their resources have in the end."""
    known = {name: _load(name) for name in _names()}
    return {name: preset | {"resources": _whole(preset, preset.get("resources", {}))} for name, preset in known.items()}


def filled(options: Mapping[str, Any]) -> dict[str, Any]:
    """A connection's options with what its preset knows; the same where it names none.

    Raises:
        UsageError: there is no such preset, or a setting is missing or cannot be.
    """
    if "preset" not in options:
        return dict(options)
    name = str(options["preset"])
    if name not in _names():
        raise UsageError(f"there is no preset {name!r}", hint=f"There are: {', '.join(_names())}.")
    preset = _load(name)
    settings = {s: _setting(name, s, about, options) for s, about in preset.get("settings", {}).items()}
    whole = {k: _put(v, settings, _SETTING) for k, v in preset.items() if k not in (*_OWN, "resources")}
    whole["auth"] = _login(whole.get("auth"), options.get("auth"))
    url = str(options.get("url", ""))
    own = {k: v for k, v in options.items() if k not in ("preset", "url", *settings)}
    own |= {"url": url} if url and not url.startswith("preset:") else {}
    merged: dict[str, Any] = _merged(whole | {"resources": preset.get("resources", {})}, own)
    if isinstance(merged["resources"], Mapping):
        merged["resources"] = _put(_whole(preset, merged["resources"]), settings, _IN_RESOURCES)
    return merged


def _login(known: Any, own: Any) -> Any:
    """The way to log in that the connection means."""
    if not isinstance(known, list):
        return known
    wanted = own.get("type") if isinstance(own, Mapping) else None
    return next((one for one in known if one["type"] == wanted), known[0])


def _names() -> list[str]:
    return sorted(f.name.removesuffix(".yaml") for f in files(__package__).iterdir() if f.name.endswith(".yaml"))


def _whole(preset: Mapping[str, Any], resources: Mapping[str, Any]) -> dict[str, Any]:
    """Resources with what all of them have."""
    return {name: _merged(_common(preset, name), own) for name, own in resources.items()}


def _common(preset: Mapping[str, Any], name: str) -> Any:
    """What a resource of that name has whatever is said of it."""
    of, _, to = name.partition("/")
    if to and "pairs" in preset:
        return _put(preset["pairs"], {"from": of, "to": to}, _IN_RESOURCES)
    return _put(preset.get("every", {}), {"resource": name}, _IN_RESOURCES)


@cache
def _load(name: str) -> dict[str, Any]:
    text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return found


def _setting(preset: str, name: str, about: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    value = options.get(name, about.get("default"))
    if value is None:
        raise UsageError(
            f"the preset {preset} needs {name}: {about['description']}", hint=f"Say {name}: … in the connection."
        )
    text = str(value).removesuffix(about.get("suffix", ""))
    if not _WORD.fullmatch(text):
        raise UsageError(f"{name} of the preset {preset} has other characters than letters, digits, -, _ and .")
    return text


def _put(value: Any, settings: Mapping[str, str], how: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return how.sub(lambda m: settings.get(m[1], m[0]), value)
    if isinstance(value, Mapping):
        return {k: _put(v, settings, how) for k, v in value.items()}
    return [_put(v, settings, how) for v in value] if isinstance(value, list) else value


def _merged(under: Any, over: Any) -> Any:
    """Mappings are merged, but for one of another `type`, which is replaced as everything else is."""
    if isinstance(under, Mapping) and isinstance(over, Mapping) and over.get("type") in (None, under.get("type")):
        return {**under, **{k: _merged(under[k], v) if k in under else v for k, v in over.items()}}
    return over
