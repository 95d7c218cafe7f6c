"""Logging in."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from headgate.model.errors import SourceError
from headgate.spi.secrets import Secrets

from .options import ApiKeyAuth, Auth, BasicAuth, BearerAuth, OAuth2

_EARLY = 30.0
_FORM = "application/x-www-form-urlencoded"

Post = Callable[[str, Mapping[str, str], bytes], bytes]
"""Sends a form to the token URL and gives the answer's body."""


class Login(Protocol):
    """How requests say who is asking."""

    def headers(self) -> Mapping[str, str]:
        """Headers to be sent."""
        ...

    def query(self) -> Mapping[str, str]:
        """Parameters to be sent."""
        ...

    def renew(self) -> bool:
        """Log in anew after a refusal; False where there is no way to."""
        ...


class Fixed:
    """The same with every request."""

    def __init__(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        self._headers, self._query = headers, query

    def headers(self) -> Mapping[str, str]:
        """See `Login`."""
        return self._headers

    def query(self) -> Mapping[str, str]:
        """See `Login`."""
        return self._query

    def renew(self) -> bool:
        """See `Login`."""
        return False


class Tokens:
    """A token of an OAuth 2 server, fetched when it is needed, and again when it expires or is refused."""

    def __init__(self, auth: OAuth2, secrets: Secrets, post: Post, now: Callable[[], float]) -> None:
        self._auth, self._secrets, self._post, self._now = auth, secrets, post, now
        self._refresh = auth.refresh_token
        self._token = ""
        self._expires: float | None = None

    def headers(self) -> Mapping[str, str]:
        """See `Login`."""
        if not self._token or (self._expires is not None and self._now() >= self._expires):
            self.renew()
        header = self._auth.header
        return {header: self._token} if header else {"Authorization": f"Bearer {self._token}"}

    def query(self) -> Mapping[str, str]:
        """See `Login`."""
        return {}

    def renew(self) -> bool:
        """See `Login`.

        Raises:
            SourceError: no token is given.
        """
        auth = self._auth
        form = {"grant_type": "client_credentials"}
        if self._refresh is not None:
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
        form |= {"scope": auth.scope} if auth.scope else {}
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        if auth.send == "basic":
            headers |= _basic(auth.client_id, auth.client_secret)
        else:
            form |= {"client_id": auth.client_id, "client_secret": auth.client_secret}
        self._take(self._post(auth.token_url, headers, urlencode(form | auth.params).encode()))
        return True

    def _take(self, body: bytes) -> None:
        try:
            answer: Any = json.loads(body)
            token = answer["access_token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token:
            raise SourceError("the token URL's answer has no access_token", hint="Check auth.token_url and the client.")
        self._token = token
        self._secrets.add(token)
        lives = answer.get("expires_in")
        # Early, but not so early that a short-lived token is fetched for every request.
        self._expires = self._now() + max(lives - _EARLY, lives / 2) if isinstance(lives, int | float) else None
        if isinstance(again := answer.get("refresh_token"), str):
            self._refresh = again
            self._secrets.add(again)


def login(auth: Auth | None, secrets: Secrets, post: Post, now: Callable[[], float]) -> Login:
    """How a connection logs in; its secrets are hidden from then on."""
    match auth:
        case BearerAuth(token=token):
            secrets.add(token)
            return Fixed({"Authorization": f"Bearer {token}"}, {})
        case BasicAuth(user=user, password=password):
            secrets.add(password, f"{user}:{password}")
            return Fixed(_basic(user, password), {})
        case ApiKeyAuth(name=name, key=key, send=send):
            secrets.add(key)
            return Fixed({name: key}, {}) if send == "header" else Fixed({}, {name: key})
        case OAuth2():
            secrets.add(auth.client_secret, f"{auth.client_id}:{auth.client_secret}", auth.refresh_token or "")
            return Tokens(auth, secrets, post, now)
    return Fixed({}, {})


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}
