"""Declares the daily bars: a session's open, high, low, close and volume of the whole market, one request each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Asked, Covers, DataSet, PartKind
from consumer.data_sets.missing import of_session
from consumer.data_sets.tables import Column, Kept, Table
from consumer.data_sets.vendor_plan import Capability
from consumer.tasks import ohlc_daily
from consumer.vendor.questions import Question
from contract import data_sets as names
from contract.messages import TaskName
from market.bounded_fields import PRICE, SYMBOL, TRADES, VOLUME
from market.row_counts import short_days

if TYPE_CHECKING:
    import datetime as dt

    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan


def _missing(situation: Situation) -> list[PartPlan]:
    """What is not sound of the window, and what a finding is to be rechecked of; the newest session first."""
    sessions = situation.terms.sessions(situation.terms.options.ohlc_sessions)
    rechecks = due_rechecks(situation)
    lacking = {*sessions, *rechecks} - (sound_sessions(situation, sessions) - set(rechecks))
    return [of_session(DAILY_BARS, day) for day in sorted(lacking, reverse=True)]


def sound_sessions(situation: Situation, sessions: tuple[dt.date, ...]) -> set[dt.date]:
    """Those of *sessions* that are settled, but what is short of the days around it or has lost rows."""
    held = situation.holdings.of(names.DAILY_BARS)
    settled = {day: held[day] for day in sessions if situation.settled(names.DAILY_BARS, day)}
    early = {day for day in sessions if situation.terms.calendar.session(day).early_close}
    short = short_days({day: one.expected for day, one in settled.items()}, early)
    return {
        day
        for day, one in settled.items()
        if (one.retired or not one.missing) and (day not in short or one.accepted_short)
    }


def due_rechecks(situation: Situation) -> list[dt.date]:
    """The sessions with a finding that nothing was held against since the cycle's day fell due."""
    since = situation.terms.fresh_since(situation.terms.day)
    return [day for day, at in situation.holdings.rechecks.items() if at is None or at < since]


DAILY_BAR = Table(
    name="daily_bar",
    kept=Kept.MARKET_DATA,
    day_column="trading_date",
    columns={
        "trading_date": Column("date", meaning="the session"),
        "symbol": Column("text", bound=SYMBOL, meaning="as the listing spells it"),
        "open": Column("double precision", bound=PRICE, meaning="first price of the day"),
        "high": Column("double precision", bound=PRICE),
        "low": Column("double precision", bound=PRICE),
        "close": Column("double precision", bound=PRICE, meaning="last price of regular trading"),
        "volume": Column("double precision", bound=VOLUME, meaning="shares, with fractions"),
        "vwap": Column("double precision", bound=PRICE, meaning="volume-weighted average price"),
        "trades_count": Column("integer", bound=TRADES),
        "load_id": Column("bigint", meaning="where it came from: data_load"),
    },
)

#: Of no data set, for nothing is made of it: what the earlier service left, adjusted, for readers alone.
ADOPTED_BAR = Table(
    name="adopted_bar",
    kept=Kept.PRESENT,
    columns={
        **{name: column for name, column in DAILY_BAR.columns.items() if name != "load_id"},
        "adopted_on": Column("date", meaning="adjusted as of a day that nobody noted, no later than this"),
    },
)

DAILY_BARS = DataSet(
    name=names.DAILY_BARS,
    task=TaskName.OHLC_DAILY,
    covers=Covers.SESSION,
    meaning="a session's open, high, low, close and volume, raw: as they were traded",
    kinds=(
        PartKind(
            name="bars",
            run=ohlc_daily.load_session_bars,
            # The listing knows which preferred share a bar's spelling means.
            after=(names.UNIVERSE,),
            asked=Asked.VENDOR,
            asks=Question.GROUPED_DAILY,
            shows=Capability.SAME_DAY,
        ),
    ),
    window="ohlc_sessions",
    missing=_missing,
    in_verdict=True,
    counted_as="bars",
    tables=(DAILY_BAR,),
)

TAKEN = DataSet(
    name=names.TAKEN,
    task=TaskName.OHLC_DAILY,
    covers=Covers.NOTE,
    meaning="an answer that had been kept aside was taken after all",
)
