"""Publishes SESSION_CHANGED on market:session, once for every transition of the trading calendar."""
