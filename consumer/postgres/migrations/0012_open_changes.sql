-- A symbol can be listed with other codes while its company may have gone elsewhere: both are open on one day.
ALTER TABLE ticker_change DROP CONSTRAINT ticker_change_pkey;
CREATE UNIQUE INDEX ticker_change_once
    ON ticker_change (symbol, changed_on, kind, (kind = 'contested' AND new_symbol IS NOT NULL));
