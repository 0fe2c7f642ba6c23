"""Redis and PostgreSQL from wheels, for a machine that has neither."""
