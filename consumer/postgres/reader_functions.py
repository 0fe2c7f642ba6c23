"""Declares the functions that SQL readers call: where an empty answer of a view would be a wrong one, they say so.

They run with the rights of whoever calls them and read nothing but the readers' views.
"""

from __future__ import annotations

import msgspec

from consumer.postgres.reader_views import UNIVERSE_DAILY


class ReaderFunction(msgspec.Struct, frozen=True):
    """A function *name* of *arguments* (types *types*); *body* has {readers} where their schema's name belongs."""

    name: str
    arguments: str
    types: str
    returns: str
    body: str
    meaning: str

    def as_made(self, readers: str) -> str:
        """The statements that make it in the schema *readers*."""
        name, meaning = f'"{readers}".{self.name}', self.meaning.replace("'", "''")
        schema = f'"{readers}"'
        return (
            f"CREATE OR REPLACE FUNCTION {name} ({self.arguments}) RETURNS {self.returns.replace('{readers}', schema)} "
            f"LANGUAGE plpgsql STABLE AS $body${self.body.replace('{readers}', schema)}$body$; "
            f"COMMENT ON FUNCTION {name} ({self.types}) IS '{meaning}'"
        )


# `day` is the argument: every column has the name of its view before it.
_COLUMNS = ", ".join(f"u.{column.strip()}" for column in UNIVERSE_DAILY.columns.split(","))
_UNIVERSE_ON = f"""
DECLARE
    newest date := (SELECT max(c.trading_day) FROM {{readers}}.coverage AS c
                    WHERE c.data_set = 'ticker_history' AND c.retired_at IS NULL);
    nearest date;
BEGIN
    IF day IS NULL OR newest IS NULL OR day > newest THEN
        RAISE EXCEPTION 'who was listed on % is not known: the newest listing is of %',
            coalesce(day::text, 'no day'), coalesce(newest::text, 'no day') USING ERRCODE = 'no_data_found';
    END IF;
    IF NOT EXISTS (SELECT FROM {{readers}}.coverage AS c WHERE c.data_set IN ('ticker_history', 'daily_bars')
                   AND c.trading_day = day AND c.retired_at IS NULL) THEN
        nearest := (SELECT max(c.trading_day) FROM {{readers}}.coverage AS c WHERE c.retired_at IS NULL
                    AND c.data_set IN ('ticker_history', 'daily_bars') AND c.trading_day < day);
        RAISE EXCEPTION '% is no stored session: the one before it is %', day, coalesce(nearest::text, 'not stored')
            USING ERRCODE = 'no_data_found';
    END IF;
    RETURN QUERY SELECT {_COLUMNS}
        FROM {{readers}}.ticker_universe_daily AS u WHERE u.trading_date = day;
    -- A day before the oldest kept listing is told by its bars: retention may have deleted both.
    IF NOT FOUND THEN
        RAISE EXCEPTION 'who was listed on % is not known any more: nothing is stored of it', day
            USING ERRCODE = 'no_data_found';
    END IF;
END
"""

FUNCTIONS = (
    ReaderFunction(
        "universe_on",
        "day date",
        "date",
        "SETOF {readers}.ticker_universe_daily",
        _UNIVERSE_ON,
        "Who was listed on a stored session, as ticker_universe_daily; an error where that is not known.",
    ),
)
