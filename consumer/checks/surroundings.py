"""Checks what lies outside the two servers: the calendar's horizon, the disk, and the vendor's key and plan."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from consumer.checks.finding import Finding, ok, refused, unknown, warning
from consumer.vendor.body import BodyReader
from consumer.vendor.errors import KeyRejected, NotEntitled, NotYetPublished, VendorError
from consumer.vendor.sieve import Sieve
from market.trading_calendar import TradingCalendar

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.vendor.protocol import MarketDataVendor

HORIZON = dt.timedelta(days=365)
LEAST_FREE_GB = 2.0
HTTP_PATIENCE_S = 3.0


def check_calendar(today: dt.date) -> Finding:
    """How far the trading calendar reaches beyond *today*, a New York date."""
    last_day = TradingCalendar.LAST_DAY
    left = last_day - today
    if not TradingCalendar.FIRST_DAY <= today <= last_day:
        seen = f"today is {today}, and it reaches from {TradingCalendar.FIRST_DAY} to {last_day}: nothing is due"
        return refused("trading calendar", seen, "set this machine's clock; if it is right, install a newer release")
    if left < HORIZON:
        return warning("trading calendar", f"ends on {last_day}", "upgrade this service: its calendar has to know more")
    return ok("trading calendar", f"reaches to {last_day}, {left.days:,} days from now")


def check_disk(data_dir: Path) -> Finding:
    """Room where the embedded servers keep their data."""
    check = "disk of DATA_DIR"
    if not data_dir.exists():
        return ok(check, "not made yet")
    free_gb = shutil.disk_usage(data_dir).free / 2**30
    if free_gb < LEAST_FREE_GB:
        return warning(check, f"{free_gb:.1f} GB free", "a year of the market takes about 6 GB: make room, or move it")
    return ok(check, f"{free_gb:,.0f} GB free")


async def check_http(host: str, port: int) -> Finding:
    """Who answers at the address of the HTTP API: this service, another program, or nobody (a consumer needs none)."""
    check, address = "http api", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    timeout = aiohttp.ClientTimeout(total=HTTP_PATIENCE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http,
            http.get(f"http://{address}/health", allow_redirects=False) as answer,
        ):
            said, _ = await BodyReader().beginning(answer, "/health")  # whoever listens there may say anything
        body = msgspec.json.decode(said)
    except aiohttp.ClientConnectorError:
        return ok(check, f"nobody listens on {address}")
    except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, TimeoutError, OSError, ValueError):
        body = None
    if not isinstance(body, dict) or "healthy" not in body:
        return warning(check, f"another program answers on {address}", "set HTTP_PORT to a free port")
    if not body["healthy"]:
        return warning(check, f"up on {address}, not healthy", f"look at http://{address}/health")
    return ok(check, f"up and healthy on {address}")


async def check_vendor(vendor: MarketDataVendor, *, last_completed: dt.date) -> Finding:
    """One cheap request: the splits of one day, which every plan includes."""
    check = "vendor key"
    try:
        await vendor.list_splits(last_completed, last_completed, sieve=Sieve(last_completed))
    except KeyRejected as error:
        return refused(check, str(error), "set a valid MASSIVE_API_KEY and start again")
    except (NotEntitled, NotYetPublished) as error:
        return warning(check, str(error), "the plan behind the key does not include it: days stay partial")
    except VendorError as error:
        return unknown(check, f"{type(error).__name__}: {error}", "look at MASSIVE_BASE_URL and the network")
    return ok(check, "accepted")


async def check_folder(vendor: MarketDataVendor, folder: Path) -> Finding:
    """Whether the folder that is the vendor can be read: its listing, without which no night goes on."""
    check = "market data folder"
    try:
        listing = await vendor.list_tickers(sieve=Sieve.of_any_day())
    except (VendorError, OSError) as error:
        return refused(check, str(error), f"put it right in {folder}; docs/extending.md has the layout")
    return ok(check, f"{folder} lists {len(listing.rows):,} tickers")
