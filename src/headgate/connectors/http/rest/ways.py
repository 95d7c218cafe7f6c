"""Which endpoints of a resource do what a run does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from headgate.connectors.http.resource import EndpointSpec, ResourceSpec
from headgate.model.errors import DestinationError
from headgate.model.outcome import Outcome
from headgate.model.write import Operation, WriteSpec

NAMES: Final = {Outcome.DELETED: "delete", Outcome.UPDATED: "update", Outcome.CREATED: "create"}
"""The endpoints by what they do, in the order in which it is done."""
_BOTH: Final = {"create", "update"}


def endpoints(spec: WriteSpec, resource: ResourceSpec) -> dict[str, EndpointSpec]:
    """The endpoints that a run uses, by name.

    Raises:
        DestinationError: the resource lacks one.
    """
    has = {n for n in ("create", "update", "upsert", "delete") if getattr(resource, n) is not None}
    finds = resource.find is not None
    if spec.operation is Operation.MIRROR and resource.listing is None:
        raise DestinationError(
            f"the resource {spec.table!r} does not say how all its records are read, which mirror needs",
            hint=f"Add listing in headgate.yaml under resources: {spec.table}:.",
        )
    needs: dict[Operation, list[set[str]]] = {
        Operation.INSERT: [{"create"}],
        Operation.APPEND: [{"create"}],
        Operation.UPDATE: [{"update"}, {"upsert"} if finds else {"update"}],
        Operation.UPSERT: [_BOTH if finds else {"upsert"}, {"upsert"}],
        Operation.MIRROR: [_BOTH, {"upsert"}],
        Operation.DELETE: [{"delete"}],
    }
    ways = needs[spec.operation]
    # What a plan does is what its own definition could do, or undoes it; `way` looks at what there is to do.
    chosen = set() if spec.planned else next((w for w in ways if w <= has), None)
    if chosen is None:
        lacks = " and ".join(sorted(ways[0] - has))
        more = "" if finds or spec.operation is not Operation.UPSERT else " (or find, create and update)"
        raise DestinationError(
            f"the resource {spec.table!r} does not say how to {lacks}{more}, which {spec.operation} needs",
            hint=f"Add it in headgate.yaml under resources: {spec.table}:.",
        )
    deletes = spec.deletes or (spec.operation is Operation.MIRROR and not spec.mark)
    if deletes and not spec.planned and "delete" not in has:
        why = "delete_when" if spec.deletes else "mirror"
        raise DestinationError(
            f"the resource {spec.table!r} does not say how to delete, which {why} needs",
            hint=f"Add it in headgate.yaml under resources: {spec.table}:."
            + ("" if spec.deletes else " Or say what marks a record instead: delete: { set: … }."),
        )
    also = has if spec.planned else {"delete"} if deletes else set()
    return {name: resource.endpoint(name) for name in chosen | also}


def way(action: Outcome, there: Mapping[str, EndpointSpec], table: str) -> str:
    """The name of the endpoint that does it.

    Args:
        there: what `endpoints` has found.

    Raises:
        DestinationError: none does.
    """
    name = NAMES[action]
    if name in there:
        return name
    if name == "delete" or "upsert" not in there:
        raise DestinationError(
            f"the resource {table!r} does not say how to {name}",
            hint=f"Add it in headgate.yaml under resources: {table}:.",
        )
    return "upsert"
