"""Holds the schema's CHECKs to the one table of bounds, both ways, and readers to be no wider than columns."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import asyncpg
import pytest

from consumer.catalogue.registry import TABLES
from consumer.postgres.migrate import migrate
from consumer.postgres.pool import open_pool
from market.bounded_fields import ENDPOINTS
from tests.former_release import leave_tables
from tests.postgres.bounds_as_sql import check_sql

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

CHECKS = """
    SELECT rel.relname AS tab, con.conname AS name, pg_get_constraintdef(con.oid) AS says, con.convalidated AS valid
    FROM pg_constraint AS con JOIN pg_class AS rel ON rel.oid = con.conrelid
    WHERE con.contype = 'c' AND con.conname LIKE 'bounds\\_%' AND rel.relnamespace = $1::regnamespace
"""
COLUMNS = {
    name: bounds
    for name, table in TABLES.items()
    if (bounds := {column: one.bound for column, one in table.columns.items() if one.bound is not None})
}
# What no vendor sends and no figure is: who wrote a row, when and of which state, and what is computed with bounds of
# its own. A new column of these tables belongs here or into the table of bounds.
OURS = {
    "daily_bar": {"trading_date", "load_id"},
    "session_slots": {"trading_date", "outcome", "fetched_at", "load_id", "trades_unknown"},
    "ticker_atr": {"trading_date", "bars_used", "load_id"},
    "listed_ticker": {
        "listed_from", "missing_since", "missing_until", "missed_listings",
        "is_active", "last_seen", "added_at", "removed_at", "reason_removed", "changed_at", "state", "issuer_since",
        "market_data_symbol",
    },
    "ticker_profile": {
        "sector", "sector_scheme", "industry_group", "beta", "is_etf", "is_actively_trading", "delisted_at", "as_of",
        "details_attempted_at", "details_outcome", "details_fetched_at", "created_at", "updated_at",
        "avg_volume_sessions", "avg_volume_sessions_10d", "avg_volume_sessions_5d", "avg_volume_sessions_3m",
    },
    "listed_ticker_history": {
        "valid_from", "valid_to", "is_listed", "state", "issuer_since", "delisted_on", "load_id", "known_at",
    },
    "ticker_profile_history": {
        "valid_from", "valid_to", "sector", "sector_scheme", "industry_group", "shares_counted_on", "issuer_since",
        "load_id", "known_at",
    },
    "stock_split": {"company", "load_id", "verdict", "first_listed_at"},
    "stock_dividend": {"company", "load_id", "verdict", "first_listed_at"},
    "dividend_factor": {"left_out", "load_id"},
}  # fmt: skip


async def test_the_schema_checks_exactly_what_the_table_of_bounds_says(pool: Pool) -> None:
    """The expected CHECKs are put on empty twins of the tables, so that PostgreSQL writes both in the same words."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("CREATE SCHEMA expected")
            for table, columns in COLUMNS.items():
                await connection.execute(f"CREATE TABLE expected.{table} AS SELECT * FROM {table} WITH NO DATA")
                for column, bound in columns.items():
                    says = check_sql(column, bound, array=column in ("volumes", "trades"))
                    await connection.execute(
                        f"ALTER TABLE expected.{table} ADD CONSTRAINT bounds_{column} CHECK ({says})"
                    )
            expected = {
                (r["tab"], r["name"]): (r["says"], r["valid"]) for r in await connection.fetch(CHECKS, "expected")
            }
            actual = {
                (r["tab"], r["name"]): (r["says"], r["valid"]) for r in await connection.fetch(CHECKS, "maintenance")
            }
        finally:
            await transaction.rollback()
    assert len(expected) == sum(len(columns) for columns in COLUMNS.values())
    # Of a new column of a full table the check is of what is written from then on: there was nothing before.
    says, valid = actual.pop(("session_slots", "bounds_trades"))
    assert (says, valid) == (f"{expected.pop(('session_slots', 'bounds_trades'))[0]} NOT VALID", False)
    assert actual == expected


async def test_every_column_that_keeps_market_data_has_bounds(pool: Pool) -> None:
    rows = await pool.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'maintenance'"
    )
    found = {(row["table_name"], row["column_name"]) for row in rows if row["table_name"] in OURS}
    bounded = {(table, column) for table in OURS for column in COLUMNS[table]}
    ours = {(table, column) for table, columns in OURS.items() for column in columns}
    assert found == bounded | ours
    assert not bounded & ours


