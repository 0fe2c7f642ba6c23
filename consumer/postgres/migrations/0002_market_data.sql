-- The data: what SQL readers of the stack find. Prices and volumes are raw (never adjusted for splits); volumes are fractional.

CREATE TABLE market_data_daily (
    trading_date date NOT NULL,
    symbol       text COLLATE "C" NOT NULL,
    open         double precision NOT NULL,
    high         double precision NOT NULL,
    low          double precision NOT NULL,
    close        double precision NOT NULL,
    volume       double precision NOT NULL,
    vwap         double precision,
    trades_count integer,
    load_id      bigint NOT NULL,
    PRIMARY KEY (trading_date, symbol)
);
CREATE INDEX market_data_daily_by_symbol ON market_data_daily (symbol, trading_date DESC);

-- A row a session and symbol, also where nobody traded: docs/decisions/0003-a-row-per-session-and-symbol.md
CREATE TABLE volume_slots_daily (
    trading_date date NOT NULL,
    symbol       text COLLATE "C" NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('traded', 'no_trades', 'unproven')),
    volumes      double precision[],        -- 192 five-minute slots, 04:00-20:00 New York; null where nobody traded
    fetched_at   timestamptz NOT NULL,
    load_id      bigint NOT NULL,
    PRIMARY KEY (trading_date, symbol),
    CHECK ((outcome = 'traded') = (volumes IS NOT NULL)),
    CHECK (cardinality(volumes) = 192)
);

CREATE VIEW volume_slots AS
SELECT day.trading_date AS date, day.symbol, slot.slot_number, slot.slot_time, slot.volume, slot.volume_accumulated
FROM volume_slots_daily AS day
CROSS JOIN LATERAL (
    SELECT (n - 1)::integer AS slot_number,
           time '04:00' + (n - 1) * interval '5 minutes' AS slot_time,
           v AS volume,
           sum(v) OVER (ORDER BY n) AS volume_accumulated
    FROM unnest(day.volumes) WITH ORDINALITY AS u (v, n)
) AS slot
WHERE slot.volume > 0;

CREATE TABLE ticker_universe (
    symbol         text COLLATE "C" PRIMARY KEY,
    is_active      boolean NOT NULL,
    ticker_type    text,
    listed_figi    text,
    listed_cik     text,
    last_seen      date NOT NULL,
    added_at       timestamptz NOT NULL,
    removed_at     timestamptz,
    reason_removed text,
    changed_at     timestamptz NOT NULL     -- when a listing last showed another identity for this symbol
);

CREATE TABLE ticker_metadata (
    symbol               text COLLATE "C" PRIMARY KEY,
    company_name         text,
    exchange             text,
    ticker_type          text,
    sector               text,
    sector_scheme        text,
    industry             text,
    industry_group       text,
    sic_code             text,
    market_cap           double precision,
    float_shares         double precision,
    float_percent        double precision,
    float_effective_date date,
    shares_outstanding   double precision,  -- as the details gave them on details_fetched_at
    shares_class         double precision,
    avg_volume_30d       double precision,
    avg_volume_10d       double precision,
    avg_volume_5d        double precision,
    avg_price_30d        double precision,
    last_close           double precision,
    beta                 double precision,
    is_etf               boolean NOT NULL DEFAULT false,
    is_actively_trading  boolean NOT NULL DEFAULT true,
    cik                  text,
    composite_figi       text,
    share_class_figi     text,
    list_date            date,
    delisted_at          timestamptz,
    as_of                date,              -- the trading day of the derived figures
    details_attempted_at timestamptz,
    details_outcome      text CHECK (details_outcome IN ('loaded', 'not_found')),
    details_fetched_at   timestamptz,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL
);

CREATE TABLE stock_split (
    symbol        text COLLATE "C" NOT NULL,
    execution_day date NOT NULL,
    split_from    double precision NOT NULL CHECK (split_from > 0),
    split_to      double precision NOT NULL CHECK (split_to > 0),
    kind          text NOT NULL,
    load_id       bigint NOT NULL,
    PRIMARY KEY (symbol, execution_day)
);

CREATE TABLE ticker_atr (
    trading_date date NOT NULL,
    symbol       text COLLATE "C" NOT NULL,
    atr          double precision NOT NULL,
    atr_percent  double precision NOT NULL,
    bars_used    integer NOT NULL,
    load_id      bigint NOT NULL,
    PRIMARY KEY (trading_date, symbol)
);
