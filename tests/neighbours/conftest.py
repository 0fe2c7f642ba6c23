"""Gives the tests of neighbours what the tests of a cycle have: a consumer, a market of sixty tickers, a clock."""

from tests.cycle.conftest import clock, logged, market, postgres_dsn, stack

__all__ = ["clock", "logged", "market", "postgres_dsn", "stack"]
