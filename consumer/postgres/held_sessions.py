"""Reads what stands of each session: by the load that brought it, or symbol by symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from consumer.postgres.holdings import Held
from consumer.postgres.slots import LISTED_ON
from market.row_counts import NEIGHBOURS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from consumer.postgres.holdings import CountedTable, Wanted
    from consumer.postgres.pool import Connection


async def by_load(connection: Connection, wanted: Wanted) -> dict[str, Mapping[dt.date, Held]]:
    """What is covered of the sessions in question, and of those around each, whose counts tell what to believe."""
    found: dict[str, Mapping[dt.date, Held]] = {}
    for name, table in wanted.by_session.items():
        rows = await connection.fetch(_COVERED, name, list(wanted.days), NEIGHBOURS)
        standing = {} if table is None else await count(connection, table, wanted.days)
        found[name] = {row["trading_day"]: _held(dict(row), standing.get(row["trading_day"])) for row in rows}
    return found


# The days on either side are found by the key (data_set, trading_day), however many years are stored.
_COVERED = """
    WITH wanted AS MATERIALIZED (SELECT unnest($2::date[]) AS trading_day),
    day AS MATERIALIZED (
        SELECT trading_day FROM wanted
        UNION
        SELECT n.trading_day FROM wanted CROSS JOIN LATERAL (
            SELECT c.trading_day FROM coverage AS c WHERE c.data_set = $1 AND c.trading_day < wanted.trading_day
            ORDER BY c.trading_day DESC LIMIT $3) AS n
        UNION
        SELECT n.trading_day FROM wanted CROSS JOIN LATERAL (
            SELECT c.trading_day FROM coverage AS c WHERE c.data_set = $1 AND c.trading_day > wanted.trading_day
            ORDER BY c.trading_day LIMIT $3) AS n)
    SELECT c.trading_day, c.row_count AS expected, c.fetched_at, c.retired_at IS NOT NULL AS retired,
           coalesce((c.detail->>'restated')::bigint, 0) AS restated,
           coalesce((c.detail->>'accepted_short')::boolean, false) AS accepted_short,
           l.source, l.request_id, l.fence, l.cycle_id,
           (SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(l.rejected)
            WHERE NOT starts_with(key, 'field ')) AS set_aside
    FROM day JOIN coverage AS c USING (trading_day) LEFT JOIN data_load AS l USING (load_id)
    WHERE c.data_set = $1
"""


async def count(connection: Connection, table: CountedTable, days: tuple[dt.date, ...]) -> dict[dt.date, int]:
    """Count the rows of each of *days*; a day without any has its zero."""
    # Day by day by the key: joined to a list of days, the rows of all years are gone over.
    rows = await connection.fetch(
        f"SELECT day, (SELECT count(*) FROM {table.table} AS t WHERE t.{table.day_column} = day) AS rows "
        "FROM unnest($1::date[]) AS w (day)",
        list(days),
    )
    return {row["day"]: row["rows"] for row in rows}


def _held(row: dict[str, Any], standing: int | None) -> Held:
    """*standing* None: they were not counted, so all of them are taken to be there."""
    loaded = row["expected"] if standing is None else standing
    return Held(
        expected=row["expected"],
        loaded=loaded,
        missing=max(0, row["expected"] - loaded),
        set_aside=row["set_aside"] or 0,
        restated=row["restated"],
        oldest=row["fetched_at"],
        newest=row["fetched_at"],
        source=row["source"],
        request_id=row["request_id"],
        cycle=row["cycle_id"],
        fence=row["fence"],
        accepted_short=row["accepted_short"],
        retired=row["retired"],
    )


_STANDING = f"""
    WITH w AS MATERIALIZED (SELECT unnest($1::date[]) AS day),
    -- Once, and met by a hash: where the planner takes a window for a few rows, it looks each of them up in an index.
    symbols AS MATERIALIZED (
        SELECT symbol, state, is_active, last_seen, issuer_since, listed_from FROM listed_ticker),
    -- Symbols of one history are counted together: a market has few such groups, and 11,000 symbols.
    listed AS (
        SELECT w.day, coalesce(sum(u.symbols), 0)::bigint AS expected
        FROM w LEFT JOIN (
            SELECT state, is_active, last_seen, issuer_since, listed_from, count(*) AS symbols
            FROM symbols GROUP BY 1, 2, 3, 4, 5) AS u ON {LISTED_ON}
        GROUP BY w.day),
    standing AS (
        SELECT w.day, count(u.symbol) AS there,
               count(u.symbol) FILTER (WHERE s.outcome = 'traded') AS traded,
               count(u.symbol) FILTER (WHERE s.outcome = 'no_trades') AS empty,
               count(u.symbol) FILTER (WHERE s.outcome = 'unproven') AS unproven,
               -- Not by the arrays themselves: to look into them, each would be read and unpacked.
               count(u.symbol) FILTER (WHERE s.outcome = 'traded' AND s.trades_unknown = 0) AS counted,
               count(u.symbol) FILTER (WHERE s.outcome = 'traded' AND s.trades_unknown > 0) AS uncounted,
               min(s.fetched_at) FILTER (WHERE u.symbol IS NOT NULL) AS oldest,
               max(s.fetched_at) FILTER (WHERE u.symbol IS NOT NULL) AS newest,
               max(s.load_id) FILTER (WHERE u.symbol IS NOT NULL) AS load_id
        -- By the days themselves as well: by a join alone, every row ever stored may be read.
        FROM w JOIN session_slots AS s ON s.trading_date = w.day AND s.trading_date = ANY ($1)
        LEFT JOIN symbols AS u ON u.symbol = s.symbol AND {LISTED_ON}
        GROUP BY w.day)
    -- Kept also by what stands of a symbol that is not expected: of the others everything is lost then.
    SELECT day, expected, coalesce(there, 0) AS there, coalesce(traded, 0) AS traded, coalesce(empty, 0) AS empty,
           coalesce(unproven, 0) AS unproven, coalesce(counted, 0) AS counted, coalesce(uncounted, 0) AS uncounted,
           oldest, newest, load_id, there IS NOT NULL AS kept
    FROM listed LEFT JOIN standing USING (day)
