"""Makes answers go wrong on demand, the ways the real service has been seen to."""
