"""What starts an import by itself, and who is told what became of it, as definitions write it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from .guards import RejectSpec
from .incremental import seconds_of
from .strict import Strict

Imports = Annotated[list[str], Field(min_length=1)]


def duration(text: str) -> str:
    """A duration as it was written.

    Raises:
        ValueError: it is none, or takes no time.
    """
    if not seconds_of(text):
        raise ValueError(f"{text!r} takes no time; write 15m, for instance")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # what ZoneInfo raises for names that are not there, folders, and odd ones
        raise ValueError(f"there is no timezone {name!r}; write one such as Europe/Paris") from None
    except KeyError:
        raise ValueError(f"there is no timezone {name!r}; write one such as Europe/Paris") from None
    return name


class ScheduleSpec(Strict):
    """When an import is run: at times as cron writes them, or again and again after the same time."""

    cron: str | None = Field(
        None,
        description="Minute, hour, day of the month, month and day of the week, as cron has them: `30 2 * * *`, `*/15 8-18 * * MON-FRI`, `0 6 L * *`.",
    )
    timezone: str = Field(
        "UTC",
        description="Zone of the times of `cron`. A time that a change of the clock leaves out is moved to the first moment after it, one that comes twice counts once; "
        "with a minute or an hour that begins with `*`, every real moment that matches counts.",
    )
    every: str | None = Field(
        None,
        description="Time between two runs (`30s`, `15m`, `6h`, `1d`), counted from midnight of 1 January 1970 UTC: `15m` means at 0, 15, 30 and 45 minutes past the hour.",
    )
    catch_up: Literal["one", "none"] = Field(
        "one",
        description="What is done about times that passed while nothing could start: run once for all of them, or wait for the next.",
    )

    @field_validator("every")
    @classmethod
    def _every(cls, value: str | None) -> str | None:
        return None if value is None else duration(value)

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        return _zone(value)

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        from cronsim import CronSim, CronSimError

        if value is None:
            return None
        if len(value.split()) != 5:
            raise ValueError(
                f"{value!r} has {len(value.split())} parts; cron has five: minute, hour, day, month, weekday"
            )
        try:
            next(CronSim(value, datetime(2026, 1, 1)))  # noqa: DTZ001 - only whether there is any
        except CronSimError as e:
            raise ValueError(f"{value!r} is no cron expression: {str(e).lower()}") from None
        except StopIteration:
            raise ValueError(f"{value!r} never comes") from None
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> ScheduleSpec:
        if (self.cron is None) == (self.every is None):
            raise ValueError("a schedule has either cron or every")
        if self.every is not None and "timezone" in self.model_fields_set:
            raise ValueError("timezone goes with cron")
        return self

    @property
    def shown(self) -> str:
        """For people."""
        return f"every {self.every}" if self.every else f"{self.cron} {self.timezone}"


class WatchSpec(Strict):
    """Running an import when files arrive or change where its source's path looks. Each file is imported once, by its content."""

    every: str = Field(
        "10s",
        description="Time between two looks. Folders of this machine also tell by themselves when something changes.",
    )
    settled: str = Field(
        "5s", description="How long a file must have kept its size and time before it is taken for whole."
    )
    done_file: str | None = Field(
        None,
        description="In place of waiting: a file is whole when this one lies beside it; `{name}` is the file's name and `{stem}` that without its ending (`{name}.done`). It counts once; a file of the same name that comes later needs a new one.",
    )

    @field_validator("every", "settled")
    @classmethod
    def _durations(cls, value: str) -> str:
        seconds_of(value)
        return value

    @field_validator("done_file")
    @classmethod
    def _done(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if "{name}" not in value and "{stem}" not in value:
            raise ValueError("done_file says {name} or {stem}, to tell which file is whole")
        if "/" in value:
            raise ValueError("done_file is beside the file; a name, not a path")
        if value in ("{name}", "{stem}"):
            raise ValueError("done_file is another file than the one that is whole")
        return value

    @model_validator(mode="after")
    def _fits(self) -> WatchSpec:
        duration(self.every)
        if self.done_file is not None and "settled" in self.model_fields_set:
            raise ValueError("a file is whole when it has settled, or when its done_file is there; say one of them")
        return self

    @property
    def shown(self) -> str:
        """For people."""
        return f"when {self.done_file} is there" if self.done_file else f"settled for {self.settled}"


class AfterSpec(Strict):
    """Running an import when others are done. Several runs that ended since the last look start it once."""

    imports: Imports = Field(description="Imports by name.")
    all: bool = Field(False, description="Wait until each of them is done again; by default any of them starts it.")
    partial: bool = Field(
        False, description="Runs with rejects that were bearable count too; by default only those without."
    )

    @field_validator("imports", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @property
    def shown(self) -> str:
        """For people."""
        return (" and " if self.all else " or ").join(self.imports)


class WebhookTarget(Strict):
    """An address that notifications are posted to, as JSON."""

    url: str = Field(description="Address; may hold references.")
    secret: str | None = Field(
        None,
        description="What notifications are signed with, as Standard Webhooks has it (`whsec_…`, or any text): a reference, such as `${env:NOTIFY_SECRET}`.",
    )
    private: bool = Field(False, description="Whether an address that is not public (10.0.0.1, 127.0.0.1) is meant.")

    @field_validator("secret")
    @classmethod
    def _reference(cls, value: str | None) -> str | None:
        return _referenced(value, "secret")


def _referenced(value: str | None, what: str) -> str | None:
    if value is not None and "${" not in value:
        raise ValueError(f"a {what} is not written down here; write a reference: ${{env:NAME}} or ${{file:PATH}}")
    return value


class TargetSpec(Strict):
    """Somebody who is told."""

    webhook: WebhookTarget | None = Field(None, description="An address; a bare text is its URL.")
    email: list[str] | None = Field(
        None, min_length=1, description="E-mail addresses; `mail` says how they are reached."
    )
    apprise: str | None = Field(
        None,
        description="A URL of the apprise library (`pip install 'headgate[apprise]'`), for chats and phones; write its secrets as references.",
    )

    @field_validator("webhook", mode="before", json_schema_input_type=str | WebhookTarget)
    @classmethod
    def _url_only(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    @field_validator("email", mode="before", json_schema_input_type=str | list[str])
    @classmethod
    def _one(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("email")
    @classmethod
    def _addresses(cls, value: list[str] | None) -> list[str] | None:
        for address in value or ():
            before, at, after = address.rpartition("@")
            if not (before and at and after) or any(c.isspace() or c in "<>," for c in address):
                raise ValueError(f"{address!r} is no e-mail address")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> TargetSpec:
        if [self.webhook, self.email, self.apprise].count(None) != 2:
            raise ValueError("one of webhook, email and apprise is told; write further ones as further entries")
        return self

    @property
    def kind(self) -> str:
        """Which of them it is."""
        return "webhook" if self.webhook else "email" if self.email else "apprise"


Event = Literal["failure", "rejects", "recovery"]


class NotifySpec(Strict):
    """Who is told what became of imports. Each change is told once: that an import fails, not each time that it fails again."""

    to: list[TargetSpec] = Field([], description="Who is told; nobody when it is empty.")
    on: list[Event] = Field(
        ["failure", "rejects", "recovery"],
        description="What is told: that an import fails (or its definition is broken), that it has more rejects than `rejects_over`, that it is well again.",
    )
    rejects_over: int | str = Field(
        0,
        description="How many rejects a run may have without anybody being told, as a number or a share of the records read (`1%`).",
    )

    @field_validator("rejects_over")
    @classmethod
    def _share(cls, value: int | str) -> int | str:
        RejectSpec(limit=value)
        return value


class MailSpec(Strict):
    """The server that sends e-mail."""

    host: str = Field(description="Its name.")
    port: int | None = Field(
        None, ge=1, le=65_535, description="Its port; by default 587, or 465 with `security: tls`."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the connection is made secret: by STARTTLS, without which nothing is sent, by TLS from the beginning, or not at all.",
    )
    ca_file: str | None = Field(
        None, description="Certificates of authorities to trust in place of the system's (PEM)."
    )
    user: str | None = Field(None, description="Login.")
    password: str | None = Field(None, description="Its password, as a reference: `${env:MAIL_PASSWORD}`.")
    sender: str = Field(alias="from", description="Address that notifications come from.")

    @field_validator("password")
    @classmethod
    def _reference(cls, value: str | None) -> str | None:
        return _referenced(value, "password")

    @model_validator(mode="after")
    def _login(self) -> MailSpec:
        if (self.user is None) != (self.password is None):
            raise ValueError("a login has a user and a password")
        if self.security == "none" and self.password is not None:
            raise ValueError("a password is not sent over a connection that is not secret; use starttls or tls")
        return self
