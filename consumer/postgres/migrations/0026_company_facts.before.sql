-- What ticker details say of a company beside what is made of here, and a sector that people know.

-- One of eleven by the code, docs/decisions/0030; the same as market/sector_names.py, which a test compares. Null for a fund,
-- without a code, and for a code that names no industry. From each code on there is the sector at the same place below.
CREATE FUNCTION sector_of_sic(ticker_type text, sic_code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN coalesce(ticker_type, '') NOT IN ('ETF', 'ETN', 'ETV', 'ETS', 'FUND') AND sic_code ~ '^[0-9]{1,4}$'
    THEN (ARRAY[
        'Consumer Defensive', 'Basic Materials', 'Consumer Defensive', 'Basic Materials', NULL, 'Energy',
        'Basic Materials', 'Industrials', 'Consumer Cyclical', 'Industrials', NULL, 'Consumer Defensive',
        'Consumer Cyclical', 'Basic Materials', 'Industrials', 'Basic Materials', 'Consumer Cyclical', NULL,
        'Basic Materials', 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical', 'Basic Materials',
        'Consumer Cyclical', NULL, 'Communication Services', 'Industrials', 'Consumer Cyclical', NULL, 'Industrials',
        'Basic Materials', 'Healthcare', 'Consumer Defensive', 'Basic Materials', 'Energy', 'Basic Materials',
        'Energy', NULL, 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical', NULL, 'Consumer Cyclical',
        'Basic Materials', 'Consumer Cyclical', 'Basic Materials', 'Industrials', 'Basic Materials', 'Industrials',
        'Consumer Cyclical', 'Industrials', 'Energy', 'Industrials', 'Technology', 'Industrials', 'Consumer Cyclical',
        'Industrials', 'Technology', 'Communication Services', NULL, 'Technology', 'Industrials', 'Healthcare',
        'Industrials', 'Technology', 'Industrials', 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical',
        'Industrials', 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical',
        'Industrials', 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical', NULL, 'Industrials', NULL,
        'Technology', 'Healthcare', 'Technology', NULL, 'Healthcare', 'Technology', 'Consumer Cyclical', NULL,
        'Consumer Cyclical', 'Industrials', 'Consumer Cyclical', NULL, 'Industrials', 'Energy', 'Industrials',
        'Consumer Cyclical', 'Industrials', 'Communication Services', 'Utilities', 'Energy', 'Utilities',
        'Industrials', 'Utilities', NULL, 'Consumer Cyclical', 'Industrials', 'Technology', 'Industrials',
        'Healthcare', 'Industrials', 'Technology', 'Industrials', 'Consumer Cyclical', 'Industrials', NULL,
        'Healthcare', NULL, 'Consumer Cyclical', 'Consumer Defensive', 'Basic Materials', 'Energy',
        'Consumer Defensive', NULL, 'Consumer Cyclical', 'Consumer Defensive', 'Consumer Cyclical', NULL,
        'Healthcare', 'Consumer Cyclical', 'Energy', 'Consumer Cyclical', 'Financial Services', 'Healthcare',
        'Financial Services', 'Real Estate', NULL, 'Financial Services', 'Energy', NULL, 'Basic Materials', NULL,
        'Real Estate', 'Financial Services', NULL, 'Consumer Cyclical', NULL, 'Consumer Cyclical', 'Industrials',
        'Communication Services', 'Industrials', 'Communication Services', 'Industrials', 'Technology', 'Industrials',
        'Consumer Cyclical', 'Industrials', NULL, 'Consumer Cyclical', 'Industrials', 'Consumer Cyclical', NULL,
        'Industrials', NULL, 'Communication Services', NULL, 'Consumer Cyclical', 'Healthcare', 'Industrials',
        'Consumer Defensive', 'Consumer Cyclical', NULL, 'Industrials', 'Healthcare', 'Industrials', NULL
    ])[width_bucket(sic_code::integer, ARRAY[
        100, 800, 900, 1000, 1100, 1200, 1400, 1500, 1520, 1540, 1800, 2000, 2200, 2400, 2430, 2440, 2450, 2460, 2490,
        2500, 2520, 2590, 2600, 2650, 2680, 2710, 2750, 2771, 2772, 2780, 2800, 2830, 2840, 2850, 2900, 2950, 2960,
        3000, 3010, 3030, 3080, 3090, 3100, 3200, 3220, 3230, 3357, 3358, 3400, 3410, 3420, 3533, 3534, 3570, 3580,
        3630, 3640, 3651, 3652, 3653, 3660, 3690, 3693, 3694, 3695, 3696, 3710, 3713, 3714, 3715, 3716, 3717, 3732,
        3733, 3750, 3760, 3790, 3795, 3796, 3800, 3812, 3813, 3820, 3826, 3827, 3830, 3840, 3860, 3870, 3880, 3910,
        3950, 3960, 3970, 4000, 4600, 4700, 4724, 4726, 4800, 4900, 4922, 4923, 4950, 4960, 5000, 5010, 5030, 5045,
        5046, 5047, 5048, 5065, 5066, 5094, 5095, 5120, 5122, 5123, 5130, 5140, 5160, 5170, 5180, 5190, 5200, 5330,
        5500, 5900, 5912, 5913, 5980, 5990, 6000, 6324, 6325, 6500, 6600, 6700, 6792, 6793, 6795, 6796, 6798, 6799,
        6800, 7000, 7100, 7200, 7300, 7310, 7320, 7331, 7332, 7370, 7380, 7384, 7385, 7400, 7500, 7510, 7520, 7550,
        7600, 7700, 7800, 7850, 7900, 8000, 8100, 8200, 8300, 8400, 8700, 8731, 8732, 8800
    ])] END
$$;

ALTER TABLE ticker_profile
    ADD COLUMN avg_volume_3m double precision, -- null unless all 63 sessions are stored
    ADD COLUMN avg_volume_sessions_3m integer,
    ADD COLUMN market text,
    ADD COLUMN locale text,
    ADD COLUMN currency_name text,
    ADD COLUMN round_lot double precision,
    ADD COLUMN delisted_utc timestamptz,
    ADD COLUMN description text,
    ADD COLUMN homepage_url text,
    ADD COLUMN phone_number text,
    ADD COLUMN total_employees integer,
    ADD COLUMN ticker_root text,
    ADD COLUMN ticker_suffix text,
    ADD COLUMN logo_url text,
    ADD COLUMN icon_url text,
    ADD COLUMN address1 text,
    ADD COLUMN address2 text,
    ADD COLUMN city text,
    ADD COLUMN state text,
    ADD COLUMN postal_code text;

ALTER TABLE ticker_profile
    ADD CONSTRAINT bounds_avg_volume_3m CHECK (avg_volume_3m BETWEEN 0 AND 1e+12),
    ADD CONSTRAINT bounds_market CHECK (length(market) <= 50 AND market ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_locale CHECK (length(locale) <= 50 AND locale ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_currency_name CHECK (length(currency_name) <= 50 AND currency_name ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_round_lot CHECK (round_lot BETWEEN 1 AND 1e+06),
    ADD CONSTRAINT bounds_delisted_utc CHECK (delisted_utc BETWEEN '1792-05-17 00:00:00+00' AND '2200-01-01 00:00:00+00'),
    ADD CONSTRAINT bounds_description CHECK (length(description) <= 20000 AND description ~ '^(?:[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_homepage_url CHECK (length(homepage_url) <= 2000 AND homepage_url ~ '^(?:https?://[!-~]+)$'),
    ADD CONSTRAINT bounds_phone_number CHECK (length(phone_number) <= 50 AND phone_number ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_total_employees CHECK (total_employees BETWEEN 0 AND 1e+08),
    ADD CONSTRAINT bounds_ticker_root CHECK (length(ticker_root) <= 20 AND ticker_root ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    ADD CONSTRAINT bounds_ticker_suffix CHECK (length(ticker_suffix) <= 20 AND ticker_suffix ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'),
    ADD CONSTRAINT bounds_logo_url CHECK (length(logo_url) <= 2000 AND logo_url ~ '^(?:https?://[!-~]+)$'),
    ADD CONSTRAINT bounds_icon_url CHECK (length(icon_url) <= 2000 AND icon_url ~ '^(?:https?://[!-~]+)$'),
    ADD CONSTRAINT bounds_address1 CHECK (length(address1) <= 500 AND address1 ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_address2 CHECK (length(address2) <= 500 AND address2 ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_city CHECK (length(city) <= 500 AND city ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_state CHECK (length(state) <= 50 AND state ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$'),
    ADD CONSTRAINT bounds_postal_code CHECK (length(postal_code) <= 50 AND postal_code ~ '^(?:[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+)$');
