"""A text file as UTF-8 with one kind of line ends: itself where it is so, otherwise a temporary copy."""

from __future__ import annotations

import tempfile
from pathlib import Path

from headgate.model.errors import SourceError

from .base import Input
from .encoding import Encoding, to_utf8


class Utf8Copy:
    r"""The text of an input as UTF-8.

    Args:
        encoding: what it is in.
        same_ends: make every line end ``\n``, for files that mix old Macintosh line ends with others.
    """

    def __init__(self, given: Input, encoding: Encoding, *, same_ends: bool) -> None:
        self._given, self._encoding, self._same_ends = given, encoding, same_ends
        self._copy: Path | None = None
        self.as_is = encoding.is_utf8 and not same_ends

    def path(self) -> Path:
        """Where it is; made at the first call.

        Raises:
            SourceError: the bytes cannot be followed in this encoding, or there is no room.
        """
        if self.as_is:
            return self._given.path
        if self._copy is None:
            handle, name = tempfile.mkstemp(prefix="headgate-", suffix=".txt")
            self._copy = Path(name)
            try:
                with open(handle, "wb") as out:  # noqa: PTH123 - a descriptor has no path to open
                    to_utf8(self._given.path, self._encoding, out, same_ends=self._same_ends)
            except BaseException as e:
                self.close()
                if isinstance(e, OSError):
                    raise SourceError(
                        f"{self._given.name}: no temporary copy could be written: {e.strerror}",
                        hint="Make room in the folder for temporary files, or save the file as UTF-8.",
                    ) from e
                raise
        return self._copy

    def close(self) -> None:
        """Remove the copy, if one was made. May be called twice."""
        if self._copy is not None:
            self._copy.unlink(missing_ok=True)
            self._copy = None
