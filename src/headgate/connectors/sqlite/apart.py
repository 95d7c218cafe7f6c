"""Tables read by a process of their own (`scan`), in the types that Python's module would give them.

A column of SQLite may hold values of any type. The statement gives each column only values of the class it is read as, and a
column more in which a record with others says what they are, so that nothing depends on what the driver makes of a mixture.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from headgate.model.text import text_form
from headgate.spi.source import BATCH_ROWS

from .connect import BUSY_SECONDS
from .tables import quoted

_ROWS: Final = 8_192
_BYTES: Final = 4 << 20
_SCAN: Final = Path(__file__).with_name("scan.py")
_READ: Final[dict[str, Callable[[str], object]]] = {
    "text": lambda given: bytes.fromhex(given).decode(),
    "blob": bytes.fromhex,
    "integer": lambda given: int(bytes.fromhex(given)),
    "real": float,
}


class Broken(Exception):
    """The other process did not come to its end; what it said."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A column to be read.

    Attributes:
        name: of the column.
        type: what it is read as.
        affinity: in whose terms its values are stored; TEXT ones are never numbers.
    """

    name: str
    type: pa.DataType
    affinity: str

    @property
    def real(self) -> bool:
        """Whether floating-point numbers among its values come in a column of their own, so that no digit is lost."""
        return pa.types.is_binary(self.type) or (pa.types.is_string(self.type) and self.affinity != "TEXT")

    def items(self) -> list[Item]:
        """What is selected for it."""
        c = f"hg.{quoted(self.name)}"
        reals = f"case when +{c} >= '' then null when typeof({c}) = 'real' then {c} end"
        real = Item("0.0", "double", reals, reals)
        if pa.types.is_binary(self.type):
            given = f"case typeof({c}) when 'real' then null else cast({c} as blob) end"
            return [Item("x'00'", "binary", given, given), real]
        if pa.types.is_floating(self.type):
            return [Item("0.0", "double", _only(c, "real"), f"case typeof({c}) when 'real' then {c} end")]
        if not pa.types.is_string(self.type):
            return [Item("0", "int64", c, f"case typeof({c}) when 'integer' then {c} end")]
        if not self.real:
            plain = f"case when {c} >= x'' then {_raised(c)} else {c} end"
            return [Item("''", "string", plain, f"case when {c} < x'' then {c} end")]
        whole = f"case typeof({c}) when 'integer' then cast({c} as text) end"
        texts = f"case when +{c} >= x'' then {{}} when +{c} >= '' then {c} else {whole} end"
        return [Item("''", "string", texts.format(_raised(c)), texts.format("null")), real]

    def odd(self) -> str:
        """Whether a value is of another class."""
        c = f"hg.{quoted(self.name)}"
        if pa.types.is_binary(self.type):
            return "0"
        if pa.types.is_string(self.type):
            return f"{c} >= x''"  # only a blob is
        return f"typeof({c}) not in ('{'real' if pa.types.is_floating(self.type) else 'integer'}', 'null')"


@dataclass(frozen=True, slots=True)
class Item:
    """An expression of a statement.

    Attributes:
        shown: a value of its class.
        type: the Arrow type the driver makes of it.
        quick: fails where a value is of another class. Of integers the driver itself says so.
        full: has null there.
    """

    shown: str
    type: str
    quick: str
    full: str


def _raised(column: str) -> str:
    """An error, which must not be taken for a constant: those are worked out at the beginning."""
    return f"abs(-9223372036854775808 + ({column} is null))"


def _only(column: str, kind: str) -> str:
    return f"case typeof({column}) when '{kind}' then {column} when 'null' then null else {_raised(column)} end"


def statements(columns: Sequence[Asked], source: str) -> dict[str, object]:
    """The quick and the full statement, whose first record only shows the classes; and the types of their columns.

    Both walk the same columns of the same table, so in one transaction their records come in the same order.
    """
    items = [item for c in columns for item in c.items()]
    odd = " or ".join(f"({c.odd()})" for c in columns)
    told = " || ".join(_told(i, c) for i, c in enumerate(columns))
    items.append(Item("''", "string", "null", f"case when {odd} then {told} end"))
    shown = f"select {', '.join(f'{item.shown} as c{i}' for i, item in enumerate(items))} union all select "
    return {
        "quick": f"{shown}{', '.join(item.quick for item in items)} from {source} hg",
        "full": f"{shown}{', '.join(item.full for item in items)} from {source} hg",
        "types": [item.type for item in items],
    }


def _told(index: int, column: Asked) -> str:
    c = f"hg.{quoted(column.name)}"
    value = f"case typeof({c}) when 'real' then printf('%!.17g', {c}) else hex(cast({c} as blob)) end"
    return f"case when {column.odd()} then '{index} ' || typeof({c}) || ' ' || {value} || char(10) else '' end"


class Apart:
    """A process that reads a table.

    Args:
        path: the file.
        columns: what is read of it.
        source: the table, for statements.
    """

    def __init__(self, path: Path, columns: Sequence[Asked], source: str) -> None:
        self._columns = columns
        command = [sys.executable, "-I", "-S", str(_SCAN)]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        asked = {
            "path": sys.path, "uri": f"file:{quote(str(path.absolute()))}?mode=rw", "rows": _ROWS,
            "settings": [f"pragma busy_timeout = {int(BUSY_SECONDS * 1000)}", "pragma query_only = on"],
            **statements(columns, source),
        }  # fmt: skip
        with suppress(OSError), _stream(self._process.stdin) as line:  # it is gone: that shows when it is read from
            line.write(json.dumps(asked).encode() + b"\n")

    @staticmethod
    def possible() -> bool:
        """Whether this program's Python can be started once more."""
        return Path(sys.executable or "").name.lower().startswith("python") and _SCAN.is_file()

    def pages(self) -> Iterator[list[pa.Array]]:
        """Columns of at most `BATCH_ROWS` records, in their types, or as text where not all values are of them.

        Raises:
            Broken: it has not come to its end.
            UnicodeDecodeError: a text is none; its reason names the column.
        """
        try:
            for batch in _together(self._batches()):
                yield self._typed(batch)
        finally:
            self.stop()
            for stream in (self._process.stdout, self._process.stderr):
                _stream(stream).close()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with pa.ipc.open_stream(_stream(self._process.stdout)) as reader:
                first = True
                for batch in reader:
                    yield batch.slice(1) if first else batch
                    first = False
        except (pa.ArrowException, OSError) as e:
            raise Broken(self._said() or str(e)) from e
        said = self._said()  # a stream that is cut off between two batches looks like one at its end
        if self._process.wait():
            raise Broken(said or f"the process that reads it ended with {self._process.returncode}")

    def _said(self) -> str:
        return _stream(self._process.stderr).read().decode(errors="replace").strip()

    def _typed(self, batch: pa.RecordBatch) -> list[pa.Array]:
        odd = self._odd(batch.column(batch.num_columns - 1))
        arrays, at = [], 0
        for index, column in enumerate(self._columns):
            values, at = batch.column(at), at + 1
            if pa.types.is_string(values.type):
                _check(values, column.name)
            if column.real:
                values, at = _with_real(values, batch.column(at)), at + 1
            arrays.append(_with_odd(values, odd.get(index, {}), column.type))
        return arrays

    @staticmethod
    def _odd(told: pa.Array) -> dict[int, dict[int, object]]:
        """Values of other classes: by column and record."""
        found: dict[int, dict[int, object]] = {}
        for row in pc.indices_nonzero(pc.is_valid(told)).to_pylist():
            for one in told[row].as_py().splitlines():
                column, kind, value = one.split(" ")
                found.setdefault(int(column), {})[row] = _READ[kind](value)
        return found

    def stop(self) -> None:
        """End it, whatever it is at. From any thread; may be called twice."""
        self._process.kill()
        self._process.wait()


