"""What a connection through ADBC can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from headgate.model.errors import UsageError
from headgate.model.strict import Strict

Scalar = str | int | float | bool


class AdbcOptions(Strict):
    """A connection through ADBC."""

    driver: str = Field(
        min_length=1,
        description="The driver: what follows `adbc-driver-` in the name of its package (`postgresql`, `snowflake`), the name of a driver's manifest, or the path of its library.",
    )
    uri: str | None = Field(None, description="Where the database is, as the driver writes it.")
    entrypoint: str | None = Field(None, description="The function a library is begun with, where it is not the usual.")
    options: dict[str, Scalar] = Field({}, description="Options of the driver for the database.")
    session: dict[str, Scalar] = Field({}, description="Options of the driver for each connection to it.")
    statement: dict[str, Scalar] = Field({}, description="Options of the driver for each statement.")
    placeholder: Literal["?", "$1", ":1", "@p1"] | None = Field(
        None,
        description="How parameters are written in statements; by default as the database is known to have it, else `?`.",
    )
    quote: Literal['"', "`"] | None = Field(
        None, description='What names are quoted with; by default as the database is known to have it, else `"`.'
    )


def read(options: Mapping[str, Any]) -> AdbcOptions:
    """A connection's options.

    Raises:
        UsageError: one is not known or has no sense; the message has no values, which may be secrets.
    """
    try:
        return AdbcOptions.model_validate({k: v for k, v in options.items() if k not in ("type", "url")})
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        raise UsageError(
            f"the connection's {place or 'options'}: {first['msg'].removeprefix('Value error, ')}",
            hint=f"A connection of type adbc knows {', '.join(AdbcOptions.model_fields)}; what its driver knows goes under options.",
        ) from None


def as_text(options: Mapping[str, Scalar]) -> dict[str, str]:
    """Options as drivers take them: every one understands texts, not all understand numbers."""
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in options.items()}
