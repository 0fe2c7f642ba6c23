"""Opens the envelope around the vendor's rows.

The quick way decodes a whole body in one typed pass.  Where that fails for a row or a field, the slow way keeps every
row it can read and counts the others, so that one bad row among 11,000 costs one row.  What is no JSON object at all
is `Undecodable`.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from consumer.massive.errors import ProviderUnavailable

Row = TypeVar("Row", bound=msgspec.Struct)
Results = TypeVar("Results")


class Undecodable(ProviderUnavailable):
    """The body is no JSON object: empty, HTML, cut off or something else."""


class Envelope(msgspec.Struct, Generic[Results], kw_only=True):
    """The fields around the rows; any of them may be absent."""

    status: str | None = None
    request_id: str | None = None
    error: str | None = None
    message: str | None = None
    next_url: str | None = None
    ticker: str | None = None
    adjusted: bool | None = None
    count: int | None = None
    results_count: int | None = msgspec.field(default=None, name="resultsCount")
    results: Results | None = None


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """One answer: its envelope, the rows that could be read, and how many could not."""

    envelope: Envelope[Any]
    rows: list[Row]
    undecodable: int = 0


class PageReader(Generic[Row]):
    """Reads the pages of one row type."""

    def __init__(self, row_type: type[Row], decode: Callable[[bytes], Envelope[list[Row]]]) -> None:
        self._row_type = row_type
        self._decode = decode

    def read(self, body: bytes) -> Page[Row]:
        """Every readable row of *body*; `Undecodable` where there is no JSON object."""
        # PostgreSQL stores no NUL in a text: such a body goes the slow way, which takes them out of texts.
        if b"\\u0000" not in body:
            try:
                envelope = self._decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
            else:
                return Page(envelope=envelope, rows=envelope.results or [])
        return self._salvage(body)

    def _salvage(self, body: bytes) -> Page[Row]:
        fields = read_object(body)
        results = fields.pop("results", None)
        raw_rows = [results] if isinstance(results, dict) else results or []
        if not isinstance(raw_rows, list):
            raise Undecodable(f"The vendor's results are neither a list nor an object: {str(results)[:80]!r}")
        rows = [row for raw in raw_rows if (row := _salvage_struct(raw, self._row_type)) is not None]
        envelope = _salvage_struct(fields, Envelope[None]) or Envelope()
        return Page(envelope=envelope, rows=rows, undecodable=len(raw_rows) - len(rows))


def reader_of_one(row_type: type[Row], decode: Callable[[bytes], Envelope[Row]]) -> PageReader[Row]:
    """A reader for the endpoints whose `results` is one object."""

    def decode_as_list(body: bytes) -> Envelope[list[Row]]:
        envelope: Envelope[Any] = decode(body)
        envelope.results = [] if envelope.results is None else [envelope.results]
        return envelope

    return PageReader(row_type, decode_as_list)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*, read leniently (NaN, lone surrogates); `Undecodable` otherwise."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"The vendor's answer is {describe(body)}") from error
    if not isinstance(fields, dict):
        raise Undecodable(f"The vendor's answer is {describe(body)}")
    return fields


def describe(body: bytes) -> str:
    """What an unreadable body looks like, in a few words fit for a log."""
    text = body[:2000].decode("utf-8", "replace").strip()
    if not text:
        return "an empty body"
    if text.startswith("<"):
        _, _, rest = text.partition("<title>")
        title, _, _ = rest.partition("</title>")
        return f"an HTML page titled {title.strip()[:80]!r}"
    return f"no JSON object but {text[:80]!r}"


def _salvage_struct(raw: object, row_type: type[Row]) -> Row | None:
    """The struct with every field that can be read; None where a required one cannot."""
    if not isinstance(raw, dict):
        return None
    kept: dict[str, object] = {}
    for field in msgspec.structs.fields(row_type):
        try:
            # Not strict: an integral 5.0 is an int, a number in quotes is a number.
            kept[field.name] = msgspec.convert(_storable(raw, field.encode_name), field.type, strict=False)
        except (KeyError, msgspec.ValidationError, OverflowError):
            if field.required:
                return None
    return row_type(**kept)


_SYMBOL_FIELDS: Sequence[str] = ("T", "ticker")


def _storable(raw: dict[str, object], name: str) -> object:
    """The value without what no database stores.  Symbols stay as they came: a mangled one must not look sound."""
    value = raw[name]
    if isinstance(value, str) and name not in _SYMBOL_FIELDS:
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    return value


class BareReader(Generic[Row]):
    """Reads an answer that is an array without an envelope; a row that cannot be read is counted."""

    def __init__(self, row_type: type[Row]) -> None:
        self._row_type = row_type

    def read(self, body: bytes) -> Page[Row]:
        """Every readable row of *body*; `Undecodable` where it is no JSON array."""
        try:
            values = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Undecodable(f"no JSON: {describe(body)}") from error
        if not isinstance(values, list):
            raise Undecodable(f"no JSON array: {describe(body)}")
        rows = []
        for value in values:
            try:
                rows.append(msgspec.convert(value, self._row_type))
            except (msgspec.ValidationError, RecursionError):
                continue
        return Page(envelope=Envelope[list[Row]](), rows=rows, undecodable=len(values) - len(rows))
