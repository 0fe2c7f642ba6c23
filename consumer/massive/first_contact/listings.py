"""Asks for what is listed: tickers and their second page, who left, details, floats, splits, dividends, closures."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from consumer.massive.first_contact.assumed import holds, otherwise, told, unseen
from consumer.massive.pagination import next_target
from consumer.vendor.errors import BadAnswer, KeyRejected, TickerNotFound

if TYPE_CHECKING:
    from consumer.massive.first_contact.asking import Heard
    from consumer.massive.first_contact.facts import Contact
    from consumer.vendor.first_contact import Seen

LISTING = "/v3/reference/tickers?market=stocks&limit=1000"
NO_TICKER = "ZZZZZZZ"
AHEAD = dt.timedelta(days=330)  # the vendor tells of about a year
BACK = dt.timedelta(days=60)


async def splits(contact: Contact) -> list[Seen]:
    """Two years of splits, which every plan has: whether the key is accepted at all, too."""
    since = contact.today - dt.timedelta(days=720)
    dates = f"execution_date.gte={since}&execution_date.lte={contact.today}"
    heard = await contact.asker.ask(f"/stocks/v1/splits?{dates}&limit=5000&sort=execution_date.asc")
    contact.splits = [row for row in heard.rows if isinstance(row, dict)]
    if isinstance(heard.error, KeyRejected):
        return [otherwise("key", heard.words, "set a valid MASSIVE_API_KEY; nothing else was asked")]
    if heard.error is not None:
        older = "the service asks the older address instead"
        return [holds("key", "accepted"), otherwise("splits_order", heard.words, older)]
    return [holds("key", "accepted"), _ordered("splits_order", heard, "execution_date", "splits")]


async def tickers(contact: Contact) -> list[Seen]:
    """The first page of the listing and the one after it."""
    heard = await contact.asker.ask(f"{LISTING}&active=true&sort=ticker&order=asc")
    symbols = [str(row.get("ticker")) for row in heard.rows if isinstance(row, dict)]
    if heard.error is not None or not symbols:
        return [otherwise("listing_page", heard.words, "without a listing no night goes on: send this report")]
    seen = f"{len(symbols):,} tickers from {symbols[0]} to {symbols[-1]}"
    full = len(symbols) == 1000 or heard.next_url is None
    in_order = symbols == sorted(symbols)
    follows = "more requests a night" if in_order else "the end of the listing cannot be made sure of: send this report"
    page = told("listing_page", full and in_order, seen + ("" if in_order else ", not in their order"), follows)
    if heard.next_url is None:
        return [page, unseen("next_page", "the listing has one page")]
    return [page, await _next_page(contact, heard.next_url, symbols)]


async def _next_page(contact: Contact, next_url: str, symbols: list[str]) -> Seen:
    host = urlsplit(next_url).netloc
    broken = "the listing cannot be read to its end: send this report"
    try:
        target = next_target(next_url, base_path=urlsplit(contact.asker.base_url).path, keep={})
    except BadAnswer as error:
        return otherwise("next_page", str(error), broken)
    heard = await contact.asker.ask(target)
    following = [str(row.get("ticker")) for row in heard.rows if isinstance(row, dict)]
    seen = f"it names {host}; the next page: {heard.words}, {len(following):,} tickers from {following[:1]}"
    return told("next_page", bool(following) and not set(following) & set(symbols), seen, broken)


async def delisted(contact: Contact) -> list[Seen]:
    """Who left the market last."""
    heard = await contact.asker.ask(f"{LISTING}&active=false&sort=delisted_utc&order=desc")
    return [_ordered("delisted_order", heard, "delisted_utc", "delisted tickers", newest_first=True)]


async def details(contact: Contact) -> list[Seen]:
    """One ticker that there is, and one that there is not."""
    heard = await contact.asker.ask(f"/v3/reference/tickers/{quote(_company(contact), safe='')}")
    found = heard.envelope.get("results")
    has = [name for name in ("sic_code", "weighted_shares_outstanding", "market_cap") if name in (found or {})]
    lacking = "no sectors and market caps; learned by itself as a limit of the plan"
    fine = heard.error is None and isinstance(found, dict) and "weighted_shares_outstanding" in has
    seen = f"{_company(contact)}: {heard.words}, with {', '.join(has) or 'none of them'}"
    known = told("details", fine, seen, lacking)
    missing = await contact.asker.ask(f"/v3/reference/tickers/{NO_TICKER}")
    fine = isinstance(missing.error, TickerNotFound)
    follows = "a ticker without details would be asked for again each night: send this report"
    return [known, told("unknown_ticker", fine, f"{NO_TICKER}: {missing.words}", follows)]


def _company(contact: Contact) -> str:
    return "AAPL" if "AAPL" in contact.traded or not contact.traded else contact.traded[0]


async def floats(contact: Contact) -> list[Seen]:
    """The first page of floats."""
    heard = await contact.asker.ask("/stocks/vX/float?limit=5000&sort=ticker.asc")
    if heard.error is not None:
        return [otherwise("floats", heard.words, "no floats; learned by itself, a note each night and no failure")]
    return [_ordered("floats", heard, "ticker", "floats")]


async def dividends(contact: Contact) -> list[Seen]:
    """Two months of dividends."""
    dates = f"ex_dividend_date.gte={contact.today - BACK}&ex_dividend_date.lte={contact.today}"
    heard = await contact.asker.ask(f"/stocks/v1/dividends?{dates}&limit=5000&sort=ex_dividend_date.asc")
    if heard.error is not None:
        lacking = "no total-return closes; learned by itself as a limit of the plan"
        nothing = unseen("dividend_shares", "no dividends")
        return [otherwise("dividends_order", heard.words, lacking), nothing]
    paid = [row for row in heard.rows if isinstance(row, dict)]
    return [_ordered("dividends_order", heard, "ex_dividend_date", "dividends"), shares_of(paid, contact.splits)]


def shares_of(paid: list[dict[str, Any]], splits: list[dict[str, Any]]) -> Seen:
    """What the vendor's own adjusted amount says of a dividend on the morning of a split."""
    by_ticker: dict[str, list[dict[str, Any]]] = {}
    for split in splits:
        by_ticker.setdefault(str(split.get("ticker")), []).append(split)
    for row in paid:
        own, day = by_ticker.get(str(row.get("ticker")), []), str(row.get("ex_dividend_date"))
        morning = _product([one for one in own if str(one.get("execution_date")) == day])
        adjusted, amount = row.get("split_adjusted_cash_amount"), row.get("cash_amount")
        if morning == 1.0 or not isinstance(adjusted, int | float) or not isinstance(amount, int | float) or not amount:
            continue
        told_ratio = adjusted / amount / _product([one for one in own if str(one.get("execution_date")) > day])
        seen = f"{row.get('ticker')} on {day}: {amount:g} became {adjusted:g}, that morning's split is {morning:g}"
        before = abs(told_ratio - morning) < abs(told_ratio - 1.0)
        follows = "total-return closes of such days are off by the split: send this report"
        return told("dividend_shares", not before, seen, follows)
    return unseen("dividend_shares", f"none of {len(paid):,} dividends was paid on the morning of a split")


