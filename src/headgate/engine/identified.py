"""The ids that a destination gives records of its own, kept for other imports that refer to them.

They are kept before the destination's commit: who dies in between has told the truth, and whoever goes on tells it again, as the
destination remembers what was done until the commit.
"""

from __future__ import annotations

from headgate.ledger import Ledger
from headgate.ledger.ids import Ids
from headgate.model.run import Run
from headgate.spi.destination import GivesIds, Writer


def keep_ids(ledger: Ledger, run: Run, writer: Writer) -> None:
    """Keep the ids of what a writer has found or applied, and forget those of what is not there any more.

    Raises:
        Fenced: the import was taken over; whoever did so keeps them.
        HeadgateError: the ledger cannot be written.
    """
    if not isinstance(writer, GivesIds) or not (told := writer.ids()):
        return
    ledger.check_held(run)
    Ids(ledger, run.import_name, run.destination).learn(told)
