"""Delivery: a stream entry is claimed, leased, run and settled; what it means is not known here."""
