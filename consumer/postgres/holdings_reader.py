"""Reads once, at one instant, what stands of the sessions: rows, loads, findings, and what was never asked.

Every statement is bounded by the sessions in question, or reads the one newest row of a data set by an index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import cycles, findings, held_sessions
from consumer.postgres.holdings import Covered, Holdings, LastAsked, Newest, Unended, Wanted
from consumer.postgres.part_outcomes import reasons_of_days

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.pool import Connection, Pool


async def read_holdings(connection: Connection, wanted: Wanted) -> Holdings:
    """Read what *wanted* asks for. Wants a repeatable-read transaction: all of one instant."""
    capabilities = await connection.fetch("SELECT capability, available FROM vendor_capability")
    sessions = await held_sessions.by_load(connection, wanted)
    if wanted.by_symbol is not None:
        sessions |= await held_sessions.by_symbol(connection, wanted, wanted.by_symbol)
    return Holdings(
        sessions=sessions,
        first=await _first(connection, wanted),
        on_day=await _on_day(connection, wanted),
        changed_at=await _changed_at(connection, wanted),
        rechecks=await _rechecks(connection, wanted),
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


async def _first(connection: Connection, wanted: Wanted) -> dict[str, dt.date]:
    rows = await connection.fetch(
        "SELECT name, first FROM unnest($1::text[]) AS w (name) CROSS JOIN LATERAL "
        "(SELECT min(trading_day) AS first FROM coverage WHERE data_set = name) AS c WHERE first IS NOT NULL",
        list(wanted.by_session),
    )
    return {row["name"]: row["first"] for row in rows}


async def _on_day(connection: Connection, wanted: Wanted) -> dict[str, Covered]:
    """What is covered of the day that a plan is for, and how many rows of what is computed of it stand."""
    if wanted.day is None:
        return {}
    rows = await connection.fetch(
        "SELECT data_set, row_count, fetched_at, detail, retired_at IS NOT NULL AS retired FROM coverage "
        "WHERE trading_day = $1 AND data_set = ANY ($2)",
        wanted.day,
        wanted.every_set,
    )
    found = {}
    for row in map(dict, rows):
        name = row.pop("data_set")
        table = wanted.counted.get(name)
        standing = None if table is None else (await held_sessions.count(connection, table, (wanted.day,)))[wanted.day]
        found[name] = Covered(standing=standing, **row)
    return found


async def _changed_at(connection: Connection, wanted: Wanted) -> dict[str, dt.datetime]:
    """When each set was last loaded for any day up to the plan's: what was computed of it before is stale."""
    if wanted.day is None:
        return {}
    # One row a set by the index (data_set, fetched_at): max() would read every day that was ever covered.
    rows = await connection.fetch(
        "SELECT name, c.fetched_at FROM unnest($1::text[]) AS w (name) CROSS JOIN LATERAL "
        "(SELECT fetched_at FROM coverage WHERE data_set = name AND trading_day <= $2 "
        "ORDER BY fetched_at DESC LIMIT 1) AS c",
        wanted.every_set,
        wanted.day,
    )
    return {row["name"]: row["fetched_at"] for row in rows}


async def _rechecks(connection: Connection, wanted: Wanted) -> dict[dt.date, dt.datetime | None]:
    if wanted.day is None:
        return {}
    return await findings.open_days(connection, list(wanted.by_session), first=wanted.first_day, last=wanted.day)


async def _newest(connection: Connection, wanted: Wanted) -> dict[str, Newest]:
    """The present: fetched last, for whatever day. What is computed: of the newest day."""
    rows = await connection.fetch(
        """
        SELECT name AS data_set, c.trading_day, c.fetched_at, c.row_count AS rows,
               coalesce((c.detail->>'broken')::integer, 0) AS broken,
               (c.detail->>'unbroken_since')::date AS unbroken_since, (c.detail->>'since')::date AS since
        FROM unnest($1::text[]) AS w (name) CROSS JOIN LATERAL (
            SELECT trading_day, fetched_at, row_count, detail FROM coverage
            WHERE data_set = name ORDER BY fetched_at DESC, load_id DESC LIMIT 1) AS c
        UNION ALL
        SELECT name, c.trading_day, c.fetched_at, c.row_count, coalesce((c.detail->>'broken')::integer, 0),
               (c.detail->>'unbroken_since')::date, (c.detail->>'since')::date
        FROM unnest($2::text[]) AS w (name) CROSS JOIN LATERAL (
            SELECT trading_day, fetched_at, row_count, detail FROM coverage
            WHERE data_set = name ORDER BY trading_day DESC LIMIT 1) AS c
        """,
        list(wanted.by_fetch),
        list(wanted.by_day),
    )
    found = {}
    for row in map(dict, rows):
        name = row.pop("data_set")
        table = wanted.counted.get(name)
        if table is not None:
            day = row["trading_day"]
            row["lost"] = max(0, row["rows"] - (await held_sessions.count(connection, table, (day,)))[day])
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
