"""Asks the vendor the questions of data maintenance and returns typed answers.

Prices and volumes are always asked raw (`adjusted=false`): stored rows then never go stale at a split.  An empty answer
is an empty result; whatever could not be read to its end is raised, never returned in part.  What is lost of an answer,
because it cannot be true, is in its result or in the sieve that came with the question.
"""

import datetime as dt
from collections import Counter
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from consumer.massive.access import Access
from consumer.massive.envelope import BareReader, Envelope, Page, PageReader, reader_of_one, rows_of
from consumer.massive.paged import RAW, Paged, PagedQuestions
from consumer.massive.pagination import with_query
from consumer.massive.range_bars import gather_bars, require_own_ticker, window_of
from consumer.massive.transport import Transport
from consumer.massive.wire_rows import CustomDayRow, RangeRow
from consumer.vendor.daily_rows import sound_rows
from consumer.vendor.errors import (
    BadAnswer,
    BadRequest,
    EndpointNotFound,
    NotEntitled,
    TickerNotFound,
)
from consumer.vendor.questions import Question
from consumer.vendor.reference_rows import (
    newest_listing,
    sound_closures,
    sound_details,
    sound_dividends,
    sound_floats,
    sound_splits,
)
from consumer.vendor.rows import (
    ClosureRow,
    DailyRow,
    DividendRow,
    FloatRow,
    GroupedDaily,
    RangeBars,
    SplitRow,
    TickerDetails,
    TickerListing,
    TickerRow,
)
from consumer.vendor.sieve import Sieve
from market.symbols import is_well_formed

Row = TypeVar("Row", bound=msgspec.Struct)

RANGE_LIMIT = 50_000
LISTING_LIMIT = 1_000
BULK_LIMIT = 5_000

_DAILY = PageReader(DailyRow, msgspec.json.Decoder(Envelope[list[DailyRow]]).decode)
_RANGE = PageReader(RangeRow, msgspec.json.Decoder(Envelope[list[RangeRow]]).decode)
_DAY = PageReader(CustomDayRow, msgspec.json.Decoder(Envelope[list[CustomDayRow]]).decode)
_TICKERS = PageReader(TickerRow, msgspec.json.Decoder(Envelope[list[TickerRow]]).decode)
_DETAILS = reader_of_one(TickerDetails, msgspec.json.Decoder(Envelope[TickerDetails]).decode)
_FLOATS = PageReader(FloatRow, msgspec.json.Decoder(Envelope[list[FloatRow]]).decode)
_SPLITS = PageReader(SplitRow, msgspec.json.Decoder(Envelope[list[SplitRow]]).decode)
_DIVIDENDS = PageReader(DividendRow, msgspec.json.Decoder(Envelope[list[DividendRow]]).decode)
_CLOSURES = BareReader(ClosureRow)


