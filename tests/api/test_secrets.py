"""What is taken out of what people see."""

from __future__ import annotations

import pytest

from headgate.spi.secrets import Secrets


def test_a_secret_is_hidden_in_every_form_it_is_sent_in() -> None:
    secrets = Secrets()
    secrets.add("a b/c?&d", "user:pass word")
    said = "a b/c?&d a%20b%2Fc%3F%26d dXNlcjpwYXNzIHdvcmQ= user%3Apass%20word"
    assert secrets.hide(said) == "*** *** *** ***"


def test_a_secret_within_another_does_not_leave_its_rest() -> None:
    secrets = Secrets()
    secrets.add("secret", "secret-and-more")
    assert secrets.hide("secret-and-more") == "***"


def test_texts_too_short_to_be_secrets_are_left() -> None:
    secrets = Secrets()
    secrets.add("", "a", "abc")
    assert secrets.hide("a, abc, b") == "a, abc, b"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:x@api.example/v1?a=1&api_key=x#y", "https://api.example/v1?a=1&api_key=***"),
        (
            "https://api.example/?access_token=x&page_token=2&cursor=3",
            "https://api.example/?access_token=***&page_token=2&cursor=3",
        ),
        ("https://api.example/a?X-Amz-Signature=x&b=", "https://api.example/a?X-Amz-Signature=***&b="),
        ("https://api.example", "https://api.example"),
    ],
)
def test_a_url_is_shown_without_what_is_called_a_secret(url: str, shown: str) -> None:
    assert Secrets().url(url) == shown
