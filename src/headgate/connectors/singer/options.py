"""What a connection to a tap can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, field_validator

from headgate.model.errors import UsageError
from headgate.model.strict import Strict

NO_CATALOG = "none"


class TapOptions(Strict):
    """A connection to a tap."""

    command: list[str] = Field(min_length=1, description="The tap and its arguments; no shell is between.")
    config: dict[str, Any] | str = Field(
        {}, description="The tap's configuration, or a JSON file with it; given to the tap in a private file."
    )
    catalog: str | None = Field(
        None,
        description="JSON file with the tap's catalog; by default the tap is asked for it (`--discover`). `none` for a tap that has none.",
    )
    state: bool = Field(
        True, description="Whether the tap is given the state that it wrote in the last run that came to its end."
    )
    timeout: float = Field(
        60, gt=0, description="Seconds a tap may take to end once it has written everything; then it is ended."
    )

    @field_validator("command", mode="before")
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


def read(options: Mapping[str, Any]) -> TapOptions:
    """A connection's options.

    Raises:
        UsageError: one is not known or has no sense; the message has no values, which may be secrets.
    """
    try:
        return TapOptions.model_validate({k: v for k, v in options.items() if k not in ("type", "url")})
    except ValidationError as e:
        first = e.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(p) for p in first["loc"])
        hint = f"A connection to a tap knows {', '.join(TapOptions.model_fields)}."
        raise UsageError(
            f"the connection's {place or 'options'}: {first['msg'].removeprefix('Value error, ')}", hint=hint
        ) from None
