"""Speaks to the vendor: REST, flat files, and the request budget that all workers share."""
