"""Reads JSON that is not quite JSON: NaN, numbers without end, bytes that are no UTF-8, a row that is spoiled.

A byte that is no text stands for itself as half a surrogate pair, which no check lets through.  Where a row of the
results cannot be parsed, it becomes an `UnreadableRow` and reading goes on with the next one; a body whose rows do not
come to their end was cut off and is `NoJson` as a whole.
"""

import json
import re
from typing import Any

import msgspec


class NoJson(ValueError):
    """The body is not what was asked for, whichever way it is read."""


class UnreadableRow(msgspec.Struct, frozen=True):
    """A row that is no JSON, as it came."""

    text: str


# More digits than any field has: Python refuses to read some thousands of them.
_LONGEST_INTEGER = 40


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


_DECODER = json.JSONDecoder(strict=False, parse_int=_integer)
_SPACE = re.compile(r"\s*")
_RESULTS = re.compile(r'"results"\s*:\s*(?=\[)')
_AFTER_ROW = re.compile(r"\s*([,\]])")
# Rows are flat: where one is spoiled, it ends at the brace before the next one, or before the end of the list.
_END_OF_ROW = re.compile(r"\}\s*(?:(,)\s*(?=\{)|(\])\s*(?=[,}]|$))")


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*; `NoJson` otherwise."""
    return _object(_text(body))


def _object(text: str) -> dict[str, Any]:
    try:
        fields = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NoJson(str(error)) from error
    if not isinstance(fields, dict):
        raise NoJson(f"a {type(fields).__name__} and no object")
    return fields


def read_rows(body: bytes, *, bare: bool = False) -> tuple[dict[str, Any], Any]:
    """The fields around the rows, and the rows: those of `results`, or with *bare* those of an array without more.

    One object as `results` is a list of one; anything else is handed out as it is.
    """
    text = _text(body)
    try:
        found = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _row_by_row(text, bare=bare)
    if bare:
        if not isinstance(found, list):
            raise NoJson(f"a {type(found).__name__} and no array")
        return {}, found
    if not isinstance(found, dict):
        raise NoJson(f"a {type(found).__name__} and no object")
    results = found.pop("results", None)
    return found, [results] if isinstance(results, dict) else [] if results is None else results


def _row_by_row(text: str, *, bare: bool) -> tuple[dict[str, Any], list[Any]]:
    opened = (_SPACE if bare else _RESULTS).search(text)
    if opened is None or text[opened.end() : opened.end() + 1] != "[":
        raise NoJson("no list of rows")
    rows: list[Any] = []
    at = _skip_space(text, opened.end() + 1)
    more = not text.startswith("]", at)
    at += not more
    while more:
        row, at, more = _next_row(text, at)
        rows.append(row)
    around = text[: opened.end()] + "[]" + text[at:]
    if bare:
        if around.strip() != "[]":
            raise NoJson("more than an array")
        return {}, rows
    fields = _object(around)
    fields.pop("results", None)
    return fields, rows


def _next_row(text: str, at: int) -> tuple[Any, int, bool]:
    """The row that begins at *at*, where the next one begins, and whether there is one."""
    try:
        row, end = _DECODER.raw_decode(text, at)
        if (after := _AFTER_ROW.match(text, end)) is not None:
            return row, _skip_space(text, after.end()), after[1] == ","
    except (ValueError, RecursionError):
        pass
    border = _END_OF_ROW.search(text, at)
    if border is None:
        raise NoJson("the rows do not come to an end")
    return UnreadableRow(text[at : border.start() + 1]), border.end(), border[1] is not None


def _skip_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _text(body: bytes) -> str:
    try:
        return body.decode(json.detect_encoding(body), "surrogateescape")
    except UnicodeDecodeError as error:
        raise NoJson(str(error)) from error
