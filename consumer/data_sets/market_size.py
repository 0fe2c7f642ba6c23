"""Says how large a market is taken to be where none is listed yet."""

from __future__ import annotations

#: Listed tickers of the US market, about; a forecast before the first listing counts with it, and says so.
USUAL_MARKET = 11_000
