"""Looks into our tables from outside the service: a session of the driver's own, led to our schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from consumer.postgres.schemas import BY_DEFAULT, Schemas

if TYPE_CHECKING:
    from collections.abc import Mapping

#: For sessions whose tests make tables of their own in a database without any of ours.
IN_PUBLIC = Schemas(tables="public", readers="readers")


async def look_into(
    dsn: str, server_settings: Mapping[str, str] | None = None, **how: Any
) -> asyncpg.Connection[asyncpg.Record]:
    """Return a session that finds our tables by their names."""
    led = {"search_path": BY_DEFAULT.tables, **(server_settings or {})}
    return await asyncpg.connect(dsn, server_settings=led, **how)