class MassiveClient:
    """The vendor, as the tasks see it."""

    def __init__(self, http: aiohttp.ClientSession, access: Access) -> None:
        self._transport = Transport(http, access)
        self._pages = PagedQuestions(self._transport, max_pages=access.patience.max_pages)

    @property
    def requests_made(self) -> Counter[str]:
        """HTTP requests sent, by endpoint name, repeated tries included."""
        return self._transport.requests_made

    def tell_rest(self) -> None:
        """Say in the log what was counted and not said yet; when a pass or the process ends."""
        self._transport.troubles.tell_rest()

    async def grouped_daily(self, day: dt.date) -> GroupedDaily:
        """The whole market's bars of *day* in one request."""
        target = with_query(f"/v2/aggs/grouped/locale/us/market/stocks/{day.isoformat()}", RAW.items())
        page = await self._transport.get_page(Question.GROUPED_DAILY, target, _DAILY)
        _require_raw(page)
        _require_whole(page, page.envelope.results_count)
        sieve = Sieve(day)
        sieve.take(page.set_aside)
        rows = sound_rows(page.rows, day, sieve)
        came = len(page.rows) + page.undecodable
        if came and not rows:
            # Not one bar of that day is no empty day: it is another day's bars, or garbage.
            raise BadAnswer(
                f"Not one of {came} rows is a bar of {day.isoformat()}", request_id=page.envelope.request_id
            )
        return GroupedDaily(
            day=day,
            rows=rows,
            request_id=page.envelope.request_id,
            rejected=dict(sieve.rejected),
            set_aside=tuple(sieve.set_aside),
        )

    async def five_minute_bars(self, symbol: str, first_day: dt.date, last_day: dt.date) -> RangeBars:
        """One ticker's five-minute bars of all these days, extended hours included; one request for 52 sessions."""
        path = f"/v2/aggs/ticker/{_quoted(symbol)}/range/5/minute/{first_day.isoformat()}/{last_day.isoformat()}"
        params = {**RAW, "sort": "asc", "limit": str(RANGE_LIMIT)}
        asked = Paged(Question.RANGE_BARS, path, params, _RANGE)
        pages = await self._pages.all_pages(asked)
        for page in pages:
            _require_raw(page)
            _require_whole(page, page.envelope.results_count)
        return gather_bars(pages, window_of(symbol, first_day, last_day))

    async def daily_bar(self, symbol: str, day: dt.date) -> DailyRow | None:
        """One ticker's bar of *day* from the custom bars: another way to what `grouped_daily` says. None: no bar."""
        path = f"/v2/aggs/ticker/{_quoted(symbol)}/range/1/day/{day.isoformat()}/{day.isoformat()}"
        page = await self._transport.get_page(Question.DAY_BAR, with_query(path, RAW.items()), _DAY)
        _require_raw(page)
        _require_whole(page, page.envelope.results_count)
        require_own_ticker(page, symbol)
        bars = [DailyRow(T=symbol, **msgspec.structs.asdict(row)) for row in page.rows]
        sieve = Sieve(day)
        sound = sound_rows(bars, day, sieve)
        if page.undecodable or len(page.rows) > 1 or (sieve.rejected and not sound):
            raise BadAnswer(f"Not one sound bar of {symbol} on {day}", request_id=page.envelope.request_id)
        return sound[0] if sound else None

    async def list_tickers(self, *, active: bool = True, sieve: Sieve) -> TickerListing:
        """Every stock ticker, read to the end."""
        params = {"market": "stocks", "active": str(active).lower(), "order": "asc", "sort": "ticker"}
        params["limit"] = str(LISTING_LIMIT)
        asked = Paged(Question.TICKERS, "/v3/reference/tickers", params, _TICKERS)
        pages = await self._pages.all_pages(asked)
        for page in pages:
            declared = page.envelope.count
            # A count above the page size would be a total over all pages, which says nothing about this one.
            _require_whole(page, declared if declared is not None and declared <= LISTING_LIMIT else None)
        await self._pages.require_end(asked, pages)
        listing = newest_listing(rows_of(pages, sieve), sieve, pages=len(pages))
        if active and not listing.rows:
            raise BadAnswer("The listing of active tickers is empty; a market without tickers is no answer")
        return listing

    async def recently_delisted(self, *, sieve: Sieve) -> list[TickerRow]:
        """The thousand tickers that left the market last, newest first: one request, not the whole graveyard."""
        params = {"market": "stocks", "active": "false", "order": "desc", "sort": "delisted_utc"}
        params["limit"] = str(LISTING_LIMIT)
        target = with_query("/v3/reference/tickers", params.items())
        page = await self._transport.get_page(Question.TICKERS, target, _TICKERS)
        return newest_listing(rows_of([page], sieve), sieve).rows

    async def ticker_details(self, symbol: str, *, sieve: Sieve) -> TickerDetails:
        """One ticker's details; `TickerNotFound` where the vendor knows none."""
        target = f"/v3/reference/tickers/{_quoted(symbol)}"
        page = await self._transport.get_page(Question.TICKER_DETAILS, target, _DETAILS)
        if len(page.rows) != 1 or page.rows[0].ticker != symbol:
            raise BadAnswer(f"Asked for details of {symbol}, got others or none", request_id=page.envelope.request_id)
        return sound_details(rows_of([page], sieve), sieve)[0]

    async def list_floats(self, *, sieve: Sieve) -> list[FloatRow]:
        """Every ticker's free float; `NotEntitled` where the plan or the vendor does not have the endpoint."""
        params = {"limit": str(BULK_LIMIT), "sort": "ticker.asc"}
        try:
            asked = Paged(Question.FLOATS, "/stocks/vX/float", params, _FLOATS)
            pages = await self._pages.all_pages(asked)
        except (TickerNotFound, EndpointNotFound) as error:
            raise NotEntitled(f"The vendor offers no float data for this key: {error}") from error
        await self._pages.require_end(asked, pages)
        return sound_floats(rows_of(pages, sieve), sieve)

    async def list_splits(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[SplitRow]:
        """The splits executed from *since* to *until*, both included, one for each ticker and day."""
        bounds = {"execution_date.gte": since.isoformat(), "execution_date.lte": until.isoformat()}
        params = {**bounds, "limit": str(BULK_LIMIT), "sort": "execution_date.asc"}
        try:
            asked = Paged(Question.SPLITS, "/stocks/v1/splits", params, _SPLITS)
            pages = await self._pages.all_pages(asked)
        except (TickerNotFound, EndpointNotFound, NotEntitled):
            # The older endpoint has the same rows for plans and servers that lack the newer one.
            params = {**bounds, "limit": str(LISTING_LIMIT), "order": "asc", "sort": "execution_date"}
            asked = Paged(Question.SPLITS, "/v3/reference/splits", params, _SPLITS)
            pages = await self._pages.all_pages(asked)
        return sound_splits(rows_of(pages, sieve), since, until, sieve)

    async def list_dividends(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[DividendRow]:
        """The cash dividends with an ex-day from *since* to *until*; `NotEntitled` where there is no such endpoint."""
        bounds = {"ex_dividend_date.gte": since.isoformat(), "ex_dividend_date.lte": until.isoformat()}
        params = {**bounds, "limit": str(BULK_LIMIT), "sort": "ex_dividend_date.asc"}
        try:
            pages = await self._pages.all_pages(Paged(Question.DIVIDENDS, "/stocks/v1/dividends", params, _DIVIDENDS))
        except (TickerNotFound, EndpointNotFound) as error:
            raise NotEntitled(f"The vendor offers no dividends for this key: {error}") from error
        return sound_dividends(rows_of(pages, sieve), since, until, sieve)

    async def upcoming_closures(self, *, sieve: Sieve) -> list[ClosureRow]:
        """The exchanges' closures and early closes ahead, as the vendor knows them."""
        page = await self._transport.get_page(Question.MARKET_HOLIDAYS, "/v1/marketstatus/upcoming", _CLOSURES)
        return sound_closures(rows_of([page], sieve), sieve)


def _quoted(symbol: str) -> str:
    if not is_well_formed(symbol):
        raise BadRequest(f"{symbol[:30]!r} is no ticker symbol")
    return quote(symbol, safe="")


def _require_raw(page: Page[Row]) -> None:
    if page.rows and page.envelope.adjusted:
        raise BadAnswer("Asked for raw bars, got split-adjusted ones", request_id=page.envelope.request_id)


def _require_whole(page: Page[Row], declared: int | None) -> None:
    arrived = len(page.rows) + page.undecodable
    if declared is not None and declared > arrived:
        raise BadAnswer(
            f"The answer announces {declared} rows and holds {arrived}", request_id=page.envelope.request_id
        )
