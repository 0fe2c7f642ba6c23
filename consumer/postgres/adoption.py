"""Takes the earlier service's place in a database: keeps its tables under another name, and takes over its daily bars.

All of it is in the transaction of the migration that makes our views: a process that dies on the way has done nothing,
and one that comes again finds nothing left to do. What is taken over, and what is fetched again instead:
docs/decisions/0031-adjusted-rows-stay-apart.md.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import asyncpg
import msgspec
from loguru import logger

from consumer.postgres.schemas import has_table
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.postgres.pool import Connection, Pool
    from consumer.postgres.schemas import Asked, Schemas
    from market.trading_calendar import TradingCalendar

KEPT_AS = "{name}_before_adoption"
#: What the earlier service's relations have at least, in each of its revisions; other columns may be there or not.
EARLIER = {
    "market_data_daily": frozenset({"trading_date", "symbol", "open", "high", "low", "close", "volume"}),
    "volume_slots": frozenset({"symbol", "slot_number", "volume_accumulated"}),
    "ticker_metadata": frozenset({"symbol", "company_name", "exchange", "sector"}),
    "ticker_universe": frozenset({"symbol", "is_active"}),
    "tickers_unified": frozenset({"symbol", "company_name", "is_actively_trading"}),
}
#: Neighbours that wrote to these write to the views.
_WRITTEN = ("ticker_metadata", "ticker_universe", "tickers_unified")
_COLUMNS = """
    SELECT c.relname AS name, array_agg(a.attname::text) AS columns
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = to_regnamespace(quote_ident($1)) AND c.relname = ANY ($2) GROUP BY 1
"""
# Our own views have this column in each of the five; theirs have it in none.
_OURS = frozenset({"load_id", "changed_at", "details_outcome"})


class Adoption(msgspec.Struct, frozen=True):
    """A person's word, given *at* that instant, that the earlier service's tables are to be adopted.

    *sessions* are those that have closed by then, ascending: a row of another day is no bar.
    """

    at: dt.datetime
    sessions: tuple[dt.date, ...]


def adoption_at(now: dt.datetime, calendar: TradingCalendar) -> Adoption:
    """Return what is adopted *now*."""
    return Adoption(at=now, sessions=calendar.trading_days(calendar.FIRST_DAY, calendar.last_completed(now)))


class Adopted(msgspec.Struct, frozen=True):
    """A relation that was adopted: what it was called and is now, how many of its rows were taken over, or not."""

    name: str
    kept_as: str
    rows_taken: int
    rows_refused: int
    adopted_at: dt.datetime


class CannotAdopt(Exception):
    """Something stands in the way of an adoption. The text says what, and the cure."""


async def is_adoptable(asked: Asked, schemas: Schemas, taken: Iterable[str]) -> bool:
    """Whether every relation of *taken* is one of the earlier service's, as far as its columns tell."""
    names = list(taken)
    found = {row["name"]: frozenset(row["columns"]) for row in await asked.fetch(_COLUMNS, schemas.readers, names)}
    return bool(names) and all(
        name in EARLIER and EARLIER[name] <= found.get(name, frozenset()) and not found[name] & _OURS for name in names
    )


async def set_apart(connection: Connection, schemas: Schemas, names: Iterable[str]) -> None:
    """Give the relations *names* in the readers' schema the names under which they are kept. Raises CannotAdopt."""
    for name in names:
        kept_as = KEPT_AS.format(name=name)
        try:
            await connection.execute(f'ALTER TABLE "{schemas.readers}".{name} RENAME TO {kept_as}')
        except asyncpg.DuplicateTableError as error:
            told = f"{schemas.readers}.{kept_as} is there already: give it another name, or drop it"
            raise CannotAdopt(told) from error
        except asyncpg.InsufficientPrivilegeError as error:
            told = f"{schemas.readers}.{name} is another role's: run `maintenance migrate --adopt` as its owner"
            raise CannotAdopt(told) from error


async def take_over(connection: Connection, schemas: Schemas, names: Iterable[str], adoption: Adoption) -> None:
    """Take over what is sound of the relations *names*, which are set apart, and let their readers read our views."""
    for name in names:
        taken = refused = 0
        if name == "market_data_daily":
            taken, refused = await _take_bars(connection, schemas, adoption)
        await _let_in(connection, schemas, name)
        await _tell(connection, schemas, name)
        kept_as = KEPT_AS.format(name=name)
        await connection.execute(
            "INSERT INTO adopted_relation (name, kept_as, rows_taken, rows_refused, adopted_at) "
            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET kept_as = excluded.kept_as, "
            "rows_taken = excluded.rows_taken, rows_refused = excluded.rows_refused, adopted_at = excluded.adopted_at",
            name,
            kept_as,
            taken,
            refused,
            adoption.at,
        )
        logger.info("relation_adopted", relation=name, kept_as=kept_as, rows_taken=taken, rows_refused=refused)


