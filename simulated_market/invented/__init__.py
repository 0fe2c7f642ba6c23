"""Makes a market that never existed from a seed: listings, prices, bars, splits."""
