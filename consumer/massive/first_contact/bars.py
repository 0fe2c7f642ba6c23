"""Asks for single tickers' bars and for the whole market's snapshot, and holds the one against the other."""

from __future__ import annotations

import datetime as dt
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from consumer.massive.first_contact.asking import NoAnswer, Spent
from consumer.massive.first_contact.assumed import holds, otherwise, told, unseen
from consumer.vendor.errors import NotEntitled
from market.symbols import is_well_formed
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from consumer.massive.first_contact.asking import Heard
    from consumer.massive.first_contact.facts import Contact
    from consumer.vendor.first_contact import Seen

SNAPSHOT = "/v2/snapshot/locale/us/markets/stocks/tickers"
WINDOW = 52  # sessions of 960 minutes that 50,000 hold
COMPARED = 10
MINUTE = dt.timedelta(minutes=1)
REAL_TIME = dt.timedelta(minutes=3)
DELAYED = (dt.timedelta(minutes=13), dt.timedelta(minutes=19))
SILENT = 0.02
LEFT_OUT = 0.85  # the least of the accumulated volume that bars were seen to count, and a little
EQUAL = 0.005


async def window(contact: Contact) -> list[Seen]:
    """The longest range of one ticker that is to be one answer."""
    known = "one_answer_a_ticker"
    symbol = next(iter(_sound(contact)), None)
    if symbol is None:
        return [unseen(known, "no session's bars were given, so no ticker is known that trades")]
    days = contact.calendar.last_trading_days(WINDOW, up_to=contact.newest)
    path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/5/minute/{days[0]}/{days[-1]}"
    heard = await contact.asker.ask(f"{path}?adjusted=false&limit=50000&sort=asc")
    if isinstance(heard.error, NotEntitled):
        follows = "learned by itself: slots come by flat files alone, or not at all"
        return [otherwise(known, heard.words, follows, MASSIVE_FLAT_FILES="s3://flatfiles")]
    stamps = [row["t"] for row in heard.rows if isinstance(row, dict) and isinstance(row.get("t"), int)]
    if not stamps:
        return [otherwise(known, f"{symbol}: {heard.words}, no bars", "slots stay missing: send this report")]
    return [_judged(contact, heard, symbol, days, {_day(stamp) for stamp in stamps})]


def _judged(contact: Contact, heard: Heard, symbol: str, days: tuple[dt.date, ...], found: set[dt.date]) -> Seen:
    known, counted = "one_answer_a_ticker", heard.envelope.get("queryCount")
    seen = f"{symbol}: {len(heard.rows):,} bars of {len(found)} of {WINDOW} sessions, counted as {counted}"
    if heard.next_url is not None:
        return otherwise(known, f"{seen}, and a next page", "it is followed: more requests a night than forecast")
    if days[-1] not in found or days[0] not in found:
        fewer = {"SLOT_SESSIONS": str(len(found))} if contact.configured.slot_sessions > len(found) else {}
        return otherwise(known, f"{seen}, cut without a word", "sessions beyond it would look untraded", **fewer)
    return holds(known, seen)


async def snapshot(contact: Contact) -> list[Seen]:
    """The whole market as it stands."""
    heard = await contact.asker.ask(SNAPSHOT)
    if isinstance(heard.error, NotEntitled):
        contact.has_snapshot = False
        free = contact.given_on_its_day is not True
        follows = "nothing to do: no data set is made from it"
        none = [unseen(one, "no snapshot") for one in ("snapshot_delay", "silent_minutes")]
        return [told("snapshot", free, f"refused: {heard.words}", follows), *none]
    rows = {str(row["ticker"]): row for row in heard.rows if isinstance(row, dict) and row.get("ticker")}
    if heard.error is not None or not rows:
        return [otherwise("snapshot", f"{heard.words}, {len(rows)} tickers", "nothing to do: no data set needs it")]
    contact.has_snapshot = True
    free = contact.given_on_its_day is False
    seen = f"{len(rows):,} tickers, {heard.envelope.get('status')}"
    seen = f"given to a plan without the current day: {seen}" if free else seen
    contact.snapshot = rows
    return [told("snapshot", not free, seen, "nothing to do"), _delay(contact, rows), _silent(contact, rows)]


