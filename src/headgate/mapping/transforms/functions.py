"""Transforms that need Python: HTML and telephone numbers."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

from headgate.model.errors import DefinitionError

from .base import Example, Setting, Settings, Transform, in_python

_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "header", "footer", "blockquote", "pre"}
)  # fmt: skip
_SILENT = frozenset({"script", "style"})


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.silent += tag in _SILENT
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in _SILENT and self.silent > 0
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(" ".join(data.split("\n")))


def _html_to_text(_: Settings) -> Callable[[str], str | None]:
    def convert(value: str) -> str | None:
        parser = _Text()
        parser.feed(value)
        parser.close()
        lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
        return "\n".join(line for line in lines if line)

    return convert


def _phone(settings: Settings) -> Callable[[str], str | None]:
    try:
        import phonenumbers
    except ImportError:
        raise DefinitionError(
            "the transform phone needs the package phonenumbers", hint="Install it: pip install 'headgate[phone]'."
        ) from None
    region = settings["region"].upper() or None
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise DefinitionError(
            f"{settings['region']!r} is not a region", hint="Regions have two letters, such as DE or US."
        )

    def convert(value: str) -> str | None:
        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_valid_number(number):
            return None
        return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    return convert


PYTHON = (
    Transform("html_to_text", "Takes HTML's tags out and decodes its entities; blocks become lines.", in_python, (), (Example("html_to_text", "<p>Fish &amp; <b>chips</b></p>", "Fish & chips"),), function=_html_to_text),
    Transform("phone", "Writes a telephone number as +4930123456 (E.164).", in_python, (Setting("region", "text", "country of numbers written without one, two letters", ""),), (Example({"phone": "DE"}, "030 901820", "+4930901820"), Example({"phone": "DE"}, "12", "TR01")), fails=True, function=_phone),
)  # fmt: skip