KEPT_IN = [
    *(("grouped_daily", field, "daily_bar", column)
      for field, column in zip(("T", "o", "h", "l", "c", "v", "vw", "n"),
                               ("symbol", "open", "high", "low", "close", "volume", "vwap", "trades_count"),
                               strict=True)),
    ("range_bars", "v", "session_slots", "volumes"), ("minute_file", "volume", "session_slots", "volumes"),
    ("range_bars", "n", "session_slots", "trades"), ("minute_file", "transactions", "session_slots", "trades"),
    ("tickers", "ticker", "listed_ticker", "symbol"), ("tickers", "type", "listed_ticker", "ticker_type"),
    ("tickers", "composite_figi", "listed_ticker", "listed_figi"),
    ("tickers", "cik", "listed_ticker", "listed_cik"),
    ("tickers", "share_class_figi", "listed_ticker", "listed_share_class_figi"),
    ("tickers", "delisted_utc", "listed_ticker", "delisted_at"),
    *((endpoint, field, "ticker_profile", column) for endpoint in ("tickers", "ticker_details")
      for field, column in (("ticker", "symbol"), ("name", "company_name"), ("primary_exchange", "exchange"),
                            ("type", "ticker_type"), ("cik", "cik"), ("composite_figi", "composite_figi"),
                            ("share_class_figi", "share_class_figi"))),
    ("ticker_details", "weighted_shares_outstanding", "ticker_profile", "shares_outstanding"),
    ("ticker_details", "share_class_shares_outstanding", "ticker_profile", "shares_outstanding"),
    ("ticker_details", "share_class_shares_outstanding", "ticker_profile", "shares_class"),
    ("ticker_details", "sic_code", "ticker_profile", "sic_code"),
    ("ticker_details", "sic_description", "ticker_profile", "industry"),
    ("ticker_details", "list_date", "ticker_profile", "list_date"),
    *(("ticker_details", column, "ticker_profile", column)
      for column in ("market", "locale", "currency_name", "round_lot", "delisted_utc", "description", "homepage_url",
                     "phone_number", "total_employees", "ticker_root", "ticker_suffix")),
    *(("ticker_address", column, "ticker_profile", column)
      for column in ("address1", "address2", "city", "state", "postal_code")),
    *(("ticker_branding", column, "ticker_profile", column) for column in ("logo_url", "icon_url")),
    ("floats", "free_float", "ticker_profile", "float_shares"),
    ("floats", "free_float_percent", "ticker_profile", "float_percent"),
    ("floats", "effective_date", "ticker_profile", "float_effective_date"),
    ("splits", "ticker", "stock_split", "symbol"), ("splits", "execution_date", "stock_split", "execution_day"),
    ("splits", "split_from", "stock_split", "split_from"), ("splits", "split_to", "stock_split", "split_to"),
    ("splits", "adjustment_type", "stock_split", "kind"),
    *(("dividends", field, "stock_dividend", column)
      for field, column in (("ticker", "symbol"), ("ex_dividend_date", "ex_dividend_day"),
                            ("cash_amount", "cash_amount"), ("currency", "currency"), ("id", "vendor_id"),
                            ("distribution_type", "distribution_type"), ("declaration_date", "declared_day"),
                            ("record_date", "record_day"), ("pay_date", "pay_day"), ("frequency", "frequency"))),
    ("envelope", "request_id", "data_load", "request_id"),
]  # fmt: skip


@pytest.mark.parametrize(("endpoint", "field", "table", "column"), KEPT_IN)
def test_a_reader_is_no_wider_than_the_column_that_keeps_its_field(
    endpoint: str, field: str, table: str, column: str
) -> None:
    assert ENDPOINTS[endpoint][field].bound == COLUMNS[table][column]


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("open = 'NaN'", "bounds_open"), ("volume = 'Infinity'", "bounds_volume"), ("volume = 1e-320", "bounds_volume"),
        ("vwap = -1", "bounds_vwap"), ("vwap = 13", "range_of_the_mean"), ("close = 13", "range_of_the_day"),
        ("trades_count = -7", "bounds_trades_count"), ("symbol = E'A\\tB'", "bounds_symbol"),
    ],
)  # fmt: skip
async def test_what_cannot_be_true_cannot_be_written_by_hand_either(
    pool: Pool,
    statement: str,
    constraint: str,
) -> None:
    await pool.execute("INSERT INTO daily_bar VALUES ('2025-11-11', 'A', 10, 12, 9, 11, 5, 10, 3, 1)")
    with pytest.raises(asyncpg.CheckViolationError, match=constraint):
        await pool.execute(f"UPDATE daily_bar SET {statement}")


