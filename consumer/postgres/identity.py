"""Notices whose a symbol is, and writes down what is decided: market/identity.py has the rules, this has the tables.

A renamed company's stored history is found under its new symbol, a reissued symbol starts anew (views daily_history and
slot_history, by ticker_change and issuer_since); raw rows stay as they were traded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from market.companies import CODES, Change, Kind, Known, Listed, agreement

from consumer.postgres import trading_evidence
from consumer.postgres.splits import assign_companies
from market.identity import decide, questions, settle

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from market.companies import Question

    from consumer.massive.rows import TickerRow
    from consumer.postgres.pool import Connection, Pool
    from market.identity import NextSession

# Another company that is gone again so soon was a slip of the listing: the first one's history is its own again.
_SLIP_DAYS = 14


def listed(row: TickerRow) -> Listed:
    """Return what *row* says of whose its symbol is."""
    return Listed(
        symbol=row.ticker, composite_figi=row.composite_figi, share_class_figi=row.share_class_figi, cik=row.cik,
        type=row.type, name=row.name,
    )  # fmt: skip


async def read_known(connection: Connection) -> dict[str, Known]:
    """Return every symbol of the universe as it is known."""
    rows = await connection.fetch(
        """
        SELECT u.symbol, u.listed_figi AS composite_figi, u.listed_share_class_figi AS share_class_figi,
               u.listed_cik AS cik, u.ticker_type AS type, m.company_name AS name, u.is_active AS active, u.state,
               u.last_seen, u.issuer_since AS since
        FROM ticker_universe AS u LEFT JOIN ticker_metadata AS m USING (symbol)
        """
    )
    return {row["symbol"]: Known(**dict(row)) for row in rows}


async def known_codes(connection: Connection | Pool, symbols: Sequence[str]) -> dict[str, Listed]:
    """Return whose those of *symbols* are that the universe knows."""
    rows = await connection.fetch(
        "SELECT symbol, listed_figi AS composite_figi, listed_share_class_figi AS share_class_figi, listed_cik AS cik "
        "FROM ticker_universe WHERE symbol = ANY ($1::text[])",
        list(symbols),
    )
    return {row["symbol"]: Listed(**dict(row)) for row in rows}


async def find_changes(
    connection: Connection, rows: Sequence[TickerRow], *, day: dt.date, next_session: NextSession
) -> list[Change]:
    """Return what a complete listing of *day* shows to have changed since the one before; nothing is written yet."""
    known = await read_known(connection)
    asked = questions(known, {row.ticker: listed(row) for row in rows}, day=day, next_session=next_session)
    asked = await _since_they_are_contested(connection, asked, day=day)
    wanted = {(symbol, question.changed_on) for question in asked for symbol in question.symbols}
    trading = await trading_evidence.read_trading(connection, wanted, quiet_before=day)
    return decide(asked, known, trading, next_session=next_session)


async def _since_they_are_contested(
    connection: Connection, asked: Sequence[Question], *, day: dt.date
) -> list[Question]:
    """What was left open by an earlier listing is still dated to that one: the bars since may decide it."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (symbol) symbol, changed_on, new_codes FROM ticker_change WHERE kind = 'contested' "
        "AND new_codes IS NOT NULL AND new_symbol IS NULL AND changed_on > $1::date - $2::integer "
        "ORDER BY symbol, changed_on DESC",
        day, _SLIP_DAYS,
    )  # fmt: skip
    left_open = {row["symbol"]: (row["changed_on"], Listed(symbol="", **row["new_codes"])) for row in rows}
    found = []
    for question in asked:
        changed_on, codes = left_open.get(question.known.symbol, (question.changed_on, question.listed))
        same = not question.is_rename and agreement(codes, question.listed)[0]
        found.append(msgspec.structs.replace(question, changed_on=changed_on) if same else question)
    return found


async def apply_changes(
    connection: Connection, changes: Sequence[Change], *, day: dt.date, now: dt.datetime
) -> list[Change]:
    """Write them down, after the listing of *day* is applied, and return those that are news."""
    news = []
    moving = [change.symbol for change in changes if change.kind is Kind.RENAMED]
    for change in changes:
        if change.kind is Kind.REISSUED and await _is_a_slip_undone(connection, change):
            news.append(msgspec.structs.replace(change, kind=Kind.CORRECTED, evidence="its company is back"))
            continue
        if not await _write_down(connection, change, day=day, now=now):
            continue
        news.append(change)
        if change.kind is Kind.RENAMED:
            await _move(connection, change, moving)
        if change.kind is Kind.REISSUED:
            await _close_renames_into(connection, change)
        if change.kind in (Kind.RENAMED, Kind.REISSUED):
            await connection.execute(
                "UPDATE ticker_universe SET issuer_since = $2 WHERE symbol = $1",
                change.new_symbol or change.symbol, change.changed_on,
            )  # fmt: skip
    if changes:
        await assign_companies(connection)
    return news


async def _write_down(connection: Connection, change: Change, *, day: dt.date, now: dt.datetime) -> bool:
    """Keep what was and what is said now; False where the same was left open before, and told."""
    codes = [None if one is None else {code: getattr(one, code) for code in CODES} for one in (change.old, change.new)]
    is_new: bool = await connection.fetchval(
        """
        INSERT INTO ticker_change AS c (symbol, changed_on, kind, new_symbol, since, old_figi, new_figi, old_codes,
                                        new_codes, listed_on, evidence, found_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (symbol, changed_on, kind) DO UPDATE
            SET new_symbol = excluded.new_symbol, new_figi = excluded.new_figi, new_codes = excluded.new_codes,
                listed_on = excluded.listed_on, evidence = excluded.evidence
        RETURNING c.xmax = 0
        """,
        change.symbol, change.changed_on, str(change.kind), change.new_symbol, change.since,
        change.old and change.old.composite_figi, change.new and change.new.composite_figi, *codes, day,
        change.evidence, now,
    )  # fmt: skip
    return is_new or change.kind is not Kind.CONTESTED


