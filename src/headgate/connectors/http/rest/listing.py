"""Reading all records of a resource, page by page, as a mirror must."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from headgate.connectors.http.exchange import MOST_BYTES
from headgate.connectors.http.pages import Asking
from headgate.connectors.http.resource import ResourceSpec
from headgate.model.errors import DestinationError, SourceError

from .sender import Sender
from .template import ENCODER
from .values import DECODER


def listed(
    sender: Sender, resource: ResourceSpec, general: Mapping[str, Any], check: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    """All records that the pages have.

    Args:
        sender: asks for them.
        resource: has a `listing`.
        general: what stands for `{table}`, `{columns}` and `{fields}` in it; of a list its parts with commas between them.
        check: called before each page; raises to break off.

    Raises:
        DestinationError: a page cannot be had, so that nobody knows what is there.
    """
    assert resource.listing is not None, "whoever asks has looked"
    client = sender.client
    texts = {name: ",".join(value) if isinstance(value, list) else value for name, value in general.items()}
    values = {name: ENCODER.encode(value) for name, value in texts.items()}
    with tempfile.TemporaryDirectory(prefix="headgate-") as folder:
        asking = Asking(client, "json", Path(folder) / "page", partial(sender.fetch, answer=resource.answer))
        pages = asking.all(resource.listing, values)
        try:
            for found in pages:
                check()
                if found.whole:
                    raise client.failure(
                        found.answer.call,
                        f"the answer is no page of records: it has more than {MOST_BYTES >> 20} MiB",
                        "Say how it is asked for in smaller pages: pagination of listing.",
                    )
                for line in found.lines:
                    record = DECODER.decode(line)
                    if not isinstance(record, dict):
                        raise client.failure(
                            found.answer.call,
                            "what it gives are no records: they are no objects",
                            "Check records of listing: the path to a list of objects.",
                        )
                    yield record
        except SourceError as e:
            raise DestinationError(
                f"what is there cannot be listed, so nothing was sent: {e.message}",
                hint=e.hint.replace("request.", "listing.")
                or "Check listing of the resource, and what this login may read.",
            ) from e
