"""Notices whose a symbol is, and writes down what is decided: market/identity.py has the rules, this has the tables.

A renamed company's stored history is found under its new symbol, a reissued symbol starts anew (views daily_history and
slot_history, by ticker_change and issuer_since); raw rows stay as they were traded.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from consumer.postgres import renames, trading_evidence
from consumer.postgres.splits import assign_companies
from market.companies import CODES, Change, Kind, Known, Listed, Question, agreement
from market.identity import decide, questions
from market.renames import PENDING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from consumer.postgres.pool import Connection, Pool
    from consumer.vendor.rows import TickerRow
    from market.identity import NextSession


def day_after(day: dt.date) -> dt.date:
    """The next session, where no calendar is at hand."""
    return day + dt.timedelta(days=1)


def listed(row: TickerRow) -> Listed:
    """Return what *row* says of whose its symbol is."""
    return Listed(
        symbol=row.ticker,
        composite_figi=row.composite_figi,
        share_class_figi=row.share_class_figi,
        cik=row.cik,
        type=row.type,
        name=row.name,
    )


async def read_known(connection: Connection) -> dict[str, Known]:
    """Return every symbol of the universe as it is known."""
    rows = await connection.fetch(
        """
        SELECT u.symbol, u.listed_figi AS composite_figi, u.listed_share_class_figi AS share_class_figi,
               u.listed_cik AS cik, u.ticker_type AS type, m.company_name AS name, u.is_active AS active, u.state,
               u.last_seen, u.issuer_since AS since
        FROM listed_ticker AS u LEFT JOIN ticker_profile AS m USING (symbol)
        """
    )
    return {row["symbol"]: Known(**dict(row)) for row in rows}


async def known_codes(connection: Connection | Pool, symbols: Sequence[str]) -> dict[str, Listed]:
    """Return whose those of *symbols* are that the universe knows."""
    rows = await connection.fetch(
        "SELECT symbol, listed_figi AS composite_figi, listed_share_class_figi AS share_class_figi, listed_cik AS cik "
        "FROM listed_ticker WHERE symbol = ANY ($1::text[])",
        list(symbols),
    )
    return {row["symbol"]: Listed(**dict(row)) for row in rows}


async def find_changes(
    connection: Connection, rows: Sequence[TickerRow], *, day: dt.date, now: dt.datetime, next_session: NextSession
) -> tuple[list[Change], list[Change]]:
    """Return what a complete listing of *day* shows to have changed since the one before, nothing of it written yet;
    and before it what the bars since then, or this listing, have decided of the earlier ones.

    What an earlier listing left open stays dated to that one. What this one says no more is no longer open.
    """
    settled = await settle_contested(connection, now=now, next_session=next_session)
    settled += await renames.undo_denied(connection, now=now, listing={row.ticker: listed(row) for row in rows})
    known = await read_known(connection)
    listing = {row.ticker: listed(row) for row in rows}
    left_open = {question.symbols: question for question in await _read_open(connection, known)}
    pairs = {symbols for symbols, question in left_open.items() if question.is_rename}
    found = questions(known, listing, day=day, next_session=next_session, left_open=pairs)  # type: ignore[arg-type]
    asked = [_dated(question, left_open.get(question.symbols)) for question in found]
    await _close_all_but(connection, asked, day=day)
    bars = await trading_evidence.read_bars(connection, asked, next_session=next_session, quiet_before=day)
    return settled, decide(asked, bars)


def _dated(question: Question, earlier: Question | None) -> Question:
    if earlier is None or not (question.is_rename or agreement(earlier.listed, question.listed)[0]):
        return question
    return msgspec.structs.replace(question, changed_on=earlier.changed_on)


async def _read_open(connection: Connection, known: Mapping[str, Known]) -> list[Question]:
    """Return what the newest listing left open."""
    rows = await connection.fetch(
        "SELECT symbol, changed_on, new_symbol, since, old_codes, new_codes FROM ticker_change "
        "WHERE kind = 'contested' AND new_codes IS NOT NULL AND closed_on IS NULL ORDER BY changed_on, symbol"
    )
    return [
        Question(
            known=msgspec.structs.replace(known[row["symbol"]], since=row["since"], **row["old_codes"]),
            listed=Listed(symbol=row["new_symbol"] or row["symbol"], **row["new_codes"]),
            changed_on=row["changed_on"],
        )
        for row in rows
    ]


async def _close_all_but(connection: Connection, asked: Sequence[Question], *, day: dt.date) -> None:
    await connection.execute(
        """
        UPDATE ticker_change AS c SET closed_on = $3
        WHERE kind = 'contested' AND new_codes IS NOT NULL AND closed_on IS NULL AND NOT EXISTS (
            SELECT FROM unnest($1::text[], $2::text[]) AS a (symbol, new_symbol)
            WHERE a.symbol = c.symbol AND a.new_symbol = coalesce(c.new_symbol, c.symbol))
        """,
        [question.known.symbol for question in asked],
        [question.listed.symbol for question in asked],
        day,
    )


async def apply_changes(
    connection: Connection, changes: Sequence[Change], *, day: dt.date, now: dt.datetime
) -> list[Change]:
    """Write them down, after the listing of *day* is applied, and return those that are news."""
    news = []
    moving = [change.symbol for change in changes if change.kind is Kind.RENAMED]
    taken = {change.new_symbol for change in changes if change.kind is Kind.RENAMED}.union(moving)
    for change in changes:
        slips = change.kind is Kind.REISSUED and change.symbol not in taken
        if slips and await renames.is_a_slip_undone(connection, change):
            news.append(msgspec.structs.replace(change, kind=Kind.CORRECTED, evidence="its company is back"))
            continue
        if await _write_down(connection, change, day=day, now=now):
            news.append(change)
        if change.kind is Kind.RENAMED:
            await renames.move(connection, change, moving)
        if change.kind is Kind.REISSUED:
            await renames.close_renames_into(connection, change)
        if change.kind in (Kind.RENAMED, Kind.REISSUED):
            await connection.execute(
                "UPDATE listed_ticker SET issuer_since = $2 WHERE symbol = $1",
                change.new_symbol or change.symbol,
                change.changed_on,
            )
    if changes:
        await assign_companies(connection)
    return news


_WRITE_DOWN = """
INSERT INTO ticker_change AS c (symbol, changed_on, kind, new_symbol, since, old_figi, new_figi, old_codes,
                                new_codes, listed_on, evidence, found_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (symbol, changed_on, kind, (kind = 'contested' AND new_symbol IS NOT NULL))
    DO UPDATE
    SET new_symbol = excluded.new_symbol, new_figi = excluded.new_figi, new_codes = excluded.new_codes,
        listed_on = excluded.listed_on, evidence = excluded.evidence,
        closed_on = CASE WHEN c.kind = 'contested' THEN NULL ELSE c.closed_on END
"""


async def _write_down(connection: Connection, change: Change, *, day: dt.date, now: dt.datetime) -> bool:
    """Keep what was and what is said now; False where it is open until the bars tell, or was told before."""
    codes = [None if one is None else {code: getattr(one, code) for code in CODES} for one in (change.old, change.new)]
    said: str | None = await connection.fetchval(
        "SELECT evidence FROM ticker_change WHERE symbol = $1 AND changed_on = $2 AND kind = $3 "
        "AND new_symbol IS NOT DISTINCT FROM $4",
        change.symbol,
        change.changed_on,
        str(change.kind),
        change.new_symbol,
    )
    await connection.execute(
        _WRITE_DOWN,
        change.symbol,
        change.changed_on,
        str(change.kind),
        change.new_symbol,
        change.since,
        change.old and change.old.composite_figi,
        change.new and change.new.composite_figi,
        *codes,
        day,
        change.evidence,
        now,
    )
    if change.kind is Kind.CONTESTED:
        return change.evidence not in (PENDING, said)
    await _close(connection, change, day=day)
    return True


async def _close(connection: Connection, change: Change, *, day: dt.date) -> None:
    """What was contested is decided; of what had only to wait for the bars nothing is left."""
    await connection.execute(
        "UPDATE ticker_change SET closed_on = $3 WHERE kind = 'contested' AND new_codes IS NOT NULL AND symbol = $1 "
        "AND closed_on IS NULL AND new_symbol IS NOT DISTINCT FROM $2",
        change.symbol,
        change.new_symbol,
        day,
    )
    await connection.execute(
        "DELETE FROM ticker_change WHERE kind = 'contested' AND symbol = $1 AND evidence = $2 "
        "AND closed_on IS NOT NULL AND new_symbol IS NOT DISTINCT FROM $3",
        change.symbol,
        PENDING,
        change.new_symbol,
    )


async def settle_contested(
    connection: Connection, *, now: dt.datetime, next_session: NextSession = day_after
) -> list[Change]:
    """Decide what a listing left open, where the bars of that day are there now; return what is news."""
    undone = await renames.undo_denied(connection, now=now)
    asked = await _read_open(connection, await read_known(connection))
    if not asked:
        return undone
    bars = await trading_evidence.read_bars(connection, asked, next_session=next_session)
    changes = decide(asked, bars)
    listed_on = await connection.fetchval("SELECT max(listed_on) FROM ticker_change WHERE kind = 'contested'")
    news = await apply_changes(connection, changes, day=listed_on, now=now)
    held = {question.known.symbol for question in asked if not question.is_rename}
    taken = {change.new_symbol for change in changes if change.kind is Kind.RENAMED}
    for change in changes:
        if change.kind is not Kind.CONTESTED:
            await _take_codes(connection, change, now=now)
        if change.kind is Kind.RENAMED and change.symbol not in held | taken:
            await renames.leave(connection, change, now=now)
    return undone + news


async def _take_codes(connection: Connection, change: Change, *, now: dt.datetime) -> None:
    """Let the universe have the new codes; of another company nothing is known before its details have come."""
    new = change.new
    await connection.execute(
        """
        UPDATE listed_ticker SET listed_figi = coalesce($2, listed_figi), changed_at = $5,
               listed_share_class_figi = coalesce($3, listed_share_class_figi), listed_cik = coalesce($4, listed_cik)
        WHERE symbol = $1
        """,
        change.new_symbol or change.symbol,
        *(getattr(new, code) for code in CODES),
        now,
    )
    if change.kind is Kind.REISSUED:
        await connection.execute("DELETE FROM ticker_profile WHERE symbol = $1", change.symbol)
