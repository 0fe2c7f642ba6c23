"""Reads the environment once, at start, and refuses all bad values together, each with its cure.

What there is to set is declared in consumer/declared_settings.py, how it is read in process/settings. Here stands
which values contradict each other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.retention import too_short
from consumer.declared_settings import SETTINGS
from consumer.earlier_settings import EARLIER, refused
from consumer.folder_vendor.tables import has_minutes
from consumer.postgres.migrate import Upgrade
from consumer.postgres.reader_view import Prices
from consumer.postgres.schemas import Schemas
from consumer.vendor_settings import VENDOR_URL
from contract.keys import SESSIONS
from market.schedule import Rule
from process.settings import shared
from process.settings.reading import BadSettings, Setting, Values, read_values
from process.settings.server_names import SERVERS
from process.settings.understood import understood
from process.settings.values import is_loopback

if TYPE_CHECKING:
    from market.trading_calendar import TradingCalendar

__all__ = [
    "SETTINGS",
    "VENDOR_URL",
    "BadSettings",
    "Setting",
    "Settings",
    "build_calendar",
    "read_settings",
    "schemas_set",
    "upgrade_set",
]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set, checked."""

    data_dir: Path
    redis_url: str | None
    database_url: str | None
    database_schema: str
    readers_schema: str
    reader_prices: Prices | None
    migrate_at_start: bool
    api_key: str | None
    market_data_folder: Path | None
    base_url: str | None
    requests_per_second: int | None
    requests_per_minute: int | None
    endpoint_budgets: dict[str, tuple[int | None, int | None]]
    flat_files: str | None
    s3_access_key: str | None
    s3_secret_key: str | None
    s3_endpoint: str
    rules: tuple[Rule, ...]
    deadline: dt.timedelta
    ohlc_sessions: int
    slot_sessions: int
    restate_sessions: int
    sample_requests: int
    details_refresh_days: int
    kept_days: Mapping[str, int]
    workers: int
    parts_at_once: int
    requests_in_flight: int
    lease: dt.timedelta
    part_timeout: dt.timedelta
    max_attempts: int
    max_deliveries: int
    catch_up: bool
    allow_eviction: bool
    http_host: str
    http_port: int
    historical_port: int | None
    http_allowed_hosts: tuple[str, ...]
    api_token: str | None
    api_token_before: str | None
    read_token: str | None
    read_token_before: str | None
    calendar_overrides: Path | None
    early_extended_close: dt.time
    session_catch_up_days: int
    publish_sessions: bool
    session_events_stream: str
    session_events_channels: tuple[str, ...]
    publish_completion: bool
    publish_new_day: bool
    alert_webhook_url: str | None
    alert_webhook_secret: str | None
    healthcheck_url: str | None
    tracing: bool
    simulated_tickers: int
    simulated_seed: int
    simulated_latency: dt.timedelta
    export_s3_access_key: str | None
    export_s3_secret_key: str | None
    export_s3_endpoint: str | None
    export_s3_region: str
    log_level: str
    log_format: str


_MASSIVE = (("MASSIVE_API_KEY", "api_key"), ("MASSIVE_BASE_URL", "base_url"), ("MASSIVE_FLAT_FILES", "flat_files"))


