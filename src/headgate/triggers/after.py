"""Which imports are done, and which webhooks came, since they were last looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headgate.ledger.triggers import End
from headgate.model.triggers import AfterSpec


def after(spec: AfterSpec, state: Mapping[str, Any], ends: Mapping[str, Sequence[End]]) -> tuple[dict[str, Any], str]:
    """Whether runs of other imports have come to a good end.

    Args:
        state: what this gave last; empty at the first time, when what is done already counts as seen.
        ends: the newest runs of the imports it waits for.

    Returns:
        What to remember, and why the import is started; an empty text when it is not.
    """
    good = ("succeeded", "partial") if spec.partial else ("succeeded",)
    done = {n: max((e.run for e in ends.get(n, ()) if e.status in good), default=0) for n in spec.imports}
    defined = spec.model_dump_json()
    if state.get("defined") != defined:
        return {"defined": defined, "seen": done}, ""
    seen: Mapping[str, int] = state["seen"]
    new = [n for n in spec.imports if done[n] > seen.get(n, 0)]
    if not new or (spec.all and len(new) < len(set(spec.imports))):
        return dict(state), ""
    merged = {n: max(done[n], seen.get(n, 0)) for n in spec.imports}
    return {"defined": defined, "seen": merged}, "after " + " and ".join(f"run {done[n]} of {n}" for n in new)


def on(name: str, state: Mapping[str, Any], came: int) -> tuple[dict[str, Any], str]:
    """Whether a webhook came; as `after`.

    Args:
        came: how often it has come in all.
    """
    if state.get("defined") != name:
        return {"defined": name, "seen": came}, ""
    if came <= state["seen"]:
        return dict(state), ""
    return {"defined": name, "seen": came}, f"the webhook {name} came"
