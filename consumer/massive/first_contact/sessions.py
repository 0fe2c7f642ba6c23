"""Asks for whole days: when one is given, how far back, how its rows are stamped, when late trading ends."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from consumer.massive.first_contact.assumed import holds, otherwise, told, unseen
from consumer.vendor.errors import NotYetPublished, OutsidePlanTimeframe
from market.symbols import is_well_formed
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from consumer.massive.first_contact.asking import Heard
    from consumer.massive.first_contact.facts import Contact
    from consumer.vendor.first_contact import Seen

LOOK_BACK = dt.timedelta(days=800)
SESSIONS_IN_TWO_YEARS = 500


def whole_market(day: dt.date) -> str:
    return f"/v2/aggs/grouped/locale/us/market/stocks/{day}?adjusted=false"


async def newest(contact: Contact) -> list[Seen]:
    """The newest session that is over by its date, which every plan should give."""
    day = contact.newest
    heard = await contact.asker.ask(whole_market(day))
    rows = [row for row in heard.rows if isinstance(row, dict)]
    worth = sorted(rows, key=lambda row: -_figure(row, "v") * _figure(row, "c"))
    contact.traded = [str(row["T"]) for row in worth if is_well_formed(str(row.get("T") or ""))]
    if not rows:
        later = "the service asks again every 15 minutes; MAINTENANCE_DEADLINE may have to be longer"
        given = otherwise("newest_session", f"{day} at {contact.clock}: {heard.words}", later)
        return [given, unseen("volume", f"{day} had no rows")]
    past_midnight = contact.local - dt.datetime.combine(contact.today, dt.time(), NEW_YORK)
    hours = f"{past_midnight.total_seconds() / 3600:.1f} h after midnight ET"
    fractions = sum(not _figure(row, "v").is_integer() for row in rows)
    return [
        holds("newest_session", f"{day} has {len(rows):,} rows at {contact.clock}, {hours}"),
        told(
            "volume",
            fractions > 0,
            f"{fractions:,} of {len(rows):,} volumes of {day} have fractions",
            "nothing to do: both are taken",
        ),
    ]


async def today(contact: Contact) -> list[Seen]:
    """The current New York date: a session under way or just over, or a day without one."""
    day, clock = contact.today, contact.clock
    heard = await contact.asker.ask(whole_market(day))
    if not contact.calendar.is_trading_day(day):
        why = f"{day} has no session: run it on one, after its close"
        return [_closed(day, heard), unseen("same_day", why)]
    closed_day = unseen("closed_day", f"{day} has a session: run it on a Saturday")
    if contact.now() < contact.calendar.session(day).closes_at:
        return [closed_day, _before_close(contact, heard)]
    match heard.error:
        case None if heard.rows:
            contact.given_on_its_day = True
            seen = f"{day} is given at {clock}: {len(heard.rows):,} rows, {heard.words}"
            return [closed_day, holds("same_day", seen)]
        case NotYetPublished():
            contact.given_on_its_day = False
            words = f"{day} is refused at {clock}: {heard.words}"
            return [closed_day, holds("same_day", words, "learned by itself: a day is due after midnight ET")]
        case _:
            seen = f"{day} at {clock}: {heard.words}, {len(heard.rows)} rows"
            follows = "these words are not known as 'not yet': send this report, and set MAINTENANCE_SCHEDULE=CLOSED+5h"
            return [closed_day, otherwise("same_day", seen, follows, MAINTENANCE_SCHEDULE="CLOSED+5h")]


def _before_close(contact: Contact, heard: Heard) -> Seen:
    """A day that is not over: a refusal tells already, rows of it too."""
    seen = f"{contact.today} is not over at {contact.clock}: {heard.words}"
    match heard.error:
        case NotYetPublished():
            return unseen("same_day", f"{seen}; run it after the close to see whether it is given on its evening")
        case None if heard.rows:
            contact.given_on_its_day = True
            return holds("same_day", f"{seen}, {len(heard.rows):,} rows so far")
        case None:
            return unseen("same_day", f"{seen}, no rows yet; run it after the close")
        case _:
            return otherwise("same_day", seen, "these words are not known as 'not yet': send this report")


def _closed(day: dt.date, heard: Heard) -> Seen:
    shape = "absent" if "results" not in heard.envelope else type(heard.envelope["results"]).__name__
    seen = f"{day}, without a session: {heard.words}, results {shape}, {len(heard.rows)} rows"
    fine = not heard.rows and (heard.error is None or isinstance(heard.error, NotYetPublished))
    return told("closed_day", fine, seen, "nothing to do: such a day is never asked for")


async def history(contact: Contact) -> list[Seen]:
    """A session further back than two years."""
    old = contact.calendar.previous_trading_day(contact.today - LOOK_BACK)
    heard = await contact.asker.ask(whole_market(old))
    free = contact.given_on_its_day is False or contact.has_snapshot is False
    seen = f"{old}: {heard.words}, {len(heard.rows):,} rows"
    match heard.error:
        case None if heard.rows:
            return [told("history", not free, f"{seen}: the plan reaches further than two years", "nothing to do")]
        case OutsidePlanTimeframe():
            return [_two_years(contact, seen, free=free)]
        case _:
            return [otherwise("history", seen, "neither rows nor the words 'data timeframe': send this report")]


def _two_years(contact: Contact, seen: str, *, free: bool) -> Seen:
    asked = {"OHLC_SESSIONS": contact.configured.ohlc_sessions, "SLOT_SESSIONS": contact.configured.slot_sessions}
    too_many = {name: str(SESSIONS_IN_TWO_YEARS) for name, count in asked.items() if count > SESSIONS_IN_TWO_YEARS}
    follows = "windows longer than two years stay partial" if too_many else ""
    if free and not too_many:
        return holds("history", seen, follows)
    return otherwise("history", seen, follows or "two years are enough for the windows that are set", **too_many)


async def early_close(contact: Contact) -> list[Seen]:
    """The newest day of an early close: its stamps, and when its late trading ended."""
    day = contact.early_close_before(contact.newest)
    heard = await contact.asker.ask(whole_market(day))
    stamp, symbol = _stamp(contact, day, heard.rows), _liquid(contact, heard)
    if symbol is None:
        return [stamp, unseen("early_extended_close", f"no bar of {day}: {heard.words}")]
    path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/1/minute/{day}/{day}"
    bars = await contact.asker.ask(f"{path}?adjusted=false&limit=50000")
    return [stamp, _late_trading(contact, day, symbol, bars)]


def _stamp(contact: Contact, day: dt.date, rows: Any) -> Seen:
    stamps = {_new_york(row["t"]) for row in rows if isinstance(row, dict) and isinstance(row.get("t"), int)}
    if not stamps:
        return unseen("bar_time", f"no rows of {day}, a day of an early close")
    session = contact.calendar.session(day)
    words = ", ".join(sorted(f"{one:%Y-%m-%d %H:%M} ET" for one in stamps)[:3])
    seen = f"{day}, which closed at {session.closes_at.astimezone(NEW_YORK):%H:%M} ET: {words}"
    if any(one.date() != day for one in stamps):
        lost = "such rows count as bars of another day and are set aside: send this report"
        return otherwise("bar_time", seen, lost)
    fine = stamps == {session.closes_at.astimezone(NEW_YORK)}
    return told("bar_time", fine, seen, "nothing to do: any time of its day is taken")


def _liquid(contact: Contact, heard: Heard) -> str | None:
    """The symbol that trades most today and did so then."""
    then = {row.get("T") for row in heard.rows if isinstance(row, dict)}
    return next((symbol for symbol in contact.traded if symbol in then), None)


def _late_trading(contact: Contact, day: dt.date, symbol: str, heard: Heard) -> Seen:
    known = "early_extended_close"
    times = [_new_york(row["t"]) for row in heard.rows if isinstance(row, dict) and isinstance(row.get("t"), int)]
    closed = contact.calendar.session(day).closes_at.astimezone(NEW_YORK)
    late = [one.time() for one in times if one > closed]
    if not late:
        return unseen(known, f"{symbol} has no bar after the close of {day}: {heard.words}, {len(times)} bars")
    last, configured = max(late), contact.configured.early_extended_close
    seen = f"the last minute of {symbol} on {day} began at {last:%H:%M} ET"
    if last >= configured:
        end = dt.time(20) if last >= dt.time(17) else dt.time(17)
        return otherwise(known, seen, "slots after it are refused as it is set", EARLY_EXTENDED_CLOSE=f"{end:%H:%M}")
    if last < dt.time(17) < configured:
        return otherwise(known, seen, "empty slots count as zero as it is set", EARLY_EXTENDED_CLOSE="17:00")
    return holds(known, seen)


def _new_york(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, NEW_YORK)


def _figure(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
