"""Large files to S3 in parts, going on with those that are there: obstore begins anew, as it does not know an upload again.

The parts of an upload that was broken off are compared with the file by their MD5, so what is gone on with is the same file,
whoever began it. Requests are signed (AWS Signature Version 4), which needs the keys themselves; with other logins, and with
options that are not known here, `Uploads.of` is None, and obstore does it.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import http.client
import os
import re
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from headgate.model.errors import ConnectionFailed, SourceError
from headgate.spi.store import HEADERS, Changed, Sending

LARGE: Final = 16 << 20
"""From this size on going on is worth its questions."""
_PIECE: Final = 8 << 20
_MOST_PIECES: Final = 10_000
_AT_A_TIME: Final = 2
_TRIES: Final = 4
_KNOWN: Final = frozenset({"url", "allow_http", "timeout", "checksum_algorithm", "region", "endpoint"})
_KEYS: Final = frozenset({"access_key_id", "secret_access_key", "session_token"})
_BUSY: Final = (408, 429, 500, 502, 503, 504)
_AMAZONS: Final = "x-amz-"
_TRUE: Final = ("true", "1", "yes")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    text: str


class Uploads:
    """Uploads in parts to a bucket.

    Args:
        base: URL of the bucket.
        folder: what all keys begin with; empty or ending with ``/``.
        region, key, secret, token: what requests are signed with.
        timeout: seconds to wait for the server.
    """

    def __init__(
        self, base: str, folder: str, region: str, key: str, secret: str, token: str, timeout: float, name: str
    ) -> None:
        parts = urlsplit(base)
        self._host, self._tls, self._path = parts.netloc, parts.scheme == "https", parts.path.rstrip("/")
        self._folder, self._region, self._timeout, self._name = folder, region, timeout, name
        self._key, self._secret, self._token = key, secret, token
        self._own = threading.local()

    @classmethod
    def of(cls, options: Mapping[str, Any], name: str) -> Uploads | None:
        """Those of a connection; None where they cannot be signed here."""
        plain = {k.lower().removeprefix("aws_"): str(v) for k, v in options.items()}
        url = urlsplit(plain.get("url", ""))
        if url.scheme != "s3" or set(plain) - _KNOWN - _KEYS:
            return None
        from_environment = {k: os.environ.get(f"AWS_{k.upper()}", "") for k in _KEYS}
        if "access_key_id" not in plain:
            plain = from_environment | plain
        key, secret = plain.get("access_key_id", ""), plain.get("secret_access_key", "")
        region = (
            plain.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        )
        endpoint = plain.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
        if not key or not secret or (endpoint.startswith("http:") and plain.get("allow_http", "").lower() not in _TRUE):
            return None
        base = f"{endpoint or f'https://s3.{region}.amazonaws.com'}/{url.hostname}"
        folder = unquote(url.path).strip("/")
        timeout = float(plain.get("timeout", 30))
        return cls(
            base, f"{folder}/" if folder else "", region, key, secret, plain.get("session_token", ""), timeout, name
        )

    def put(self, source: Path, to: str, along: Mapping[str, str], how: Sending) -> str:
        """Send a file, or what a bucket does not yet have of it.

        Args:
            along: what the object is to be put with; one that is gone on with keeps what it was begun with.

        Returns:
            Its tag.

        Raises:
            Changed: something else lies there.
            SourceError: the server refuses it.
            ConnectionFailed: it does not answer.
        """
        size = source.stat().st_size
        piece = max(_PIECE, -(-size // _MOST_PIECES) + (1 << 20) - 1 >> 20 << 20)
        count = -(-size // piece)
        upload, tags = self._begun(source, to, piece, count)
        if not upload:
            said = self._ask("POST", to, {"uploads": ""}, headers=_headers(along))
            upload = _one("UploadId", said.text)

        def send(number: int) -> None:
            with source.open("rb") as file:
                file.seek((number - 1) * piece)
                data = file.read(piece)
            how.told(len(data))
            answer = self._ask("PUT", to, {"partNumber": str(number), "uploadId": upload}, data)
            tags[number] = answer.headers.get("etag", "")

        missing = [n for n in range(1, count + 1) if n not in tags]
        with ThreadPoolExecutor(_AT_A_TIME, "headgate-part") as pool:
            try:
                for sent in [pool.submit(send, n) for n in missing]:
                    sent.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return self._complete(to, upload, [tags[n] for n in range(1, count + 1)], how)

    def _begun(self, source: Path, to: str, piece: int, count: int) -> tuple[str, dict[int, str]]:
        """An upload that was broken off of just this file, and its parts by number; the one with most of them."""
        best: tuple[str, dict[int, str]] = ("", {})
        listed = self._ask("GET", "", {"uploads": "", "prefix": self._folder + to}).text
        for one in re.findall("<Upload>(.*?)</Upload>", listed, re.DOTALL):
            if _one("Key", one) == self._folder + to:
                upload = _one("UploadId", one)
                tags = self._same(source, self._parts(to, upload), piece, count)
                if len(tags) > len(best[1]):
                    best = upload, tags
        return best

    def _parts(self, to: str, upload: str) -> list[tuple[int, int, str]]:
        """Numbers, sizes and tags of an upload's parts."""
        found: list[tuple[int, int, str]] = []
        while True:
            after = {"part-number-marker": str(found[-1][0])} if found else {}
            said = self._ask("GET", to, {"uploadId": upload, **after}).text
            some = re.findall("<Part>(.*?)</Part>", said, re.DOTALL)
            found += [(int(_one("PartNumber", p)), int(_one("Size", p)), _one("ETag", p)) for p in some]
            if _one("IsTruncated", said).lower() != "true" or not some:
                return found

    @staticmethod
    def _same(source: Path, parts: Sequence[tuple[int, int, str]], piece: int, count: int) -> dict[int, str]:
        """The parts that are what the file has in their place; none if one is not, as it is another file's upload."""
        tags: dict[int, str] = {}
        with source.open("rb") as file:
            for number, size, tag in parts:
                file.seek((number - 1) * piece)
                data = file.read(piece)
                md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
                if number > count or size != len(data) or tag.strip('"') != md5:
                    return {}
                tags[number] = tag
        return tags

    def _complete(self, to: str, upload: str, tags: Sequence[str], how: Sending) -> str:
        parts = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{html.escape(tag)}</ETag></Part>" for n, tag in enumerate(tags, 1)
        )
        body = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{parts}</CompleteMultipartUpload>'
        wanted = {"If-None-Match": "*"} if how.over is None else {"If-Match": how.over.changed}
        answer = self._ask("POST", to, {"uploadId": upload}, body.encode(), wanted, also=(404, 409, 412))
        if answer.status in (409, 412) or "<Code>PreconditionFailed</Code>" in answer.text:
            self._ask("DELETE", to, {"uploadId": upload}, also=(404,))
            raise Changed(f"{to} {'changed at the destination' if how.over is not None else 'is there now'}")
        if answer.status == http.HTTPStatus.NOT_FOUND:  # it was put together already, or somebody has aborted it
            raise ConnectionFailed(f"{self._name}: {to}: the upload is gone", hint="Try again.")
        if (
            answer.status >= http.HTTPStatus.MULTIPLE_CHOICES or "<Error>" in answer.text
        ):  # S3 begins to answer before it knows
            raise SourceError(f"{self._name}: {to}: {_one('Message', answer.text) or answer.status}")
        return _one("ETag", answer.text)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: bytes = b"",
        headers: Mapping[str, str] | None = None, also: Sequence[int] = (),
    ) -> _Answer:  # fmt: skip
        for attempt in range(_TRIES):
            try:
                answer = self._once(method, path, query, body, headers or {})
            except (OSError, http.client.HTTPException) as e:
                self._own.connection = None
                if attempt == _TRIES - 1:
                    raise ConnectionFailed(f"{self._name}: {e or 'no answer in time'}", hint="Try again.") from None
            else:
                if answer.status < http.HTTPStatus.MULTIPLE_CHOICES or answer.status in also:
                    return answer
                if answer.status not in _BUSY or attempt == _TRIES - 1:
                    words = _one("Message", answer.text) or f"status {answer.status}"
                    raise SourceError(
                        f"{self._name}: {path}: {words}", hint="Check the rights of the connection's keys."
                    )
            time.sleep(0.3 * 2**attempt)
        raise AssertionError("unreachable")

    def _once(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> _Answer:
        if getattr(self._own, "connection", None) is None:
            self._own.connection = (
                http.client.HTTPSConnection(self._host, timeout=self._timeout, context=ssl.create_default_context())
                if self._tls
                else http.client.HTTPConnection(self._host, timeout=self._timeout)
            )
        connection: http.client.HTTPConnection = self._own.connection
        where = f"{self._path}/{quote(self._folder + path, safe='/-_.~')}" if path else self._path
        asked = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items()))
        signed = self._signed(method, where, asked, hashlib.sha256(body).hexdigest(), headers)
        connection.request(method, f"{where}?{asked}", body or None, {**headers, **signed})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        return _Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)

    def _signed(self, method: str, path: str, query: str, digest: str, headers: Mapping[str, str]) -> dict[str, str]:
        now = datetime.now(UTC)
        day, moment = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
        said = {"host": self._host, "x-amz-content-sha256": digest, "x-amz-date": moment}
        if self._token:
            said["x-amz-security-token"] = self._token
        # All of Amazon's own have to be.
        every = said | {name: " ".join(value.split()) for name, value in headers.items() if name.startswith(_AMAZONS)}
        names = ";".join(sorted(every))
        lines = "".join(f"{name}:{every[name]}\n" for name in sorted(every))
        request = "\n".join((method, path, query, lines, names, digest))
        scope = f"{day}/{self._region}/s3/aws4_request"
        text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        key = f"AWS4{self._secret}".encode()
        for word in (day, self._region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        login = f"AWS4-HMAC-SHA256 Credential={self._key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {"Host": said.pop("host"), **said, "Authorization": login}


def _headers(along: Mapping[str, str]) -> dict[str, str]:
    """What an object is put with, as a request says it."""
    return {name if name in HEADERS else f"{_AMAZONS}meta-{name.lower()}": value for name, value in along.items()}


def _one(name: str, text: str) -> str:
    """The first element of that name; empty where there is none."""
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return html.unescape(found[1]) if found else ""
