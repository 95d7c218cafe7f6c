"""Text into records, by one dialect: the reading that knows what to do with a damaged file.

A record is a line, or several where a quoted value goes over line ends. What cannot be read as a record becomes a
fault and reading goes on behind it; a quote that nobody closes costs its own line and no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headgate.model.counting import counted, verb

from . import stray
from .dialect import Dialect

BLOCK = 1 << 20
SURROGATE = re.compile("[\ud800-\udfff]")
_HEAD = 200
_REOPENED = 5

Cell = str | None


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines of a file.

    Attributes:
        text: the lines, decoded; bytes that are no text are lone surrogates.
        clean: there are no such bytes.
        overlong: bytes of the line, where `text` is only the beginning of one longer than the longest record; else 0.
        end: where the block ends in the file.
    """

    text: str
    clean: bool = True
    overlong: int = 0
    end: int = 0


def blocks(
    path: Path, start: int, dialect: Dialect, longest: int, size: int = BLOCK, stop: int | None = None
) -> Iterator[Block]:
    """The lines of a UTF-8 file from byte `start` on, about `size` bytes at a time, never more than `longest` and `size`.

    Args:
        stop: the byte at which the file ends for us.

    Raises:
        OSError: the file cannot be read.
    """
    newline = dialect.newline.encode()
    with path.open("rb") as file:
        file.seek(start)
        carry = b""
        at = start
        while data := file.read(_left(size, at, stop)):
            at += len(data)
            data = carry + data
            cut = data.rfind(newline) + len(newline) if newline in data else 0
            carry = data[cut:]
            if cut:
                yield _decoded(data[:cut], at - len(carry))
            if len(carry) > longest:
                head, length = carry[:_HEAD], len(carry)
                carry = b""
                while data := file.read(_left(size, at, stop)):
                    at += len(data)
                    # The end of the line may lie across two reads only for line ends of several bytes.
                    found = data.find(newline)
                    length += len(data) if found < 0 else found
                    if found >= 0:
                        carry = data[found + len(newline) :]
                        break
                yield Block(_text(head)[0], overlong=length, end=at - len(carry))
        if carry:
            yield _decoded(carry, at)


def _left(size: int, at: int, stop: int | None) -> int:
    return size if stop is None else max(0, min(size, stop - at))


def _decoded(data: bytes, end: int) -> Block:
    text, clean = _text(data)
    return Block(text, clean=clean, end=end)


def _text(data: bytes) -> tuple[str, bool]:
    for errors in ("strict", "surrogatepass", "surrogateescape"):
        try:
            return data.decode("utf-8", errors), errors == "strict"
        except UnicodeDecodeError:
            continue
    raise AssertionError("surrogateescape refuses nothing")


def shown(text: str) -> str:
    r"""The text with bytes that are no text written as ``\xNN``."""
    return SURROGATE.sub(_shown, text)


def _is_text(lines: list[str]) -> bool:
    """Whether there are no bytes in them that are no text. Writing them all as UTF-8 is far quicker than a search for such."""
    try:
        "".join(lines).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code & 0xFF:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that is none.

    Attributes:
        index: its place among the records of its stretch, bad ones counted.
        code: a code of `headgate.model.codes`.
        reason: for a person.
        cells: what can be told of its values.
    """

    index: int
    code: str
    reason: str
    cells: Sequence[Cell]


@dataclass(slots=True)
class Stretch:
    """Records that follow each other.

    Attributes:
        cells: values of the good ones, one record behind the other; where the width is not known, `rows` has them.
        rows: see `cells`.
        empty: places in `cells` of values that are empty texts; every other ``''`` there is no value.
        bad: the others.
        count: all of them.
        breaks: ``(record, line, row)``: from this record on, records begin on this and the following lines and rows
            (blank lines are rows too), all counted from 0 at the stretch's beginning. The first, all zero, is left out.
        lines: lines the stretch has; what is left over belongs to the next one.
        blanks: blank lines among them that are no records.
    """

    cells: list[Cell] = field(default_factory=list)
    rows: list[Sequence[Cell]] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    count: int = 0
    breaks: list[tuple[int, int, int]] = field(default_factory=list)
    lines: int = 0
    blanks: int = 0


def in_order(stretch: Stretch) -> Iterator[tuple[int, Sequence[Cell], bool]]:
    """Every record of a stretch as (line it begins on, values, whether it is good)."""
    bad = {b.index: b for b in stretch.bad}
    good = iter(stretch.rows)
    for n, (line, _) in enumerate(places(stretch, range(stretch.count))):
        found = bad.get(n)
        yield line, next(good) if found is None else found.cells, found is None


def places(stretch: Stretch, records: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The (line, row) within the stretch on which each of these records begins; they increase."""
    breaks = [(0, 0, 0), *stretch.breaks]
    at = 0
    for n in records:
        while at + 1 < len(breaks) and breaks[at + 1][0] <= n:
            at += 1
        record, line, row = breaks[at]
        yield line + n - record, row + n - record


