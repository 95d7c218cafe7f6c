"""Every error Headgate raises on purpose.

    HeadgateError                 something a person can understand and act on        exit 1
    ├── UsageError                the command or the definition is wrong              exit 2
    │   └── DefinitionError       a definition file is wrong; knows file:line:column
    ├── SourceError               the input cannot be read
    ├── DestinationError          the destination cannot do what was asked
    │   ├── ConnectionFailed      the destination or source cannot be reached         retryable
    │   ├── NoCheckpoint          the destination cannot keep a checkpoint
    │   └── Fenced                another run has taken the import over
    ├── Busy                      another run of the import is going on               retryable
    ├── LimitExceeded             a limit of the definition stopped the run
    ├── NotBalanced               outcomes do not add up to what was read: a bug, never hidden
    └── Cancelled                 a person stopped the run                            exit 130

A bad *value* is never an exception: it is a reject (`headgate.model.record`).
"""

from __future__ import annotations


class HeadgateError(Exception):
    """An error with a message for a person, and the way out of it.

    Args:
        message: what happened and where.
        hint: what to do about it, one sentence; empty when there is nothing to say.
    """

    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(HeadgateError):
    """The command, an option or the definition is wrong."""

    exit_code = 2


class DefinitionError(UsageError):
    """A definition is wrong.

    Args:
        where: ``file:line:column`` (1-based) or the path of the key inside a definition without a file.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.where = where


class SourceError(HeadgateError):
    """The input cannot be read: absent, empty, damaged, or not what its name says."""


class DestinationError(HeadgateError):
    """The destination cannot do what was asked: no table, no permission, no space, gone."""


class ConnectionFailed(DestinationError):
    """A system cannot be reached or refuses the login."""

    retryable = True


class NoCheckpoint(DestinationError):
    """The destination cannot keep a checkpoint: this login may not make the table for it."""


class Fenced(DestinationError):
    """Another run has taken the import over, so that this one may not commit any more; nothing uncommitted is kept."""


class Busy(HeadgateError):
    """Another run of the import is going on."""

    retryable = True


class LimitExceeded(HeadgateError):
    """A limit of the definition (rejects, deletes, changes, control totals) stopped the run; nothing was kept."""


class NotBalanced(HeadgateError):
    """The outcomes do not add up to the records read. The run is not committed."""


class Cancelled(HeadgateError):
    """A person stopped the run; nothing that was not committed before is kept."""

    exit_code = 130