async def read_adopted(pool: Pool) -> list[Adopted]:
    """Return what was ever adopted, by name."""
    schema = await pool.fetchval("SELECT current_schema()")
    if not await has_table(pool, schema, "adopted_relation"):
        return []
    rows = await pool.fetch(
        "SELECT name, kept_as, rows_taken, rows_refused, adopted_at FROM adopted_relation ORDER BY name"
    )
    return [Adopted(**dict(row)) for row in rows]


_SOUND = """
    SELECT string_agg('(' || pg_get_expr(conbin, conrelid) || ') IS NOT FALSE', ' AND ')
    FROM pg_constraint WHERE conrelid = 'adopted_bar'::regclass AND contype = 'c'
"""
_BARS = """
    INSERT INTO adopted_bar (trading_date, symbol, open, high, low, close, volume, vwap, trades_count, adopted_on)
    SELECT trading_date, symbol, open, high, low, close, volume, vwap, trades_count, $1
    FROM (
        SELECT trading_date, symbol::text COLLATE "C" AS symbol, open::double precision, high::double precision,
               low::double precision, close::double precision, volume::double precision,
               CASE WHEN {vwap} BETWEEN low AND high THEN {vwap} END::double precision AS vwap,
               CASE WHEN {trades} BETWEEN 0 AND 1000000000 THEN {trades} END::integer AS trades_count
        FROM "{schema}".{table} WHERE trading_date = ANY ($2) AND num_nulls(symbol, open, high, low, close, volume) = 0
    ) AS bar
    WHERE {sound}
    ON CONFLICT (symbol, trading_date) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume, vwap = excluded.vwap, trades_count = excluded.trades_count,
        adopted_on = excluded.adopted_on
"""


async def _take_bars(connection: Connection, schemas: Schemas, adoption: Adoption) -> tuple[int, int]:
    """Copy what can be a bar; a row of no session, or beyond what a price can be, is counted and stays where it was."""
    table = KEPT_AS.format(name="market_data_daily")
    where = f'"{schemas.readers}".{table}'
    columns = await connection.fetch(_COLUMNS, schemas.readers, [table])
    has = set(columns[0]["columns"])
    stored: int = await connection.fetchval(f"SELECT count(*) FROM {where}")
    status = await connection.execute(
        _BARS.format(
            vwap="vwap" if "vwap" in has else "NULL::double precision",
            trades="trades_count" if "trades_count" in has else "NULL::integer",
            schema=schemas.readers,
            table=table,
            # The very checks of the table that they go into.
            sound=await connection.fetchval(_SOUND),
        ),
        adoption.at.astimezone(NEW_YORK).date(),
        list(adoption.sessions),
    )
    taken = int(status.rpartition(" ")[2])
    return taken, stored - taken


_READERS_OF = """
    SELECT CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(p.grantee)) END AS role,
           p.privilege_type AS privilege
    FROM pg_class AS c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS p
    WHERE c.oid = $1::text::regclass AND p.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
"""


async def _let_in(connection: Connection, schemas: Schemas, name: str) -> None:
    """Give whoever might read or write the relation the same right on the view in its place, its owner among them."""
    kept = f'"{schemas.readers}".{KEPT_AS.format(name=name)}'
    for may in await connection.fetch(_READERS_OF, kept):
        if may["privilege"] == "SELECT" or name in _WRITTEN:
            await connection.execute(f'GRANT {may["privilege"]} ON "{schemas.readers}".{name} TO {may["role"]}')


async def _tell(connection: Connection, schemas: Schemas, name: str) -> None:
    kept = f'"{schemas.readers}".{KEPT_AS.format(name=name)}'
    kind = await connection.fetchval("SELECT relkind FROM pg_class WHERE oid = $1::text::regclass", kept)
    word = {b"v": "VIEW", b"m": "MATERIALIZED VIEW"}.get(kind, "TABLE")
    told = (
        f"The earlier service''s {name}, its prices and volumes adjusted as it loaded them; nobody fills it any more."
    )
    await connection.execute(f"COMMENT ON {word} {kept} IS '{told}'")