def stretches(
    path: Path, start: int, dialect: Dialect, splitter: Splitter, *, values: bool, stop: int | None = None
) -> Iterator[tuple[Stretch, int]]:
    """All records of a file from byte `start` on, with the byte up to which it has been read.

    Args:
        values: split the records too; else only their places are told.
        stop: the byte at which the file ends for us.

    Raises:
        OSError: the file cannot be read.
    """
    lines: list[str] = []
    raw: list[str] = []
    clean = True
    end = start
    for block in blocks(path, start, dialect, splitter.longest, stop=stop):
        if block.overlong:
            if lines:
                yield _parse(splitter, lines, raw, clean=clean, last=True, values=values), end
                lines, raw, clean = [], [], True
            reason = f"the record has {block.overlong:,} bytes, more than {splitter.longest:,}"
            yield Stretch(bad=[Bad(0, "RD08", reason, [shown(block.text) + "…"])], count=1, lines=1), block.end
            continue
        end = block.end
        fresh, fresh_raw = splitter.lines(block.text)
        lines, raw, clean = lines + fresh, raw + fresh_raw, clean and block.clean
        done = _parse(splitter, lines, raw, clean=clean, last=False, values=values)
        lines, raw = lines[done.lines :], raw[done.lines :]
        clean = clean or not lines
        yield done, end
    if lines:
        yield _parse(splitter, lines, raw, clean=clean, last=True, values=values), end


def _parse(splitter: Splitter, lines: list[str], raw: list[str], *, clean: bool, last: bool, values: bool) -> Stretch:
    if values:
        return splitter.records(lines, raw, last=last, clean=clean)
    return splitter.bounds(lines, raw, last=last)


class _Open(tuple[Cell, ...]):
    """Values of a line up to one whose quote is not closed on it; `at` is where that begins, behind its quote."""

    at: int


_GARBAGE: tuple[Cell, ...] = ()


