"""What is wrong with a value, in words for a person."""

from __future__ import annotations

from headgate.model.types import FieldType

from .fields import FieldDef

_LONGEST = 80
_NAMES = {
    "smallint": "a whole number", "integer": "a whole number", "bigint": "a whole number", "double": "a finite number",
    "boolean": "true or false", "date": "a date", "time": "a time of day", "timestamp": "a date and time",
    "timestamptz": "a date and time", "uuid": "a UUID", "json": "JSON", "binary": "hexadecimal",
}  # fmt: skip


def quoted(value: str | None) -> str:
    """A value as messages show it: in quotes, cut where it is long."""
    text = value or ""
    return f'"{text[:_LONGEST]}…"' if len(text) > _LONGEST else f'"{text}"'


def reason(code: str, field: FieldDef, shown: str | None, why: str | None = None) -> str:
    """Why the field's value `shown` gets `code`; `why` is what is known of an entry that a lookup does not have."""
    value = quoted(shown)
    match code[:2]:
        case "TY":
            return _of_type(code, field, field.types.declared, value, shown or "")
        case "TR":
            return f"{value} cannot be changed by {', '.join(t.name for t, _ in field.steps if t.fails)}"
        case "LK":
            what = "has no entry for" if code == "LK01" else "has several different entries for"
            made = f", and none could be made: {why}" if code == "LK01" and why else ""
            return f"the lookup {field.spec.lookup} {what} {value}{made}"
        case "HE":
            return f"{value}: the record it refers to was refused: {why}"
    match code:
        case "EX01":
            text = field.spec.expr if field.spec.expr is not None else field.spec.check
            return f"the expression {text!r} has no answer for this record"
        case "RU01":
            return f"{field.name} is required and there is no value"
        case "RU02":
            return f"it breaks the check {field.spec.check!r}"
        case "RU03":
            return "an earlier record of the run has the same value, and it must be unique"
        case "RU04":
            return "the value is blank, which is refused here"
        case "KY01":
            return f"the key {field.name} is empty"
        case _:
            return "the value holds a NUL character"


def _of_type(code: str, field: FieldDef, type: FieldType, value: str, shown: str) -> str:
    if code == "TY11":
        return f"{value} is too large or too small for {type}"
    if code == "TY13":
        return f"{value} has {len(shown)} characters, {type} takes {type.length}"
    if code == "TY12":
        return f"{type} would lose part of {value}"
    formats = f" written as {field.spec.format}" if field.spec.format else ""
    if code == "TY07" and type.kind == "timestamp" and not formats and _has_offset(shown):
        return f"{value} has a zone, which timestamp does not keep; the type timestamptz does"
    name = f"a {type}" if type.kind == "decimal" else _NAMES.get(type.kind, str(type))
    zone = f", or does not exist in {field.zone}" if type.kind == "timestamptz" and field.zone != "UTC" else ""
    return f"{value} is not {name}{formats}{zone}"


def _has_offset(text: str) -> bool:
    tail = text.strip()[10:]
    return tail[-1:] in ("Z", "z") or "+" in tail or "-" in tail
