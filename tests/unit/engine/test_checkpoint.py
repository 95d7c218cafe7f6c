"""What a destination keeps of the last commit comes back as it was meant."""

from __future__ import annotations

from headgate.engine.delivery import Checkpoint
from headgate.model.outcome import Account, Outcome
from headgate.model.run import PartitionRead
from headgate.spi.destination import COUNTS


def test_what_the_destination_counted_is_part_of_the_account() -> None:
    account = Account()
    account.read = 3
    account.add(Outcome.INVALID, 3)
    text = Checkpoint(7, True, account, [PartitionRead("requests", {}, 3)], (0, 3), 0, [], counted="<counts>").text()
    assert text.count(COUNTS) == 1
    last = Checkpoint.of(text.replace(COUNTS, '{"created":2,"unchanged":1,"existing":4}'))
    last.account.check("it")
    assert (last.account.read, last.partitions[0].read, last.position) == (10, 10, (0, 10))
    assert last.account.skips == {"existing": 4}
    assert Checkpoint.of(last.text()).account.as_dict() == last.account.as_dict()
