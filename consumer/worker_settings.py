"""Says what a consumer cannot do without, and where to get it: for its process and for the verb that starts one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.settings import names_a_vendor

if TYPE_CHECKING:
    from consumer.settings import Settings


def required(settings: Settings) -> list[tuple[str, object, str]]:
    """Return the variables, what they are (None: not set), and the cure."""
    servers = "name a server of yours; `maintenance run` brings servers of its own"
    key = (
        "the vendor answers nobody without it; set it (or POLYGON_API_KEY), or MARKET_DATA_FOLDER. `maintenance run` "
        "brings a simulated market, on servers of yours with --simulated"
    )
    return [
        ("REDIS_URL", settings.redis_url, servers),
        ("DATABASE_URL", settings.database_url, servers),
        ("MASSIVE_API_KEY", names_a_vendor(settings) or None, key),
    ]


def missing(settings: Settings) -> list[str]:
    """Return a line for each that is not set."""
    return [f"{name} is not set: {cure}" for name, value, cure in required(settings) if value is None]
