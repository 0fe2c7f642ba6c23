"""Reads the environment once, at start, and refuses all bad values together, each with its cure.

Every setting is a row of SETTINGS: name, default, meaning. The README's table is the same list (tests/contract).
A secret may also come from a file named by NAME_FILE, as container secrets do.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from consumer.massive.rows import Endpoint
from market.calendar_errors import CalendarError
from market.schedule import BadRule, Rule, parse_rules
from market.small_files import read_small
from market.trading_calendar import TradingCalendar, load_overrides

VENDOR_URL = "https://api.massive.com"
EMPTY_IS_A_VALUE = ("endpoint_budgets", "http_allowed_hosts")
ENDPOINTS = tuple(endpoint.value for endpoint in Endpoint)
LONGEST_SECRET = 64 << 10


class BadSettings(Exception):
    """The environment is refused; *problems* holds one readable line a bad value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One environment variable: how it is read, its default as text ("" = not set) and what it means."""

    name: str
    field: str
    default: str
    read: Callable[[str], Any]
    meaning: str
    secret: bool = False
    aliases: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set, checked."""

    data_dir: Path
    redis_url: str | None
    database_url: str | None
    api_key: str | None
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
    details_refresh_days: int
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
    http_allowed_hosts: tuple[str, ...]
    api_token: str | None
    calendar_overrides: Path | None
    early_extended_close: dt.time
    session_catch_up_days: int
    simulated_tickers: int
    simulated_seed: int
    simulated_latency: dt.timedelta
    log_level: str
    log_format: str


def _text(value: str) -> str:
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"\d{1,9}", value) or not least <= int(value) <= most:
            raise ValueError(f"is no whole number from {least} to {most}")
        return int(value)

    return read


def _limit(value: str) -> int | None:
    number = _whole(0, 1_000_000)(value)
    return number or None


def _duration(least: float, most: float) -> Callable[[str], dt.timedelta]:
    def read(value: str) -> dt.timedelta:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value)
        if match is None:
            raise ValueError("is no duration: write for example 10s, 500ms or 30m")
        seconds = float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2]]
        if not least <= seconds <= most:
            raise ValueError(f"is outside {least:g}s to {most:g}s")
        return dt.timedelta(seconds=seconds)

    return read


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if urlsplit(value).scheme not in schemes:
            raise ValueError(f"is no URL of the kind {' or '.join(f'{scheme}://…' for scheme in schemes)}")
        return value

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return value.lower()

    return read


def _switch(value: str) -> bool:
    return _one_of("on", "off")(value) == "on"


def _folder(value: str) -> Path:
    if not Path(value).is_dir():
        raise ValueError("is no folder: create it, or correct the path")
    return Path(value).resolve()


