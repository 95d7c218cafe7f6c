"""Sending requests: at the rate that is allowed, again where that helps, logged in, and only where they may go."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

import headgate
from headgate.model.errors import SourceError
from headgate.spi.address import pools
from headgate.spi.secrets import Secrets, is_secret

from .auth import login
from .options import ApiOptions, spacing

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 500, 502, 503, 504)
_MOST_REDIRECTS = 5
_BLOCK = 1 << 16
_EXCERPT = 300
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Beyond both, what a packed answer unpacks to is no data.
_LARGE, _RATIO = 1 << 30, 200

clock, pause = time.monotonic, time.sleep


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        page: number of the page it asks for, for messages; 0 where it asks for none.
        repeatable: whether it may be sent again when it is not known what became of it.
        login: whether it says who is asking.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    page: int = 0
    repeatable: bool = True
    login: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer, its body in a file.

    Attributes:
        call: what was asked.
        headers: by name in lower case.
    """

    call: Call
    status: int
    headers: Mapping[str, str]
    body: Path

    @property
    def kind(self) -> tuple[str, str]:
        """The media type and the character set of ``Content-Type``; empty where it does not say."""
        kind, _, rest = self.headers.get("content-type", "").partition(";")
        name, _, value = rest.strip().partition("=")
        return kind.strip().lower(), value.strip(" \"'").lower() if name.strip().lower() == "charset" else ""


class _LostError(Exception):
    """An exchange did not come to its end.

    Args:
        unsent: the server has not seen the request.
        hopeless: it will not be otherwise the next time.
    """

    def __init__(self, what: str, hint: str, *, unsent: bool = False, hopeless: bool = False) -> None:
        super().__init__(what)
        self.hint, self.unsent, self.hopeless = hint, unsent, hopeless


