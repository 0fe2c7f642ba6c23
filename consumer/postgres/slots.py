"""Stores volume slots, one row a session and symbol, and answers which of them are missing.

A row is also the ledger of its (session, symbol): it says that the vendor was asked and what came of it.
"""

from __future__ import annotations

import datetime as dt
import io
import struct
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumer.postgres.copy_binary import (
    HEADER,
    TRAILER,
    encode_count_arrays,
    encode_float_arrays,
)
from market.volume_slots import unknown_trades

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.postgres.pool import Connection, Pool

_NULL = struct.pack(">i", -1)
_EPOCH_DAY = 730120  # date(2000, 1, 1).toordinal()
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


#: Listed on the session of a row of *w*: since its issuer is there and a listing brought it, until a listing lacked it.
#: A symbol that left the market since is expected still: who only looks at survivors does not see what is missing.
LISTED_ON = (
    "u.state NOT IN ('otc', 'test') AND (u.is_active OR w.day <= u.last_seen) "
    "AND w.day >= coalesce(greatest(u.issuer_since, u.listed_from), '-infinity')"
)


class SlotDay(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one session and symbol; volumes float64[192], None where nothing was traded.

    Of those, trades int64[192], UNKNOWN_TRADES where a slot's are not known; None where the source said none of them.
    """

    day: dt.date
    symbol: str
    outcome: str
    volumes: NDArray[np.float64] | None = None
    trades: NDArray[np.int64] | None = None


async def missing_slots(
    connection: Connection | Pool,
    fresh_since: Mapping[dt.date, dt.datetime],
    *,
    retry_unproven_before: dt.datetime,
    symbols: Sequence[str] | None = None,
) -> dict[str, list[dt.date]]:
    """Return per symbol the sessions that lack a fresh row: those on which it was listed, and what an active one may
    have from before a listing brought it; not those of another issuer, nor those that retention has deleted.

    *fresh_since*: the window's sessions, and since when a row must have been fetched. An unproven row is asked for
    again once it is older than *retry_unproven_before*. With *symbols*, only those. The symbol that was asked for
    longest ago comes first: where a budget does not reach all of them in a night, the nights rotate through the market.
    """
    # In the text and not "$4 IS NULL OR …": a plan for either reads the window's rows of the whole market.
    only, args = ("", []) if symbols is None else ("AND {}.symbol = ANY ($4)", [list(symbols)])
    rows = await connection.fetch(
        _missing(only),
        list(fresh_since),
        list(fresh_since.values()),
        retry_unproven_before,
        *args,
    )
    return {row["symbol"]: list(row["days"]) for row in rows}


def _missing(only: str) -> str:
    # Materialized, and by the days themselves: joined to *w* instead, PostgreSQL reads every row ever stored.
    return f"""
        WITH stands AS MATERIALIZED (
            SELECT s.trading_date, s.symbol, s.outcome, s.fetched_at FROM session_slots AS s
            WHERE s.trading_date = ANY ($1) {only.format("s")}
        ), asked AS (SELECT symbol, max(fetched_at) AS last FROM stands GROUP BY symbol)
        SELECT u.symbol, array_agg(w.day ORDER BY w.day) AS days
        FROM listed_ticker AS u
        CROSS JOIN unnest($1::date[], $2::timestamptz[]) AS w (day, since)
        LEFT JOIN stands AS s
               ON s.trading_date = w.day AND s.symbol = u.symbol AND s.fetched_at >= w.since
              AND (s.outcome <> 'unproven' OR s.fetched_at >= $3)
        LEFT JOIN asked ON asked.symbol = u.symbol
        WHERE s.symbol IS NULL {only.format("u")}
          AND ({LISTED_ON} OR u.is_active AND w.day >= coalesce(u.issuer_since, '-infinity'))
          -- What a company that may have been renamed into it traded before, it traded under its old symbol.
          AND NOT EXISTS (SELECT FROM ticker_change AS c WHERE c.kind = 'contested' AND c.closed_on IS NULL
                          AND c.new_symbol = u.symbol AND c.old_codes IS NOT NULL AND w.day < c.changed_on
                          AND w.day < u.listed_from)
          AND w.day NOT IN (SELECT trading_day FROM coverage
                            WHERE data_set = 'volume_slots' AND retired_at IS NOT NULL)
        GROUP BY u.symbol, asked.last ORDER BY date_trunc('day', asked.last) NULLS FIRST, u.symbol
        """


async def market_data_symbols(connection: Connection | Pool, symbols: Sequence[str]) -> dict[str, str]:
    """Return how bars spell those of *symbols* that they are known to spell otherwise than the listing."""
    rows = await connection.fetch(
        "SELECT symbol, market_data_symbol FROM listed_ticker "
        "WHERE market_data_symbol IS NOT NULL AND symbol = ANY ($1::text[])",
        list(symbols),
    )
    return {row["symbol"]: row["market_data_symbol"] for row in rows}


async def write_slots(
    connection: Connection, rows: Sequence[SlotDay], *, fetched_at: dt.datetime, load_id: int
) -> None:
    """Put *rows* in place of what stood there for the same sessions and symbols."""
    if not rows:
        return
    # The days once more by themselves, here and where pairs are joined elsewhere: partitions of others are left alone.
    await connection.execute(
        "DELETE FROM session_slots AS s USING unnest($1::date[], $2::text[]) AS n (day, symbol) "
        "WHERE s.trading_date = n.day AND s.symbol = n.symbol AND s.trading_date = ANY ($3)",
        [row.day for row in rows],
        [row.symbol for row in rows],
        sorted({row.day for row in rows}),
    )
    await connection.copy_to_table(
        "session_slots",
        source=io.BytesIO(_encode(rows, fetched_at, load_id)),
        columns=("trading_date", "symbol", "outcome", "volumes", "trades", "trades_unknown", "fetched_at", "load_id"),
        format="binary",
    )


def _encode(rows: Sequence[SlotDay], fetched_at: dt.datetime, load_id: int) -> bytes:
    ordered = sorted(rows, key=lambda row: (row.day, row.symbol))  # in key order the index loads faster
    traded = [row.volumes for row in ordered if row.volumes is not None]
    arrays = iter(encode_float_arrays(np.stack(traded)) if traded else ())
    told = [row.trades for row in ordered if row.trades is not None]
    counts = iter(encode_count_arrays(np.stack(told)) if told else ())
    tail = struct.pack(">iqiq", 8, (fetched_at - _EPOCH) // _MICROSECOND, 8, load_id)
    out = [HEADER]
    for row in ordered:
        symbol, outcome = row.symbol.encode(), row.outcome.encode()
        out.append(struct.pack(">hiii", 8, 4, row.day.toordinal() - _EPOCH_DAY, len(symbol)))
        out += (symbol, struct.pack(">i", len(outcome)), outcome)
        out.append(_NULL if row.volumes is None else next(arrays))
        out.append(_NULL if row.trades is None else next(counts))
        unknown = 0 if row.volumes is None else unknown_trades(row.volumes, row.trades)
        out += (struct.pack(">ih", 2, unknown), tail)
    return b"".join([*out, TRAILER])


# Its daily bar came, and the load that stands set it aside: that nobody traded is not proven by its absence.
_SET_ASIDE = (
    "EXISTS (SELECT FROM set_aside AS a JOIN coverage AS c USING (data_set, trading_day, load_id) "
    "WHERE a.data_set = 'daily_bars' AND a.trading_day = s.trading_date AND a.trading_day = ANY ($1) "
    "AND a.symbol = s.symbol AND a.field IS NULL)"
)


# The days are said again in each: PostgreSQL may read what a condition asks of whole, as a hash, for all years.
_HAS_BARS = "EXISTS (SELECT FROM daily_bar AS b WHERE b.trading_date = s.trading_date AND b.trading_date = ANY ($1))"
_HAS_VOLUME = (
    "EXISTS (SELECT FROM daily_bar AS b WHERE b.trading_date = s.trading_date AND b.trading_date = ANY ($1) "
    "AND b.symbol = s.symbol AND b.volume > 0)"
)


async def mark_unproven(connection: Connection, days: Sequence[dt.date]) -> int:
    """Hold "no trades" against the daily bars: it is proven by a day whose bars have none of that symbol's.

    Where a bar has volume or was set aside, or the day has no bars at all, it is not. Return how many are unproven.
    """
    proven = f"NOT {_SET_ASIDE} AND {_HAS_BARS} AND NOT {_HAS_VOLUME}"
    await connection.execute(
        "UPDATE session_slots AS s SET outcome = 'no_trades' "
        f"WHERE s.trading_date = ANY ($1) AND s.outcome = 'unproven' AND {proven}",
        days,
    )
    await connection.execute(
        "UPDATE session_slots AS s SET outcome = 'unproven' "
        f"WHERE s.trading_date = ANY ($1) AND s.outcome = 'no_trades' AND NOT ({proven})",
        days,
    )
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM session_slots WHERE trading_date = ANY ($1) AND outcome = 'unproven'", days
        )
    )


async def traded_without_volume(
    connection: Connection | Pool, days: Sequence[dt.date]
) -> dict[dt.date, tuple[list[str], int]]:
    """Return by day the symbols that traded by their slots while their bar has no volume, and of how many that traded.

    Only days with both. Where there are no such symbols, as on nearly all days, how many traded is 0 and not counted:
    what traded is most of a session, each row with all of its slots.
    """
    rows = await connection.fetch(
        """
        WITH with_both AS MATERIALIZED (
            SELECT w.day FROM unnest($1::date[]) AS w (day)
            WHERE EXISTS (SELECT FROM session_slots AS s JOIN daily_bar AS b USING (trading_date, symbol)
                          WHERE s.trading_date = w.day AND s.trading_date = ANY ($1) AND s.outcome = 'traded')
        ), odd AS MATERIALIZED (
            SELECT b.trading_date AS day, array_agg(s.symbol ORDER BY s.symbol) AS symbols
            FROM daily_bar AS b JOIN session_slots AS s USING (trading_date, symbol)
            WHERE b.trading_date = ANY ($1) AND b.volume = 0 AND s.outcome = 'traded'
            GROUP BY b.trading_date
        )
        SELECT day, odd.symbols, CASE WHEN odd.symbols IS NULL THEN 0 ELSE (
            SELECT count(*) FROM session_slots AS s JOIN daily_bar AS b USING (trading_date, symbol)
            WHERE s.trading_date = with_both.day AND s.trading_date = ANY ($1) AND s.outcome = 'traded') END AS rows
        FROM with_both LEFT JOIN odd USING (day)
        """,
        list(days),
    )
    return {row["day"]: (row["symbols"] or [], row["rows"]) for row in rows}


async def unproven_by_day(connection: Connection | Pool, days: Sequence[dt.date]) -> dict[dt.date, tuple[int, int]]:
    """Return for each day with unproven rows how many there are, and how many rows the day has in all."""
    rows = await connection.fetch(
        "SELECT trading_date, count(*) FILTER (WHERE outcome = 'unproven') AS unproven, count(*) AS rows "
        "FROM session_slots WHERE trading_date = ANY ($1) GROUP BY trading_date ORDER BY trading_date",
        days,
    )
    return {row["trading_date"]: (row["unproven"], row["rows"]) for row in rows if row["unproven"]}