OLD = """
    INSERT INTO market_data_daily VALUES
        ('2025-11-11', 'GOOD', 10, 12, 9, 11, 5, 10, 3, 41), ('2025-11-11', 'MEAN', 10, 12, 9, 11, 5, 'NaN', 3, 41),
        ('2025-11-11', 'OUT', 10, 12, 9, 11, 5, 13, 3, 41), ('2025-11-11', 'COUNT', 10, 12, 9, 11, 5, 10, -7, 41),
        ('2025-11-11', 'RANGE', 10, 12, 9, 13, 5, 10, 3, 41), ('2025-11-11', 'VOLUME', 10, 12, 9, 11, 1e308, 10, 3, 41),
        ('2025-11-11', 'PRICE', 10, 'Infinity', 9, 11, 5, 10, 3, 41);
    INSERT INTO ticker_metadata (symbol, company_name, market_cap, shares_outstanding, float_percent, list_date,
                                 created_at, updated_at) VALUES
        ('GOOD', 'Good Inc.', 5e9, 1e6, 50, '1980-12-12', now(), now()),
        ('BAD', repeat('x', 1000000), 'Infinity', 1e308, 500, '9999-12-31', now(), now());
    INSERT INTO ticker_atr VALUES ('2025-11-11', 'GOOD', 1, 2, 30, 42), ('2025-11-11', 'BAD', 'NaN', 2, 30, 42);
    INSERT INTO stock_split (symbol, execution_day, split_from, split_to, kind, load_id) VALUES
        ('GOOD', '2025-11-11', 1, 4, 'split', 43), ('BAD', '2025-11-11', 1, 1e300, 'split', 43);
    INSERT INTO volume_slots_daily VALUES
        ('2025-11-11', 'GOOD', 'traded', array_fill(5::float8, ARRAY[192]), now(), 44),
        ('2025-11-11', 'BAD', 'traded', array_fill('NaN'::float8, ARRAY[192]), now(), 44);
"""


async def test_what_an_old_database_holds_beyond_the_bounds_is_set_aside_and_the_rest_stays(postgres_dsn: str) -> None:
    await leave_tables(postgres_dsn, OLD, before="0008")
    async with await open_pool(postgres_dsn, lease=dt.timedelta(seconds=10), size=2) as old:
        assert (await migrate(old))[0] == "0008_bounds.sql"
        bars = await old.fetch("SELECT symbol, vwap, trades_count FROM daily_bar ORDER BY 1")
        assert [tuple(row) for row in bars] == [
            ("COUNT", 10, None), ("GOOD", 10, 3), ("MEAN", None, 3), ("OUT", None, 3),
        ]  # fmt: skip
        details = await old.fetch(
            "SELECT symbol, company_name, market_cap, shares_outstanding, float_percent, list_date "
            "FROM ticker_profile ORDER BY 1 DESC"
        )
        assert tuple(details[0]) == ("GOOD", "Good Inc.", 5e9, 1e6, 50, dt.date(1980, 12, 12))
        assert tuple(details[1]) == ("BAD", None, None, None, None, None)
        for table in ("ticker_atr", "stock_split", "session_slots"):
            assert await old.fetchval(f"SELECT array_agg(symbol) FROM {table}") == ["GOOD"]
        kept = await old.fetch("SELECT symbol, field, load_id, evidence FROM set_aside WHERE data_set = 'daily_bars'")
        assert {(row["symbol"], row["field"], row["load_id"]) for row in kept} == {
            ("MEAN", "vw", 41), ("OUT", "vw", 41), ("COUNT", "n", 41), ("RANGE", None, 41), ("VOLUME", None, 41),
            ("PRICE", None, 41),
        }  # fmt: skip
        assert {json.loads(row["evidence"]).get("high") for row in kept if row["symbol"] == "PRICE"} == {"Infinity"}
        others = await old.fetch("SELECT data_set, symbol, field FROM set_aside WHERE data_set <> 'daily_bars'")
        assert len(others) == 5 + 3
