"""Holds the history of listing and metadata to: only what changed is written, dated by what proves it best."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from consumer.catalogue.retention import due
from consumer.postgres import bars, coverage, details, holdings, identity, retention, ticker_history, tickers
from consumer.postgres.coverage import Loaded
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from consumer.vendor.rows import DailyRow, FloatRow, TickerDetails, TickerRow
from contract import data_sets
from market.trading_calendar import NEW_YORK, TradingCalendar
from tests.postgres.conftest import LEASE
from tests.postgres.rows_read import rows_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection, Pool

CALENDAR = TradingCalendar()
MON, TUE, WED, THU, FRI = DAYS = tuple(dt.date(2025, 11, day) for day in (10, 11, 12, 13, 14))
OPEN = dt.date.max
KEEPS = [TickerRow(ticker=f"K{number}", type="CS", composite_figi=f"FK{number}") for number in range(5)]
_EVERY_ROW = """
    SELECT xmin, ctid, symbol FROM listed_ticker_history UNION ALL SELECT xmin, ctid, symbol FROM ticker_profile_history
"""


def evening(day: dt.date) -> tickers.Evening:
    at = dt.datetime.combine(day, dt.time(20, 30), tzinfo=NEW_YORK).astimezone(dt.UTC)
    return tickers.Evening(day=day, now=at, next_session=lambda of: CALENDAR.session_after(of).day)


def company(symbol: str, figi: str, **fields: Any) -> TickerRow:
    return TickerRow(ticker=symbol, composite_figi=figi, cik=f"{ord(figi[-1]):010}", type="CS", **fields)


async def listing(
    connection: Connection, day: dt.date, *rows: TickerRow, delisted: Sequence[TickerRow] = (), kept: bool = True
) -> None:
    """What a program does with the listing of an evening; one of before the history does not keep it."""
    at = evening(day)
    await tickers.apply_listing(connection, [*rows, *KEEPS], at, delisted=delisted)
    loaded = Loaded(load_id=day.day, fetched_at=at.now, rows=len(rows))
    await coverage.record_coverage(connection, data_sets.UNIVERSE, day, loaded)
    if kept:
        await ticker_history.keep_history(connection, at, day.day)
        await coverage.record_coverage(connection, data_sets.TICKER_HISTORY, day, loaded)


async def trade(connection: Connection, day: dt.date, **prices: float) -> None:
    """The bars of a session, and what the night decides by them."""
    rows = [DailyRow(T=name, o=price, h=price, l=price, c=price, v=5.0, t=0) for name, price in prices.items()]
    await bars.replace_bars(connection, day, rows, load_id=1)
    at = evening(day)
    loaded = Loaded(load_id=1, fetched_at=at.now, rows=len(rows))
    await coverage.record_coverage(connection, data_sets.DAILY_BARS, day, loaded)
    await identity.settle_contested(connection, now=at.now, next_session=at.next_session)
    await ticker_history.keep_history(connection, at, 100 + day.day)


async def told(connection: Connection, symbol: str) -> list[tuple[dt.date, dt.date, str, str | None]]:
    rows = await connection.fetch(
        "SELECT valid_from, valid_to, state, listed_figi FROM listed_ticker_history WHERE symbol = $1 ORDER BY 1",
        symbol,
    )
    return [tuple(row) for row in rows]


async def names(connection: Connection, symbol: str) -> list[tuple[dt.date, dt.date, str | None]]:
    rows = await connection.fetch(
        "SELECT valid_from, valid_to, company_name FROM ticker_profile_history WHERE symbol = $1 ORDER BY 1", symbol
    )
    return [tuple(row) for row in rows]


async def universe_on(connection: Connection, day: dt.date | None) -> dict[str, dict[str, Any]]:
    rows = await connection.fetch("SELECT * FROM public.universe_on($1)", day)
    return {row["symbol"]: dict(row) for row in rows if not row["symbol"].startswith("K")}


# What is written


async def test_a_night_that_changes_nothing_writes_nothing(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1", name="Agilent"))
    before = await connection.fetch(_EVERY_ROW)
    for day in (MON, TUE, WED):
        await listing(connection, day, company("A", "F1", name="Agilent"))
        assert await ticker_history.keep_history(connection, evening(day), 99) == 0
    assert await connection.fetch(_EVERY_ROW) == before


async def test_only_the_symbols_that_changed_are_written(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1", name="Agilent"))
    before = await connection.fetch(_EVERY_ROW)
    await listing(connection, TUE, company("A", "F1", name="Agilent Inc."))
    assert await names(connection, "A") == [(MON, TUE, "Agilent"), (TUE, OPEN, "Agilent Inc.")]
    others = {tuple(row) for row in before if row["symbol"] != "A"}
    assert others <= {tuple(row) for row in await connection.fetch(_EVERY_ROW)}
    known = await connection.fetchrow(
        "SELECT load_id, known_at FROM ticker_profile_history WHERE symbol = 'A' AND valid_to = 'infinity'"
    )
    assert known is not None
    assert tuple(known) == (TUE.day, evening(TUE).now)


async def test_details_and_floats_open_a_span_where_a_number_changes_and_none_where_it_is_only_given_again(
    connection: Connection,
) -> None:
    await listing(connection, MON, company("A", "F1"))
    for day, shares in ((MON, 1e6), (TUE, 1e6), (WED, 2e6)):
        at = evening(day)
        await details.store_details(
            connection, [TickerDetails(ticker="A", weighted_shares_outstanding=shares)], [], now=at.now
        )
        await ticker_history.keep_history(connection, at, 1, symbols=["A"])
    at = evening(THU)
    for effective in (WED, THU):
        row = FloatRow(ticker="A", free_float=5e5, free_float_percent=50.0, effective_date=effective)
        await tickers.store_floats(connection, [row], now=at.now)
        await ticker_history.keep_history(connection, at, 2)
    rows = await connection.fetch(
        "SELECT valid_from, shares_outstanding, shares_counted_on, float_shares, float_effective_date "
        "FROM ticker_profile_history WHERE symbol = 'A' ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        (MON, 1e6, MON, None, None), (WED, 2e6, WED, None, None), (THU, 2e6, WED, 5e5, WED),
    ]  # fmt: skip


async def test_a_write_that_fails_leaves_nothing_of_the_history(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1"))
    before = await connection.fetch(_EVERY_ROW)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with connection.transaction():
            await listing(connection, TUE, company("A", "F1"), company("B", "F2"))
            await connection.execute("SELECT 1 / 0")
    assert await connection.fetch(_EVERY_ROW) == before


# How it is dated


async def test_a_delisting_is_dated_to_the_vendors_day_though_it_was_noticed_later(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1"))
    gone = TickerRow(ticker="A", composite_figi="F1", active=False, delisted_utc=f"{WED}T00:00:00Z")
    await listing(connection, FRI, delisted=[gone])
    assert await told(connection, "A") == [(MON, WED, "listed", "F1"), (WED, OPEN, "delisted", "F1")]
    assert (await names(connection, "A"))[-1][:2] == (MON, WED), "of who is gone nothing is known any more"


async def test_one_that_a_listing_lacks_without_a_word_is_gone_after_its_last_trade(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1"))
    await trade(connection, MON, A=10.0)
    await trade(connection, TUE, A=10.0)
    await trade(connection, WED, K0=10.0)
    await listing(connection, THU)
    assert await told(connection, "A") == [(MON, WED, "listed", "F1"), (WED, OPEN, "unlisted", "F1")]


async def test_a_renamed_companys_old_symbol_ends_the_day_before_its_new_one_begins(connection: Connection) -> None:
    await listing(connection, MON, company("FB", "F1", name="Meta"))
    await trade(connection, MON, FB=10.0)
    await listing(connection, WED, company("META", "F1", name="Meta"))
    await trade(connection, TUE, META=10.1)
    await trade(connection, WED, META=10.2)
    assert await told(connection, "FB") == [(MON, TUE, "listed", "F1"), (TUE, OPEN, "renamed", "F1")]
    assert [row[:3] for row in await told(connection, "META")] == [(TUE, OPEN, "listed")]
    assert await names(connection, "META") == [(TUE, OPEN, "Meta")]
    assert {row["company"] for row in (await universe_on(connection, MON)).values()} == {"META"}


async def test_a_rename_that_is_undone_leaves_no_day_on_which_the_company_was_away(connection: Connection) -> None:
    newcomer = TickerRow(ticker="NEWCO", composite_figi="FN", share_class_figi="SA", cik="9")
    apple = TickerRow(ticker="AAPL", composite_figi="FA", share_class_figi="SA", cik="1", type="CS")
    await listing(connection, MON, apple)
    await trade(connection, MON, AAPL=40.0)
    await listing(connection, TUE, newcomer)
    await trade(connection, TUE, NEWCO=41.0)
    assert [row[2] for row in await told(connection, "AAPL")] == ["listed", "renamed"]
    await listing(connection, WED, newcomer)
    await trade(connection, WED, NEWCO=41.5, AAPL=42.0)
    assert await told(connection, "AAPL") == [(MON, OPEN, "listed", "FA")]


async def test_a_reissued_symbol_has_each_companys_facts_on_its_own_days(connection: Connection) -> None:
    await listing(connection, MON, company("X", "F1", name="Old"))
    await trade(connection, MON, X=10.0)
    await listing(connection, TUE, company("X", "F2", name="New"))
    await trade(connection, TUE, X=99.0)
    assert [row[::3] for row in await told(connection, "X")] == [(MON, "F1"), (TUE, "F2")]
    assert await names(connection, "X") == [(MON, TUE, "Old"), (TUE, OPEN, "New")]
    assert (await universe_on(connection, MON))["X"]["company"] is None, "it has no symbol any more"
    assert (await universe_on(connection, TUE))["X"]["company"] == "X"


async def test_a_corrected_figi_is_told_from_the_day_of_its_listing_on(connection: Connection) -> None:
    await listing(connection, MON, TickerRow(ticker="A", composite_figi="F1", cik="1"))
    await trade(connection, MON, A=10.0)
    await listing(connection, TUE, TickerRow(ticker="A", composite_figi="F9", cik="1"))
    await trade(connection, TUE, A=10.1)
    assert [row[::3] for row in await told(connection, "A")] == [(MON, "F1"), (TUE, "F9")]
    found = await universe_on(connection, MON)
    assert (found["A"]["composite_figi"], found["A"]["company"]) == ("F1", "A")


async def test_another_company_that_was_a_slip_never_had_the_symbol(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1", name="Own"))
    await trade(connection, MON, A=10.0)
    await listing(connection, TUE, company("A", "F2", name="Other"))
    await trade(connection, TUE, A=30.0)
    assert len(await told(connection, "A")) == 2
    await listing(connection, WED, company("A", "F1", name="Own"))
    await trade(connection, WED, A=30.0)
    assert await told(connection, "A") == [(MON, OPEN, "listed", "F1")]


async def test_who_comes_with_a_listing_of_the_weekend_is_listed_from_the_next_session_on(
    connection: Connection,
) -> None:
    await listing(connection, FRI, company("A", "F1"))
    saturday = dt.datetime(2025, 11, 15, 17, tzinfo=dt.UTC)
    late = tickers.Evening(day=FRI, now=saturday, next_session=evening(FRI).next_session)
    await tickers.apply_listing(connection, [company("A", "F1"), company("B", "F2"), *KEEPS], late)
    await ticker_history.keep_history(connection, late, 1)
    assert [row[0] for row in await told(connection, "B")] == [dt.date(2025, 11, 17)]
    assert [row[0] for row in await names(connection, "B")] == [dt.date(2025, 11, 17)]


async def test_what_an_older_program_changed_meanwhile_is_dated_as_far_as_it_can_be(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1"), company("B", "F2"))
    gone = TickerRow(ticker="B", composite_figi="F2", active=False, delisted_utc=f"{TUE}T00:00:00Z")
    await listing(connection, TUE, company("A", "F1"), company("C", "F3"), delisted=[gone], kept=False)
    await listing(connection, THU, company("A", "F1"), company("C", "F3"))
    assert [row[0] for row in await told(connection, "C")] == [TUE]
    assert await told(connection, "B") == [(MON, TUE, "listed", "F2"), (TUE, OPEN, "delisted", "F2")]


# What readers find


async def test_a_day_that_nothing_is_known_of_is_an_error_that_says_from_when_on_something_is(
    connection: Connection,
) -> None:
    with pytest.raises(asyncpg.NoDataFoundError, match="the newest listing is of no day"):
        await universe_on(connection, MON)
    await trade(connection, MON, A=10.0)
    await listing(connection, TUE, company("A", "F1"))
    for day, why in [
        (WED, "who was listed on 2025-11-12 is not known: the newest listing is of 2025-11-11"),
        (None, "who was listed on no day is not known"),
        (dt.date(2025, 11, 9), "2025-11-09 is no stored session: the one before it is not stored"),
    ]:
        with pytest.raises(asyncpg.NoDataFoundError, match=why):
            await universe_on(connection, day)


async def test_of_a_day_before_the_first_listing_it_is_told_who_traded_and_by_what_that_is_known(
    connection: Connection,
) -> None:
    await trade(connection, MON, GONE=7.0, A=10.0)
    await listing(connection, TUE, company("A", "F1", name="Agilent"))
    found = await universe_on(connection, MON)
    assert {(symbol, row["known_by"], row["company_name"], row["close"]) for symbol, row in found.items()} == {
        ("GONE", "bars", None, 7.0), ("A", "bars", None, 10.0),
    }  # fmt: skip
    found = await universe_on(connection, TUE)
    assert [(symbol, row["known_by"], row["listing_of"]) for symbol, row in found.items()] == [("A", "listing", TUE)]


async def test_the_market_cap_of_a_day_is_of_the_shares_and_the_price_of_that_day(connection: Connection) -> None:
    for day in (MON, TUE, WED):
        await listing(connection, day, company("A", "F1"))
    await details.store_details(
        connection, [TickerDetails(ticker="A", weighted_shares_outstanding=100.0)], [], now=evening(MON).now
    )
    await ticker_history.keep_history(connection, evening(MON), 1)
    await connection.execute(
        "INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id) "
        "VALUES ('A', $1, 1, 4, 'forward_split', 1), ('A', $2, 1, 10, 'forward_split', 1)",
        TUE,
        THU,
    )
    for day, price in ((MON, 40.0), (TUE, 10.0), (WED, 11.0)):
        await trade(connection, day, A=price)
    caps = {day: (await universe_on(connection, day))["A"]["market_cap"] for day in (MON, TUE, WED)}
    assert caps == {MON: 4000.0, TUE: pytest.approx(4000.0), WED: pytest.approx(4400.0)}


async def test_what_the_retention_has_deleted_is_told_by_the_bars_and_never_by_half_of_the_listings(
    connection: Connection,
) -> None:
    for day, rows in ((MON, ("A", "B")), (TUE, ("A",)), (WED, ("A",)), (THU, ("A",))):
        await listing(connection, day, *(company(symbol, f"F{symbol}") for symbol in rows))
        await trade(connection, day, **dict.fromkeys(rows, 10.0))
    assert set(await universe_on(connection, MON)) == {"A", "B"}
    now = evening(THU).now
    (one,) = due({data_sets.TICKER_HISTORY: 1}, now=now, day=THU).retired
    tables = [holdings.CountedTable(table=table.name, day_column=str(table.day_column)) for table in one.tables]
    days = await retention.oldest_sessions(connection, tables, before=one.before, most=60)
    await retention.retire_sessions(connection, one.data_set, tables, days, now=now)
    assert [row[1] for row in await told(connection, "B")] == [OPEN], "that it is gone is so at present"
    assert {row["known_by"] for row in (await universe_on(connection, MON)).values()} == {"bars"}
    assert set(await universe_on(connection, MON)) == {"A", "B"}
    assert {row["known_by"] for row in (await universe_on(connection, TUE)).values()} == {"listing"}


async def test_of_a_day_whose_spans_and_bars_are_both_deleted_it_is_told_that_nothing_is_known(
    connection: Connection,
) -> None:
    for day, rows in ((MON, ("A", "B")), (TUE, ("A",)), (WED, ("A",))):
        await listing(connection, day, *(company(symbol, f"F{symbol}") for symbol in rows))
        await trade(connection, day, **dict.fromkeys(rows, 10.0))
    history = [holdings.CountedTable(table="listed_ticker_history", day_column="valid_to")]
    prices = [holdings.CountedTable(table="daily_bar", day_column="trading_date")]
    await retention.retire_sessions(connection, data_sets.TICKER_HISTORY, history, [TUE], now=evening(WED).now)
    await retention.retire_sessions(connection, data_sets.DAILY_BARS, prices, [MON], now=evening(WED).now)
    with pytest.raises(asyncpg.NoDataFoundError, match="who was listed on 2025-11-10 is not known any more"):
        await universe_on(connection, MON)
    assert set(await universe_on(connection, WED)) == {"A"}


async def test_a_role_that_may_read_the_views_may_call_the_function_and_no_other_gets_anything_by_it(
    pool: Pool,
) -> None:
    async with pool.acquire() as connection:
        await listing(connection, MON, company("A", "F1"))
        role = f"reader_{uuid.uuid4().hex[:8]}"
        await connection.execute(f"CREATE ROLE {role}")
        try:
            await connection.execute(f"SET ROLE {role}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await universe_on(connection, MON)
            await connection.execute("RESET ROLE")
            await connection.execute(
                f"GRANT SELECT ON public.ticker_universe_daily, public.coverage TO {role}; SET ROLE {role}"
            )
            assert set(await universe_on(connection, MON)) == {"A"}
        finally:
            await connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")


# The tables


async def test_an_upgrade_begins_the_history_with_what_stands(pool: Pool, connection: Connection) -> None:
    await listing(connection, TUE, company("A", "F1", name="Agilent"), company("B", "F2"), kept=False)
    await listing(connection, WED, company("A", "F1", name="Agilent"), kept=False)
    await connection.execute(
        "DROP FUNCTION public.universe_on(date); "
        "DROP VIEW public.ticker_universe_daily, public.ticker_universe_history, public.ticker_metadata_history; "
        "DROP VIEW listed_ticker_daily; "
        "DROP TABLE listed_ticker_history, ticker_profile_history; DELETE FROM schema_migration WHERE name LIKE '0023%'"
    )
    assert await migrate(pool) == ["0023_ticker_history.before.sql"]
    assert await told(connection, "A") == [(WED, OPEN, "listed", "F1")]
    assert await told(connection, "B") == [(WED, OPEN, "unlisted", "F2")]
    assert await names(connection, "A") == [(WED, OPEN, "Agilent")]
    assert set(await universe_on(connection, WED)) == {"A"}
    before = await connection.fetch(_EVERY_ROW)
    await listing(connection, THU, company("A", "F1", name="Agilent"))
    assert await connection.fetch(_EVERY_ROW) == before


async def test_a_function_of_somebody_elses_is_left_alone_and_named(postgres_dsn: str) -> None:
    theirs = await asyncpg.connect(postgres_dsn)
    await theirs.execute("CREATE FUNCTION public.universe_on(a text) RETURNS text LANGUAGE sql AS 'SELECT a'")
    async with await open_pool(postgres_dsn, lease=LEASE, size=2) as ours:
        with pytest.raises(Exception, match=r"not made by this service: public\.universe_on"):
            await migrate(ours)
    assert await theirs.fetchval("SELECT public.universe_on('theirs')") == "theirs"
    await theirs.close()


async def test_a_nights_comparison_goes_over_no_row_that_has_ended(connection: Connection) -> None:
    await listing(connection, MON, company("A", "F1"))
    for table in ("listed_ticker_history", "ticker_profile_history"):
        more = "is_listed, state, " if table.startswith("listed") else ""
        told_of = "true, 'listed', " if more else ""
        await connection.execute(
            f"INSERT INTO {table} (symbol, valid_from, valid_to, {more}known_at) "
            f"SELECT symbol, day::date, day::date + 1, {told_of}now() FROM listed_ticker, "
            "generate_series('2020-01-01'::date, '2025-01-01', '1 day') AS day"
        )
    await connection.execute("ANALYZE")
    for query in (ticker_history.LISTED_DIFFERS, ticker_history.PROFILE_DIFFERS, ticker_history.PROFILE_ENDED):
        read = await rows_read(connection, query.format(only=""))
        assert max(read.values()) <= 10, (query, read)
