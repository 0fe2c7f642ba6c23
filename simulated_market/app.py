"""Builds the application: a market behind the vendor's addresses.

The only file that knows every part; tests build their own here, with a clock and faults of their choice.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from aiohttp import web

from market.trading_calendar import TradingCalendar
from simulated_market.control import Control
from simulated_market.endpoints.aggregates import Aggregates
from simulated_market.endpoints.corporate_actions import CorporateActions
from simulated_market.endpoints.market_status import MarketStatus
from simulated_market.endpoints.reference import Reference
from simulated_market.endpoints.snapshot import Snapshot
from simulated_market.faults.fault_set import Fault, FaultKind, FaultSet
from simulated_market.invented.market import InventedMarket
from simulated_market.publication import Publication
from simulated_market.reissued_market import ReissuedMarket
from simulated_market.replayed.market import ReplayedMarket
from simulated_market.server import Compute, Server
from simulated_market.vendor_errors import not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulated_market.answer import Answer, Call
    from simulated_market.market_source import MarketSource
    from simulated_market.options import SimulatorOptions


def real_clock() -> dt.datetime:
    """The current instant, aware."""
    return dt.datetime.now(dt.UTC)


def build_app(
    options: SimulatorOptions,
    *,
    now: Callable[[], dt.datetime] = real_clock,
    faults: Iterable[Fault] = (),
) -> web.Application:
    """A simulated market ready to be served."""
    calendar = TradingCalendar(early_extended_close=options.assumptions.early_extended_close)
    market = _market(options, calendar)
    publication = Publication(options.plan, now, calendar, options.assumptions)
    server = Server(options, FaultSet(faults, lasting=_plan_limits(options)))
    app = web.Application(client_max_size=2**20)
    Control(server).add_routes(app)
    for endpoint, path, compute in _addresses(market, publication):
        app.router.add_get(path, server.handler(endpoint, compute))
    app.router.add_route("*", "/{unknown:.*}", server.handler("unknown", _no_such_address))
    return app


def _market(options: SimulatorOptions, calendar: TradingCalendar) -> MarketSource:
    if options.replay is not None:
        return ReplayedMarket(options.replay, calendar)
    market: MarketSource = InventedMarket(options.tickers, options.seed, calendar, dividends=options.dividends)
    for number, reissue in enumerate(options.reissues, start=1):
        others = InventedMarket(options.tickers, options.seed + number, calendar, dividends=options.dividends)
        market = ReissuedMarket(market, others, reissue)
    return market


def _plan_limits(options: SimulatorOptions) -> list[Fault]:
    if options.requests_per_minute is None:
        return []
    return [Fault(kind=FaultKind.CALLS_PER_MINUTE, limit=options.requests_per_minute)]


def _addresses(market: MarketSource, publication: Publication) -> list[tuple[str, str, Compute]]:
    bars, reference = Aggregates(market, publication), Reference(market, publication)
    snapshot = Snapshot(market, publication)
    actions, status = CorporateActions(market, publication), MarketStatus(market.calendar, publication)
    range_path = "/v2/aggs/ticker/{ticker}/range/{multiplier:[0-9]+}/{unit}/{first}/{last}"
    return [
        ("range_bars", range_path, bars.range_bars),
        ("grouped_daily", "/v2/aggs/grouped/locale/us/market/stocks/{day}", bars.grouped_daily),
        ("snapshot", "/v2/snapshot/locale/us/markets/stocks/tickers", snapshot.whole_market),
        ("tickers", "/v3/reference/tickers", reference.tickers),
        ("ticker_details", "/v3/reference/tickers/{ticker}", reference.ticker_details),
        ("ticker_events", "/vX/reference/tickers/{ticker}/events", reference.ticker_events),
        ("floats", "/stocks/vX/float", reference.floats),
        ("splits", "/stocks/v1/splits", actions.splits),
        ("splits", "/v3/reference/splits", actions.old_splits),
        ("dividends", "/stocks/v1/dividends", actions.dividends),
        ("market_status", "/v1/marketstatus/now", status.now),
        ("market_holidays", "/v1/marketstatus/upcoming", status.upcoming),
    ]


def _no_such_address(call: Call) -> Answer:
    raise not_found("The requested resource was not found")
