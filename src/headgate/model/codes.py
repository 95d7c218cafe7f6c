"""The permanent codes of rejects. A code never changes its meaning and is never used again.

Groups: RD reading, TY types, RU rules of a field, TR transforms, EX expressions, LK lookups, KY keys,
DE refusals by the destination, FI files that are moved, HE held, UN not known. The reference page `docs/reference/codes.md` is generated from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """One code.

    Attributes:
        code: two letters and two digits.
        name: dotted name, for search.
        meaning: one sentence.
        bad, good: a value or line that gets it, and one that does not.
        way_out: what a person does about it.
    """

    code: str
    name: str
    meaning: str
    bad: str
    good: str
    way_out: str


CODES: Final[dict[str, Code]] = {
    c.code: c
    for c in (
        Code("RD01", "read.too_few_columns", "The line has fewer values than the header has columns, or is shorter than columns of fixed width are.", "7,Lamp", "7,Lamp,12.50", "Add the missing delimiters, or check the delimiter and quote settings, or the widths."),
        Code("RD02", "read.too_many_columns", "The line has more values than the header has columns, or is longer than columns of fixed width are.", "7,Lamp,12.50,x", "7,Lamp,12.50", "Quote values that contain the delimiter, or check the widths."),
        Code("RD03", "read.unterminated_quote", "A quoted value is not closed, or goes on after its closing quote.", '7,"Lamp', '7,"Lamp"', "Close the quote, or double quotes inside the value."),
        Code("RD04", "read.encoding", "The bytes are not text in the file's encoding.", "Caf\\xe9 in UTF-8", "Café", "Set source.encoding, for example latin-1 or cp1252."),
        Code("RD05", "read.not_json", "The line is not a JSON object.", '{"a": 1', '{"a": 1}', "Mend the line; every line must hold one whole object."),
        Code("RD06", "read.error_cell", "The cell holds a spreadsheet error instead of a value.", "#DIV/0!", "0.25", "Mend the formula and save the workbook."),
        Code("RD07", "read.nul", "The value holds a NUL character, which text columns cannot store.", "a\\x00b", "ab", "Remove it, or use the transform strip_controls."),
        Code("RD08", "read.too_long", "The record is longer than source.max_record.", "a 64 MB cell", "a cell of 1 KB", "Look for an unclosed quote, or raise source.max_record."),
        Code("RD09", "read.not_of_its_type", "The source holds a value that is none of its column's type, or lies beyond what is read.", "'soon' in an INTEGER column of SQLite; infinity as a date", "7", "Correct it there, or have it read as text: of a database by a query with CAST(… AS TEXT)."),
        Code("RD10", "read.group_again", "Rows of a record that is grouped do not follow each other: its key came before, with rows of another one between.", "order 7, order 8, order 7", "order 7, order 7, order 8", "Sort the rows by the columns of source.group.by. The rows that came first were taken for the whole record."),
        Code("RD11", "read.group_without_header", "A line has no header above it, or no value in the columns it is grouped by.", "a line L before the first H", "H, then L", "Add the header or the value, or remove the line."),
        Code("RD12", "read.group_differs", "Rows that are grouped into one record differ in a value that they should have in common.", "order 7 of Ada and of Bert", "order 7 of Ada in every row", "Correct the value, or take the column into the lines (source.group.take)."),
        Code("RD13", "read.group_too_large", "A record of grouped rows has more of them than source.group.max_rows, or is longer than source.max_record.", "an order of 100,001 rows", "an order of 10 rows", "Look at the columns of source.group.by, or raise the limit and run again."),
        Code("RD14", "read.group_failed", "A row cannot be folded into its record: a value named in source.group.numbers is no number, or the condition for headers has no answer.", "a quantity of 5x", "a quantity of 5", "Correct the value, or leave the column out of numbers."),
        Code("TY01", "type.integer", "The value is not a whole number.", "12a", "12", "Correct the value, or choose another type."),
        Code("TY02", "type.decimal", "The value is not a decimal number.", "12,5O", "12.50", "Correct the value; for decimal commas use the transform decimal_comma."),
        Code("TY03", "type.double", "The value is not a finite number.", "1.2.3", "1.23", "Correct the value."),
        Code("TY04", "type.boolean", "The value is not true or false.", "perhaps", "true", "Correct it, or name the words with the transform boolean."),
        Code("TY05", "type.date", "The value is not a date that exists.", "2024-13-45", "2024-12-31", "Correct it, or give the field a format."),
        Code("TY06", "type.time", "The value is not a time of day.", "25:00", "23:00", "Correct it, or give the field a format."),
        Code("TY07", "type.timestamp", "The value is not a date and time that exists.", "2024-02-30 10:00", "2024-02-29 10:00", "Correct it, or give the field a format."),
        Code("TY08", "type.uuid", "The value is not a UUID.", "123", "0a5e8f0e-5d0c-4d1e-9a55-1f1f5b7f2a10", "Correct it."),
        Code("TY09", "type.json", "The value is not JSON.", "{a:1}", '{"a": 1}', "Correct it."),
        Code("TY10", "type.binary", "The value is not hexadecimal or Base64 as declared.", "xyz", "48656c6c6f", "Correct it."),
        Code("TY11", "type.range", "The number is too large or too small for the type.", "99999999999 as integer", "2147483647", "Correct it, or choose a wider type."),
        Code("TY12", "type.lossy", "The type would lose part of the value.", "12.345 as decimal(6,2)", "12.34", "Choose a type with more decimals, or round it with the transform round."),
        Code("TY13", "type.length", "The text is longer than the type allows.", "abcdef as text(5)", "abcde", "Shorten it, or cut it with the transform truncate."),
        Code("RU01", "rule.required", "A required value is missing.", "(nothing)", "A-1", "Fill it in, or give the field a default."),
        Code("RU02", "rule.check", "The record breaks the field's check.", "list_price = -1", "list_price = 1", "Correct the value."),
        Code("RU03", "rule.unique", "An earlier record of the run has the same value in a field declared unique.", "a second A-1", "A-2", "Remove or correct one of them."),
        Code("RU04", "rule.blank", "The value is blank where the field says blank: reject.", "(nothing)", "A-1", "Fill it in, or choose another blank policy."),
        Code("TR01", "transform.failed", "A transform cannot make anything of the value.", "abc in parse_date", "31/12/2024", "Correct the value, or the transform's settings."),
        Code("EX01", "expression.failed", "The expression has no answer for this record (division by zero, overflow, not a number, an infinite date).", "1 / 0", "1 / 2", "Guard it, for example with nullif or try_cast."),
        Code("LK01", "lookup.not_found", "The lookup has no entry for the value.", "Bycicles", "Bicycles", "Correct the value, add the entry, or set missing."),
        Code("LK02", "lookup.ambiguous", "The lookup has several entries for the value.", "two rows 'Bikes'", "one row 'Bikes'", "Make the lookup's match column unique."),
        Code("KY01", "key.missing", "A key field is empty, so the record cannot be matched.", "sku = (nothing)", "sku = A-1", "Fill it in."),
        Code("KY02", "key.duplicate", "An earlier record of the run has the same key, and duplicates are rejected.", "a second A-1", "A-2", "Remove one, or set duplicates: last or first."),
        Code("KY03", "key.exists", "The destination already has a record with this key, and the operation is insert.", "A-1 is there", "A-2", "Use upsert, or existing: skip."),
        Code("KY04", "key.not_found", "The destination has no record with this key to update or delete.", "A-9", "A-1", "Use upsert, or missing: skip."),
        Code("KY05", "key.ambiguous", "The destination has several records with this key.", "two rows with A-1", "one row with A-1", "Choose a key that is unique at the destination."),
        Code("DE01", "destination.foreign_key", "The destination refused it: a record it refers to does not exist, or one refers to it.", "category_id 99", "category_id 1", "Import the parent first."),
        Code("DE02", "destination.unique", "The destination refused it: another record has this value.", "e-mail of another", "a new e-mail", "Correct the value, or match by that field."),
        Code("DE03", "destination.check", "The destination refused it: it breaks a check of the table.", "qty -1", "qty 1", "Correct the value."),
        Code("DE04", "destination.not_null", "The destination refused it: a column that needs a value has none.", "name (nothing)", "name Lamp", "Map the column, or give it a default."),
        Code("DE05", "destination.type", "The destination refused it: its column cannot hold the value.", "a name of 300 characters", "a short name", "Correct the value."),
        Code("DE06", "destination.refused", "The destination refused it, for the reason it gives.", "a trigger raised", "", "Read the reason."),
        Code("UN01", "unknown.sent", "It was sent, and the destination did not say what became of it; it is not known and was not sent again.", "no answer to POST /orders", "", "Look there; then retry it, or ignore it."),
        Code("FI01", "file.changing", "The file changed while it was read, or between being listed and being read.", "a file somebody is still writing", "one that was renamed to its name when it was whole", "Run again when it is whole, or set transfer.growing: wait."),
        Code("FI02", "file.unreadable", "The file cannot be read where it lies.", "permission denied", "", "Give the login the right to read it."),
        Code("FI03", "file.refused", "The destination refused the file, for the reason it gives.", "no room", "", "Read the reason."),
        Code("FI04", "file.differs", "What arrived is not what was sent: its size or digest is another one, or its permissions are where they are to be kept.", "9,999 of 10,000 bytes", "10,000 bytes", "Run again; if it stays, look for something there that changes files as they come."),
        Code("FI05", "file.name", "The name that destination.path makes for the file is none that a file can have.", "a name with a line end", "a.jpg", "Rename the file, or change destination.path."),
        Code("FI06", "file.same_name", "An earlier file of the run has the same name at the destination.", "a/1.jpg and b/1.jpg as {name}", "{folder}/{name}", "Use more of the path in destination.path."),
        Code("FI07", "file.not_kept", "The file that was overwritten or deleted was not kept anywhere, so that it cannot be put back.", "a run without transfer.backup", "a run with it", "Set transfer.backup for the next runs."),
        Code("FI08", "file.not_listed", "The manifest has no row for the file, or several, or one that may be about another file, or without a value that its name is made of.", "a.pdf, which the manifest does not have", "a.pdf with its row", "Mend the manifest (transfer.manifest)."),
        Code("HE01", "held.changed", "The destination's record changed after the plan was made; it was left alone.", "price edited since", "", "Plan again."),
        Code("HE03", "held.edited", "The record was edited or removed after the run that is undone; it was left as it is.", "price edited since", "", "Look at it; to take it back all the same: --force."),
        Code("HE02", "held.parent", "The record it refers to was refused earlier in the same command.", "a price of product A-1, refused before", "", "Mend the record it refers to, import it, and then import this one again."),
    )
}  # fmt: skip
