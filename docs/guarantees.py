"""The page of guarantees: what each destination promises, from its capabilities, with the test that proves it."""

from __future__ import annotations

from collections.abc import Callable

from headgate.model.types import KINDS
from headgate.spi.destination import HARD_VALUES, Capabilities

Cell = Callable[[Capabilities], str]


def _if(attribute: str) -> Cell:
    return lambda c: "yes" if getattr(c, attribute) else "no"


def _exact(c: Capabilities) -> str:
    lossy = [k for k in KINDS if k not in c.exact_types and k != "other"]
    return f"all but {', '.join(lossy)}" if lossy else "all"


def _refused(c: Capabilities) -> str:
    return "yes" + (f": {', '.join(w for n, w in HARD_VALUES.items() if n in c.refuses)}" if c.refuses else "")


# What is promised, what it is for a destination, the test of the conformance suite that proves it.
GUARANTEES: tuple[tuple[str, Cell, str], ...] = (
    ("nothing is visible to others before the commit", _if("transactional"), "test_nothing_is_visible_to_others_before_commit"),
    ("a run that stops leaves nothing", _if("transactional"), "test_abort_after_apply_leaves_nothing"),
    ("a plan writes nothing", lambda _: "yes", "test_match_writes_nothing"),
    ("running a plan does what it showed, or holds the record", lambda _: "yes", "test_a_plan_is_run_as_it_was_shown"),
    ("the same run again changes nothing", lambda _: "yes", "test_the_same_run_again_changes_nothing"),
    ("a refused record is told from its neighbours, who get through", _if("row_rejects"), "test_a_missing_value_is_refused_alone"),
    ("a table that a run makes is there after its commit only", _if("create_table"), "test_a_table_the_run_makes_is_there_after_commit_only"),
    ("types that come back exactly as written", _exact, "test_values_come_back_as_written"),
    ("what its columns cannot hold is refused, and never changed", _refused, "test_numbers_that_are_none_come_back_or_are_refused"),
    ("the checkpoint is committed with the data", _if("checkpoints"), "test_every_batch_has_its_checkpoint"),
    ("who was given up for dead cannot commit", _if("checkpoints"), "test_who_was_overtaken_cannot_commit"),
    ("undo puts back what every operation did", _if("undo"), "test_every_operation_is_taken_back"),
    ("undo leaves what was edited since, and names it", _if("undo"), "test_records_edited_since_are_left_and_named"),
    ("an undo can be undone", _if("undo"), "test_an_undo_can_be_undone"),
    ("undo removes a table that the run made, if nothing else is in it", _if("undo"), "test_a_table_the_run_made_stays_when_somebody_has_added_to_it"),
    ("a run can add columns to its table", lambda c: "yes" if "add" in c.alters else "no", "test_a_plan_adds_no_column"),
    ("a run can give its table's columns larger types", lambda c: "yes" if "widen" in c.alters else "no", "test_a_type_is_widened_with_the_records"),
    ("undo removes a column that the run added, if nothing is in it", lambda c: "yes" if c.undo and "add" in c.alters else "no", "test_a_column_that_somebody_uses_stays"),
    ("entries that a lookup lacks are made in the run's own transaction", _if("lookups"), "test_parents_are_forgotten_by_abort"),
)  # fmt: skip

TEXT = """# Guarantees

What Headgate promises, whatever happens in between:

1. **Every record read ends in exactly one outcome**, and a run is kept only if its sums balance. `read = created + updated + unchanged +
   deleted + skipped + invalid + rejected + held + unknown`, in every batch, in every run, and once more before the ledger closes it.
2. **After a crash at any instant a second run gives what one undisturbed run would have given.** A run that commits at its end
   (`commit: run`) begins anew; one that commits batch by batch goes on where its destination says it was left. What the ledger does not
   know yet of a run whose process died, the next command asks the destination. [How it is tried](crashes.md).
3. **What a run did can be taken back**, as long as its journal is kept. [How](how-to/undo-a-run.md).

## By destination

{table}

## What is not promised

- **A login that may not make `_headgate_checkpoint`** (PostgreSQL: the schema `_headgate`) can import all the same, with a warning. After
  a crash between the destination's commit and the ledger's account such a run is then taken for failed though its data is in; imports
  that commit batch by batch and would add records twice (append, insert) are refused.
- **Entries made by lookups** (`missing: create`) are part of the run's transaction, and stay when the run is undone.
- **Types that a run has widened** (`schema.types: widen`) stay as they are when it is undone.
- **Records appended without a key** are found again by all of their values: of several equal ones, any. MariaDB and MySQL cannot do that in a table
  without a primary key.
- **Of a table that other programs write to**, undo compares what the run wrote. A trigger that writes something else into the same columns
  makes a record look edited: it is left, and `--force` takes it back.
- **Two ledgers** know nothing of each other: two people who import into one table from ledgers of their own are two programs at one
  database, kept apart by its locks alone.
- **`duplicates: first | reject`** hold within one commit; with `commit: batch` earlier batches are not remembered.

{gaps}"""


def guarantees(capabilities: dict[str, Capabilities], table: Callable[[list[str], list[list[str]]], str]) -> str:
    """The page.

    Args:
        capabilities: by the destination's name.
        table: makes a Markdown table of titles and rows.
    """
    rows = [[words, *(cell(c) for c in capabilities.values()), f"`{test}`"] for words, cell, test in GUARANTEES]
    gaps = [f"- {name}: {gap}" for name, c in capabilities.items() for gap in c.gaps.values()]
    stated = "## Gaps that connectors state\n\n" + "\n".join(gaps) + "\n" if gaps else ""
    return TEXT.format(table=table(["guarantee", *capabilities, "proved by"], rows).rstrip(), gaps=stated)
