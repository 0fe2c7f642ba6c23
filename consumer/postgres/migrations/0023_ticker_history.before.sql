-- Who was listed when, and what was known of each: a row from the trading day valid_from on, up to the one before valid_to.
-- The row that is so at present ends at 'infinity'. A symbol's rows never overlap. docs/decisions/0026.

CREATE TABLE listed_ticker_history (
    symbol                  text COLLATE "C" NOT NULL,
    valid_from              date NOT NULL,
    valid_to                date NOT NULL DEFAULT 'infinity',
    is_listed               boolean NOT NULL,
    state                   text NOT NULL,
    listed_figi             text,
    listed_share_class_figi text,
    listed_cik              text,
    issuer_since            date,
    delisted_on             date,             -- New York day that the vendor gives
    load_id                 bigint,           -- null: it stood when the history began
    known_at                timestamptz NOT NULL,
    PRIMARY KEY (symbol, valid_from),
    CHECK (valid_from < valid_to)
);
-- What is so at present by its one range, what ended by its day: neither goes over the other.
CREATE UNIQUE INDEX listed_ticker_history_by_end ON listed_ticker_history (valid_to, symbol);

CREATE TABLE ticker_profile_history (
    symbol               text COLLATE "C" NOT NULL,
    valid_from           date NOT NULL,
    valid_to             date NOT NULL DEFAULT 'infinity',
    company_name         text,
    exchange             text,
    ticker_type          text,
    sector               text,
    sector_scheme        text,
    industry             text,
    industry_group       text,
    sic_code             text,
    shares_outstanding   double precision,
    shares_class         double precision,
    shares_counted_on    date,                -- New York day on which shares_outstanding was first given
    float_shares         double precision,
    float_percent        double precision,
    float_effective_date date,                -- with which this float was first given
    list_date            date,
    cik                  text,
    composite_figi       text,
    share_class_figi     text,
    issuer_since         date,
    load_id              bigint,
    known_at             timestamptz NOT NULL,
    PRIMARY KEY (symbol, valid_from),
    CHECK (valid_from < valid_to)
);
CREATE UNIQUE INDEX ticker_profile_history_by_end ON ticker_profile_history (valid_to, symbol);
-- The rows of a symbol that are put anew are found among all that ended.
CREATE INDEX listed_ticker_history_by_symbol ON listed_ticker_history (symbol, valid_from);
CREATE INDEX ticker_profile_history_by_symbol ON ticker_profile_history (symbol, valid_from);

ALTER TABLE listed_ticker_history
    ADD CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    ADD CONSTRAINT bounds_listed_figi CHECK (length(listed_figi) <= 12 AND listed_figi ~ '^(?:[A-Za-z0-9]+)$'),
    ADD CONSTRAINT bounds_listed_share_class_figi CHECK (length(listed_share_class_figi) <= 12 AND listed_share_class_figi ~ '^(?:[A-Za-z0-9]+)$'),
    ADD CONSTRAINT bounds_listed_cik CHECK (length(listed_cik) <= 10 AND listed_cik ~ '^(?:[0-9]+)$');
