"""Keeps a database and a Redis to the data of one source."""
