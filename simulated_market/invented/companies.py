"""Tells what the vendor's reference data would say about a listing.

Some fields are missing for some companies, as in the real data, and always the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulated_market.invented import dice
from simulated_market.invented.listing import COMPANY_TYPES, Listing, chance, figi
from simulated_market.invented.sic_codes import DESCRIPTIONS
from simulated_market.wire_rows import FloatRow, TickerDetails, TickerRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

_SHARED: Mapping[str, Any] = {"market": "stocks", "locale": "us"}


def ticker_row(listing: Listing, as_of: dt.date) -> TickerRow:
    """The listing's row in the vendor's list of tickers."""
    active = listing.trades_on(as_of)
    return TickerRow(
        ticker=listing.symbol,
        name=listing.name,
        **_SHARED,
        primary_exchange=listing.exchange,
        type=listing.ticker_type,
        active=active,
        currency_name="usd",
        cik=_cik(listing),
        composite_figi=composite_figi(listing),
        share_class_figi=_share_class_figi(listing),
        last_updated_utc=f"{as_of.isoformat()}T06:05:17.341Z",
        delisted_utc=None if active else _delisted(listing),
    )


def ticker_details(listing: Listing, as_of: dt.date, shares: int, close: float | None) -> TickerDetails:
    """Everything about one listing; *close* is the last one known, which the market cap is made of."""
    company = listing.ticker_type in COMPANY_TYPES
    active = listing.trades_on(as_of)
    root, _, suffix = listing.symbol.partition(".")
    capital = None if close is None or not company or chance(listing, "no cap") < 0.04 else close * shares
    return TickerDetails(
        ticker=listing.symbol,
        name=listing.name,
        **_SHARED,
        primary_exchange=listing.exchange,
        type=listing.ticker_type,
        active=active,
        currency_name="usd",
        cik=_cik(listing),
        composite_figi=composite_figi(listing),
        share_class_figi=_share_class_figi(listing),
        market_cap=capital,
        **(_of_companies(listing, root) if company else {}),
        sic_code=listing.sic or None,
        sic_description=DESCRIPTIONS.get(listing.sic) if listing.sic else None,
        ticker_root=root,
        ticker_suffix=suffix or None,
        list_date=None if chance(listing, "no list date") < 0.05 else listing.listed_day.isoformat(),
        delisted_utc=None if active else _delisted(listing),
        share_class_shares_outstanding=shares if company else None,
        weighted_shares_outstanding=shares if company and chance(listing, "no weighted") >= 0.02 else None,
        round_lot=100,
    )


def _of_companies(listing: Listing, root: str) -> dict[str, Any]:
    return {
        "phone_number": f"{200 + listing.entity % 700}-555-01{listing.entity % 100:02d}",
        "address": {
            "address1": f"{1 + listing.entity % 900} WALL STREET",
            "city": "NEW YORK",
            "state": "NY",
            "postal_code": "10005",
        },
        "description": f"{listing.name} exists in this simulated market only.",
        "homepage_url": f"https://{root.lower()}.example",
        "branding": {
            kind: f"https://pictures.example/{root.lower()}/{kind[:4]}.svg" for kind in ("logo_url", "icon_url")
        },
        "total_employees": None if chance(listing, "staff") < 0.3 else 10 + listing.entity % 90_000,
    }


def float_row(listing: Listing, as_of: dt.date, shares: int) -> FloatRow | None:
    """The part of the shares that may trade freely; unknown for one company in twelve."""
    if listing.ticker_type not in COMPANY_TYPES or chance(listing, "no float") < 0.08:
        return None
    free = int(shares * (0.2 + 0.79 * chance(listing, "float")))
    first_of_month = as_of.replace(day=1)
    return FloatRow(
        ticker=listing.symbol,
        effective_date=max(first_of_month, min(listing.first_day, as_of)).isoformat(),
        free_float=free,
        free_float_percent=round(100 * free / shares, 2),
    )


def composite_figi(listing: Listing) -> str | None:
    """The company's code, which a change of ticker leaves as it is; one in twelve has none."""
    return None if listing.is_test_issue or chance(listing, "no figi") < 0.08 else figi(listing.entity, "composite")


def _share_class_figi(listing: Listing) -> str | None:
    return None if listing.is_test_issue or chance(listing, "no figi") < 0.12 else figi(listing.entity, "share class")


def _cik(listing: Listing) -> str | None:
    if listing.is_test_issue or chance(listing, "no cik") < (0.05 if listing.ticker_type in COMPANY_TYPES else 0.5):
        return None
    return f"{dice.label(listing.entity, 'cik') % 2_000_000 + 1_000:010d}"


def _delisted(listing: Listing) -> str | None:
    return None if listing.ended_day is None else f"{listing.ended_day.isoformat()}T00:00:00Z"
