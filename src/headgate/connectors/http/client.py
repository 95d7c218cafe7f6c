"""Sending requests: at the rate that is allowed, again where that helps, logged in, and only where they may go."""

from __future__ import annotations

import io
import random
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from urllib3 import Timeout
from urllib3.exceptions import (
    HTTPError,
)

import headgate
from headgate.model.errors import SourceError
from headgate.spi.address import AddressRefusedError, pools
from headgate.spi.secrets import Secrets, is_secret

from .auth import login
from .exchange import REDIRECTS, Answer, Call, LostError, UndoneError, lost, save
from .options import ApiOptions, spacing

_MOVED = (301, 307, 308)
_BUSY = (408, 500, 502, 503, 504)
_MOST_REDIRECTS = 5
_EXCERPT = 300
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

clock, pause = time.monotonic, time.sleep


class Turns:
    """Turns at an API, evenly spaced. From any thread.

    Args:
        spacing: seconds from one to the next.
    """

    def __init__(self, spacing: float) -> None:
        self._spacing, self._due = spacing, 0.0
        self._lock = threading.Lock()

    def take(self, wait: Callable[[float], None]) -> None:
        """Wait for the next; what `wait` raises goes on, and the turn with it."""
        with self._lock:
            early = self._due - clock()
            self._due = max(self._due, clock()) + self._spacing
        if early > 0:
            wait(early)


_TURNS: dict[tuple[str, str], Turns] = {}
_TURNS_LOCK = threading.Lock()


def turns_of(url: str, rate: str) -> Turns:
    """The turns at the API at a URL: what a connection allows is shared by all of a process that use it."""
    with _TURNS_LOCK:
        return _TURNS.setdefault((url, rate), Turns(spacing(rate)))