ALTER TABLE ticker_profile_history
    ADD CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    ADD CONSTRAINT bounds_company_name CHECK (length(company_name) <= 500 AND company_name ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_exchange CHECK (length(exchange) <= 20 AND exchange ~ '^(?:[A-Za-z0-9._-]+)$'),
    ADD CONSTRAINT bounds_ticker_type CHECK (length(ticker_type) <= 50 AND ticker_type ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_industry CHECK (length(industry) <= 500 AND industry ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_sic_code CHECK (length(sic_code) <= 4 AND sic_code ~ '^(?:[0-9]+)$'),
    ADD CONSTRAINT bounds_shares_outstanding CHECK (shares_outstanding BETWEEN 1 AND 1e+13),
    ADD CONSTRAINT bounds_shares_class CHECK (shares_class BETWEEN 1 AND 1e+13),
    ADD CONSTRAINT bounds_float_shares CHECK (float_shares BETWEEN 0 AND 1e+13),
    ADD CONSTRAINT bounds_float_percent CHECK (float_percent BETWEEN 0 AND 100),
    ADD CONSTRAINT bounds_float_effective_date CHECK (float_effective_date BETWEEN '1970-01-01' AND '2200-01-01'),
    ADD CONSTRAINT bounds_list_date CHECK (list_date BETWEEN '1792-05-17' AND '2200-01-01'),
    ADD CONSTRAINT bounds_cik CHECK (length(cik) <= 10 AND cik ~ '^(?:[0-9]+)$'),
    ADD CONSTRAINT bounds_composite_figi CHECK (length(composite_figi) <= 12 AND composite_figi ~ '^(?:[A-Za-z0-9]+)$'),
    ADD CONSTRAINT bounds_share_class_figi CHECK (length(share_class_figi) <= 12 AND share_class_figi ~ '^(?:[A-Za-z0-9]+)$');

-- What stands is known as of the newest listing; what was before it no table has kept.
INSERT INTO listed_ticker_history (symbol, valid_from, is_listed, state, listed_figi, listed_share_class_figi,
                                   listed_cik, issuer_since, delisted_on, known_at)
SELECT symbol, (SELECT max(last_seen) FROM listed_ticker WHERE is_active), is_active, state, listed_figi,
       listed_share_class_figi, listed_cik, issuer_since,
       CASE WHEN state = 'delisted' THEN (delisted_at AT TIME ZONE 'UTC')::date END, now()
FROM listed_ticker WHERE EXISTS (SELECT FROM listed_ticker WHERE is_active);

INSERT INTO ticker_profile_history (symbol, valid_from, company_name, exchange, ticker_type, sector, sector_scheme,
                                    industry, industry_group, sic_code, shares_outstanding, shares_class,
                                    shares_counted_on, float_shares, float_percent, float_effective_date, list_date,
                                    cik, composite_figi, share_class_figi, issuer_since, known_at)
SELECT m.symbol, (SELECT max(last_seen) FROM listed_ticker WHERE is_active), m.company_name, m.exchange, m.ticker_type,
       m.sector, m.sector_scheme, m.industry, m.industry_group, m.sic_code, m.shares_outstanding, m.shares_class,
       CASE WHEN m.shares_outstanding IS NOT NULL THEN (m.details_fetched_at AT TIME ZONE 'America/New_York')::date END,
       m.float_shares, m.float_percent, m.float_effective_date, m.list_date, m.cik, m.composite_figi, m.share_class_figi,
       u.issuer_since, now()
FROM ticker_profile AS m JOIN listed_ticker AS u USING (symbol) WHERE u.is_active;

INSERT INTO coverage (data_set, trading_day, row_count, fetched_at, load_id)
SELECT 'ticker_history', max(last_seen), count(*), now(), 0 FROM listed_ticker WHERE is_active HAVING count(*) > 0;

-- Every listed symbol on every stored session, with what was known of it then. Of a session before the first listing that
-- was kept it has who traded, known_by 'bars', and nothing else of them.
CREATE VIEW listed_ticker_daily AS
WITH kept AS (
    -- What the retention has deleted ended on a retired day: from that day on all is there.
    SELECT greatest(min(trading_day) FILTER (WHERE retired_at IS NULL),
                    max(trading_day) FILTER (WHERE retired_at IS NOT NULL)) AS first_day,
           max(trading_day) FILTER (WHERE retired_at IS NULL) AS last_day
    FROM coverage WHERE data_set = 'ticker_history'
), sessions AS (
    SELECT DISTINCT trading_day FROM coverage WHERE data_set IN ('ticker_history', 'daily_bars') AND retired_at IS NULL
)
SELECT d.trading_day AS trading_date, h.symbol, n.company, m.company_name, m.ticker_type, m.exchange, m.sector,
       m.sector_scheme, m.industry, m.industry_group, m.sic_code, m.shares_outstanding * f.factor AS shares_outstanding,
       m.shares_counted_on, m.float_shares, m.float_percent, m.float_effective_date, b.close,
       m.shares_outstanding * f.factor * b.close AS market_cap, m.list_date,
       coalesce(h.listed_figi, m.composite_figi) AS composite_figi,
       coalesce(h.listed_share_class_figi, m.share_class_figi) AS share_class_figi,
       coalesce(h.listed_cik, m.cik) AS cik, 'listing' AS known_by, l.listing_of
FROM sessions AS d
JOIN kept AS k ON d.trading_day >= k.first_day AND d.trading_day <= k.last_day
CROSS JOIN LATERAL (
    SELECT max(v.trading_day) AS listing_of FROM coverage AS v
    WHERE v.data_set = 'ticker_history' AND v.retired_at IS NULL AND v.trading_day <= d.trading_day) AS l
JOIN listed_ticker_history AS h ON h.is_listed AND h.valid_from <= d.trading_day AND h.valid_to > d.trading_day
LEFT JOIN listed_ticker AS u ON u.symbol = h.symbol
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.closed_on IS NULL AND c.symbol = h.symbol AND d.trading_day < c.changed_on
      AND d.trading_day >= coalesce(c.since, '-infinity')
CROSS JOIN LATERAL (
    SELECT coalesce(c.new_symbol, CASE WHEN d.trading_day >= coalesce(u.issuer_since, '-infinity') THEN h.symbol END)
           AS company) AS n
LEFT JOIN LATERAL (
    -- One step down the key: of rows that never overlap only the last that has begun can be it.
    SELECT p.valid_to, p.company_name, p.ticker_type, p.exchange, p.sector, p.sector_scheme, p.industry, p.industry_group,
           p.sic_code, p.shares_outstanding, p.shares_counted_on, p.float_shares, p.float_percent, p.float_effective_date,
           p.list_date, p.composite_figi, p.share_class_figi, p.cik
    FROM ticker_profile_history AS p WHERE p.symbol = h.symbol AND p.valid_from <= d.trading_day
    ORDER BY p.valid_from DESC LIMIT 1) AS m ON m.valid_to > d.trading_day
LEFT JOIN daily_bar AS b ON b.trading_date = d.trading_day AND b.symbol = h.symbol
CROSS JOIN LATERAL (
    -- A split counts once a company, day and ratio; one after the session is taken out of a later count.
    SELECT coalesce(exp(sum(one.ratio)), 1) AS factor FROM (
        SELECT min(ln(s.split_to / s.split_from)) * CASE WHEN s.execution_day > d.trading_day THEN -1 ELSE 1 END AS ratio
        FROM stock_split AS s
        WHERE coalesce(s.company, s.symbol) = coalesce(n.company, h.symbol) AND s.verdict <> 'contradicted'
          AND s.execution_day > least(m.shares_counted_on, d.trading_day)
          AND s.execution_day <= greatest(m.shares_counted_on, d.trading_day)
        GROUP BY s.execution_day, round(ln(s.split_to / s.split_from)::numeric, 9)
    ) AS one
) AS f
UNION ALL
SELECT d.trading_day, b.symbol,
       coalesce(c.new_symbol, CASE WHEN d.trading_day >= coalesce(u.issuer_since, '-infinity') THEN b.symbol END),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, b.close, NULL, NULL, NULL, NULL, NULL,
       'bars', NULL
FROM sessions AS d
JOIN kept AS k ON d.trading_day < coalesce(k.first_day, 'infinity')
JOIN daily_bar AS b ON b.trading_date = d.trading_day AND b.volume > 0
LEFT JOIN listed_ticker AS u ON u.symbol = b.symbol
LEFT JOIN ticker_change AS c
       ON c.kind = 'renamed' AND c.closed_on IS NULL AND c.symbol = b.symbol AND d.trading_day < c.changed_on
      AND d.trading_day >= coalesce(c.since, '-infinity');
