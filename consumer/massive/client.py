"""Asks the vendor the questions of data maintenance and returns typed answers.

Prices and volumes are always asked raw (`adjusted=false`): stored rows then never go stale at a split.  An empty answer
is an empty result; whatever could not be read to its end is raised, never returned in part.  What is lost of an answer,
because it cannot be true, is in its result or in the sieve that came with the question.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from consumer.massive.answer_bounds import MOST_BYTES_OF_A_QUESTION
from consumer.massive.budget import Budget
from consumer.massive.envelope import BareReader, Envelope, Page, PageReader, reader_of_one, rows_of
from consumer.massive.pagination import PageTrail, with_query
from consumer.massive.range_bars import gather_bars, require_own_ticker, window_of
from consumer.massive.transport import TOTAL_TIMEOUT, Patience, Transport
from consumer.massive.wire_rows import CustomDayRow, RangeRow
from consumer.vendor.daily_rows import sound_rows
from consumer.vendor.errors import (
    AnswerTooLarge,
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
    sound_floats,
    sound_splits,
)
from consumer.vendor.rows import (
    ClosureRow,
    DailyRow,
    FloatRow,
    GroupedDaily,
    RangeBars,
    SplitRow,
    TickerDetails,
    TickerListing,
    TickerRow,
)
from consumer.vendor.sieve import Sieve
from market.data_source import DataSource
from market.symbols import is_well_formed

Row = TypeVar("Row", bound=msgspec.Struct)
Listed = TypeVar("Listed", TickerRow, FloatRow)

RAW = {"adjusted": "false"}
RANGE_LIMIT = 50_000
LISTING_LIMIT = 1_000
# Of what follows a last page so many are asked for: a row of garbage must not hide a ticker behind it.
_BEYOND = 10
BULK_LIMIT = 5_000

_DAILY = PageReader(DailyRow, msgspec.json.Decoder(Envelope[list[DailyRow]]).decode)
_RANGE = PageReader(RangeRow, msgspec.json.Decoder(Envelope[list[RangeRow]]).decode)
_DAY = PageReader(CustomDayRow, msgspec.json.Decoder(Envelope[list[CustomDayRow]]).decode)
_TICKERS = PageReader(TickerRow, msgspec.json.Decoder(Envelope[list[TickerRow]]).decode)
_DETAILS = reader_of_one(TickerDetails, msgspec.json.Decoder(Envelope[TickerDetails]).decode)
_FLOATS = PageReader(FloatRow, msgspec.json.Decoder(Envelope[list[FloatRow]]).decode)
_SPLITS = PageReader(SplitRow, msgspec.json.Decoder(Envelope[list[SplitRow]]).decode)
_CLOSURES = BareReader(ClosureRow)


class MassiveClient:
    """The vendor, as the tasks see it."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        base_url: str,
        api_key: str | None,
        budget: Budget,
        timeout: dt.timedelta = TOTAL_TIMEOUT,
        max_in_flight: int = 64,
        patience: Patience | None = None,
        source: DataSource | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._transport = Transport(
            http,
            base_url=base_url,
            api_key=api_key,
            budget=budget,
            timeout=timeout,
            max_in_flight=max_in_flight,
            patience=self._patience,
            source=source,
        )

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
        pages = await self._all_pages(Question.RANGE_BARS, path, params, _RANGE)
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
        pages = await self._all_pages(Question.TICKERS, "/v3/reference/tickers", params, _TICKERS)
        for page in pages:
            declared = page.envelope.count
            # A count above the page size would be a total over all pages, which says nothing about this one.
            _require_whole(page, declared if declared is not None and declared <= LISTING_LIMIT else None)
        await self._require_end(Question.TICKERS, "/v3/reference/tickers", params, _TICKERS, pages)
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
            pages = await self._all_pages(Question.FLOATS, "/stocks/vX/float", params, _FLOATS)
        except (TickerNotFound, EndpointNotFound) as error:
            raise NotEntitled(f"The vendor offers no float data for this key: {error}") from error
        await self._require_end(Question.FLOATS, "/stocks/vX/float", params, _FLOATS, pages)
        return sound_floats(rows_of(pages, sieve), sieve)

    async def list_splits(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[SplitRow]:
        """The splits executed from *since* to *until*, both included, one for each ticker and day."""
        bounds = {"execution_date.gte": since.isoformat(), "execution_date.lte": until.isoformat()}
        params = {**bounds, "limit": str(BULK_LIMIT), "sort": "execution_date.asc"}
        try:
            pages = await self._all_pages(Question.SPLITS, "/stocks/v1/splits", params, _SPLITS)
        except (TickerNotFound, EndpointNotFound, NotEntitled):
            # The older endpoint has the same rows for plans and servers that lack the newer one.
            params = {**bounds, "limit": str(LISTING_LIMIT), "order": "asc", "sort": "execution_date"}
            pages = await self._all_pages(Question.SPLITS, "/v3/reference/splits", params, _SPLITS)
        return sound_splits(rows_of(pages, sieve), since, until, sieve)

    async def upcoming_closures(self, *, sieve: Sieve) -> list[ClosureRow]:
        """The exchanges' closures and early closes ahead, as the vendor knows them."""
        page = await self._transport.get_page(Question.MARKET_HOLIDAYS, "/v1/marketstatus/upcoming", _CLOSURES)
        return sound_closures(rows_of([page], sieve), sieve)

    async def _all_pages(
        self, endpoint: Question, path: str, params: Mapping[str, str], reader: PageReader[Row]
    ) -> list[Page[Row]]:
        target = with_query(path, params.items())
        trail = PageTrail(
            target,
            base_path=urlsplit(self._transport.base_url).path,
            keep={name: value for name, value in params.items() if name in RAW},
            max_pages=self._patience.max_pages,
        )
        pages = [await self._transport.get_page(endpoint, target, reader)]
        while next_url := pages[-1].envelope.next_url:
            if sum(page.size for page in pages) > MOST_BYTES_OF_A_QUESTION:
                raise AnswerTooLarge(f"{path} goes on after {len(pages)} pages of more than an answer can honestly be")
            target = trail.follow(next_url)
            try:
                pages.append(await self._transport.get_page(endpoint, target, reader))
            except (BadRequest, TickerNotFound) as error:
                # The vendor refuses a cursor of its own making; the question itself was sound.
                raise BadAnswer(f"The vendor's pages break off after {len(pages)}: {error}") from error
        return pages

    async def _require_end(
        self,
        endpoint: Question,
        path: str,
        params: Mapping[str, str],
        reader: PageReader[Listed],
        pages: Sequence[Page[Listed]],
    ) -> None:
        """Make sure of the end where it looks like a lost next_url: a last page that is full, or empty after others."""
        tickers = (row.ticker for page in reversed(pages) for row in reversed(page.rows))
        last = next((ticker for ticker in tickers if is_well_formed(ticker)), None)
        if last is None or 0 < len(pages[-1].rows) + pages[-1].undecodable < int(params["limit"]):
            return
        beyond = with_query(path, {**params, "limit": str(_BEYOND), "ticker.gt": last}.items())
        # A vendor that ignores `ticker.gt` answers with what has been read already: that proves nothing. Nor does what
        # is no ticker at all, and would be set aside.
        read = {row.ticker for page in pages for row in page.rows}
        follow = (await self._transport.get_page(endpoint, beyond, reader)).rows
        if any(is_well_formed(row.ticker) and row.ticker not in read for row in follow):
            raise BadAnswer(f"The vendor's pages end at {last!r} although tickers follow")


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
