"""Answers with what is known about tickers: the listing, one ticker's details, floats, changes of ticker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulated_market.answer import Answer, Call
from simulated_market.paging import Pages
from simulated_market.request_fields import optional_day, switch
from simulated_market.vendor_errors import bad_request, not_found

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping, Sequence

    from simulated_market.market_source import MarketSource
    from simulated_market.publication import Publication
    from simulated_market.wire_rows import TickerRow

_SORTABLE = frozenset(
    {
        "ticker",
        "name",
        "market",
        "locale",
        "primary_exchange",
        "type",
        "currency_name",
        "cik",
        "composite_figi",
        "share_class_figi",
        "last_updated_utc",
        "delisted_utc",
    }
)
_EXACT = {"type": "type", "exchange": "primary_exchange", "cik": "cik", "market": "market"}
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "": lambda symbol, bound: symbol == bound,
    ".gt": lambda symbol, bound: symbol > bound,
    ".gte": lambda symbol, bound: symbol >= bound,
    ".lt": lambda symbol, bound: symbol < bound,
    ".lte": lambda symbol, bound: symbol <= bound,
    ".any_of": lambda symbol, bound: symbol in bound.split(","),
}


class Reference:
    """The reference addresses over one market."""

    def __init__(self, market: MarketSource, publication: Publication) -> None:
        self._market = market
        self._publication = publication
        self._pages = Pages(publication.assumptions)

    def tickers(self, call: Call) -> Answer:
        as_of = self._as_of(call)
        active = switch(call.query, "active", default=True)
        rows = self._market.active(as_of) if active else self._market.delisted(as_of)
        rows = _sorted(_matching(rows, call.query), call.query)
        page, following = self._pages.one(rows, call, default=100, most=1000)
        return Answer(results=page, envelope={"count": 0}, counted=("count",), following=following)

    def ticker_details(self, call: Call) -> Answer:
        as_of = self._as_of(call)
        details = self._market.details(call.parts["ticker"], as_of)
        if details is None and self._publication.assumptions.unknown_ticker_is_404:
            raise not_found()
        return Answer(results=details)

    def _as_of(self, call: Call) -> dt.date:
        """The date asked for; nothing is known of the future."""
        today = self._publication.today()
        return min(optional_day(call.query, "date") or today, today)

    def floats(self, call: Call) -> Answer:
        rows = by_ticker(self._market.floats(self._publication.today()), call.query)
        if call.query.get("sort", "ticker.asc") == "ticker.desc":
            rows = rows[::-1]
        page, following = self._pages.one(rows, call, default=100, most=5000)
        return Answer(results=page, following=following)

    def ticker_events(self, call: Call) -> Answer:
        events = self._market.events(call.parts["ticker"], self._publication.today())
        if events is None:
            raise not_found()
        return Answer(results=events)


def by_ticker(rows: Sequence[Any], query: Mapping[str, str]) -> Sequence[Any]:
    """The rows whose ticker meets every `ticker…` parameter; symbols compare letter case and all."""
    for suffix, agrees in _COMPARISONS.items():
        bound = query.get(f"ticker{suffix}")
        if bound:
            rows = [row for row in rows if agrees(row.ticker, bound)]
    return rows


def _matching(rows: Sequence[TickerRow], query: Mapping[str, str]) -> Sequence[TickerRow]:
    rows = by_ticker(rows, query)
    for parameter, field in _EXACT.items():
        if wanted := query.get(parameter):
            rows = [row for row in rows if getattr(row, field) == wanted]
    if words := query.get("search", "").lower():
        rows = [row for row in rows if words in (row.name or "").lower() or words in row.ticker.lower()]
    return rows


def _sorted(rows: Sequence[TickerRow], query: Mapping[str, str]) -> Sequence[TickerRow]:
    field, order = query.get("sort", "ticker"), query.get("order", "asc")
    if field not in _SORTABLE or order not in ("asc", "desc"):
        raise bad_request(f"Cannot sort by '{field}' in the order '{order}'")
    if field != "ticker":
        rows = sorted(rows, key=lambda row: (getattr(row, field) or "", row.ticker))
    return rows if order == "asc" else rows[::-1]