def _delay(contact: Contact, rows: dict[str, Any]) -> Seen:
    """How far its newest minute is behind; only while there are new minutes."""
    newest = max((_minute(row, "t") for row in rows.values()), default=0.0)
    session = contact.calendar.session(contact.today) if contact.calendar.is_trading_day(contact.today) else None
    if not newest or session is None or not session.opens_at <= contact.now() - DELAYED[1] < session.closes_at:
        why = f"the market does not trade at {contact.clock}: run it between 10:00 and 16:00 ET"
        return unseen("snapshot_delay", why)
    behind = contact.now() - dt.datetime.fromtimestamp(newest / 1000, dt.UTC) - MINUTE
    contact.real_time = behind < REAL_TIME
    fine = contact.real_time or DELAYED[0] <= behind <= DELAYED[1]
    seen = f"its newest minute ended {behind.total_seconds() / 60:.1f} min ago at {contact.clock}"
    return told("snapshot_delay", fine, seen, "nothing to do: no data set is made from it")


def _silent(contact: Contact, rows: dict[str, Any]) -> Seen:
    """How many of those that traded today have no newest minute."""
    spoken = sum(_minute(row, "t") > 0 for row in rows.values())
    among = [symbol for symbol in contact.traded[:500] if symbol in rows]
    if not spoken or not among:
        why = f"it is cleared at {contact.clock}: run it between 10:00 ET of a session and 03:30 ET"
        return unseen("silent_minutes", why)
    silent = sum(_minute(rows[symbol], "t") <= 0 for symbol in among)
    seen = f"{silent} of the {len(among)} that trade most have none"
    follows = "readers of the snapshot miss them; no data set is made from it"
    return told("silent_minutes", silent <= max(1.0, SILENT * len(among)), seen, follows)


async def accumulated(contact: Contact) -> list[Seen]:
    """What the minute bars of ten tickers sum to, for each share of their accumulated volume."""
    ratios: dict[str, float] = {}
    rows = contact.snapshot
    if contact.has_snapshot is not True:
        return [unseen("accumulated", "no snapshot")]
    for symbol in [one for one in _sound(contact) if one in rows and _minute(rows[one], "av") > 0][:COMPARED]:
        until, counted = _minute(rows[symbol], "t"), _minute(rows[symbol], "av")
        day = _day(int(until))
        path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/1/minute/{day}/{day}"
        try:
            heard = await contact.asker.ask(f"{path}?adjusted=false&limit=50000&sort=asc")
        except (Spent, NoAnswer):
            break
        volumes = [_number(row, "v") for row in heard.rows if isinstance(row, dict) and _number(row, "t") <= until]
        if volumes:
            ratios[symbol] = sum(volumes) / counted
    if not ratios:
        why = f"nobody has an accumulated volume at {contact.clock}: run it between 10:00 ET of a session and 03:30 ET"
        return [unseen("accumulated", why)]
    return [_compared(ratios)]


def _compared(ratios: dict[str, float]) -> Seen:
    middle = median(ratios.values())
    each = ", ".join(f"{symbol} {ratio:.3f}" for symbol, ratio in ratios.items())
    seen = f"minute bars sum to {middle:.3f} of min.av (median of {len(ratios)}: {each})"
    if LEFT_OUT <= middle < 1 - EQUAL:
        off = f"whoever divides min.av by our mean has RVOL {100 * (1 / middle - 1):.1f} % too high"
        return holds("accumulated", seen, off)
    if abs(middle - 1) <= EQUAL:
        return otherwise("accumulated", seen, "the same measure: RVOL by min.av needs no correction")
    follows = "another measure than ours: do not divide min.av by our mean; send this report"
    return otherwise("accumulated", seen, follows)


def _sound(contact: Contact) -> list[str]:
    return [symbol for symbol in contact.traded if is_well_formed(symbol)]


def _minute(row: Any, name: str) -> float:
    minute = row.get("min") if isinstance(row, dict) else None
    return _number(minute, name) if isinstance(minute, dict) else 0.0


def _number(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _day(milliseconds: int) -> dt.date:
    return dt.datetime.fromtimestamp(milliseconds / 1000, NEW_YORK).date()