def _product(splits: list[dict[str, Any]]) -> float:
    product = 1.0
    for one in splits:
        before, after = one.get("split_from"), one.get("split_to")
        if isinstance(before, int | float) and isinstance(after, int | float) and after:
            product *= before / after
    return product


async def closures(contact: Contact) -> list[Seen]:
    """The closures and early closes ahead, beside those of our calendar."""
    heard = await contact.asker.ask("/v1/marketstatus/upcoming")
    theirs = {
        (str(row.get("date")), str(row.get("status")))
        for row in heard.rows
        if isinstance(row, dict) and row.get("exchange") in ("NYSE", "NASDAQ")
    }
    if heard.error is not None or not theirs:
        seen = f"{heard.words}, {len(heard.rows)} rows"
        return [otherwise("closures", seen, "closures are those of the calendar alone")]
    until = min(contact.today + AHEAD, max(dt.date.fromisoformat(day) for day, _ in theirs))
    ours = {(str(day), kind) for day, kind in _of_calendar(contact, until)}
    differing = sorted(ours ^ {one for one in theirs if one[0] <= str(until)})
    seen = f"{len(theirs)} until {until}" + "".join(f"; only one of us has {day} {kind}" for day, kind in differing[:5])
    follows = "whoever is right: TRADING_CALENDAR_OVERRIDES names a file that corrects ours"
    return [told("closures", not differing, seen, follows)]


def _of_calendar(contact: Contact, until: dt.date) -> list[tuple[dt.date, str]]:
    """The weekdays of our calendar until then that have no session, or a short one."""
    days = (contact.today + dt.timedelta(days=ahead) for ahead in range((until - contact.today).days + 1))
    found = []
    for day in days:
        if not contact.calendar.is_trading_day(day):
            found += [(day, "closed")] if day.weekday() < 5 else []
        elif contact.calendar.session(day).early_close:
            found.append((day, "early-close"))
    return found


def _ordered(assumption: str, heard: Heard, field: str, what: str, *, newest_first: bool = False) -> Seen:
    """Whether the rows come as they were sorted by."""
    if heard.error is not None:
        return otherwise(assumption, heard.words, "send this report")
    values = [str(row.get(field) or "") for row in heard.rows if isinstance(row, dict)]
    if len(values) < 2:
        return unseen(assumption, f"{len(values)} {what}: their order cannot be told")
    fine = values == sorted(values, reverse=newest_first)
    more = "" if heard.next_url is None else ", and a next page"
    seen = f"{len(values):,} {what} from {values[0]} to {values[-1]}{more}" + ("" if fine else ", not in that order")
    cut = heard.next_url is not None and len(values) < 1000
    follows = "pages are smaller than asked for: more requests a night" if fine else "read to its end all the same"
    return told(assumption, fine and not cut, seen, follows)
