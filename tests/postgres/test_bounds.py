"""Holds the schema's CHECKs to the one table of bounds, both ways, and readers to be no wider than columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from market.bounded_fields import COLUMNS, ENDPOINTS
from tests.postgres.bounds_as_sql import check_sql

if TYPE_CHECKING:
    from consumer.postgres.pool import Pool

CHECKS = """
    SELECT rel.relname AS tab, con.conname AS name, pg_get_constraintdef(con.oid) AS says, con.convalidated AS valid
    FROM pg_constraint AS con JOIN pg_class AS rel ON rel.oid = con.conrelid
    WHERE con.contype = 'c' AND con.conname LIKE 'bounds\\_%' AND rel.relnamespace = $1::regnamespace
"""
# What no vendor sends and no figure is: who wrote a row, when and of which state, and what is computed with bounds of
# its own. A new column of these tables belongs here or into the table of bounds.
OURS = {
    "market_data_daily": {"trading_date", "load_id"},
    "volume_slots_daily": {"trading_date", "outcome", "fetched_at", "load_id"},
    "ticker_atr": {"trading_date", "bars_used", "load_id"},
    "ticker_universe": {
        "is_active", "last_seen", "added_at", "removed_at", "reason_removed", "changed_at", "state", "issuer_since",
        "market_data_symbol",
    },
    "ticker_metadata": {
        "sector", "sector_scheme", "industry_group", "beta", "is_etf", "is_actively_trading", "delisted_at", "as_of",
        "details_attempted_at", "details_outcome", "details_fetched_at", "created_at", "updated_at",
    },
    "stock_split": {"load_id", "verdict", "first_listed_at"},
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
                    says = check_sql(column, bound, array=column == "volumes")
                    await connection.execute(
                        f"ALTER TABLE expected.{table} ADD CONSTRAINT bounds_{column} CHECK ({says})"
                    )
            expected = {
                (r["tab"], r["name"]): (r["says"], r["valid"]) for r in await connection.fetch(CHECKS, "expected")
            }
            actual = {(r["tab"], r["name"]): (r["says"], r["valid"]) for r in await connection.fetch(CHECKS, "public")}
        finally:
            await transaction.rollback()
    assert len(expected) == sum(len(columns) for columns in COLUMNS.values())
    assert actual == expected


async def test_every_column_that_keeps_market_data_has_bounds(pool: Pool) -> None:
    rows = await pool.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    found = {(row["table_name"], row["column_name"]) for row in rows if row["table_name"] in OURS}
    bounded = {(table, column) for table in OURS for column in COLUMNS[table]}
    ours = {(table, column) for table, columns in OURS.items() for column in columns}
    assert found == bounded | ours
    assert not bounded & ours


KEPT_IN = [
    *(("grouped_daily", field, "market_data_daily", column)
      for field, column in zip(("T", "o", "h", "l", "c", "v", "vw", "n"),
                               ("symbol", "open", "high", "low", "close", "volume", "vwap", "trades_count"),
                               strict=True)),
    ("range_bars", "v", "volume_slots_daily", "volumes"), ("minute_file", "volume", "volume_slots_daily", "volumes"),
    ("tickers", "ticker", "ticker_universe", "symbol"), ("tickers", "type", "ticker_universe", "ticker_type"),
    ("tickers", "composite_figi", "ticker_universe", "listed_figi"),
    ("tickers", "cik", "ticker_universe", "listed_cik"),
    ("tickers", "delisted_utc", "ticker_universe", "delisted_at"),
    *((endpoint, field, "ticker_metadata", column) for endpoint in ("tickers", "ticker_details")
      for field, column in (("ticker", "symbol"), ("name", "company_name"), ("primary_exchange", "exchange"),
                            ("type", "ticker_type"), ("cik", "cik"), ("composite_figi", "composite_figi"),
                            ("share_class_figi", "share_class_figi"))),
    ("ticker_details", "weighted_shares_outstanding", "ticker_metadata", "shares_outstanding"),
    ("ticker_details", "share_class_shares_outstanding", "ticker_metadata", "shares_outstanding"),
    ("ticker_details", "share_class_shares_outstanding", "ticker_metadata", "shares_class"),
    ("ticker_details", "sic_code", "ticker_metadata", "sic_code"),
    ("ticker_details", "sic_description", "ticker_metadata", "industry"),
    ("ticker_details", "list_date", "ticker_metadata", "list_date"),
    ("floats", "free_float", "ticker_metadata", "float_shares"),
    ("floats", "free_float_percent", "ticker_metadata", "float_percent"),
    ("floats", "effective_date", "ticker_metadata", "float_effective_date"),
    ("splits", "ticker", "stock_split", "symbol"), ("splits", "execution_date", "stock_split", "execution_day"),
    ("splits", "split_from", "stock_split", "split_from"), ("splits", "split_to", "stock_split", "split_to"),
    ("splits", "adjustment_type", "stock_split", "kind"), ("envelope", "request_id", "data_load", "request_id"),
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
    await pool.execute("INSERT INTO market_data_daily VALUES ('2025-11-11', 'A', 10, 12, 9, 11, 5, 10, 3, 1)")
    with pytest.raises(asyncpg.CheckViolationError, match=constraint):
        await pool.execute(f"UPDATE market_data_daily SET {statement}")
