"""Keeps who was listed when, and what was known of each: follows listing and metadata in their own transaction.

What stands is held against the rows of the history that are open, in one statement each; only symbols that differ are
read and written (market/valid_time.py). A program that writes no history leaves a difference, which the next write that
keeps one finds: so nothing is lost but the day of what it changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import trading_evidence
from consumer.postgres.history_rows import HistoryTable, read_spans, write_spans
from consumer.postgres.tickers import Evening
from contract import data_sets
from market.listing_days import Seen, Stand, stands_since
from market.trading_calendar import NEW_YORK
from market.valid_time import OPEN, Span, carry, cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from consumer.postgres.pool import Connection
    from market.valid_time import Facts

_DELISTED_ON = "CASE WHEN u.state = 'delisted' THEN (u.delisted_at AT TIME ZONE 'UTC')::date END"
_COUNTED_ON = (
    "CASE WHEN m.shares_outstanding IS NOT NULL THEN (m.details_fetched_at AT TIME ZONE 'America/New_York')::date END"
)
LISTED = HistoryTable(
    name="listed_ticker_history",
    codes={name: ("text", f"u.{name}") for name in ("listed_figi", "listed_share_class_figi", "listed_cik")},
    since=("date", "u.issuer_since"),
    told={"is_listed": ("boolean", "u.is_active"), "state": ("text", "u.state"), "delisted_on": ("date", _DELISTED_ON)},
)
_WORDS = (
    "company_name",
    "exchange",
    "ticker_type",
    "sector",
    "sector_scheme",
    "industry",
    "industry_group",
    "sic_code",
)
_NUMBERS = ("shares_outstanding", "shares_class", "float_shares", "float_percent")
PROFILE = HistoryTable(
    name="ticker_profile_history",
    codes={name: ("text", f"m.{name}") for name in ("composite_figi", "share_class_figi", "cik")},
    since=("date", "u.issuer_since"),
    told={
        **{name: ("text", f"m.{name}") for name in _WORDS},
        **{name: ("double precision", f"m.{name}") for name in _NUMBERS},
        "list_date": ("date", "m.list_date"),
    },
    noted={
        "shares_counted_on": ("date", _COUNTED_ON),
        "float_effective_date": ("date", "m.float_effective_date"),
    },
)


class _Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be followed: of which evening, by which load, of which symbols (None: all). *begins*: all history."""

    evening: Evening
    load_id: int
    begins: dt.date
    symbols: Sequence[str] | None

    def span(self, first: dt.date, facts: Facts) -> Span:
        return Span(first=first, facts=facts, known=(self.load_id, self.evening.now))


async def keep_history(
    connection: Connection, evening: Evening, load_id: int, *, symbols: Sequence[str] | None = None
) -> int:
    """Bring the history to what stands by now, of all symbols or of *symbols*; return how many rows that touched.

    Last in a transaction, after all that it is to follow: what *evening*'s trading day has shown, by that load.
    """
    begins: dt.date = await connection.fetchval(
        "SELECT least(min(trading_day), $2) FROM coverage WHERE data_set = $1", data_sets.TICKER_HISTORY, evening.day
    )
    keeping = _Keeping(evening=evening, load_id=load_id, begins=begins, symbols=symbols)
    return await _keep_listed(connection, keeping) + await _keep_profiles(connection, keeping)


LISTED_DIFFERS = f"""
SELECT u.symbol, u.last_seen, u.listed_from, {LISTED.present}
FROM listed_ticker AS u LEFT JOIN {LISTED.name} AS h ON h.symbol = u.symbol AND h.valid_to = 'infinity'
WHERE {LISTED.differs} {{only}}
"""
PROFILE_DIFFERS = f"""
SELECT u.symbol, {PROFILE.present}
FROM listed_ticker AS u JOIN ticker_profile AS m ON m.symbol = u.symbol
LEFT JOIN {PROFILE.name} AS h ON h.symbol = u.symbol AND h.valid_to = 'infinity'
WHERE u.is_active AND {PROFILE.differs} {{only}}
"""
PROFILE_ENDED = f"""
SELECT u.symbol, u.issuer_since
FROM {PROFILE.name} AS h JOIN listed_ticker AS u ON u.symbol = h.symbol
LEFT JOIN ticker_profile AS m ON m.symbol = h.symbol
WHERE h.valid_to = 'infinity' AND (NOT u.is_active OR m.symbol IS NULL) {{only}}
"""


async def _ask(connection: Connection, query: str, symbols: Sequence[str] | None) -> list[asyncpg.Record]:
    only, args = ("", []) if symbols is None else ("AND u.symbol = ANY ($1::text[])", [list(symbols)])
    return await connection.fetch(query.format(only=only), *args)


