"""Tells on market:session what another service's market_session says, once for every transition."""