async def _close_renames_into(connection: Connection, change: Change) -> None:
    """Who was renamed into the symbol before has nothing to do with the company that has it now."""
    await connection.execute(
        "UPDATE ticker_change SET closed_on = $2 WHERE kind = 'renamed' AND new_symbol = $1 AND closed_on IS NULL",
        change.symbol, change.changed_on,
    )  # fmt: skip


async def _move(connection: Connection, change: Change, moving: Sequence[str]) -> None:
    """Lead to the new symbol whoever was renamed into the old one before, and clear the old one.

    Not those of *moving*: what is renamed the same night into the old symbol is the company that has it now.
    """
    await connection.execute(
        "UPDATE ticker_change SET new_symbol = $2, closed_on = NULL WHERE kind = 'renamed' AND new_symbol = $1 "
        "AND coalesce(closed_on, $3) = $3 AND changed_on <= $3 AND changed_on >= coalesce($4, '-infinity'::date) "
        "AND NOT (symbol = ANY ($5::text[]) AND changed_on = $3)",
        change.symbol, change.new_symbol, change.changed_on, change.since, list(moving),
    )  # fmt: skip
    await connection.execute(
        "UPDATE ticker_universe SET state = 'renamed', missing_since = NULL WHERE symbol = $1 AND NOT is_active",
        change.symbol,
    )
    # Where the change was learned late, the old symbol was asked for on days when it was nobody's.
    await connection.execute(
        "DELETE FROM volume_slots_daily WHERE symbol = $1 AND trading_date >= $2 AND outcome <> 'traded'",
        change.symbol, change.changed_on,
    )  # fmt: skip


async def _is_a_slip_undone(connection: Connection, change: Change) -> bool:
    """Whether the symbol is back with the company it had until a few days ago; then it has its history again."""
    if change.new is None:
        return False
    slips = await connection.fetch(
        "SELECT changed_on, since, old_figi, old_codes FROM ticker_change WHERE symbol = $1 AND kind = 'reissued' "
        "AND changed_on > $2::date - $3::integer ORDER BY changed_on DESC",
        change.symbol, change.changed_on, _SLIP_DAYS,
    )  # fmt: skip
    for slip in slips:
        codes = slip["old_codes"] or {"composite_figi": slip["old_figi"]}
        if agreement(Listed(symbol=change.symbol, **codes), change.new)[0]:
            await connection.execute(
                "DELETE FROM ticker_change WHERE symbol = $1 AND kind = 'reissued' AND changed_on = $2",
                change.symbol, slip["changed_on"],
            )  # fmt: skip
            await connection.execute(
                "UPDATE ticker_change SET closed_on = NULL WHERE new_symbol = $1 AND closed_on = $2",
                change.symbol, slip["changed_on"],
            )  # fmt: skip
            await connection.execute(
                "UPDATE ticker_universe SET issuer_since = $2 WHERE symbol = $1", change.symbol, slip["since"]
            )
            return True
    return False


async def settle_contested(connection: Connection, *, now: dt.datetime) -> list[Change]:
    """Decide what one code of a listing left open, where the bars of that day are there now; return the decisions."""
    rows = await connection.fetch(
        """
        SELECT c.symbol, c.changed_on, c.since, c.old_codes, c.new_codes, c.listed_on FROM ticker_change AS c
        JOIN ticker_universe AS u USING (symbol)
        WHERE c.kind = 'contested' AND c.new_codes IS NOT NULL AND u.is_active AND c.new_symbol IS NULL
          AND c.listed_on >= u.last_seen
          AND NOT EXISTS (SELECT FROM ticker_change AS d WHERE d.symbol = c.symbol AND d.changed_on = c.changed_on
                          AND d.kind IN ('reissued', 'corrected'))
        """
    )
    trading = await trading_evidence.read_trading(connection, [(row["symbol"], row["changed_on"]) for row in rows])
    decided = []
    for row in rows:
        symbol, day = row["symbol"], row["changed_on"]
        old, new = (Listed(symbol=symbol, **row[codes]) for codes in ("old_codes", "new_codes"))
        change = settle(old, new, trading[symbol, day], changed_on=day, since=row["since"])
        if change is not None and await _write_down(connection, change, day=row["listed_on"], now=now):
            await _take_codes(connection, change, now=now)
            decided.append(change)
    return decided


async def _take_codes(connection: Connection, change: Change, *, now: dt.datetime) -> None:
    """Let the universe have the new codes; of another company nothing is known before its details have come."""
    new = change.new
    await connection.execute(
        """
        UPDATE ticker_universe SET listed_figi = coalesce($2, listed_figi), changed_at = $5,
               listed_share_class_figi = coalesce($3, listed_share_class_figi), listed_cik = coalesce($4, listed_cik)
        WHERE symbol = $1
        """,
        change.symbol, *(getattr(new, code) for code in CODES), now,
    )  # fmt: skip
    if change.kind is Kind.REISSUED:
        await connection.execute(
            "UPDATE ticker_universe SET issuer_since = $2 WHERE symbol = $1", change.symbol, change.changed_on
        )
        await connection.execute("DELETE FROM ticker_metadata WHERE symbol = $1", change.symbol)
        await _close_renames_into(connection, change)
