"""Reads once, at one instant, what stands of the sessions: rows, loads, findings, and what was never asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.postgres import cycles, findings
from consumer.postgres.holdings import Held, Holdings, LastAsked, Newest, Unended, Wanted
from consumer.postgres.part_outcomes import reasons_of_days
from consumer.postgres.slots import LISTED_ON

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from consumer.postgres.pool import Connection, Pool


async def read_holdings(connection: Connection, wanted: Wanted) -> Holdings:
    """Read what a verdict on *wanted.days* needs. Wants a repeatable-read transaction: all of one instant."""
    capabilities = await connection.fetch("SELECT capability, available FROM vendor_capability")
    return Holdings(
        bars=await _bars(connection, wanted),
        slots=await _slots(connection, wanted),
        newest=await _newest(connection, wanted),
        details=await _details(connection),
        findings=await _findings(connection, wanted),
        reasons=await reasons_of_days(connection, wanted.days, tasks=wanted.tasks),
        capabilities={row["capability"]: row["available"] for row in capabilities},
        unended=tuple(
            Unended(trading_day=cycle.trading_day, tasks=cycle.tasks, first_day=cycle.first_day)
            for cycle in await cycles.unended_cycles(connection)
        ),
        version=await read_version(connection),
        began_at=await cycles.first_opened_at(connection),
        symbols=await connection.fetchval("SELECT count(*) FROM listed_ticker WHERE is_active"),
    )


async def read_version(connection: Connection | Pool) -> str:
    """Return what changes with each load, each finding that is opened or settled, and each plan that is learned.

    Numbers are given out before they are committed, so a load may come in below the greatest: the last are counted too.
    """
    return str(
        await connection.fetchval(
            """
            SELECT concat_ws('/', newest, (SELECT count(*) FROM data_load WHERE load_id > newest - 1000),
                             (SELECT max(finding_id) FROM session_finding),
                             (SELECT count(*) FROM session_finding WHERE state = 'open'),
                             (SELECT max(learned_at) FROM vendor_capability))
            FROM (SELECT coalesce(max(load_id), 0) AS newest FROM data_load) AS load
            """
        )
    )


async def _findings(connection: Connection, wanted: Wanted) -> dict[tuple[dt.date, str], tuple[str, ...]]:
    if not wanted.days:
        return {}
    found = await findings.open_findings(connection, min(wanted.days), max(wanted.days))
    return {about: tuple(one.reason for one in kept) for about, kept in found.items()}


async def _bars(connection: Connection, wanted: Wanted) -> dict[dt.date, Held]:
    rows = await connection.fetch(
        """
        SELECT c.trading_day, c.row_count AS expected, coalesce(b.rows, c.row_count) AS rows, c.fetched_at,
               c.retired_at IS NOT NULL AS retired,
               coalesce((c.detail->>'restated')::bigint, 0) AS restated,
               coalesce((c.detail->>'accepted_short')::boolean, false) AS accepted_short,
               l.source, l.request_id, l.fence, l.cycle_id,
               (SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(l.rejected)
                WHERE NOT starts_with(key, 'field ')) AS set_aside
        FROM coverage AS c LEFT JOIN data_load AS l USING (load_id)
        LEFT JOIN (SELECT w.day, count(m.symbol) AS rows FROM unnest($2::date[]) AS w (day)
                   LEFT JOIN daily_bar AS m ON m.trading_date = w.day GROUP BY w.day) AS b
               ON b.day = c.trading_day
        WHERE c.data_set = $1
        """,
        wanted.bars,
        list(wanted.days),
    )
    return {
        row["trading_day"]: Held(
            expected=row["expected"],
            loaded=row["rows"],
            missing=max(0, row["expected"] - row["rows"]),
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
        for row in rows
    }


async def _slots(connection: Connection, wanted: Wanted) -> dict[dt.date, Held]:
    rows = await connection.fetch(
        f"""
        WITH w AS MATERIALIZED (SELECT unnest($1::date[]) AS day),
        -- Symbols of one history are counted together: a market has few such groups, and 11,000 symbols.
        listed AS (
            SELECT w.day, coalesce(sum(u.symbols), 0)::bigint AS expected
            FROM w LEFT JOIN (
                SELECT state, is_active, last_seen, issuer_since, listed_from, count(*) AS symbols
                FROM listed_ticker GROUP BY 1, 2, 3, 4, 5) AS u ON {LISTED_ON}
            GROUP BY w.day),
        standing AS (
            SELECT w.day, count(u.symbol) AS there,
                   count(u.symbol) FILTER (WHERE s.outcome = 'traded') AS traded,
                   count(u.symbol) FILTER (WHERE s.outcome = 'no_trades') AS empty,
                   count(u.symbol) FILTER (WHERE s.outcome = 'unproven') AS unproven,
                   min(s.fetched_at) FILTER (WHERE u.symbol IS NOT NULL) AS oldest,
                   max(s.fetched_at) FILTER (WHERE u.symbol IS NOT NULL) AS newest,
                   max(s.load_id) FILTER (WHERE u.symbol IS NOT NULL) AS load_id
            FROM w JOIN session_slots AS s ON s.trading_date = w.day
            LEFT JOIN listed_ticker AS u ON u.symbol = s.symbol AND {LISTED_ON}
            GROUP BY w.day)
        -- Kept also by what stands of a symbol that is not expected: of the others everything is lost then.
        SELECT day, expected, coalesce(there, 0) AS there, coalesce(traded, 0) AS traded, coalesce(empty, 0) AS empty,
               coalesce(unproven, 0) AS unproven, oldest, newest, load_id, there IS NOT NULL AS kept
        FROM listed LEFT JOIN standing USING (day)
        """,
        list(wanted.days),
    )
    loads = await connection.fetch(
        "SELECT load_id, source, request_id, fence, cycle_id FROM data_load WHERE load_id = ANY ($1)",
        [row["load_id"] for row in rows if row["load_id"] is not None],
    )
    by_load = {load["load_id"]: dict(load) for load in loads}
    restated = await connection.fetch(
        "SELECT trading_day, count(*) AS rows FROM restatement WHERE data_set = $1 AND trading_day = ANY ($2) "
        "GROUP BY trading_day",
        wanted.slots,
        list(wanted.days),
    )
    again = {row["trading_day"]: row["rows"] for row in restated}
    retired = await connection.fetch(
        "SELECT trading_day, row_count FROM coverage WHERE data_set = $1 AND retired_at IS NOT NULL", wanted.slots
    )
    gone = {
        row["trading_day"]: Held(expected=row["row_count"], loaded=row["row_count"], retired=True) for row in retired
    }
    return {row["day"]: _held_slots(dict(row), by_load, again.get(row["day"], 0)) for row in rows} | gone


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


async def _newest(connection: Connection, wanted: Wanted) -> dict[str, Newest]:
    """The present: fetched last, for whatever day. What is computed: of the newest day."""
    rows = await connection.fetch(
        """
        (SELECT DISTINCT ON (data_set) data_set, trading_day, fetched_at, row_count AS rows, 0 AS broken,
                                       NULL::date AS unbroken_since, 0 AS lost
         FROM coverage WHERE data_set = ANY ($1) ORDER BY data_set, fetched_at DESC, load_id DESC)
        UNION ALL
        (SELECT DISTINCT ON (data_set) data_set, trading_day, fetched_at, row_count,
                                       coalesce((detail->>'broken')::integer, 0), (detail->>'unbroken_since')::date,
                                       CASE WHEN data_set = $3 THEN greatest(0, row_count - (
                                           SELECT count(*) FROM ticker_atr AS a WHERE a.trading_date = trading_day))
                                       ELSE 0 END
         FROM coverage WHERE data_set = ANY ($2) ORDER BY data_set, trading_day DESC)
        """,
        list(wanted.present),
        list(wanted.computed),
        wanted.atr,
    )
    found = {}
    for row in map(dict, rows):
        name = row.pop("data_set")
        found[name] = Newest(**row)
    return found


async def _details(connection: Connection) -> tuple[LastAsked, ...]:
    rows = await connection.fetch(
        """
        SELECT greatest(u.issuer_since, u.listed_from) AS since,
               (m.details_attempted_at AT TIME ZONE 'America/New_York')::date AS asked_on, count(*) AS symbols
        FROM listed_ticker AS u LEFT JOIN ticker_profile AS m USING (symbol) WHERE u.is_active GROUP BY 1, 2
        """
    )
    return tuple(LastAsked(**dict(row)) for row in rows)
