"""Reads JSON that is not quite JSON: NaN, numbers without end, bytes that are no UTF-8, a row that is spoiled.

A byte that is no text stands for itself as half a surrogate pair, which no check lets through.  Where a row of the
results cannot be parsed, it becomes an `UnreadableRow` and reading goes on with the next one, though the byte that is
wrong is the brace or the comma between them; a body whose rows do not come to their end was cut off and is `NoJson`.

Time grows with the length of a body and never with its square: nothing here looks at the whole text once for each row.
Python's decoder does so with every error, to count the lines before it, and is therefore given windows.
"""

import json
import re
from bisect import bisect_left
from collections import Counter
from itertools import islice
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
# After a list of rows comes another field, or the end of the object.
_END_OF_ROWS = re.compile(r'\]\s*(?=,\s*"|\}\s*$|$)')
_MOST_ENDS, _FEWEST_ENDS, _READ_FOR_ENDS = 200, 5, 20_000_000  # each end that is tried reads what follows it
_WINDOW, _MOST_WHOLE_LOOKS = 16_384, 100
_SEPARATOR = re.compile(r"[\s,]*")
_BEFORE_A_ROW = r"\}\s*,\s*(?=\{)"
_FIRST_FIELD = re.compile(r'\{\s*("[^"\\]{1,40}")\s*:')


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
    begin = opened.end() + 1
    most_ends = min(_MOST_ENDS, max(_FEWEST_ENDS, _READ_FOR_ENDS // len(text)))
    for end in islice(_END_OF_ROWS.finditer(text, begin), most_ends):
        around = text[: opened.end()] + "[]" + text[end.start() + 1 :]
        if bare and around.strip() == "[]":
            return {}, _rows(text[begin : end.start()])
        try:
            # The first bracket that leaves a whole object around it closes the list: a spoiled row may have others.
            fields = {} if bare else _object(around)
        except NoJson:
            continue
        if not bare:
            fields.pop("results", None)
            return fields, _rows(text[begin : end.start()])
    raise NoJson("the rows do not come to an end")


def _rows(text: str) -> list[Any]:
    """The rows in *text*, what stands between the brackets of their list; a spoiled one as `UnreadableRow`."""
    starts = _starts(text)
    rows: list[Any] = []
    whole_looks = _MOST_WHOLE_LOOKS
    at = _skip(_SEPARATOR, text, 0)
    while at < len(text):
        border = _first(starts, at + 1, len(text))
        stops = [border, min(at + _WINDOW, len(text)), len(text)][: 3 if whole_looks > 0 else 2]
        found = None
        for stop in sorted({stop for stop in stops if stop >= border}):
            whole_looks -= border < stop == len(text)
            found = _value(text, at, stop)
            if found is not None and _ends_a_row(text, found[1], starts):
                break
            found = None
        rows.append(UnreadableRow(text[at:border].rstrip(", \n\r\t")) if found is None else found[0])
        at = border if found is None else _next_row(text, found[1], starts)
    return rows


def _value(text: str, at: int, stop: int) -> tuple[Any, int] | None:
    """The value that begins at *at* and where it ends, if it does so before *stop*."""
    try:
        value, length = _DECODER.raw_decode(text[at:stop])
    except (ValueError, RecursionError):
        return None
    closed = isinstance(value, dict | list | str) or at + length < stop or stop == len(text)
    return (value, at + length) if closed else None


def _ends_a_row(text: str, end: int, starts: list[int]) -> bool:
    """Whether a row may end at *end*: before a comma, the end, or a byte in the comma's place and another row."""
    left = _skip(_SPACE, text, end)
    return left == len(text) or text[left] == "," or len(text[end : _first(starts, end, len(text))].strip()) <= 1


def _next_row(text: str, end: int, starts: list[int]) -> int:
    after = _skip(_SEPARATOR, text, end)
    return after if "," in text[end:after] else _first(starts, end, len(text))


def _first(starts: list[int], at: int, otherwise: int) -> int:
    """The first of *starts* from *at* on."""
    place = bisect_left(starts, at)
    return starts[place] if place < len(starts) else otherwise


def _starts(text: str) -> list[int]:
    """Where rows may begin.

    Rows are flat and alike: one begins with a brace and the field that most begin with, or after the brace of another.
    What stands in brackets is within a row.
    """
    firsts = Counter(match[1] for match in _FIRST_FIELD.finditer(text))
    pattern = _BEFORE_A_ROW
    if firsts:
        pattern += "|(?=" + r"\{\s*" + re.escape(firsts.most_common(1)[0][0]) + r"\s*:)"
    found = [match.end() for match in re.finditer(pattern, text)]
    opened, closed = [], []
    for match in re.finditer(r"\[[^\[\]]*\]", text):
        opened.append(match.start())
        closed.append(match.end())

    def in_a_list(start: int) -> bool:
        place = bisect_left(opened, start) - 1  # none lies within another: the last one before it tells
        return place >= 0 and start < closed[place]

    return [start for start in sorted(set(found)) if not in_a_list(start)]


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return at if match is None else match.end()


def _text(body: bytes) -> str:
    try:
        return body.decode(json.detect_encoding(body), "surrogateescape")
    except UnicodeDecodeError as error:
        raise NoJson(str(error)) from error
