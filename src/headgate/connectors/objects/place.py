"""Files in a bucket of S3, Google Cloud Storage or Azure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore import exceptions as wrong
from obstore import store as stores

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.spi.place import Entry

_ERRORS = (wrong.BaseError, FileNotFoundError)  # obstore raises the built-in one for an object that is not there


class ObjectPlace:
    """A bucket, or a folder of it (`headgate.spi.place.Place`).

    Args:
        options: ``url``; everything else is what obstore's store of that kind knows (``access_key_id``,
            ``secret_access_key``, ``region``, ``endpoint``, ``service_account_path``, ``account_key`` …). What is not said is
            taken from the environment (``AWS_ACCESS_KEY_ID`` …). ``allow_http: true`` for an endpoint without TLS.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        url = str(options["url"])
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.hostname or ''}"
        if not parts.hostname:
            raise UsageError(f"{url!r} names no bucket", hint=f"Write {parts.scheme}://BUCKET/folder.")
        more = {k: str(v) for k, v in options.items() if k not in ("url", "allow_http", "timeout")}
        client: dict[str, Any] = {"allow_http": bool(options.get("allow_http", False))}
        if "timeout" in options:
            client["timeout"] = f"{options['timeout']}s"
        try:
            make: Any = stores.from_url  # typed for each kind of store apart
            self._store: Any = make(url, config=more, client_options=client, retry_config={"max_retries": 4})
        except (wrong.BaseError, ValueError, TypeError) as e:
            raise UsageError(f"{self.name}: {_words(e)}", hint="Correct the connection.") from None

    def files(self, folder: str, *, deep: bool) -> Iterator[Entry]:
        """See `Place`."""
        try:
            if deep:
                for page in obstore.list(self._store, folder or None):
                    yield from map(_entry, page)
            else:
                found = obstore.list_with_delimiter(self._store, folder or None)
                yield from map(_entry, found["objects"])
        except _ERRORS as e:
            raise self._failure(e, folder) from None

    def fetch(self, path: str, to: Path) -> None:
        """See `Place`."""
        try:
            with to.open("wb") as file:
                for piece in obstore.get(self._store, path).stream(min_chunk_size=4 << 20):
                    file.write(piece)
        except _ERRORS as e:
            raise self._failure(e, path) from None
        except OSError as e:
            raise SourceError(f"{to}: {e.strerror or e}", hint="Make room there.") from None

    def move(self, path: str, to: str) -> None:
        """See `Place`."""
        try:
            obstore.rename(self._store, path, posixpath.normpath(to), overwrite=True)
        except _ERRORS as e:
            raise self._failure(e, path) from None

    def delete(self, path: str) -> None:
        """See `Place`."""
        try:
            obstore.delete(self._store, path)
        except _ERRORS as e:
            raise self._failure(e, path) from None

    def _failure(self, e: Exception, path: str) -> Exception:
        if isinstance(e, FileNotFoundError | wrong.NotFoundError):
            return SourceError(f"{self.name}: there is no file {path}")
        if isinstance(e, wrong.PermissionDeniedError | wrong.UnauthenticatedError):
            return ConnectionFailed(
                f"{self.name}: access is denied: {_words(e)}", hint="Check the keys of the connection and their rights."
            )
        return ConnectionFailed(f"{self.name}: {_words(e)}", hint="Check bucket, region and endpoint, or try again.")

    def close(self) -> None:
        """Nothing to disconnect."""


def _entry(found: Any) -> Entry:
    # Two versions may have one time, which is in whole seconds; not every store has tags.
    return Entry(str(found["path"]), int(found["size"]), f"{found['last_modified']} {found.get('e_tag') or ''}")


def _words(e: Exception) -> str:
    """The first sentence of what the library says, which may go on with traces of its own."""
    return str(e).split("\n")[0].partition("Debug source")[0].strip()
