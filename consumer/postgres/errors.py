"""Names what it means that no session can be had."""

from __future__ import annotations


class DatabaseUnreachable(Exception):
    """No session with PostgreSQL could be opened, or none of the pool's came free in time."""
