"""Answers the questions of a night from a plain folder of tables.

    daily/2026-07-15.csv    symbol,open,high,low,close,volume[,vwap,trades]      a session's bars, raw prices
    tickers.csv             symbol[,name,type,exchange,cik,sic,shares,free_float,listed]      what is listed now
    minutes/2026-07-15.csv  symbol,time,volume                                   optional: see minutes.py
    splits.csv              symbol,date,from,to                                  optional
    dividends.csv           symbol,ex_date,amount[,currency,type,frequency,declared,record,paid,id]      optional

A session without a table is not published yet. What the folder has no table or no column for is inherited: something
that this vendor does not include, named and never taken for an empty answer.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, TypeVar

import msgspec

from consumer.folder_vendor import tables
from consumer.vendor.daily_rows import instant_ms, sound_rows
from consumer.vendor.errors import BadAnswer, NotYetPublished, TickerNotFound
from consumer.vendor.lacking import Lacking
from consumer.vendor.reference_rows import newest_listing, sound_details, sound_dividends, sound_floats, sound_splits
from consumer.vendor.rows import DailyRow, DividendRow, FloatRow, GroupedDaily, SplitRow, TickerDetails, TickerRow
from consumer.vendor.sieve import Sieve

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.vendor.rows import TickerListing

Row = TypeVar("Row", bound=msgspec.Struct)

CLOSE = dt.time(16)  # any time of the day will do: a bar says which day it is of


class _Bar(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None = None
    trades: int | None = None


class _Ticker(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    name: str | None = None
    type: str | None = None
    exchange: str | None = None
    cik: str | None = None
    sic: str | None = None
    shares: float | None = None
    free_float: int | None = None
    listed: dt.date | None = None


class _Split(msgspec.Struct, frozen=True, kw_only=True, rename={"old": "from", "new": "to"}):
    symbol: str
    date: dt.date
    old: float
    new: float


class _Dividend(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    ex_date: dt.date
    amount: float
    currency: str = "USD"
    type: str | None = None
    frequency: int | None = None
    declared: dt.date | None = None
    record: dt.date | None = None
    paid: dt.date | None = None
    id: str | None = None


class FolderVendor(Lacking):
    """The folder, as the tasks see it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the folder {folder}")
        self._folder = folder
        self._reading = asyncio.Lock()
        self._tickers: tuple[str, dict[str, _Ticker]] = ("", {})

    async def grouped_daily(self, day: dt.date) -> GroupedDaily:
        """The session's table, held to the rules of any vendor's bars."""
        path = tables.find(self._folder, f"daily/{day}")
        if path is None:
            raise NotYetPublished(f"{self.words} has no daily/{day}.csv yet")
        at, sieve = instant_ms(day, CLOSE), Sieve(day)
        rows = [
            DailyRow(T=b.symbol, o=b.open, h=b.high, l=b.low, c=b.close, v=b.volume, vw=b.vwap, n=b.trades, t=at)
            for b in await asyncio.to_thread(tables.read, path, _Bar)
        ]
        sound = sound_rows(rows, day, sieve)
        if not sound:
            raise BadAnswer(f"{path} holds not one sound bar")
        return GroupedDaily(day=day, rows=sound, rejected=dict(sieve.rejected), set_aside=tuple(sieve.set_aside))

    async def list_tickers(self, *, active: bool = True, sieve: Sieve) -> TickerListing:
        """What is listed now; a folder knows nothing of what was."""
        if not active:
            self.lacks("list of what has left the market")
        rows = [
            TickerRow(ticker=one.symbol, name=one.name, type=one.type, primary_exchange=one.exchange, cik=one.cik)
            for one in (await self._listed()).values()
        ]
        return newest_listing(rows, sieve)

    async def ticker_details(self, symbol: str, *, sieve: Sieve) -> TickerDetails:
        """The symbol's row; details are what `sic` and `shares` are for."""
        listed = await self._listed()
        if not any(one.sic or one.shares for one in listed.values()):
            self.lacks("columns sic or shares in tickers.csv")
        if (one := listed.get(symbol)) is None:
            raise TickerNotFound(f"{self.words} has no {symbol} in tickers.csv")
        details = TickerDetails(
            ticker=symbol,
            name=one.name,
            type=one.type,
            primary_exchange=one.exchange,
            cik=one.cik,
            sic_code=one.sic,
            list_date=one.listed,
            weighted_shares_outstanding=one.shares,
            share_class_shares_outstanding=one.shares,
        )
        return sound_details([details], sieve)[0]

    async def list_floats(self, *, sieve: Sieve) -> list[FloatRow]:
        """The column `free_float`, where it has values."""
        listed = (await self._listed()).values()
        rows = [FloatRow(ticker=one.symbol, free_float=one.free_float) for one in listed if one.free_float is not None]
        return sound_floats(rows, sieve) if rows else self.lacks("column free_float in tickers.csv")

    async def list_splits(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[SplitRow]:
        """The table of splits. No split in it is an answer; no table is none."""
        path = tables.find(self._folder, "splits") or self.lacks("splits.csv")
        rows = [
            SplitRow(ticker=one.symbol, execution_date=one.date, split_from=one.old, split_to=one.new)
            for one in await asyncio.to_thread(tables.read, path, _Split)
            if since <= one.date <= until
        ]
        return sound_splits(rows, since, until, sieve)

    async def list_dividends(self, since: dt.date, until: dt.date, *, sieve: Sieve) -> list[DividendRow]:
        """The table of cash dividends. No dividend in it is an answer; no table is none."""
        path = tables.find(self._folder, "dividends") or self.lacks("dividends.csv")
        rows = [
            _dividend_row(one)
            for one in await asyncio.to_thread(tables.read, path, _Dividend)
            if since <= one.ex_date <= until
        ]
        return sound_dividends(rows, since, until, sieve)

    async def _listed(self) -> dict[str, _Ticker]:
        """What is listed, read once a version of the table: every symbol's details ask for it."""
        async with self._reading:
            path = tables.find(self._folder, "tickers")
            if path is None:
                raise NotYetPublished(f"{self.words} has no tickers.csv yet: what is listed has to be known")
            if self._tickers[0] != (version := tables.version(path)):
                rows = await asyncio.to_thread(tables.read, path, _Ticker)
                listed = {one.symbol: one for one in rows}
                if len(listed) < len(rows):
                    raise BadAnswer(f"{path} names a symbol twice: {len(rows)} rows of {len(listed)} symbols")
                self._tickers = (version, listed)
            return self._tickers[1]


def _dividend_row(one: _Dividend) -> DividendRow:
    return DividendRow(
        ticker=one.symbol,
        ex_dividend_date=one.ex_date,
        cash_amount=one.amount,
        id=one.id,
        currency=one.currency,
        declaration_date=one.declared,
        record_date=one.record,
        pay_date=one.paid,
        frequency=one.frequency,
        distribution_type=one.type,
    )