class Splitter:
    """Splits lines into records and records into values. For any dialect, `blanks.splitter` makes the right one.

    Args:
        dialect: how they are written.
        width: values a record must have; None when that is still to be found out.
        nulls: words that mean no value where they are not quoted; the empty one always does.
        longest: longest record in bytes.
        keep: a record whose quotes cannot all be meant is read in the one way that gives `width` values, if there is one.
        fill: values that a record lacks at its end are none, and empty ones too many there are left out.
    """

    # What joins values where it is not what separates them.
    _joint = ""

    def __init__(
        self, dialect: Dialect, width: int | None, nulls: Sequence[str] = (), longest: int = 16 << 20, *,
        keep: bool = False, fill: bool = False,
    ) -> None:  # fmt: skip
        self._dialect, self._keep, self._fill = dialect, keep, fill
        self._delimiter = self._joint or dialect.delimiter
        self._quote, self._newline = dialect.quote, dialect.newline
        self._escape = dialect.escape or dialect.quote
        self._width, self.longest = width, longest
        # A line of delimiters alone is as blank as one of nothing.
        self._blank = self._delimiter * ((width or 1) - 1)
        self._nulls = frozenset(("", *nulls))
        if self._quote:
            self._compile()

    def _compile(self) -> None:
        q, e = re.escape(self._quote), re.escape(self._escape)
        blank, plain, end, before, behind = self._edges()
        if self._escape == self._quote:
            body = f"[^{q}]*+(?:{q}{q}[^{q}]*+)*+"
            self._unescape = re.compile(f"{q}({q})")
        else:
            body = f"[^{q}{e}]*+(?:{e}.[^{q}{e}]*+)*+(?:{e}\\Z)?"
            self._unescape = re.compile(f"{e}([{q}{e}])")
        flags = re.DOTALL
        self._field: Callable[[str, int], re.Match[str] | None] = re.compile(
            f"(?:{blank}{q}({body}){q}{blank}|((?!{q}){plain})){end}", flags
        ).match
        self._body = re.compile(body, flags).match
        self._close = re.compile(f"{q}{blank}{end}", flags).match
        # A line whose quoted values all begin and end on it, and which has no other quotes: told without splitting it.
        self._closed = re.compile(f"[^{q}]*+(?:{before}{q}{body}{q}{behind}[^{q}]*+)*+", flags).fullmatch

    def _edges(self) -> tuple[str, str, str, str, str]:
        """Patterns: blanks that may be around quotes; a value without quotes; what ends a value, a group for what says
        that there is another; what may be before a value in quotes; what may be behind it."""
        d = re.escape(self._delimiter)
        blank = "[ \t]*".replace(self._delimiter, "") if self._delimiter in " \t" else "[ \t]*"
        single = len(self._delimiter) == 1
        plain = f"[^{d}]*+" if single else f"(?:(?!{d}).)*+"
        before = f"(?<![^{d[-1]}])" if single else f"(?:(?<={d})|(?<!.))"
        return blank, plain, f"({d}|\\Z)", before, f"(?:(?={d})|\\Z)"

    # ---------------------------------------------------------------- lines and values

    def lines(self, text: str) -> tuple[list[str], list[str]]:
        r"""The lines of a block, and the same as they stand in the file (with the ``\r`` before the line end)."""
        raw = text.split(self._newline)
        if not raw[-1]:
            raw.pop()
        if self._newline == "\n" and "\r" in text:
            return [line.removesuffix("\r") for line in raw], raw
        return raw, raw

    def values(self, line: str) -> Sequence[Cell]:
        """The values of a line; an `_Open` if it ends inside quotes, `_GARBAGE` if a quoted value goes on after its end."""
        return self._go_on(line, 0, [])

    def record(self, text: str) -> Sequence[Cell]:
        """The values of a well-formed record, which may go over several lines."""
        return self.values(text) if self._quote and self._quote in text else self._plain(text)

    def _go_on(self, line: str, at: int, cells: list[Cell]) -> Sequence[Cell]:
        field_at, nulls, quote = self._field, self._nulls, self._quote
        while m := field_at(line, at):
            value, plain, more = m.groups()
            if value is None:
                cells.append(None if plain in nulls else plain)
            else:
                cells.append(self._unescape.sub(r"\1", value) if self._escape in value else value)
            if not more:
                return cells
            at = m.end()
        at += len(quote)
        body = self._body(line, at)
        if body is not None and body.end() == len(line):
            left = _Open(cells)
            left.at = at
            return left
        return _GARBAGE

    def _plain(self, line: str) -> list[Cell]:
        nulls = self._nulls
        return [None if c in nulls else c for c in line.split(self._delimiter)]

    # ---------------------------------------------------------------- records

    def records(self, lines: list[str], raw: list[str], *, last: bool, clean: bool = True) -> Stretch:
        """All records of these lines. Where the last one goes on in the next block (not `last`), it is left out.

        Args:
            lines, raw: as `lines` gives them.
            last: nothing follows.
            clean: there are no lone surrogates in them.
        """
        quote, delimiter, width = self._quote, self._delimiter, self._width
        if width is None:
            odd = [i for i, x in enumerate(lines) if not x or (quote and quote in x)]
            clean = clean and _is_text(lines)
        elif width == 1 and not any(sign and sign in "\n".join(lines) for sign in (quote, delimiter)):
            odd = []
        elif quote:
            odd = [i for i, x in enumerate(lines) if quote in x or x.count(delimiter) != width - 1]
        else:
            odd = [i for i, x in enumerate(lines) if x.count(delimiter) != width - 1]
        if width is not None and width > 1 and self._blank in lines:
            odd = sorted({*odd, *(i for i, line in enumerate(lines) if line == self._blank)})
        if not clean:
            odd = sorted({*odd, *(i for i, line in enumerate(lines) if SURROGATE.search(line))})
        if lines and max(map(len, lines)) > self.longest // 4:
            odd = sorted({*odd, *(i for i, line in enumerate(lines) if len(line) > self.longest // 4)})
        return self._assemble(lines, raw, odd, last, values=True)

    def bounds(self, lines: list[str], raw: list[str], *, last: bool) -> Stretch:
        """Where the records of these lines begin: the same as `records` finds, without their values."""
        quote, width = self._quote, self._width
        odd: list[int] = []
        if width != 1 and ("" in lines or self._blank in lines):
            odd = [i for i, line in enumerate(lines) if not line or line == self._blank]
        if quote:
            closed = self._closed
            quoted = [i for i, line in enumerate(lines) if quote in line and not closed(line)]
            odd = sorted(odd + quoted) if odd else quoted
        return self._assemble(lines, raw, odd, last, values=False)

    def _assemble(self, lines: list[str], raw: list[str], odd: list[int], last: bool, *, values: bool) -> Stretch:
        """Put the lines together that are a good record each, and judge the odd ones one by one."""
        done = Stretch()
        start = 0
        for i in (*odd, len(lines)):
            if i < start:
                continue
            if i > start:
                done.count += i - start
                if values and self._width is None:
                    done.rows += map(self._plain, lines[start:i])
                elif values:
                    self._split(lines[start:i], done.cells)
            if i == len(lines):
                break
            taken = self._judge(lines, raw, i, done, last)
            if taken == 0:
                done.lines = i
                return done
            start = i + taken
        done.lines = len(lines)
        return done

    def _split(self, lines: list[str], cells: list[Cell]) -> None:
        """The values of lines without quotes. One list for all of them: a list a line keeps the garbage collector busy."""
        flat = self._delimiter.join(lines).split(self._delimiter)
        nulls = self._nulls
        cells += flat if len(nulls) == 1 else [None if c in nulls else c for c in flat]

    def _judge(self, lines: list[str], raw: list[str], i: int, done: Stretch, last: bool) -> int:
        """Account for the odd line `i`; returns how many lines its record has, 0 if it goes on in the next block."""
        line, width = lines[i], self._width
        if (not line or line == self._blank) and width != 1:
            done.blanks += 1
            done.breaks.append((done.count, i + 1, done.count + done.blanks))
            return 1
        row = self.record(line)
        if type(row) is not _Open:
            self._add(line, self._mended(line, row), done)
            return 1
        taken, row = self._join(lines, raw, i, row, last)
        if taken == 0:
            return 0
        if taken < 0 or (width is not None and len(row) != width and self._swallowed(lines, i, taken)):
            if mended := self._mended(line, _GARBAGE):
                self._add(line, mended, done)
            else:
                self._fault(done, "RD03", "a quoted value is not closed", self._plain(line))
            return 1
        self._add(self._newline.join(raw[i : i + taken]), self._filled(row), done)
        done.breaks.append((done.count, i + taken, done.count + done.blanks))
        return taken

    def _mended(self, line: str, row: Sequence[Cell]) -> Sequence[Cell]:
        """The values of a line that is a record as far as the options say that it shall be one."""
        if self._keep and self._width is not None and not row:
            row = self.kept(line, self._width)
        return self._filled(row)

    def kept(self, line: str, width: int) -> Sequence[Cell]:
        """The values of a line whose quotes cannot all be meant, `width` of them; none where there is no or no one way."""
        nulls, unescape = self._nulls, self._unescape
        return [
            unescape.sub(r"\1", text) if quoted else None if text in nulls else text
            for text, quoted in stray.split(line, self._dialect, width)
        ]

    def _filled(self, row: Sequence[Cell]) -> Sequence[Cell]:
        width = self._width
        if not self._fill or width is None or not row or len(row) == width:
            return row
        if len(row) < width:
            return [*row, *[None] * (width - len(row))]
        return row if any(row[width:]) else row[:width]

    def _join(self, lines: list[str], raw: list[str], i: int, row: _Open, last: bool) -> tuple[int, Sequence[Cell]]:
        """Look for the end of a record that is open at the end of line `i`: how many lines it has and its values;
        0 lines if it goes on in the next block, -1 if it has no end."""
        cells: list[Cell] = list(row)
        parts = [raw[i][row.at :]]
        size = len(raw[i])
        # Lines that each close one quote and open the next would otherwise be read again from every one of them.
        most = len(row) + _REOPENED if self._width is None else min(self._width, len(row) + 40 * _REOPENED)
        for k in range(i + 1, len(lines)):
            size += len(raw[k]) + 1
            if size > self.longest or len(cells) >= most:
                return -1, ()
            body = self._body(raw[k], 0)
            stop = body.end() if body is not None else 0
            if stop == len(raw[k]):
                parts.append(raw[k])
                continue
            close = self._close(lines[k], stop)
            if close is None:
                return -1, ()
            parts.append(raw[k][:stop])
            cells.append(self._unescape.sub(r"\1", self._newline.join(parts)))
            if not close[1]:
                return k - i + 1, cells
            row_or_open = self._go_on(lines[k], close.end(), cells)
            if type(row_or_open) is not _Open:
                return (k - i + 1, row_or_open) if row_or_open else (-1, ())
            cells, parts = list(row_or_open), [raw[k][row_or_open.at :]]
        return (-1 if last or size > self.longest else 0), ()

    def _swallowed(self, lines: list[str], i: int, taken: int) -> bool:
        """Whether a record of several lines that does not fit has a line inside that fits by itself: then it is that
        line which counts, and the quote before it is what is wrong."""
        return any(len(self.values(line)) == self._width for line in lines[i + 1 : i + taken])

    def _add(self, text: str, row: Sequence[Cell], done: Stretch) -> None:
        width = self._width
        if len(text) > self.longest // 4 and len(text.encode("utf-8", "surrogatepass")) > self.longest:
            self._fault(done, "RD08", f"the record is longer than {self.longest:,} bytes", [text[:_HEAD]])
        elif SURROGATE.search(text):
            bad = ", ".join(sorted({shown(c) for c in SURROGATE.findall(text)})[:4])
            self._fault(done, "RD04", f"bytes that are not text in this encoding: {bad}", row or self._plain(text))
        elif not row:
            self._fault(done, "RD03", "a quoted value goes on after its closing quote", self._plain(text))
        elif width is not None and len(row) != width:
            code = "RD01" if len(row) < width else "RD02"
            expected = f"{width} {verb(width, 'is', 'are')} expected"
            self._fault(done, code, f"the record has {counted(len(row), 'value')}, {expected}", row)
        else:
            done.count += 1
            if width is None:
                done.rows.append(row)
                return
            if "" in row:
                done.empty += [len(done.cells) + j for j, cell in enumerate(row) if cell == ""]
            done.cells += row

    def _fault(self, done: Stretch, code: str, reason: str, cells: Sequence[Cell]) -> None:
        done.bad.append(Bad(done.count, code, reason, [None if c is None else shown(c) for c in cells]))
        done.count += 1
