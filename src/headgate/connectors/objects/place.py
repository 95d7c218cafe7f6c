"""Files in a bucket of S3, Google Cloud Storage or Azure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import obstore
from obstore import exceptions as wrong
from obstore import store as stores

from headgate.model.errors import ConnectionFailed, SourceError, UsageError
from headgate.spi.place import Entry
from headgate.spi.store import Can, Changed, Sending, Stored

from .along import attributes, metadata, modified_ns, nanoseconds
from .multipart import LARGE, Uploads

_ERRORS = (wrong.BaseError, FileNotFoundError)  # obstore raises the built-in one for an object that is not there
_PIECE: Final = 8 << 20
_WHO: Final = re.compile("key|secret|token|password|credential|checksum")
"""Options that say who comes and how, not whereto."""
_MD5: Final = re.compile(r'"?([0-9a-f]{32})"?')


class ObjectPlace:
    """A bucket, or a folder of it (`headgate.spi.store.Store`).

    Args:
        options: ``url``; everything else is what obstore's store of that kind knows (``access_key_id``,
            ``secret_access_key``, ``region``, ``endpoint``, ``service_account_path``, ``account_key`` …). What is not said is
            taken from the environment (``AWS_ACCESS_KEY_ID`` …). ``allow_http: true`` for an endpoint without TLS.
            What is sent to S3 has a SHA-256 with it that S3 compares; ``checksum_algorithm: none`` for a server that
            does not know such.

    Raises:
        UsageError: an option is unknown or wrong.
    """

    can = Can(parts=False, noted=True, metadata=True)

    def __init__(self, options: Mapping[str, Any]) -> None:
        url = str(options["url"])
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.hostname or ''}"
        if not parts.hostname:
            raise UsageError(f"{url!r} names no bucket", hint=f"Write {parts.scheme}://BUCKET/folder.")
        more = {k: str(v) for k, v in options.items() if k not in ("url", "allow_http", "timeout")}
        if parts.scheme == "s3" and more.setdefault("checksum_algorithm", "sha256").lower() == "none":
            del more["checksum_algorithm"]
        where = sorted((k.lower(), v) for k, v in more.items() if not _WHO.search(k.lower()))
        self._address = " ".join([*(f"{k}={v}" for k, v in where), f"{self.name}/{parts.path.strip('/')}"])
        self._uploads = Uploads.of(options, self.name)
        self._compares = "checksum_algorithm" in more
        client: dict[str, Any] = {"allow_http": bool(options.get("allow_http", False))}
        if "timeout" in options:
            client["timeout"] = f"{options['timeout']}s"
        try:
            make: Any = stores.from_url  # typed for each kind of store apart
            self._store: Any = make(url, config=more, client_options=client, retry_config={"max_retries": 4})
        except (wrong.BaseError, ValueError, TypeError) as e:
            raise UsageError(f"{self.name}: {_words(e)}", hint="Correct the connection.") from None

    def address(self) -> str:
        """See `Addressed`."""
        return self._address

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

    def listed(self, folder: str, *, deep: bool) -> Iterator[Stored]:
        """See `Store`."""
        try:
            if deep:
                for page in obstore.list(self._store, folder or None):
                    yield from map(_stored, page)
            else:
                yield from map(_stored, obstore.list_with_delimiter(self._store, folder or None)["objects"])
        except _ERRORS as e:
            raise self._failure(e, folder) from None

    def look(self, path: str) -> Stored | None:
        """See `Store`."""
        try:
            found = obstore.get(self._store, path, options={"head": True})
        except (FileNotFoundError, wrong.NotFoundError):
            return None
        except _ERRORS as e:
            raise self._failure(e, path) from None
        return self._looked_at(found)

    def _looked_at(self, found: Any) -> Stored:
        """An object that was asked for by itself, which lists say less of."""
        meta, said = found.meta, found.attributes
        # What is "null" is overwritten; Google numbers also what it does not keep.
        version = meta.get("version") or ""
        return replace(
            _stored(meta),
            modified_ns=modified_ns(said, meta["last_modified"]),
            version="" if version == "null" or self.name.startswith("gs") else version,
            metadata=metadata(said),
        )

    def fetch_version(self, path: str, version: str, to: Path) -> Stored:
        """See `headgate.spi.store.Versions`."""
        try:
            found = obstore.get(self._store, path, options={"version": version})
            stored = self._looked_at(found)
            with to.open("wb") as file:
                for piece in found.stream(_PIECE):
                    file.write(piece)
        except _ERRORS as e:
            raise self._failure(e, path) from None
        except OSError as e:
            raise SourceError(f"{to}: {e.strerror or e}", hint="Make room there.") from None
        return stored

    def read(self, path: str) -> Iterator[bytes]:
        """See `Store`."""
        try:
            for piece in obstore.get(self._store, path).stream(min_chunk_size=_PIECE):
                yield bytes(piece)
        except _ERRORS as e:
            raise self._failure(e, path) from None

    def send(self, source: Path, to: str, how: Sending) -> Stored:
        """See `Store`. What goes in one piece is put on the condition that nothing else has come; what goes in several,
        which a bucket puts together at their end, is looked at before."""
        size = source.stat().st_size
        along: Any = attributes(to, how, self.name.partition(":")[0])
        try:
            with source.open("rb") as file:
                if size <= _PIECE:
                    over = how.over
                    mode: Any = "create" if over is None else {"e_tag": over.changed} if _tagged(over) else "overwrite"
                    how.told(size)
                    put = obstore.put(self._store, to, file, mode=mode, use_multipart=False, attributes=along)
                else:
                    there = self.look(to)
                    if there is not None and not there.same(how.over):
                        raise Changed(f"{to} {'changed at the destination' if how.over else 'is there now'}")
                    if self._uploads is not None and size >= LARGE:
                        return Stored(to, size, self._uploads.put(source, to, along, how))
                    told: Any = _Told(file, how.told)
                    put = obstore.put(self._store, to, told, chunk_size=_PIECE, max_concurrency=4, attributes=along)
        except wrong.AlreadyExistsError:
            raise Changed(f"{to} is there now") from None
        except wrong.PreconditionError:
            raise Changed(f"{to} changed at the destination") from None
        except _ERRORS as e:
            raise self._failure(e, to) from None
        if self._compares and (tag := put["e_tag"]):  # the bucket has compared all of it
            return Stored(to, size, tag, digest=_digest(tag))
        found = self.look(to)
        if found is None:
            raise SourceError(f"{self.name}: {to} was written, and is not there")
        return found

    def publish(self, part: str, to: str, over: Stored | None) -> Stored:
        """Nothing to publish: what is sent is there whole, or not at all."""
        raise NotImplementedError

    def copy(self, path: str, to: str) -> None:
        """See `Store`; without a byte of it coming here."""
        try:
            obstore.copy(self._store, path, posixpath.normpath(to), overwrite=True)
        except _ERRORS as e:
            raise self._failure(e, path) from None

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


def _stored(found: Any) -> Stored:
    at: datetime = found["last_modified"]
    tag = str(found.get("e_tag") or "")
    # Lists and single objects say the time with more and with less of a second; the tag is of the content.
    changed = tag or f"{at:%Y-%m-%dT%H:%M:%S}"
    return Stored(str(found["path"]), int(found["size"]), changed, nanoseconds(at), _digest(tag))


def _digest(tag: str) -> str:
    """What a tag may be; of an object that was put in several pieces, or is encrypted, it is something else."""
    md5 = _MD5.fullmatch(tag)
    return f"md5:{md5[1]}" if md5 else ""


def _tagged(one: Stored) -> bool:
    return one.changed.startswith('"') or _MD5.fullmatch(one.changed) is not None


class _Told:
    """A file that says how much of it was read."""

    def __init__(self, file: IO[bytes], told: Callable[[int], None]) -> None:
        self._file, self._told = file, told

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._told(len(piece))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _words(e: Exception) -> str:
    """The first sentence of what the library says, which may go on with traces of its own."""
    return str(e).split("\n")[0].partition("Debug source")[0].strip()
