"""Knows which vendor stands behind the settings: the only place, with the settings themselves, that names one.

Everything else knows a vendor by consumer/vendor/protocol.py.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from consumer.folder_vendor.minutes import MinuteTables
from consumer.folder_vendor.tables import has_minutes
from consumer.folder_vendor.vendor import FolderVendor
from consumer.massive.access import Access, Patience
from consumer.massive.budget import Ration, RequestBudget, UnlimitedBudget, budget_keys, budget_windows
from consumer.massive.client import MassiveClient
from consumer.massive.flat_file_bucket import open_store
from consumer.massive.transport import open_session
from consumer.settings import VENDOR_URL
from consumer.source.asking import source_of_address
from market.data_source import SourceKind, folder_source
from simulated_market.identity import source_of_folder

if TYPE_CHECKING:
    import aiohttp
    from redis.asyncio import Redis

    from consumer.counting import Counts
    from consumer.massive.budget import Budget
    from consumer.settings import Settings
    from consumer.vendor.protocol import FlatFileStore, MarketDataVendor
    from market.data_source import DataSource

# A market of our own has no limit by itself and answers in a millisecond: a question to Redis before each request would
# be a tenth of a night's work. It refuses a request more, in that time, where it plays the vendor's part.
OWN_MARKET_LOOKS = dt.timedelta(milliseconds=100)


def open_web(settings: Settings) -> aiohttp.ClientSession:
    """The connections to a vendor's address; the caller closes them."""
    return open_session(max_in_flight=settings.requests_in_flight)


async def source_of_settings(settings: Settings, web: aiohttp.ClientSession) -> DataSource:
    """Return whose data the settings name; an address that is not the vendor's own is asked, and waited for."""
    if settings.market_data_folder is not None:
        return folder_source(settings.market_data_folder)
    return await source_of_address(web, settings.base_url or VENDOR_URL)


def vendor_of(
    settings: Settings, web: aiohttp.ClientSession, redis: Redis, source: DataSource, counts: Counts
) -> MarketDataVendor:
    """Return the vendor, within the budget that all processes share where it has one; *counts* has its answers."""
    return _unrationed(settings, web) or MassiveClient(
        web,
        Access(
            base_url=settings.base_url or VENDOR_URL,
            api_key=settings.api_key,
            budget=request_budget(settings, redis, source),
            max_in_flight=settings.requests_in_flight,
            source=source,
            on_answer=counts.answered,
        ),
    )


def vendor_asked_once(settings: Settings, web: aiohttp.ClientSession) -> MarketDataVendor:
    """Return the vendor for a single question: without a budget and without patience."""
    return _unrationed(settings, web) or MassiveClient(
        web,
        Access(
            base_url=settings.base_url or VENDOR_URL,
            api_key=settings.api_key,
            budget=UnlimitedBudget(),
            max_in_flight=1,
            patience=Patience(tries=1, rate_limited_tries=1),
        ),
    )


def _unrationed(settings: Settings, web: aiohttp.ClientSession) -> MarketDataVendor | None:
    """A vendor that counts no requests; None where the settings name none such."""
    if settings.market_data_folder is not None:
        return FolderVendor(settings.market_data_folder)
    return None


def request_budget(settings: Settings, redis: Redis, source: DataSource) -> Budget:
    """Return the budget that all processes of the key share; without a limit they share the vendor's pauses (429)."""
    windows = budget_windows(per_second=settings.requests_per_second, per_minute=settings.requests_per_minute)
    of_endpoints = {
        endpoint: budget_windows(per_second=per_second, per_minute=per_minute)
        for endpoint, (per_second, per_minute) in settings.endpoint_budgets.items()
    }
    ration = Ration(
        api_key=settings.api_key,
        windows=windows,
        endpoint_windows=of_endpoints,
        look_every=dt.timedelta(0) if source.kind is SourceKind.VENDOR else OWN_MARKET_LOOKS,
    )
    return RequestBudget(redis, ration)


async def budget_left(settings: Settings, redis: Redis, *, now: dt.datetime) -> dict[str, int]:
    """Return how many requests each window of the budget would let through at once. Raises RedisError."""
    windows = budget_windows(per_second=settings.requests_per_second, per_minute=settings.requests_per_minute)
    left = {}
    for window, key in zip(windows, budget_keys(settings.api_key, windows)[1:], strict=True):
        grants: Any = await redis.lrange(key, 0, window.limit - 1)
        since = (now - window.length).timestamp() * 1_000_000
        left[window.name] = max(0, window.limit - sum(grant.isdecimal() and int(grant) > since for grant in grants))
    return left


def flat_file_store(settings: Settings, source: DataSource) -> FlatFileStore | None:
    """Return where the flat files of *source* are, None where there are none. Raises FlatFilesNotInstalled."""
    folder = settings.market_data_folder
    if folder is not None:
        return MinuteTables(folder) if has_minutes(folder) else None
    if settings.flat_files is None:
        return None
    if not _are_of(settings.flat_files, source):
        logger.warning("flat_files_not_used", flat_files=settings.flat_files, reason=f"not those of {source.words}")
        return None
    return open_store(
        settings.flat_files,
        kept_in=settings.data_dir / "flat-files",
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        endpoint=settings.s3_endpoint,
    )


def _are_of(flat_files: str, source: DataSource) -> bool:
    """Flat files are the vendor's; a replay may read those of its own folder, and a simulated market has none."""
    if source.kind is SourceKind.REPLAY and not flat_files.startswith("s3://"):
        return source_of_folder(Path(flat_files)).is_same(source)
    return source.kind is SourceKind.VENDOR
