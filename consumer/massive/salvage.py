"""Takes from decoded JSON what has the right types, and says what has not.

A value of the wrong type costs its field, where the field is required its row; both are set aside as they came.
Whether a value of the right type can be true is the business of `sieve`.
"""

import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from consumer.massive.lenient_json import UnreadableRow
from consumer.vendor.rows import Flaw, SetAside

Row = TypeVar("Row", bound=msgspec.Struct)

# A text with half a surrogate pair in it is a UnicodeError where a number is looked for in it.
_UNREADABLE = (msgspec.ValidationError, UnicodeError, OverflowError, RecursionError)
_SYMBOL_FIELDS: Sequence[str] = ("T", "ticker")


def readable_rows(raw_rows: Sequence[object], row_type: type[Row]) -> tuple[list[Row], list[SetAside]]:
    """The rows that can be read, and what was lost: whole rows, and single fields of those that were read."""
    rows: list[Row] = []
    lost: list[SetAside] = []
    for raw in raw_rows:
        try:
            rows.append(msgspec.convert(raw, row_type))
            continue
        except _UNREADABLE:
            pass
        if not isinstance(raw, dict):
            evidence = raw.text if isinstance(raw, UnreadableRow) else raw
            lost.append(SetAside(flaw=Flaw.UNDECODABLE, evidence=evidence))
            continue
        symbol = next((raw[name] for name in _SYMBOL_FIELDS if isinstance(raw.get(name), str)), None)
        fields, lost_fields = readable_fields(raw, row_type, symbol=symbol)
        if fields.keys() >= _required(row_type):
            rows.append(row_type(**fields))
            lost += lost_fields
        else:
            lost.append(SetAside(flaw=Flaw.UNDECODABLE, symbol=symbol, evidence=raw))
    return rows, lost


def readable_fields(
    raw: Mapping[str, Any], row_type: type[msgspec.Struct], *, symbol: str | None = None
) -> tuple[dict[str, Any], list[SetAside]]:
    """The fields of *row_type* that can be read from *raw*, by attribute, and those that are there and cannot."""
    kept: dict[str, Any] = {}
    lost: list[SetAside] = []
    for field in msgspec.structs.fields(row_type):
        name = field.encode_name
        if name not in raw:
            continue
        within, nested = raw[name], _struct_in(field.type)
        if nested is not None and isinstance(within, dict):
            # What cannot be read within costs that alone, too.
            inner, inner_lost = readable_fields(within, nested, symbol=symbol)
            if inner.keys() >= _required(nested):
                kept[field.name] = nested(**inner)
                lost += inner_lost
                continue
        try:
            # Not strict: an integral 5.0 is an int, a number in quotes is a number.
            kept[field.name] = msgspec.convert(raw[name], field.type, strict=False)
        except _UNREADABLE:
            lost.append(SetAside(flaw=Flaw.UNDECODABLE, symbol=symbol, field=name, evidence={name: raw[name]}))
    return kept, lost


def _struct_in(type_: Any) -> type[msgspec.Struct] | None:
    """The struct that a field may hold: itself, or one of a union."""
    candidates = typing.get_args(type_) or (type_,)
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


def _required(row_type: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(row_type) if field.required}
