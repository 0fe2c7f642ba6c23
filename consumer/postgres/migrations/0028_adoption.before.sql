-- What an adoption of the earlier service's tables kept and took over: docs/decisions/0031-adjusted-rows-stay-apart.md

CREATE TABLE adopted_relation (
    name         text PRIMARY KEY,       -- as its readers knew it, and find a view of ours now
    kept_as      text NOT NULL,          -- in the same schema
    rows_taken   bigint NOT NULL DEFAULT 0,
    rows_refused bigint NOT NULL DEFAULT 0,
    adopted_at   timestamptz NOT NULL
);

-- Their daily bars: adjusted, as of a day that nobody noted, which is no later than adopted_on. Never among ours, which are raw.
CREATE TABLE adopted_bar (
    trading_date date NOT NULL,
    symbol       text COLLATE "C" NOT NULL,
    open         double precision NOT NULL,
    high         double precision NOT NULL,
    low          double precision NOT NULL,
    close        double precision NOT NULL,
    volume       double precision NOT NULL,
    vwap         double precision,
    trades_count integer,
    adopted_on   date NOT NULL,
    PRIMARY KEY (symbol, trading_date),
    CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    CONSTRAINT bounds_open CHECK (open BETWEEN 1e-6 AND 1e7),
    CONSTRAINT bounds_high CHECK (high BETWEEN 1e-6 AND 1e7),
    CONSTRAINT bounds_low CHECK (low BETWEEN 1e-6 AND 1e7),
    CONSTRAINT bounds_close CHECK (close BETWEEN 1e-6 AND 1e7),
    CONSTRAINT bounds_vwap CHECK (vwap BETWEEN 1e-6 AND 1e7),
    CONSTRAINT bounds_volume CHECK (volume = 0 OR volume BETWEEN 1e-6 AND 1e12),
    CONSTRAINT bounds_trades_count CHECK (trades_count BETWEEN 0 AND 1e9),
    CONSTRAINT range_of_the_day CHECK (open BETWEEN low AND high AND close BETWEEN low AND high),
    CONSTRAINT range_of_the_mean CHECK (vwap BETWEEN low AND high)
);

-- Bars by the company of today, for readers of adjusted ones. Theirs stand for sessions that we have not loaded, whole sessions
-- only; but not where a split came before the adoption: they may or may not know it. Later ones they do not.
CREATE VIEW adjustable_history AS
SELECT trading_date, symbol, open, high, low, close, volume, vwap, trades_count, load_id
FROM daily_history
UNION ALL
SELECT a.trading_date, a.symbol, a.open, a.high, a.low, a.close, a.volume, a.vwap, a.trades_count, NULL
FROM adopted_bar AS a
LEFT JOIN listed_ticker AS u ON u.symbol = a.symbol
WHERE NOT EXISTS (SELECT FROM coverage AS c WHERE c.data_set = 'daily_bars' AND c.trading_day = a.trading_date)
  AND a.trading_date >= coalesce(u.issuer_since, '-infinity')
  AND NOT EXISTS (
      SELECT FROM stock_split AS s
      WHERE coalesce(s.company, s.symbol) = a.symbol AND s.verdict <> 'contradicted'
        AND s.execution_day > a.trading_date AND s.execution_day <= a.adopted_on);