class Client:
    """A connection to an API."""

    def __init__(self, options: ApiOptions) -> None:
        self.options = options
        self.secrets = Secrets()
        self.secrets.add(*(value for name, value in options.headers.items() if is_secret(name)))
        self._pools = pools(private=options.private, ca=options.ca, most=options.concurrency)
        self._renewing = threading.Lock()
        self._turns = turns_of(options.url, options.rate) if options.rate else None
        self._renewed = 0.0
        self._login = login(options.auth, self.secrets, self._post_form, lambda: clock())

    def send(self, call: Call, to: Path, also: Collection[int] = ()) -> Answer:
        """Send a request, and again where that helps; the body of the answer is written to a file.

        Args:
            also: statuses that are good answers beside those that always are.

        Raises:
            SourceError: there is no good answer.
        """
        renewed = False
        attempt = 0
        while True:
            here = call.rest.at if call.rest is not None and call.rest.of else 0
            try:
                status, headers = self._kept(call, to)
            except LostError as e:
                if call.rest is not None and call.rest.of and call.rest.at > here:
                    attempt = 0  # it gets on
                again = not e.hopeless and (e.unsent or call.repeatable)
                if not again or attempt >= self.options.retries:
                    raise self.failure(call, f"{e}{_times(attempt)}", e.hint) from e.__cause__
                pause(backoff(attempt))
                attempt += 1
                continue
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or status in also:
                return Answer(call, status, headers, to)
            if status == HTTPStatus.UNAUTHORIZED and call.login and not renewed and self._login.renew():
                renewed = True
                continue
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and here:
                continue  # once, as it begins anew
            wait = self._wait(call, status, headers, attempt)
            if wait is None or attempt >= self.options.retries:
                raise self._refused(call, status, headers, to, attempt)
            pause(wait)
            attempt += 1

    def exchange(self, call: Call, wait: Callable[[float], None] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """One exchange, not repeated: status, headers by lower-case name, and the body. From any thread.

        Args:
            wait: waits seconds for its turn, before anything is sent; what it raises goes on.

        Raises:
            LostError: it did not come to its end.
            UndoneError: there is no way to log in, or it may not be sent there.
            SourceError: it leads to where it may not, or the answer is too large.
        """
        out = io.BytesIO()
        status, headers = self._follow(call, out, wait)
        return status, headers, out.getvalue()

    def renew(self, since: float) -> bool:
        """Log in anew after a refusal; False where there is no way to. From any thread.

        Args:
            since: when the request was sent, by `clock`: who logged in later has done it for all.
        """
        with self._renewing:
            if self._renewed <= since:
                if not self._login.renew():
                    return False
                self._renewed = clock()
            return True

    def reach(self, to: Path) -> str:
        """The status that the connection's URL is answered with; only being turned away is an error.

        Raises:
            SourceError: nobody answers, or the login is refused.
        """
        call = Call("GET", self.options.url)
        try:
            status, headers = self._kept(call, to)
        except LostError as e:
            raise self.failure(call, str(e), e.hint) from e.__cause__
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._refused(call, status, headers, to, 0)
        return f"{status} {phrase(status)}"

    def failure(self, call: Call, what: str, hint: str = "") -> SourceError:
        """An error that says which request it is about, without secrets."""
        page = f" (page {call.page})" if call.page > 1 else ""
        shown = f"{call.method} {self.secrets.url(call.url)}{page}: {self.secrets.hide(what)}"
        return SourceError(shown, hint=self.secrets.hide(hint))

    def leads_to(self, call: Call, target: str) -> str:
        """The URL that an answer names, which may be relative.

        Raises:
            SourceError: it is none.
        """
        try:
            url = urljoin(call.url, target)
            origin(url)
        except ValueError as e:
            raise self.failure(call, f"the answer leads to {target[:_EXCERPT]!r}, which is no URL ({e})") from None
        return url

    def close(self) -> None:
        """Close the connections. May be called twice."""
        self._pools.clear()

    def _post_form(self, url: str, headers: Mapping[str, str], form: bytes) -> bytes:
        import tempfile

        full = urljoin(f"{self.options.url}/", url)
        with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
            answer = self.send(Call("POST", full, headers, form, login=False), Path(folder) / "token")
            return answer.body.read_bytes()

    def _kept(self, call: Call, to: Path) -> tuple[int, Mapping[str, str]]:
        """One exchange, with the body of the answer in a file."""
        try:
            with to.open("r+b" if call.rest is not None and call.rest.at else "wb") as out:
                return self._follow(call, out)
        except HTTPError:
            raise
        except OSError as e:
            raise SourceError(
                f"an answer cannot be kept in {to.parent}: {e.strerror or e}",
                hint="Make room there, or set TMPDIR to another folder.",
            ) from e

    def _follow(
        self, call: Call, to: IO[bytes], wait: Callable[[float], None] | None = None
    ) -> tuple[int, Mapping[str, str]]:
        """One exchange, through redirects: status, and headers by lower-case name."""
        home = origin(call.url)
        for _ in range(_MOST_REDIRECTS + 1):
            status, headers = self._once(call, to, wait)
            if status not in REDIRECTS or not (target := headers.get("location")):
                return status, headers
            url = self.leads_to(call, target)
            if urlsplit(url).scheme not in ("http", "https") or (
                call.url.startswith("https:") and url.startswith("http:")
            ):
                raise self._led(call, status, f"{url}, without TLS")
            away = origin(url) != home
            if call.method != "GET" and (away or status not in (307, 308)):
                raise self._led(call, status, url)
            # Whoever is asked elsewhere must not learn how to log in here.
            call = Call("GET", url, page=call.page, login=False, rest=call.rest) if away else replace(call, url=url)
        raise self.failure(call, f"more than {_MOST_REDIRECTS} redirects", _URL_HINT)

    def _led(self, call: Call, status: int, to: str) -> SourceError:
        """A request that leads elsewhere. What has moved is not done here; 302 and 303 may be the answer to what was."""
        error = self.failure(call, f"{status}, which leads to {self.secrets.url(to)}", _URL_HINT)
        return UndoneError(error.message, hint=error.hint) if status in _MOVED else error

    def _once(self, call: Call, to: IO[bytes], wait: Callable[[float], None] | None) -> tuple[int, Mapping[str, str]]:
        try:
            url, headers = self._signed(call)
        except SourceError as e:
            raise UndoneError(e.message, hint=e.hint) from e.__cause__
        if self._turns is not None:
            self._turns.take(wait or pause)
        try:
            response = self._pools.urlopen(
                call.method, url, headers=headers, body=call.body() if callable(call.body) else call.body, redirect=False, retries=False, preload_content=False,
                timeout=Timeout(connect=self.options.timeout, read=self.options.timeout),
            )  # fmt: skip
            try:
                save(response, to, call.rest)
                found = {name.lower(): value for name, value in response.headers.items()}
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except AddressRefusedError as e:
            raise UndoneError(e.message, hint=e.hint) from None
        except (HTTPError, UnicodeError) as e:
            raise lost(e, self.options) from e
        return response.status, found

    def _signed(self, call: Call) -> tuple[str, dict[str, str]]:
        """Where a request goes, and its headers, with what says who is asking.

        Raises:
            SourceError: the login is refused, or a header has a character that none can have.
        """
        headers = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip, deflate"}
        headers["User-Agent"] = f"headgate/{headgate.__version__}"
        url = call.url
        if call.login:
            with self._renewing:  # of several threads one logs in
                headers |= {**self.options.headers, **call.headers, **self._login.headers()}
                url = with_query(url, self._login.query())
        else:
            headers |= call.headers
        if call.rest is not None and call.rest.of and call.rest.at:
            headers |= {
                "Range": f"bytes={call.rest.at}-", "If-Range": call.rest.of, "Accept-Encoding": "identity",
            }  # fmt: skip
        self._check_headers(call, headers)
        return url, headers

    def _check_headers(self, call: Call, headers: Mapping[str, str]) -> None:
        """Refuse what no header can have, without showing it."""
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
                hint = "Look for a line end or another odd character in it, or at the end of a secret."
                raise self.failure(call, f"the header {name!r} has a character that no header can have", hint)

    def _wait(self, call: Call, status: int, headers: Mapping[str, str], attempt: int) -> float | None:
        """How long to wait before the request is sent again; None if that is no use."""
        told = retry_after(headers.get("retry-after", ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and told is not None):
            if told is not None and told > self.options.max_wait:
                return None
            return backoff(attempt) if told is None else told
        return backoff(attempt) if status in _BUSY and call.repeatable else None

    def _refused(self, call: Call, status: int, headers: Mapping[str, str], body: Path, attempt: int) -> SourceError:
        said = excerpt(body)
        what = f"{status} {phrase(status)}{_times(attempt)}{f'; it said: {said}' if said else ''}"
        return self.failure(call, what, self._hint(call, status, headers))

    def _hint(self, call: Call, status: int, headers: Mapping[str, str]) -> str:
        auth = self.options.auth
        if not call.login:
            return "Check auth.token_url and the client."
        if status == HTTPStatus.UNAUTHORIZED:
            if auth is None:
                return "Say in the connection how to log in (auth)."
            late = " It was good for earlier pages, so it has perhaps expired since." if call.page > 1 else ""
            return f"Check the connection's auth ({auth.type}).{late}"
        if status == HTTPStatus.FORBIDDEN:
            return "This login may not read it; ask whoever gives rights there."
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return "Check the connection's URL and the request's path."
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            return "Check the request's method."
        told = retry_after(headers.get("retry-after", ""))
        if told is not None and told > self.options.max_wait:
            return f"It asks to wait for {told:,.0f} s, longer than the connection's max_wait ({self.options.max_wait:,.0f} s)."
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return "Say in the connection how often it may be asked (rate: 5/s)."
        if status in _BUSY and not call.repeatable:
            return "It was not sent again, as it may have been done; say repeatable: true if that does no harm."
        return "Try again later." if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "Check the request's parameters."


_URL_HINT = "Use the URL it leads to, if that is where the API is."


def origin(url: str) -> tuple[str, str, int]:
    """Who is asked: scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443}.get(parts.scheme, 80)


def with_query(url: str, more: Mapping[str, object]) -> str:
    """The URL with parameters set; those of the same name give way, a list gives one several times, None leaves it out."""
    if not more:
        return url
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k not in more]
    for name, value in more.items():
        query += [(name, _text(v)) for v in (value if isinstance(value, list) else [value]) if v is not None]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def excerpt(body: Path) -> str:
    """The beginning of an answer, in one line."""
    try:
        with body.open("rb") as f:
            head = f.read(4 * _EXCERPT)
    except OSError:
        return ""
    text = " ".join("".join(c if c.isprintable() else " " for c in head.decode(errors="replace")).split())
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def _times(attempt: int) -> str:
    return f", {attempt + 1} times" if attempt else ""


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def backoff(attempt: int) -> float:
    """Twice as long each time, and not at the same moment as everybody else who was turned away."""
    return float(min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.25))  # noqa: S311 - no secret


def retry_after(told: str) -> float | None:
    """Seconds that ``Retry-After`` says, as a number or as a date."""
    told = told.strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
