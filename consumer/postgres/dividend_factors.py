"""Stores what each ex-day takes off its company's closes before it, a row a company and ex-day.

What is listed anew, otherwise or no more leaves its ex-day without a factor until that is worked out: not known, and
not 1. Nothing is said to be paid on it then: by that it is told from one that was worked out, and has no close before.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.postgres.pool import Connection


class ExDay(msgspec.Struct, frozen=True, kw_only=True):
    """What is applied of one company's dividends of a day: *paid* a share, of a price of *close_before*.

    *close_before* stands on the basis of the ex-day, to which *split_factor* brought it; None: it is not known, and
    then neither is the factor. *left_out* counts the dividends that are not applied.
    """

    symbol: str
    ex_dividend_day: dt.date
    paid: float
    close_before: float | None
    split_factor: float
    factor: float | None
    left_out: int


_COLUMNS = ExDay.__struct_fields__
_KEY = ("symbol", "ex_dividend_day")
_VALUES = _COLUMNS[len(_KEY) :]
_STORE = f"""
    INSERT INTO dividend_factor AS f ({", ".join(_COLUMNS)}, load_id)
    SELECT {", ".join(_COLUMNS)}, $8
    FROM unnest($1::text[], $2::date[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::integer[])
         AS n ({", ".join(_COLUMNS)})
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE
        SET {", ".join(f"{name} = excluded.{name}" for name in _VALUES)}, load_id = excluded.load_id
        WHERE ({", ".join(f"f.{name}" for name in _VALUES)})
              IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES)})
"""


async def forget_factors(connection: Connection, ex_days: Sequence[tuple[str, dt.date]], *, load_id: int) -> None:
    """Leave these (company, ex-day) without a factor."""
    await connection.execute(
        """
        INSERT INTO dividend_factor AS f (symbol, ex_dividend_day, paid, split_factor, left_out, load_id)
        SELECT DISTINCT symbol, day, 0, 1, 0, $3::bigint FROM unnest($1::text[], $2::date[]) AS g (symbol, day)
        ON CONFLICT (symbol, ex_dividend_day) DO UPDATE SET factor = NULL, paid = 0
            WHERE f.factor IS NOT NULL OR f.paid <> 0
        """,
        [company for company, _ in ex_days],
        [day for _, day in ex_days],
        load_id,
    )


async def store_factors(connection: Connection, found: Sequence[ExDay], *, load_id: int) -> None:
    """Store *found*, and remove those of ex-days on which nothing is listed any more; what is so already stays."""
    await connection.execute(_STORE, *([getattr(one, name) for one in found] for name in _COLUMNS), load_id)
    await connection.execute(
        "DELETE FROM dividend_factor AS f WHERE NOT EXISTS (SELECT FROM stock_dividend AS d "
        "WHERE coalesce(d.company, d.symbol) = f.symbol AND d.ex_dividend_day = f.ex_dividend_day)"
    )
