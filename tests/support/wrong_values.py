"""Destinations that take hostile values or names for something else, one thing each, for the suite to notice; and one that
refuses all it can state to refuse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from headgate.connectors.memory import MemoryDestination
from headgate.connectors.memory.state import State
from headgate.connectors.memory.tables import Table
from headgate.connectors.memory.writer import MemoryWriter
from headgate.model.errors import DestinationError
from headgate.model.types import FieldType
from headgate.model.write import Matched, WriteSpec
from headgate.spi.deciding import Row
from headgate.spi.destination import HARD_VALUES
from headgate.sql import Unheld, Why
from support.wrong_destinations import Converts, Wrong


class TakesNaNForNoValue(Converts):
    fails = ("test_numbers_that_are_none_come_back_or_are_refused",)

    def convert(self, value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value


class TakesInfinityForZero(Converts):
    fails = (
        "test_numbers_that_are_none_come_back_or_are_refused",
        "test_a_number_that_is_none_is_equal_to_itself",
    )

    def convert(self, value: Any) -> Any:
        return 0.0 if isinstance(value, float) and math.isinf(value) else value


class TakesNaNForAChange(Wrong):
    fails = ("test_a_number_that_is_none_is_equal_to_itself",)

    def _update(self, record: Row, row: int) -> None:
        kept = self._rows[row]
        self._rows[row] = {n: None if v != v else v for n, v in kept.items()}
        super()._update(record, row)
        self._rows[row] = kept


class LosesTheSignOfZero(Converts):
    fails = ("test_zero_keeps_its_sign",)

    def convert(self, value: Any) -> Any:
        return value + 0.0 if isinstance(value, float) else value


class CutsAtNul(Converts):
    fails = ("test_nul_in_a_text_comes_back_or_is_refused",)

    def convert(self, value: Any) -> Any:
        return value.split("\0")[0] if isinstance(value, str) else value


class KeepsFifteenDigits(Converts):
    fails = ("test_decimals_of_every_scale_come_back_as_written", "test_values_come_back_as_written")

    def convert(self, value: Any) -> Any:
        return Context(15, ROUND_DOWN).plus(value) if isinstance(value, Decimal) else value


class CutsLongTexts(Converts):
    fails = ("test_a_very_long_key_is_found_again_or_refused", "test_values_come_back_as_written")

    def convert(self, value: Any) -> Any:
        return value[:65_535] if isinstance(value, str) else value


class TakesNoKeyForAnEmptyOne(Wrong):
    fails = ("test_no_value_zero_and_empty_text_are_different_keys",)

    def _key(self, row: Row) -> tuple[object, ...]:
        return tuple(row[k] or None for k in self._spec.key)


class TakesOneKeyForAnother(Wrong):
    fails = ("test_keys_that_only_look_alike_are_different_keys",)

    def _key(self, row: Row) -> tuple[object, ...]:
        return tuple(v.rstrip("\t\u00a0") if isinstance(v, str) else v for v in super()._key(row))


class Mixes(Wrong):
    """Takes columns for one whose names are alike in some way."""

    def write(self, batch: pa.RecordBatch) -> None:
        names = [f.name for f in self._spec.fields]
        first = {n: next(o for o in names if self.alike(o) == self.alike(n)) for n in names}
        super().write(pa.RecordBatch.from_pylist([self._mixed(r, first) for r in batch.to_pylist()], batch.schema))

    @staticmethod
    def _mixed(row: Row, first: dict[str, str]) -> Row:
        return row | {n: row[o] for n, o in first.items()}

    def alike(self, name: str) -> str:
        raise NotImplementedError


class CutsNames(Mixes):
    fails = ("test_columns_may_have_any_name",)

    def alike(self, name: str) -> str:
        return name[:63]


class FoldsNames(Mixes):
    fails = ("test_columns_may_differ_in_case_alone_or_are_refused",)

    def alike(self, name: str) -> str:
        return name.lower()


class TrimsNames(Mixes):
    fails = ("test_columns_may_have_a_blank_at_the_end_of_their_names",)

    def alike(self, name: str) -> str:
        return name.rstrip()


class KnowsNoEmoji(Mixes):
    fails = ("test_columns_may_have_emoji_in_their_names",)

    def alike(self, name: str) -> str:
        return "".join(c if c <= "\uffff" else "?" for c in name)


class ForgetsTheLastColumns(Wrong):
    fails = ("test_a_table_may_have_300_columns_of_text", "test_a_table_may_have_as_many_columns_as_stated")

    def write(self, batch: pa.RecordBatch) -> None:
        lost = dict.fromkeys(f.name for f in self._spec.fields[256:])
        super().write(pa.RecordBatch.from_pylist([r | lost for r in batch.to_pylist()], batch.schema))


class KeepsNoImagesOfTheLastColumns(Wrong):
    fails = ("test_a_table_may_have_as_many_columns_as_stated",)

    def before(self) -> Iterator[pa.RecordBatch]:
        for batch in super().before():
            yield batch.set_column(batch.num_columns - 1, batch.schema.field(-1), pa.nulls(len(batch), pa.string()))


class NamesTablesInLowerCase(MemoryDestination):
    fails = ("test_tables_may_have_any_name",)

    def tables(self) -> list[str]:
        return [n.lower() for n in super().tables()]


class NamesTablesInItsOwnLetters(MemoryDestination):
    fails = ("test_tables_may_have_any_name", "test_tables_may_have_emoji_in_their_names")

    def tables(self) -> list[str]:
        return [n.encode("latin-1", "replace").decode("latin-1") for n in super().tables()]


class TakesNamesOfAnyLength(MemoryDestination):
    fails = ("test_names_that_are_too_long_are_refused",)
    capabilities = replace(MemoryDestination.capabilities, max_identifier=63)


def _hard(source: str, values: pa.Array, of: FieldType) -> tuple[pa.Array, Why] | None:
    if of.kind == "double":
        return pc.invert(pc.is_finite(values)).fill_null(False), str
    if of.kind == "text":
        return pc.match_substring(values, "\0").fill_null(False), str
    return None


class PickyWriter(MemoryWriter):
    """Refuses every hard value."""

    def __init__(self, tables: dict[str, Table], state: State, spec: WriteSpec) -> None:
        super().__init__(tables, state, spec)
        self._unheld = Unheld(spec, _hard)

    def write(self, batch: pa.RecordBatch) -> None:
        super().write(self._unheld.without(batch))

    def match(self, *, deletions: bool = True) -> Matched:
        return self._unheld.counted(super().match(deletions=deletions and not self._unheld.refusals))

    def apply(self) -> Matched:
        return self._unheld.counted(super().apply())


class Picky(MemoryDestination):
    """Memory that holds as little as a destination may state. What it states it does."""

    capabilities = replace(
        MemoryDestination.capabilities,
        refuses=frozenset(HARD_VALUES),
        folds_case=True,
        max_identifier=63,
        max_columns=100,
    )
    writer: type[PickyWriter] = PickyWriter

    def open(self, spec: WriteSpec) -> MemoryWriter:
        names = [spec.table, *(f.name for f in spec.fields)]
        if max(len(n.encode()) for n in names) > 63:
            raise DestinationError("a name is too long", hint="Shorten it.")
        self.check([f.name for f in spec.fields])
        return self.writer(self._tables, self._state, spec)

    def check(self, columns: list[str]) -> None:
        """Refuse columns that differ only in case."""
        if len({c.lower() for c in columns}) < len(columns):
            raise DestinationError("two columns have one name", hint="Name one of them otherwise.")


class TakesColumnsThatDifferInCase(Picky):
    fails = ("test_columns_may_differ_in_case_alone_or_are_refused",)

    def check(self, columns: list[str]) -> None:
        pass


class LosingWriter(PickyWriter):
    def apply(self) -> Matched:
        self._unheld.forget()
        return super().apply()


class LosesWhatItRefuses(Picky):
    fails = (
        "test_numbers_that_are_none_come_back_or_are_refused",
        "test_nul_in_a_text_comes_back_or_is_refused",
    )
    writer = LosingWriter


class MirroringWriter(PickyWriter):
    def match(self, *, deletions: bool = True) -> Matched:
        return self._unheld.counted(MemoryWriter.match(self, deletions=deletions))


class DeletesWhatItRefuses(Picky):
    fails = (
        "test_numbers_that_are_none_come_back_or_are_refused",
        "test_nul_in_a_text_comes_back_or_is_refused",
    )
    writer = MirroringWriter


WRONG: list[Any] = [
    TakesNaNForNoValue,
    TakesInfinityForZero,
    TakesNaNForAChange,
    LosesTheSignOfZero,
    CutsAtNul,
    KeepsFifteenDigits,
    CutsLongTexts,
    TakesNoKeyForAnEmptyOne,
    TakesOneKeyForAnother,
    CutsNames,
    FoldsNames,
    TrimsNames,
    KnowsNoEmoji,
    ForgetsTheLastColumns,
    KeepsNoImagesOfTheLastColumns,
    NamesTablesInLowerCase,
    NamesTablesInItsOwnLetters,
    TakesNamesOfAnyLength,
    TakesColumnsThatDifferInCase,
    LosesWhatItRefuses,
    DeletesWhatItRefuses,
]
