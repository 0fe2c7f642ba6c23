-- Cash dividends as the vendor lists them, and what an ex-day takes off the closes before it:
-- docs/decisions/0027-dividends-make-a-second-series.md

CREATE TABLE stock_dividend (
    symbol            text COLLATE "C" NOT NULL,
    ex_dividend_day   date NOT NULL,
    cash_amount       double precision NOT NULL,  -- a share, as it was paid: never adjusted
    currency          text NOT NULL,              -- XXX: the list does not name it
    distribution_type text NOT NULL,              -- the vendor's word
    declared_day      date,
    record_day        date,
    pay_day           date,
    frequency         integer,                    -- payments a year; 0: not repeated
    vendor_id         text,
    load_id           bigint NOT NULL,
    first_listed_at   timestamptz NOT NULL,
    verdict           text NOT NULL DEFAULT 'unchecked' CHECK (verdict IN ('unchecked', 'shown', 'not_shown')),
    price_drop        double precision,           -- last close before, on the ex-day's basis, less the open: USD
    company           text COLLATE "C",           -- whose it is, by the symbol of today; null: the symbol's own
    PRIMARY KEY (symbol, ex_dividend_day, cash_amount, currency, distribution_type),
    CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    CONSTRAINT bounds_ex_dividend_day CHECK (ex_dividend_day BETWEEN '1970-01-01' AND '2200-01-01'),
    CONSTRAINT bounds_cash_amount CHECK (cash_amount BETWEEN 1e-9 AND 1e7),
    CONSTRAINT bounds_currency CHECK (length(currency) <= 3 AND currency ~ '^(?:[A-Za-z]{3})$'),
    CONSTRAINT bounds_distribution_type
        CHECK (length(distribution_type) <= 50 AND distribution_type ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    CONSTRAINT bounds_declared_day CHECK (declared_day BETWEEN '1970-01-01' AND '2200-01-01'),
    CONSTRAINT bounds_record_day CHECK (record_day BETWEEN '1970-01-01' AND '2200-01-01'),
    CONSTRAINT bounds_pay_day CHECK (pay_day BETWEEN '1970-01-01' AND '2200-01-01'),
    CONSTRAINT bounds_frequency CHECK (frequency BETWEEN 0 AND 366),
    CONSTRAINT bounds_vendor_id CHECK (length(vendor_id) <= 200 AND vendor_id ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    CONSTRAINT bounds_price_drop CHECK (price_drop BETWEEN -1e13 AND 1e13)
);
CREATE INDEX stock_dividend_by_day ON stock_dividend (ex_dividend_day);
CREATE INDEX stock_dividend_by_company ON stock_dividend ((coalesce(company, symbol)), ex_dividend_day);

-- One row a company and ex-day, so that a reader's view multiplies rows, and asks no price.
CREATE TABLE dividend_factor (
    symbol          text COLLATE "C" NOT NULL,    -- of the company, of today
    ex_dividend_day date NOT NULL,
    paid            double precision NOT NULL,    -- a share, USD: all of that day that is applied
    close_before    double precision,             -- on the basis of the ex-day; null: it is not known
    split_factor    double precision NOT NULL,    -- which brought the raw close there; 1 where no split was executed
    factor          double precision,             -- 1 - paid / close_before; null: it is not known
    left_out        integer NOT NULL,             -- dividends of that day that are not applied
    load_id         bigint NOT NULL,
    PRIMARY KEY (symbol, ex_dividend_day),
    CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    CONSTRAINT bounds_ex_dividend_day CHECK (ex_dividend_day BETWEEN '1970-01-01' AND '2200-01-01'),
    CONSTRAINT bounds_paid CHECK (paid BETWEEN 0 AND 1e13),
    CONSTRAINT bounds_close_before CHECK (close_before BETWEEN 1e-13 AND 1e13),
    CONSTRAINT bounds_split_factor CHECK (split_factor BETWEEN 1e-12 AND 1e12),
    CONSTRAINT bounds_factor CHECK (factor BETWEEN 1e-6 AND 1)
);
