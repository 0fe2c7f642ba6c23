-- First sessions of a new series: a spin-off's, a merger's. A price that jumped proposes one; a person decides.
CREATE TABLE series_boundary (
    symbol         text COLLATE "C" NOT NULL,  -- as its bars of that session stand
    boundary_day   date NOT NULL,              -- first session of the new series
    state          text NOT NULL CHECK (state IN ('proposed', 'accepted', 'rejected')),
    evidence       text NOT NULL,              -- what the prices showed
    found_at       timestamptz NOT NULL,
    decided_at     timestamptz,
    decided_by     text,
    decided_reason text,
    PRIMARY KEY (symbol, boundary_day),
    CHECK ((state = 'proposed') = (decided_at IS NULL)),
    CONSTRAINT bounds_symbol CHECK (length(symbol) <= 20 AND symbol ~ '^(?:[A-Za-z0-9][A-Za-z0-9./+=^$#~_-]{0,19})$'::text)
);
CREATE INDEX series_boundary_accepted ON series_boundary (boundary_day) WHERE state = 'accepted';
CREATE INDEX series_boundary_by_age ON series_boundary (found_at);

-- All days that a company's series may not be read across, by its present symbol: what a person said, and what its
-- identity says. The history views leave out what the latter cut; figures keep to both.
CREATE VIEW series_cut AS
SELECT coalesce(p.company, b.symbol) AS symbol, b.boundary_day AS cut_on, 'decided' AS kind,
       concat_ws('; ', b.evidence, b.decided_by || ': ' || b.decided_reason) AS evidence
FROM series_boundary AS b
LEFT JOIN company_span AS p
       ON p.traded_as = b.symbol AND b.boundary_day BETWEEN p.first_day AND p.last_day
      AND (p.last_day <> 'infinity' OR NOT EXISTS (
          SELECT FROM company_span AS o WHERE o.traded_as = b.symbol AND o.last_day <> 'infinity'
          AND b.boundary_day BETWEEN o.first_day AND o.last_day))
-- A symbol that no listing has had stands for itself; one that another company has had since, for nobody.
WHERE b.state = 'accepted'
  AND (p.company IS NOT NULL OR NOT EXISTS (SELECT FROM listed_ticker AS u WHERE u.symbol = b.symbol))
UNION ALL
SELECT u.symbol, u.issuer_since, coalesce(c.kind, 'identity'), c.evidence
FROM listed_ticker AS u
LEFT JOIN LATERAL (
    SELECT kind, evidence FROM ticker_change AS c
    WHERE c.symbol = u.symbol AND c.changed_on = u.issuer_since AND c.kind IN ('reissued', 'listed')
    ORDER BY kind DESC LIMIT 1) AS c ON true
WHERE u.issuer_since IS NOT NULL;
