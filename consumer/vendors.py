"""Knows which vendor stands behind the settings: the only place, with the settings themselves, that names one.

Everything else knows a vendor by consumer/vendor/protocol.py.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from consumer.folder_vendor.minutes import MinuteTables
from consumer.folder_vendor.tables import has_minutes
from consumer.folder_vendor.vendor import FolderVendor
from consumer.massive.access import Access, Patience
from consumer.massive.budget import Ration, RequestBudget, UnlimitedBudget, budget_windows
from consumer.massive.budget_state import BudgetState as BudgetState
from consumer.massive.budget_state import read_budget_state
from consumer.massive.client import MassiveClient
from consumer.massive.first_contact.asking import Asker, Pace
from consumer.massive.first_contact.contact import make_contact
from consumer.massive.first_contact.facts import Configured, Contact
from consumer.massive.first_contact.files import Bucket
from consumer.massive.flat_file_bucket import open_store
from consumer.massive.transport import open_session
from consumer.settings import VENDOR_URL, build_calendar
from consumer.source.asking import source_of_address
from consumer.vendor.errors import FlatFilesUnusable
from market.data_source import SourceKind, folder_source
from simulated_market.identity import source_of_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp
    from redis.asyncio import Redis

    from consumer.counting import Counts
    from consumer.massive.budget import Budget
    from consumer.settings import Settings
    from consumer.vendor.first_contact import ContactReport
    from consumer.vendor.protocol import FlatFileStore, MarketDataVendor
    from market.data_source import DataSource

# A market of our own has no limit by itself and answers in a millisecond: a question to Redis before each request would
# be a tenth of a night's work. It refuses a request more, in that time, where it plays the vendor's part.
OWN_MARKET_LOOKS = dt.timedelta(milliseconds=100)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a first contact is told by whoever makes it: which program, which settings, and where progress is said."""

    version: str
    settings: Mapping[str, str]
    now: Callable[[], dt.datetime]
    say: Callable[[str], None]
    pace: Pace = field(default_factory=Pace)


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


async def first_contact(settings: Settings, web: aiohttp.ClientSession, surroundings: Surroundings) -> ContactReport:
    """Ask the vendor about everything that was only assumed of it. Raises ProviderUnavailable."""
    asker = Asker(
        http=web,
        base_url=(settings.base_url or VENDOR_URL).rstrip("/"),
        key=settings.api_key or "",
        pace=surroundings.pace,
        say=surroundings.say,
    )
    bucket, no_bucket = _bucket_looked_at(settings)
    contact = Contact(
        asker=asker,
        calendar=build_calendar(settings),
        now=surroundings.now,
        configured=Configured(
            requests_per_minute=settings.requests_per_minute,
            ohlc_sessions=settings.ohlc_sessions,
            slot_sessions=settings.slot_sessions,
            early_extended_close=settings.early_extended_close,
            flat_files=settings.flat_files,
        ),
        bucket=bucket,
        no_bucket=no_bucket,
    )
    return await make_contact(contact, version=surroundings.version, settings=surroundings.settings)


def _bucket_looked_at(settings: Settings) -> tuple[Bucket | None, str]:
    """The vendor's bucket where keys for it are set; else why not."""
    location = settings.flat_files or "s3://flatfiles"
    if not location.startswith("s3://"):
        return None, f"MASSIVE_FLAT_FILES is the folder {location}"
    if not (settings.s3_access_key and settings.s3_secret_key):
        return None, "MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY are not set: the dashboard has them"
    try:
        bucket = Bucket(
            endpoint=settings.s3_endpoint,
            bucket=location.removeprefix("s3://").partition("/")[0],
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
        )
    except FlatFilesUnusable as error:
        return None, str(error)
    return bucket, ""


def _unrationed(settings: Settings, web: aiohttp.ClientSession) -> MarketDataVendor | None:
    """A vendor that counts no requests; None where the settings name none such."""
    if settings.market_data_folder is not None:
        return FolderVendor(settings.market_data_folder)
    return None


def request_budget(settings: Settings, redis: Redis, source: DataSource) -> Budget:
    """Return the budget that all processes of the key share; without a limit they share the vendor's pauses (429)."""
    return RequestBudget(redis, _ration(settings, source))


async def budget_state(settings: Settings, redis: Redis, source: DataSource) -> BudgetState | None:
    """Return how that budget stands now; None where the vendor counts no requests. Raises RedisError."""
    if settings.market_data_folder is not None:
        return None
    return await read_budget_state(redis, _ration(settings, source))


def _ration(settings: Settings, source: DataSource) -> Ration:
    windows = budget_windows(per_second=settings.requests_per_second, per_minute=settings.requests_per_minute)
    of_endpoints = {
        endpoint: budget_windows(per_second=per_second, per_minute=per_minute)
        for endpoint, (per_second, per_minute) in settings.endpoint_budgets.items()
    }
    return Ration(
        api_key=settings.api_key,
        windows=windows,
        endpoint_windows=of_endpoints,
        look_every=dt.timedelta(0) if source.kind is SourceKind.VENDOR else OWN_MARKET_LOOKS,
    )


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
