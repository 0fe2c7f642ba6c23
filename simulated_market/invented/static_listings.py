"""Invents the listings that keep their symbol: the known ones first, then as many as are asked for.

The mix of types, the shapes of the symbols and the spread from dead to busy follow the real market.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple

from simulated_market.invented import dice
from simulated_market.invented.company_names import company_name
from simulated_market.invented.known_tickers import KNOWN_TICKERS, KnownTicker
from simulated_market.invented.listing import COMPANY_TYPES, Listing
from simulated_market.invented.sic_codes import SIC_CODES

_EXCHANGES = ("XNAS", "XNYS", "XASE", "ARCX", "BATS")


class Kind(NamedTuple):
    """A ticker type with its share of the market and the middle of its habits."""

    ticker_type: str
    share: float
    price: float
    price_spread: float
    trades: float
    title: str


# Shares of the types as in the vendor's listing, rounded; trades are medians of a day, spread by e^±2.6.
KINDS = (
    Kind("CS", 0.55, 14.0, 1.3, 1000.0, "Inc. Common Stock"),
    Kind("ETF", 0.22, 34.0, 0.6, 130.0, "ETF"),
    Kind("ADRC", 0.04, 12.0, 1.1, 700.0, "American Depositary Shares"),
    Kind("PFD", 0.05, 22.0, 0.2, 25.0, "Preferred Stock"),
    Kind("WARRANT", 0.05, 0.4, 1.2, 8.0, "Warrants"),
    Kind("UNIT", 0.03, 10.3, 0.03, 2.0, "Units"),
    Kind("FUND", 0.025, 13.0, 0.5, 200.0, "Fund"),
    Kind("SP", 0.01, 23.0, 0.1, 25.0, "Notes"),
    Kind("RIGHT", 0.01, 0.2, 0.7, 4.0, "Rights"),
    Kind("ETN", 0.008, 28.0, 0.7, 40.0, "Exchange Traded Notes"),
    Kind("ADRP", 0.007, 20.0, 0.3, 10.0, "ADR Preferred"),
)
_TRADES_SPREAD = 2.6
_MOST_TRADES = 300_000.0
_FAMILY_SUFFIX = {"WARRANT": ".WS", "UNIT": ".U", "RIGHT": "r", "PFD": "p", "ADRP": "p"}


def static_listings(count: int, seed: int) -> list[Listing]:
    """*count* listings in a fixed order; a bigger market begins with the smaller one's."""
    listings = [_known(row, known) for row, known in enumerate(KNOWN_TICKERS[:count])]
    taken = {known.symbol for known in KNOWN_TICKERS}
    parent = "AAC"
    for row in range(len(listings), count):
        entity = dice.label(seed, dice.Purpose.UNIVERSE, row)
        kind = _kind(_share(entity, "type"))
        symbol = _symbol(kind, parent, entity, taken)
        taken.add(symbol)
        if kind.ticker_type == "CS":
            parent = symbol.partition(".")[0]
        listings.append(_invented(row, symbol, kind, entity))
    return listings


def industry_code(entity: int, ticker_type: str) -> str:
    """A code for most companies; funds, preferred shares and one company in eight have none."""
    if ticker_type not in COMPANY_TYPES or _share(entity, "no sic") < 0.125:
        return ""
    return SIC_CODES[dice.label(entity, "sic") % len(SIC_CODES)][0]


def share_count(entity: int) -> int:
    """Shares outstanding, about fifty millions, from one million to ten thousand."""
    return min(10_000_000_000, 1_000_000 + int(5e7 * math.exp(1.5 * _spread(entity, "shares"))))


def _known(row: int, known: KnownTicker) -> Listing:
    listed = dt.date.fromisoformat(known.listed)
    return Listing(
        row=row,
        symbol=known.symbol,
        ticker_type=known.ticker_type,
        name=known.name,
        exchange=known.exchange,
        sic=known.sic,
        entity=dice.label("known", known.symbol),
        listed_day=listed,
        first_day=listed,
        price=known.price,
        trades_a_day=min(known.trades_a_day, _MOST_TRADES),
        shares=int(known.shares_millions * 1e6),
    )


def _invented(row: int, symbol: str, kind: Kind, entity: int) -> Listing:
    listed = dt.date(1985, 1, 2) + dt.timedelta(days=int(_share(entity, "listed") ** 0.6 * 13_800))
    return Listing(
        row=row,
        symbol=symbol,
        ticker_type=kind.ticker_type,
        name=f"{company_name(entity)} {kind.title}",
        exchange=_exchange(kind, entity),
        sic=industry_code(entity, kind.ticker_type),
        entity=entity,
        listed_day=listed,
        first_day=listed,
        price=kind.price * math.exp(kind.price_spread * _spread(entity, "price")),
        trades_a_day=min(kind.trades * math.exp(_TRADES_SPREAD * _spread(entity, "trades")), _MOST_TRADES),
        shares=share_count(entity),
    )


def _kind(place: float) -> Kind:
    for kind in KINDS:
        place -= kind.share
        if place < 0:
            return kind
    return KINDS[0]


def _exchange(kind: Kind, entity: int) -> str:
    if kind.ticker_type in ("ETF", "ETN"):
        return _EXCHANGES[2 + dice.label(entity, "venue") % 3] if _share(entity, "nasdaq") > 0.2 else "XNAS"
    return _EXCHANGES[0] if _share(entity, "venue") < 0.55 else _EXCHANGES[1 + dice.label(entity, "venue") % 2]


def _symbol(kind: Kind, parent: str, entity: int, taken: set[str]) -> str:
    """A free symbol: members of a family take the company's, everyone else draws letters."""
    if (suffix := _FAMILY_SUFFIX.get(kind.ticker_type)) is not None:
        letters = [chr(ord("A") + place) for place in range(16)] if suffix == "p" else [""]
        family = (f"{parent}{suffix}{letter}" for letter in letters)
        if (free := next((symbol for symbol in family if symbol not in taken), None)) is not None:
            return free
    for attempt in range(1000):
        symbol = _letters(dice.label(entity, "symbol", attempt), kind)
        if symbol not in taken:
            return symbol
    raise ValueError("this market is too large: no symbol is left to draw")


def _letters(number: int, kind: Kind) -> str:
    number, length_place = divmod(number, 100)
    length = 3 if length_place < 20 else 4
    text = ""
    for _ in range(length):
        number, place = divmod(number, 26)
        text += chr(ord("A") + place)
    return f"{text}.A" if kind.ticker_type == "CS" and number % 100 == 0 else text


def _share(entity: int, topic: str) -> float:
    return dice.label(entity, topic) / 2.0**64


def _spread(entity: int, topic: str) -> float:
    """About normal, within ±3.5: the sum of four lanes of one word."""
    word = dice.label(entity, topic)
    return (sum((word >> shift) & 0xFFFF for shift in (0, 16, 32, 48)) / 65536 - 2.0) * math.sqrt(3.0)
