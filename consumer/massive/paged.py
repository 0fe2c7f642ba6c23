"""Reads a question of many pages to its end, or raises: a list is never handed on in part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from consumer.massive.answer_bounds import MOST_BYTES_OF_A_QUESTION
from consumer.massive.envelope import Page, PageReader
from consumer.massive.pagination import PageTrail, with_query
from consumer.vendor.errors import AnswerTooLarge, BadAnswer, BadRequest, TickerNotFound
from consumer.vendor.questions import Question
from consumer.vendor.rows import FloatRow, TickerRow
from market.symbols import is_well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.massive.transport import Transport

Row = TypeVar("Row", bound=msgspec.Struct)
Listed = TypeVar("Listed", TickerRow, FloatRow)

RAW = {"adjusted": "false"}
# Of what follows a last page so many are asked for: a row of garbage must not hide a ticker behind it.
_BEYOND = 10


class Paged(msgspec.Struct, Generic[Row], frozen=True):
    """A question that may be answered in several pages."""

    question: Question
    path: str
    params: Mapping[str, str]
    reader: PageReader[Row]


class PagedQuestions:
    """Asks such questions; of more than *max_pages* an answer does not end."""

    def __init__(self, transport: Transport, *, max_pages: int) -> None:
        self._transport = transport
        self._max_pages = max_pages

    async def all_pages(self, asked: Paged[Row]) -> list[Page[Row]]:
        """Every page, in order."""
        target = with_query(asked.path, asked.params.items())
        trail = PageTrail(
            target,
            base_path=urlsplit(self._transport.base_url).path,
            keep={name: value for name, value in asked.params.items() if name in RAW},
            max_pages=self._max_pages,
        )
        pages = [await self._transport.get_page(asked.question, target, asked.reader)]
        while next_url := pages[-1].envelope.next_url:
            if sum(page.size for page in pages) > MOST_BYTES_OF_A_QUESTION:
                more = f"{asked.path} goes on after {len(pages)} pages of more than an answer can honestly be"
                raise AnswerTooLarge(more)
            target = trail.follow(next_url)
            try:
                pages.append(await self._transport.get_page(asked.question, target, asked.reader))
            except (BadRequest, TickerNotFound) as error:
                # The vendor refuses a cursor of its own making; the question itself was sound.
                raise BadAnswer(f"The vendor's pages break off after {len(pages)}: {error}") from error
        return pages

    async def require_end(self, asked: Paged[Listed], pages: Sequence[Page[Listed]]) -> None:
        """Make sure of the end where it looks like a lost next_url: a last page that is full, or empty after others."""
        tickers = (row.ticker for page in reversed(pages) for row in reversed(page.rows))
        last = next((ticker for ticker in tickers if is_well_formed(ticker)), None)
        if last is None or 0 < len(pages[-1].rows) + pages[-1].undecodable < int(asked.params["limit"]):
            return
        beyond = with_query(asked.path, {**asked.params, "limit": str(_BEYOND), "ticker.gt": last}.items())
        # A vendor that ignores `ticker.gt` answers with what has been read already: that proves nothing. Nor does what
        # is no ticker at all, and would be set aside.
        read = {row.ticker for page in pages for row in page.rows}
        follow = (await self._transport.get_page(asked.question, beyond, asked.reader)).rows
        if any(is_well_formed(row.ticker) and row.ticker not in read for row in follow):
            raise BadAnswer(f"The vendor's pages end at {last!r} although tickers follow")
