"""`headgate new --openapi`: a definition proposed from the description of an API."""

from __future__ import annotations

from .document import Api, read_api
from .draft import ApiDraft, propose_api
from .operations import Listing, choose, listings
from .settings import connection_lines, with_connection

__all__ = [
    "Api",
    "ApiDraft",
    "Listing",
    "choose",
    "connection_lines",
    "listings",
    "propose_api",
    "read_api",
    "with_connection",
]
