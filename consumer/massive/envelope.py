"""Opens the envelope around the vendor's rows.

The quick way decodes a whole body in one typed pass.  Where that fails for a row or a field, `salvage` keeps every row
it can read and says what it could not, so that one bad row among 11,000 costs one row.  What is no JSON object at all
is `Undecodable`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from consumer.massive.answer_bounds import MOST_ROWS
from consumer.massive.lenient_json import NoJson, read_rows
from consumer.massive.salvage import readable_fields, readable_rows
from consumer.vendor.errors import AnswerTooLarge, ProviderUnavailable
from consumer.vendor.rows import SetAside
from consumer.vendor.sieve import FieldChecks, Sieve

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
    """One answer: its envelope, the rows that could be read, and what was lost of it and why."""

    envelope: Envelope[Any]
    rows: list[Row]
    set_aside: Sequence[SetAside] = ()
    size: int = 0  # bytes of the body

    @property
    def undecodable(self) -> int:
        """How many rows could not be read."""
        return sum(one.field is None for one in self.set_aside)


def rows_of(pages: Iterable[Page[Row]], sieve: Sieve) -> Iterator[Row]:
    """The rows of the pages of one question; what could not be read of them is noted in *sieve*."""
    for page in pages:
        sieve.take(page.set_aside)
        yield from page.rows


_NOTHING: Envelope[Any] = Envelope()
# A next_url is judged where it is followed: to leave it out would end a list in its middle.
_ENVELOPE = FieldChecks("envelope", Envelope[None], without=("next_url",))
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class PageReader(Generic[Row]):
    """Reads the pages of one row type."""

    def __init__(self, row_type: type[Row], decode: Callable[[bytes], Envelope[list[Row]]]) -> None:
        self._row_type = row_type
        self._decode = decode

    def read(self, body: bytes) -> Page[Row]:
        """Every readable row of *body*; `Undecodable` where there is no JSON object."""
        try:
            envelope = self._decode(body)
        except _UNREADABLE:
            return self._salvage(body)
        if envelope == _NOTHING:
            raise Undecodable("The vendor's answer is an object with none of an answer's fields")
        rows, envelope.results = envelope.results or [], None
        return _page(envelope, rows)

    def _salvage(self, body: bytes) -> Page[Row]:
        try:
            fields, raw_rows = read_rows(body)
        except NoJson as error:
            raise Undecodable(f"The vendor's answer is {describe(body)}") from error
        if not isinstance(raw_rows, list):
            raise Undecodable(f"The vendor's results are neither a list nor an object: {str(raw_rows)[:80]!r}")
        kept, lost = readable_fields(fields, Envelope[None])
        if any(one.field == "next_url" for one in lost):
            raise Undecodable(f"The vendor's next_url is no text: {str(fields['next_url'])[:80]!r}")
        rows, lost_rows = readable_rows(_counted(raw_rows), self._row_type)
        return _page(Envelope(**kept), rows, lost=[*lost, *lost_rows])


def _counted(raw_rows: list[Any]) -> list[Any]:
    if len(raw_rows) > MOST_ROWS:
        raise AnswerTooLarge(f"The vendor's answer has {len(raw_rows)} rows that are not as they should be")
    return raw_rows


def _page(envelope: Envelope[Any], rows: list[Row], *, lost: Sequence[SetAside] = ()) -> Page[Row]:
    sieve = Sieve.of_any_day()
    sound = _ENVELOPE.sound(envelope, sieve) or Envelope()
    return Page(envelope=sound, rows=rows, set_aside=(*lost, *sieve.set_aside))


def reader_of_one(row_type: type[Row], decode: Callable[[bytes], Envelope[Row]]) -> PageReader[Row]:
    """A reader for the endpoints whose `results` is one object."""

    def decode_as_list(body: bytes) -> Envelope[list[Row]]:
        envelope: Envelope[Any] = decode(body)
        envelope.results = [] if envelope.results is None else [envelope.results]
        return envelope

    return PageReader(row_type, decode_as_list)


class BareReader(Generic[Row]):
    """Reads an answer that is an array without an envelope."""

    def __init__(self, row_type: type[Row]) -> None:
        self._row_type = row_type

    def read(self, body: bytes) -> Page[Row]:
        """Every readable row of *body*; `Undecodable` where it is no JSON array."""
        try:
            _, raw_rows = read_rows(body, bare=True)
        except NoJson as error:
            raise Undecodable(f"no JSON array: {describe(body)}") from error
        rows, lost = readable_rows(_counted(raw_rows), self._row_type)
        return Page(envelope=Envelope(), rows=rows, set_aside=lost)


def describe(body: bytes) -> str:
    """What an unreadable body looks like, in a few words fit for a log."""
    if not body:
        return "an empty body"
    if body.isspace():
        return f"no text but {len(body)} blanks"
    text = body.lstrip()[:2000].decode("utf-8", "replace").strip()
    if text.startswith("<"):
        _, _, rest = text.partition("<title>")
        title, _, _ = rest.partition("</title>")
        return f"an HTML page titled {title.strip()[:80]!r}"
    return f"no JSON object but {text[:80]!r}"