def _stream(given: IO[bytes] | None) -> IO[bytes]:
    assert given is not None
    return given


def _together(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The driver's small batches as larger ones, as far as those stay small enough to be held."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        rows = sum(b.num_rows for b in held)
        if rows >= BATCH_ROWS or sum(b.nbytes for b in held) >= _BYTES:
            whole = pa.concat_batches(held)
            yield whole.slice(0, BATCH_ROWS)
            held = [whole.slice(BATCH_ROWS)] if rows > BATCH_ROWS else []
    if held and (whole := pa.concat_batches(held)).num_rows:
        yield whole


def _check(values: pa.Array, name: str) -> None:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid as e:
        raise UnicodeDecodeError("utf-8", b"", 0, 0, f"Could not decode to UTF-8 column {name!r}") from e


def _with_real(values: pa.Array, reals: pa.Array) -> pa.Array:
    return values if reals.null_count == len(reals) else pc.coalesce(values, real_texts(reals).cast(values.type))


def real_texts(numbers: pa.Array) -> pa.Array:
    """Numbers in the form of `text_form`."""
    texts = numbers.cast(pa.string())
    if pc.any(pc.match_substring_regex(texts, r"[eina]|^-?0\.0000")).as_py():  # Arrow and Python write other digits
        return pa.array([text_form(v) for v in numbers.to_pylist()], pa.string())
    return texts


def as_bytes(value: object) -> bytes | None:
    """A value of a column of bytes, which SQLite lets be anything: as CAST has it."""
    text = None if isinstance(value, bytes) else text_form(value)
    return text.encode() if text is not None else value if isinstance(value, bytes) else None


def _with_odd(values: pa.Array, odd: dict[int, object], wanted: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(wanted) and not odd and pc.all(pc.is_in(values, pa.array([0, 1, None], pa.int64()))).as_py():
        return values.cast(wanted)
    if not odd and not pa.types.is_boolean(wanted):
        return values
    return pa.array([text_form(odd.get(n, v)) for n, v in enumerate(values.to_pylist())], pa.string())