class Client:
    """A connection to an API."""

    def __init__(self, options: ApiOptions) -> None:
        self.options = options
        self.secrets = Secrets()
        self.secrets.add(*(value for name, value in options.headers.items() if is_secret(name)))
        self._pools = pools(private=options.private, ca=options.ca)
        self._spacing = spacing(options.rate) if options.rate else 0.0
        self._due = 0.0
        self._login = login(options.auth, self.secrets, self._post_form, lambda: clock())

    def send(self, call: Call, to: Path) -> Answer:
        """Send a request, and again where that helps; the body of the answer is written to a file.

        Raises:
            SourceError: there is no good answer.
        """
        renewed = False
        attempt = 0
        while True:
            try:
                status, headers = self._follow(call, to)
            except _LostError as e:
                again = not e.hopeless and (e.unsent or call.repeatable)
                if not again or attempt >= self.options.retries:
                    raise self.failure(call, f"{e}{_times(attempt)}", e.hint) from e.__cause__
                pause(_backoff(attempt))
                attempt += 1
                continue
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                return Answer(call, status, headers, to)
            if status == HTTPStatus.UNAUTHORIZED and call.login and not renewed and self._login.renew():
                renewed = True
                continue
            wait = self._wait(call, status, headers, attempt)
            if wait is None or attempt >= self.options.retries:
                raise self._refused(call, status, headers, to, attempt)
            pause(wait)
            attempt += 1

    def reach(self, to: Path) -> str:
        """The status that the connection's URL is answered with; only being turned away is an error.

        Raises:
            SourceError: nobody answers, or the login is refused.
        """
        call = Call("GET", self.options.url)
        try:
            status, headers = self._follow(call, to)
        except _LostError as e:
            raise self.failure(call, str(e), e.hint) from e.__cause__
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._refused(call, status, headers, to, 0)
        return f"{status} {_phrase(status)}"

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

    def _follow(self, call: Call, to: Path) -> tuple[int, Mapping[str, str]]:
        """One exchange, through redirects: status, headers by lower-case name, and the body in a file."""
        home = origin(call.url)
        for _ in range(_MOST_REDIRECTS + 1):
            status, headers = self._once(call, to)
            if status not in _REDIRECTS or not (target := headers.get("location")):
                return status, headers
            url = self.leads_to(call, target)
            if urlsplit(url).scheme not in ("http", "https") or (
                call.url.startswith("https:") and url.startswith("http:")
            ):
                raise self.failure(call, f"{status}, which leads to {self.secrets.url(url)}, without TLS", _URL_HINT)
            away = origin(url) != home
            if call.method != "GET" and (away or status not in (307, 308)):
                raise self.failure(call, f"{status}, which leads to {self.secrets.url(url)}", _URL_HINT)
            # Whoever is asked elsewhere must not learn how to log in here.
            call = Call("GET", url, page=call.page, login=False) if away else replace(call, url=url)
        raise self.failure(call, f"more than {_MOST_REDIRECTS} redirects", _URL_HINT)

    def _once(self, call: Call, to: Path) -> tuple[int, Mapping[str, str]]:
        headers = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip, deflate"}
        headers["User-Agent"] = f"headgate/{headgate.__version__}"
        url = call.url
        if call.login:
            headers |= {**self.options.headers, **call.headers, **self._login.headers()}
            url = with_query(url, self._login.query())
        else:
            headers |= call.headers
        self._check_headers(call, headers)
        self._pace()
        try:
            response = self._pools.urlopen(
                call.method, url, headers=headers, body=call.body, redirect=False, retries=False, preload_content=False,
                timeout=Timeout(connect=self.options.timeout, read=self.options.timeout),
            )  # fmt: skip
            try:
                _save(response, to)
                found = {name.lower(): value for name, value in response.headers.items()}
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (HTTPError, UnicodeError) as e:
            raise _lost(e, self.options) from e
        return response.status, found

    def _check_headers(self, call: Call, headers: Mapping[str, str]) -> None:
        """Refuse what no header can have, without showing it."""
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                hint = "Look for a line end or another odd character in it, or at the end of a secret."
                raise self.failure(call, f"the header {name!r} has a character that no header can have", hint)

    def _pace(self) -> None:
        if not self._spacing:
            return
        if (early := self._due - clock()) > 0:
            pause(early)
        self._due = max(self._due, clock()) + self._spacing

    def _wait(self, call: Call, status: int, headers: Mapping[str, str], attempt: int) -> float | None:
        """How long to wait before the request is sent again; None if that is no use."""
        told = _retry_after(headers.get("retry-after", ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and told is not None):
            if told is not None and told > self.options.max_wait:
                return None
            return _backoff(attempt) if told is None else told
        return _backoff(attempt) if status in _BUSY and call.repeatable else None

    def _refused(self, call: Call, status: int, headers: Mapping[str, str], body: Path, attempt: int) -> SourceError:
        said = excerpt(body)
        what = f"{status} {_phrase(status)}{_times(attempt)}{f'; it said: {said}' if said else ''}"
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
        told = _retry_after(headers.get("retry-after", ""))
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


def _save(response: BaseHTTPResponse, to: Path) -> None:
    try:
        with to.open("wb") as out:
            for block in response.stream(_BLOCK, decode_content=True):
                out.write(block)
                if out.tell() > max(_LARGE, _RATIO * response.tell()):
                    raise SourceError(
                        f"an answer unpacks to more than {_LARGE >> 20:,} MiB, over {_RATIO} times its size",
                        hint="That is no data; ask whoever runs the API.",
                    )
    except HTTPError:
        raise
    except OSError as e:
        raise SourceError(
            f"an answer cannot be kept in {to.parent}: {e.strerror or e}",
            hint="Make room there, or set TMPDIR to another folder.",
        ) from e


def _lost(e: Exception, options: ApiOptions) -> _LostError:
    """What happened, in words."""
    if isinstance(e, NewConnectionError):
        cause = e.__cause__
        why = (cause.strerror if isinstance(cause, OSError) else None) or str(e).rpartition(": ")[2]
        return _LostError(f"it cannot be reached: {why}", "Check the connection's URL, and the network.", unsent=True)
    if isinstance(e, ConnectTimeoutError):
        return _LostError(f"it cannot be reached within {options.timeout:g} s", _SLOW, unsent=True)
    if isinstance(e, ReadTimeoutError):
        return _LostError(f"no answer within {options.timeout:g} s", _SLOW)
    if isinstance(e, SSLError):
        why = str(e.args[0] if e.args else e)
        hint = "If its certificate is from an authority of your own, name that in the connection's ca."
        return _LostError(f"no secure connection: {why}", hint, unsent=True, hopeless="CERTIFICATE_VERIFY" in why)
    if isinstance(e, DecodeError):
        return _LostError(f"its answer cannot be unpacked: {e}", "Ask whoever runs it.")
    if isinstance(e, LocationParseError | UnicodeError):
        return _LostError("the URL has no sense", "Check the connection's URL.", hopeless=True)
    return _LostError(f"the connection was lost: {e.args[0] if e.args else e}", "Try again later.")


_SLOW = "Raise the connection's timeout, or ask for smaller pages."


def _times(attempt: int) -> str:
    return f", {attempt + 1} times" if attempt else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _backoff(attempt: int) -> float:
    """Twice as long each time, and not at the same moment as everybody else who was turned away."""
    return float(min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1.25))  # noqa: S311 - no secret


def _retry_after(told: str) -> float | None:
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