WINDOWS = ("ohlc_sessions", "slot_sessions")


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings of *environment*. Raises BadSettings with every problem."""
    given = understood(environment, SETTINGS, servers=SERVERS, others=EARLIER)
    values = read_values(SETTINGS, given.environment)
    if problems := [*given.problems, *refused(given.environment), *values.problems, *_contradictions(values)]:
        raise BadSettings(problems)
    return Settings(**values.found)


def _short_retentions(values: Values) -> list[str]:
    if not values.has("kept_days", *WINDOWS):
        return []
    windows = {name: values.of(name) for name in WINDOWS}
    return [f"RETENTION: {line}" for line in too_short(values.of("kept_days") or {}, windows)]


_TOKENS = {
    "api_token": "MAINTENANCE_API_TOKEN",
    "api_token_before": "MAINTENANCE_API_TOKEN_BEFORE",
    "read_token": "MAINTENANCE_READ_TOKEN",
    "read_token_before": "MAINTENANCE_READ_TOKEN_BEFORE",
}


def _tokens(values: Values) -> list[str]:
    """One that opens what another of them leaves open protects nothing."""
    if not values.has(*_TOKENS):
        return []
    of = {name: values.of(field) for field, name in _TOKENS.items()}
    problems = [
        f"{name}_BEFORE is set without {name}: it is the former one, set {name} as well"
        for name in ("MAINTENANCE_API_TOKEN", "MAINTENANCE_READ_TOKEN")
        if of[f"{name}_BEFORE"] is not None and of[name] is None
    ]
    if of["MAINTENANCE_READ_TOKEN"] is not None and of["MAINTENANCE_API_TOKEN"] is None:
        problems.append(
            "MAINTENANCE_READ_TOKEN is set without MAINTENANCE_API_TOKEN: who may not read could ask for work; set both"
        )
    given = [token for token in of.values() if token is not None]
    if len(set(given)) < len(given):
        problems.append("two of the tokens of the HTTP API are the same: give each another, or leave one of them out")
    return problems


def _secret_of_nothing(values: Values) -> list[str]:
    named = ("alert_webhook_url", "alert_webhook_secret")
    if values.has(*named) and values.of("alert_webhook_secret") and not values.of("alert_webhook_url"):
        return ["ALERT_WEBHOOK_SECRET signs what goes to ALERT_WEBHOOK_URL: set that as well, or leave it out"]
    return []


def _contradictions(values: Values) -> list[str]:
    """Each names the variables, and the values that are no secrets."""
    problems = []
    host, lease, timeout = values.of("http_host"), values.of("lease"), values.of("part_timeout")
    if host is not None and not is_loopback(host) and values.has("api_token") and values.of("api_token") is None:
        problems.append(
            f"HTTP_HOST={host!r} is not loopback: set MAINTENANCE_API_TOKEN as well, or leave HTTP_HOST out"
        )
    bucket = (values.of("flat_files") or "").startswith("s3://")
    keys = ("s3_access_key", "s3_secret_key")
    if bucket and values.has(*keys) and not all(values.of(key) for key in keys):
        problems.append(
            "MASSIVE_FLAT_FILES is a bucket: set MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY as well"
        )
    if lease is not None and timeout is not None and timeout < lease:
        problems.append(
            f"MAINTENANCE_PART_TIMEOUT={timeout.total_seconds():g}s is less than "
            f"MAINTENANCE_LEASE={lease.total_seconds():g}s: a part may not take less time than its holder may be "
            "silent; raise the one or lower the other"
        )
    problems += [*_tokens(values), *_short_retentions(values), *_secret_of_nothing(values)]
    if (ours := values.of("database_schema")) is not None and ours == values.of("readers_schema"):
        told = "is READERS_SCHEMA too, and views and tables cannot share names: write another name for one of them"
        problems.append(f"DATABASE_SCHEMA={ours} {told}")
    if values.of("base_url") and values.has("api_key") and values.of("api_key") is None:
        problems.append("MASSIVE_BASE_URL is set without MASSIVE_API_KEY: set the key that this address expects")
    rival = [name for name, field in _MASSIVE if values.of(field)]
    if values.of("market_data_folder") and rival:
        problems.append(f"MARKET_DATA_FOLDER and {' and '.join(rival)} name two sources: leave one of them out")
    return problems


def names_a_vendor(settings: Settings) -> bool:
    """Whether the operator has said whose data is to be loaded: else there is only the simulated market."""
    return settings.api_key is not None or settings.market_data_folder is not None


def hears_others(settings: Settings) -> bool:
    """Whether another service's market_session tells of changes: no producer of ours is started beside it."""
    return foreign_stream(settings) is not None or bool(settings.session_events_channels)


def foreign_stream(settings: Settings) -> str | None:
    """Return the stream of another service's market_session."""
    name = settings.session_events_stream
    return None if name == SESSIONS.name else name


def brings_slot_files(settings: Settings) -> bool:
    """Whether slots come, or may come, as a file a session."""
    folder = settings.market_data_folder
    return settings.flat_files is not None or (folder is not None and has_minutes(folder))


def build_calendar(settings: Settings) -> TradingCalendar:
    """Return the calendar that the settings describe. Raises CalendarError where its file has changed since."""
    return shared.build_calendar(settings.calendar_overrides, settings.early_extended_close)


def upgrade_set(settings: Settings) -> Upgrade:
    """Return what a start may do to the tables."""
    return Upgrade(at_start=settings.migrate_at_start, prices=settings.reader_prices)


def schemas_set(settings: Settings) -> Schemas:
    """Return the schemas that the settings name."""
    return Schemas(tables=settings.database_schema, readers=settings.readers_schema)