"""


async def by_symbol(connection: Connection, wanted: Wanted, name: str) -> dict[str, Mapping[dt.date, Held]]:
    """What stands of each session in question, symbol by symbol, and what its rows have besides: by data set."""
    days = list(wanted.days)
    rows = await connection.fetch(_STANDING, days)
    loads = await connection.fetch(
        "SELECT load_id, source, request_id, fence, cycle_id FROM data_load WHERE load_id = ANY ($1)",
        [row["load_id"] for row in rows if row["load_id"] is not None],
    )
    # A row may come with any load: the newest one is named.
    by_load = {load["load_id"]: dict(load) for load in loads}
    retired = await _retired(connection, name, days)
    found: dict[str, Mapping[dt.date, Held]] = {}
    for own, held in ((name, _held_slots), (wanted.beside, _held_beside)):
        if own is not None:
            again = await _restated(connection, own, days)
            standing = {row["day"]: held(dict(row), by_load, again.get(row["day"], 0)) for row in rows}
            found[own] = standing | retired
    return found


async def _restated(connection: Connection, name: str, days: list[dt.date]) -> dict[dt.date, int]:
    rows = await connection.fetch(
        "SELECT trading_day, count(*) AS rows FROM restatement WHERE data_set = $1 AND trading_day = ANY ($2) "
        "GROUP BY trading_day",
        name,
        days,
    )
    return {row["trading_day"]: row["rows"] for row in rows}


async def _retired(connection: Connection, name: str, days: list[dt.date]) -> dict[dt.date, Held]:
    """The sessions whose rows retention deleted: nothing of them is missing, though nothing stands."""
    rows = await connection.fetch(
        "SELECT trading_day, row_count FROM coverage WHERE data_set = $1 AND trading_day = ANY ($2) "
        "AND retired_at IS NOT NULL",
        name,
        days,
    )
    return {row["trading_day"]: Held(expected=row["row_count"], loaded=row["row_count"], retired=True) for row in rows}


def _held_slots(row: dict[str, Any], by_load: Mapping[int, dict[str, Any]], restated: int) -> Held:
    load = by_load.get(row["load_id"], {})
    return Held(
        expected=row["expected"],
        loaded=row["traded"],
        empty=row["empty"],
        unproven=row["unproven"],
        missing=row["expected"] - row["there"],
        restated=restated,
        oldest=row["oldest"],
        newest=row["newest"],
        source=load.get("source"),
        request_id=load.get("request_id"),
        cycle=load.get("cycle_id"),
        fence=load.get("fence"),
        kept=row["kept"],
    )


def _held_beside(row: dict[str, Any], by_load: Mapping[int, dict[str, Any]], restated: int) -> Held:
    """What the rows that traded have of their trades; what did not trade has none to know."""
    return msgspec.structs.replace(
        _held_slots(row, by_load, restated),
        expected=row["traded"],
        loaded=row["counted"],
        empty=0,
        unproven=row["uncounted"],
        missing=row["traded"] - row["counted"] - row["uncounted"],
    )
