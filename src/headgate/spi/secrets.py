"""What must not be shown."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

HIDDEN = "***"
_LEAST = 4


class Secrets:
    """Texts that are taken out of everything people see."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()

    def add(self, *texts: str) -> None:
        """Hide these from now on, also as they are written in URLs and headers."""
        for text in texts:
            forms = {text, quote(text, safe=""), quote(text), b64encode(text.encode()).decode()}
            self._hidden |= {form for form in forms if len(form) >= _LEAST}

    def hide(self, text: str) -> str:
        """The text without them."""
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def url(self, url: str) -> str:
        """A URL without user, password and fragment, and without parameters that are called like a secret."""
        parts = urlsplit(url)
        query = [(k, HIDDEN if is_secret(k) else v) for k, v in parse_qsl(parts.query, keep_blank_values=True)]
        shown = urlencode(query, safe="*/:,[]") if query else ""
        host = parts.netloc.rpartition("@")[2]
        return self.hide(urlunsplit((parts.scheme, host, parts.path, shown, "")))


def is_secret(name: str) -> bool:
    """Whether a parameter or header of this name has a secret in it, by what such are called."""
    lower = name.lower()
    # A page's token is no secret, and of use in a message.
    if "page" in lower or "next" in lower:
        return False
    return any(word in lower for word in ("pass", "secret", "token", "key", "sign", "auth", "cookie"))