def _endpoint_budgets(value: str) -> dict[str, tuple[int | None, int | None]]:
    """Endpoint → requests a second, requests a minute."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for word in value.split():
        match = re.fullmatch(r"([a-z_]+)=([1-9]\d{0,5})/([sm])", word)
        if match is None or match[1] not in ENDPOINTS:
            raise ValueError(f"has '{word}': write for example range_bars=40/s, of {', '.join(ENDPOINTS)}")
        second, minute = found.get(match[1], (None, None))
        found[match[1]] = (int(match[2]), minute) if match[3] == "s" else (second, int(match[2]))
    return found


def _names(value: str) -> tuple[str, ...]:
    """Names of this service, as browsers and proxies send them in `Host`."""
    names = tuple(value.replace(",", " ").split())
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?", name):
            raise ValueError(f"has '{name}', which is no name of a machine: write for example maintenance.example.com")
    return names


def _flat_files(value: str) -> str:
    if value.startswith("s3://"):
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?", value):
            raise ValueError("names no bucket: write for example s3://flatfiles")
        return value
    return str(_folder(value))


def _file(value: str) -> Path:
    if not Path(value).is_file():
        raise ValueError("is no file: create it, or correct the path")
    return Path(value).resolve()


def _time(value: str) -> dt.time:
    match = re.fullmatch(r"(\d\d):(\d\d)", value)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("is no time of day: write HH:MM, New York time")
    return dt.time(int(match[1]), int(match[2]))


def _rules(value: str) -> tuple[Rule, ...]:
    return parse_rules(value)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="MASSIVE_API_KEY", field="api_key", default="", read=_text, secret=True, aliases=("POLYGON_API_KEY",),
        meaning="key of the vendor's API (POLYGON_API_KEY means the same); without it see --simulated",
    ),
    Setting(
        name="REDIS_URL", field="redis_url", default="", read=_url("redis", "rediss", "unix"), secret=True,
        meaning="a Redis 6.2 or newer of your own; without it an embedded one is started",
    ),
    Setting(
        name="DATABASE_URL", field="database_url", default="", read=_url("postgresql", "postgres"), secret=True,
        meaning="a PostgreSQL 15 or newer (TimescaleDB welcome) of your own; without it an embedded one is started",
    ),
    Setting(
        name="DATA_DIR", field="data_dir", default="./data", read=lambda value: Path(value).absolute(),
        meaning="where the embedded servers keep their data",
    ),
    Setting(
        name="MAINTENANCE_SCHEDULE", field="rules", default="POST_MARKET+1h CLOSED+15m", read=_rules,
        meaning="when a cycle runs: session transition plus offset, one rule or more",
    ),
    Setting(
        name="MAINTENANCE_DEADLINE", field="deadline", default="1h", read=_duration(60, 43_200),
        meaning="how long after a due time its data may take; `maintenance status` exits 3 from then on",
    ),
    Setting(
        name="OHLC_SESSIONS", field="ohlc_sessions", default="30", read=_whole(16, 1000),
        meaning="sessions of daily bars to keep complete (ATR(14) needs 15; 16 at least)",
    ),
    Setting(
        name="SLOT_SESSIONS", field="slot_sessions", default="10", read=_whole(5, 50),
        meaning="sessions of five-minute volume slots to keep complete (RVOL averages need 5)",
    ),
    Setting(
        name="RESTATE_SESSIONS", field="restate_sessions", default="1", read=_whole(0, 10),
        meaning="evenings after its own on which a session is fetched again, since the vendor corrects it; 0 = never",
    ),
    Setting(
        name="DETAILS_REFRESH_DAYS", field="details_refresh_days", default="30", read=_whole(1, 365),
        meaning="days after which a ticker's details are asked for again, spread over the period",
    ),
    Setting(
        name="MASSIVE_BASE_URL", field="base_url", default="", read=_url("http", "https"),
        meaning=f"the vendor's address; with a key {VENDOR_URL}, without one the simulated market's",
    ),
    Setting(
        name="MASSIVE_REQUESTS_PER_SECOND", field="requests_per_second", default="50", read=_limit,
        meaning="request budget of the key, shared by all workers; 0 = no limit (the simulated market has none)",
    ),
    Setting(
        name="MASSIVE_REQUESTS_PER_MINUTE", field="requests_per_minute", default="0", read=_limit,
        meaning="the same per minute: 5 on the free plan; 0 = no limit",
    ),
    Setting(
        name="MASSIVE_ENDPOINT_BUDGETS", field="endpoint_budgets", default="", read=_endpoint_budgets,
        meaning="limits of single endpoints within that budget, such as range_bars=40/s ticker_details=300/m",
    ),
    Setting(
        name="MASSIVE_FLAT_FILES", field="flat_files", default="", read=_flat_files,
        meaning="the vendor's flat files, a folder or s3://flatfiles: slots of sessions that have a file come from it",
    ),
    Setting(
        name="MASSIVE_S3_ACCESS_KEY_ID", field="s3_access_key", default="", read=_text, secret=True,
        meaning="key of the bucket, from the vendor's dashboard (not the API key)",
    ),
    Setting(
        name="MASSIVE_S3_SECRET_ACCESS_KEY", field="s3_secret_key", default="", read=_text, secret=True,
        meaning="its secret",
    ),
    Setting(
        name="MASSIVE_S3_ENDPOINT", field="s3_endpoint", default="https://files.massive.com",
        read=_url("http", "https"), meaning="where the bucket is",
    ),
    Setting(
        name="MAINTENANCE_WORKERS", field="workers", default="2", read=_whole(1, 64),
        meaning="worker processes that `maintenance run` starts",
    ),
    Setting(
        name="MAINTENANCE_PARTS_AT_ONCE", field="parts_at_once", default="4", read=_whole(1, 64),
        meaning="parts that one worker runs side by side",
    ),
    Setting(
        name="MASSIVE_REQUESTS_IN_FLIGHT", field="requests_in_flight", default="64", read=_whole(1, 1000),
        meaning="requests that one worker has under way at most",
    ),
    Setting(
        name="MAINTENANCE_LEASE", field="lease", default="10s", read=_duration(1, 600),
        meaning="how long a silent worker keeps its parts before others take them over",
    ),
    Setting(
        name="MAINTENANCE_PART_TIMEOUT", field="part_timeout", default="30m", read=_duration(10, 86_400),
        meaning="how long a part may take before it is ended and tried again; after two thirds it commits what it has",
    ),
    Setting(
        name="MAINTENANCE_MAX_ATTEMPTS", field="max_attempts", default="5", read=_whole(1, 100),
        meaning="attempts of a failing part before it goes to maintenance:dead",
    ),
    Setting(
        name="MAINTENANCE_MAX_DELIVERIES", field="max_deliveries", default="5", read=_whole(1, 100),
        meaning="times a part may lose its worker before it goes to maintenance:dead",
    ),
    Setting(
        name="MAINTENANCE_CATCH_UP", field="catch_up", default="on", read=_switch,
        meaning="off: no cycle begins by calendar and ledger alone, only by events and requests",
    ),
    Setting(
        name="MAINTENANCE_ALLOW_EVICTION", field="allow_eviction", default="off", read=_switch,
        meaning="on: run on a Redis whose maxmemory-policy is not noeviction, and may lose work by it",
    ),
    Setting(
        name="HTTP_HOST", field="http_host", default="127.0.0.1", read=_text,
        meaning="address of the HTTP API; others than loopback need MAINTENANCE_API_TOKEN",
    ),
    Setting(name="HTTP_PORT", field="http_port", default="8008", read=_whole(0, 65_535), meaning="its port"),
    Setting(
        name="HTTP_ALLOWED_HOSTS", field="http_allowed_hosts", default="", read=_names,
        meaning="further names under which it may be asked, such as a proxy's; addresses and localhost always may",
    ),
    Setting(
        name="MAINTENANCE_API_TOKEN", field="api_token", default="", read=_text, secret=True,
        meaning="bearer token for POST /trigger; not needed from loopback while the API listens only there",
    ),
    Setting(
        name="TRADING_CALENDAR_OVERRIDES", field="calendar_overrides", default="", read=_file,
        meaning="TOML file with closures and early closes that the calendar cannot know yet",
    ),
    Setting(
        name="EARLY_EXTENDED_CLOSE", field="early_extended_close", default="17:00", read=_time,
        meaning="when the extended session ends on early-close days, New York time",
    ),
    Setting(
        name="SESSION_CATCH_UP_DAYS", field="session_catch_up_days", default="10", read=_whole(1, 365),
        meaning="how far back the market-session producer publishes transitions that it missed",
    ),
    Setting(
        name="SIMULATED_TICKERS", field="simulated_tickers", default="11000", read=_whole(20, 50_000),
        meaning="size of the simulated market",
    ),
    Setting(
        name="SIMULATED_SEED", field="simulated_seed", default="1", read=_whole(0, 999_999_999),
        meaning="another seed is another market",
    ),
    Setting(
        name="SIMULATED_LATENCY", field="simulated_latency", default="0ms", read=_duration(0, 60),
        meaning="how long the simulated market waits before it answers",
    ),
    Setting(
        name="LOG_LEVEL", field="log_level", default="INFO",
        read=lambda value: _one_of("trace", "debug", "info", "warning", "error")(value).upper(), meaning="least level",
    ),
    Setting(
        name="LOG_FORMAT", field="log_format", default="auto", read=_one_of("auto", "json", "text"),
        meaning="auto: text on a terminal, JSON lines elsewhere",
    ),
)  # fmt: skip


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings of *environment*. Raises BadSettings with every problem."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        try:
            text = _raw(setting, environment)
            values[setting.field] = setting.read(text) if text or setting.field in EMPTY_IS_A_VALUE else None
        except (ValueError, OSError) as error:
            values[setting.field] = None
            problems.append(_problem(setting, environment, error))
    problems += _contradictions(values, environment)
    if problems:
        raise BadSettings(problems)
    return Settings(**values)


def _raw(setting: Setting, environment: Mapping[str, str]) -> str:
    for name in (setting.name, *setting.aliases):
        if text := environment.get(name, "").strip():
            return text
        if setting.secret and (path := environment.get(f"{name}_FILE", "").strip()):
            return read_small(Path(path), most=LONGEST_SECRET).decode("utf-8").strip()
    return setting.default


def _problem(setting: Setting, environment: Mapping[str, str], error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{setting.name}_FILE cannot be read: {error.strerror}"
    shown = "(hidden)" if setting.secret else repr(environment.get(setting.name, setting.default))
    words = f": {error}" if isinstance(error, BadRule) else f" {error}"
    return f"{setting.name}={shown}{words}"


def _contradictions(values: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    problems = []
    if values["http_host"] not in (None, "127.0.0.1", "::1", "localhost") and values["api_token"] is None:
        problems.append("HTTP_HOST is not loopback: set MAINTENANCE_API_TOKEN as well, or leave HTTP_HOST out")
    bucket = (values["flat_files"] or "").startswith("s3://")
    if bucket and not (values["s3_access_key"] and values["s3_secret_key"]):
        problems.append(
            "MASSIVE_FLAT_FILES is a bucket: set MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY as well"
        )
    if values["calendar_overrides"] is not None:
        try:
            load_overrides(values["calendar_overrides"])
        except CalendarError as error:
            problems.append(f"TRADING_CALENDAR_OVERRIDES: {error}")
    if "MASSIVE_BASE_URL" in environment and values["base_url"] and values["api_key"] is None:
        problems.append("MASSIVE_BASE_URL is set without MASSIVE_API_KEY: set the key that this address expects")
    return problems


def build_calendar(settings: Settings) -> TradingCalendar:
    """Return the calendar that the settings describe. Raises CalendarError."""
    overrides = None if settings.calendar_overrides is None else load_overrides(settings.calendar_overrides)
    return TradingCalendar(overrides, early_extended_close=settings.early_extended_close)
