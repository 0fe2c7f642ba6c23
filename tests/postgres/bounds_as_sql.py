"""Renders a bound as the CHECK that the schema must have for it; shares nothing with the migration."""

from __future__ import annotations

from market.bounded_fields import LAST_DAY
from market.bounds import Bound, Day, Flag, Instant, Number, Text


def check_sql(column: str, bound: Bound, *, array: bool = False) -> str:
    match bound:
        case Number() if array:
            most = int(bound.most) if bound.whole else f"{bound.most:g}"
            return f"0 <= ALL ({column}) AND {most} >= ALL ({column})"
        case Number():
            within = f"{column} BETWEEN {bound.least:g} AND {bound.most:g}"
            return f"{column} = 0 OR {within}" if bound.or_zero else within
        case Text():
            return f"length({column}) <= {bound.longest} AND {column} ~ '^(?:{bound.pattern})$'"
        case Day():
            return f"{column} BETWEEN '{bound.first}' AND '{LAST_DAY}'"
        case Instant():
            return f"{column} BETWEEN '{bound.first} 00:00:00+00' AND '{LAST_DAY} 00:00:00+00'"
        case Flag():
            raise AssertionError("a boolean column needs no bounds")