async def _keep_listed(connection: Connection, keeping: _Keeping) -> int:
    changed = await _ask(connection, LISTED_DIFFERS, keeping.symbols)
    if not changed:
        return 0
    before = await read_spans(connection, LISTED, [row["symbol"] for row in changed])
    evening, after = keeping.evening, {}
    for symbol, (row, seen) in (await _seen(connection, changed, evening)).items():
        spans = before.get(symbol, [])
        first = stands_since(seen, _stand(spans), begins=keeping.begins, next_session=evening.next_session)
        after[symbol] = carry(spans, keeping.span(first, LISTED.facts(row)), begins=keeping.begins)
    return await write_spans(connection, LISTED, before, after)


def _stand(spans: Sequence[Span]) -> Stand | None:
    if not spans or spans[-1].until != OPEN:
        return None
    is_listed, state, _ = spans[-1].facts.told
    return Stand(first=spans[-1].first, is_listed=is_listed, state=state)


async def _seen(
    connection: Connection, changed: Sequence[asyncpg.Record], evening: Evening
) -> dict[str, tuple[asyncpg.Record, Seen]]:
    """What proves since when each of *changed* stands as it does, beside its row."""
    gone = [row["symbol"] for row in changed if row["state"] in ("unlisted", "delisted")]
    traded = await trading_evidence.last_traded(connection, gone)
    renames = await connection.fetch(_RENAMED, [row["symbol"] for row in changed])
    renamed = {row["symbol"]: row["changed_on"] for row in renames}
    on_that_day = evening.now.astimezone(NEW_YORK).date() <= evening.day
    return {
        row["symbol"]: (
            row,
            Seen(
                day=evening.day,
                is_listed=row["is_listed"],
                state=row["state"],
                last_seen=row["last_seen"],
                came_on=_came_on(row["listed_from"], evening.day) if on_that_day else row["listed_from"],
                since=row["issuer_since"],
                delisted_on=row["delisted_on"],
                renamed_on=renamed.get(row["symbol"]),
                last_traded=traded.get(row["symbol"]),
            ),
        )
        for row in changed
    }


def _came_on(listed_from: dt.date | None, day: dt.date) -> dt.date | None:
    """A listing of the day's own evening says who was listed on it, whatever an earlier one of that day lacked."""
    return None if listed_from is None else min(listed_from, day)


_RENAMED = """
SELECT symbol, max(changed_on) AS changed_on FROM ticker_change
WHERE kind = 'renamed' AND symbol = ANY ($1::text[]) GROUP BY symbol
"""


async def _keep_profiles(connection: Connection, keeping: _Keeping) -> int:
    changed = {row["symbol"]: row for row in await _ask(connection, PROFILE_DIFFERS, keeping.symbols)}
    ended = {row["symbol"]: row for row in await _ask(connection, PROFILE_ENDED, keeping.symbols)}
    touched = [*changed, *ended]
    if not touched:
        return 0
    before = await read_spans(connection, PROFILE, touched)
    listed = await _listed_since(connection, touched)
    evening, after = keeping.evening, {}
    for symbol, row in changed.items():
        spans = before.get(symbol, [])
        first = evening.day if _stands(spans) else max(_run(listed, symbol, evening.day), _end(spans))
        after[symbol] = carry(spans, keeping.span(first, PROFILE.facts(row)), begins=keeping.begins)
    for symbol, row in ended.items():
        is_listed, since = listed.get(symbol, (True, evening.day))
        after[symbol] = cut(before[symbol], since if not is_listed else row["issuer_since"] or evening.day)
    return await write_spans(connection, PROFILE, before, after)


def _stands(spans: Sequence[Span]) -> bool:
    return bool(spans) and spans[-1].until == OPEN


def _end(spans: Sequence[Span]) -> dt.date:
    return spans[-1].until if spans else dt.date.min


def _run(listed: Mapping[str, tuple[bool, dt.date]], symbol: str, day: dt.date) -> dt.date:
    """The first facts known of a listing hold from its first day on."""
    is_listed, since = listed.get(symbol, (True, day))
    return since if is_listed else day


async def _listed_since(connection: Connection, symbols: Sequence[str]) -> dict[str, tuple[bool, dt.date]]:
    """Whether each symbol is listed, and since when it is so, as the history has it by now."""
    rows = await connection.fetch(
        f"SELECT symbol, is_listed, valid_from FROM {LISTED.name} "
        "WHERE valid_to = 'infinity' AND symbol = ANY ($1::text[])",
        list(symbols),
    )
    return {row["symbol"]: (row["is_listed"], row["valid_from"]) for row in rows}
