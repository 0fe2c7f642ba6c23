"""Declares every setting of the service: name, default, meaning. README.md has the same table (tests/contract).

Those that name a vendor are in vendor_settings.py. How a value is read is in process/settings; which values contradict
each other, in consumer/settings.py.
"""

from __future__ import annotations

from consumer.alert_settings import ALERT_SETTINGS
from consumer.catalogue.retention import may_be_kept
from consumer.export_settings import EXPORT_SETTINGS
from consumer.http_settings import HTTP_SETTINGS
from consumer.neighbour_settings import NEIGHBOUR_SETTINGS
from consumer.postgres.reader_view import Prices
from consumer.vendor_settings import VENDOR_SETTINGS
from market.schedule import BadRule, Rule, parse_rules
from process.settings.reading import BadValue, Setting
from process.settings.shared import (
    CALENDAR_OVERRIDES,
    EARLY_EXTENDED_CLOSE,
    LOG_FORMAT,
    LOG_LEVEL,
    PUBLISH_SESSIONS,
    REDIS_URL,
    SESSION_CATCH_UP_DAYS,
)
from process.settings.urls import database_url
from process.settings.values import (
    duration,
    folder_to_be,
    one_of,
    schema_name,
    switch,
    whole,
)


def _kept_days(value: str) -> dict[str, int]:
    """By data set, and of the working records; what can be named, and the fewest days, the declarations say."""
    fewest = may_be_kept()
    days: dict[str, int] = {}
    for word in value.split():
        name, _, number = word.partition("=")
        if name not in fewest or name in days:
            raise BadValue(f"names {name} {'twice' if name in days else ''}: write each once of {' '.join(fewest)}")
        count = number.removesuffix("d")
        if not (count.isascii() and count.isdigit() and len(count) <= 6):
            raise BadValue(f"gives {name} no number of days: write for example {name}=1500d")
        if int(count) < fewest[name]:
            raise BadValue(
                f"keeps {name} {count} days, and a window needs {fewest[name]}: write {fewest[name]}d or more"
            )
        days[name] = int(count)
    return days


SCHEDULE = "POST_MARKET+1h CLOSED+15m"
#: How the earlier service called the only schedule that it knew: an hour after the bell.
AT_THE_CLOSE = "MARKET_CLOSE"


def _rules(value: str) -> tuple[Rule, ...]:
    try:
        return parse_rules(SCHEDULE if value.upper() == AT_THE_CLOSE else value)
    except BadRule as error:
        raise BadValue(f"is no schedule: {error}") from error


SETTINGS: tuple[Setting, ...] = (
    *VENDOR_SETTINGS,
    REDIS_URL,
    Setting(
        name="DATABASE_URL",
        field="database_url",
        default="",
        read=database_url,
        secret=True,
        meaning="a PostgreSQL 15 or newer (TimescaleDB welcome) of your own; without it an embedded one is started",
    ),
    Setting(
        name="DATABASE_SCHEMA",
        field="database_schema",
        default="maintenance",
        read=schema_name,
        meaning="the schema of that database in which our tables stand; made where there is none",
    ),
    Setting(
        name="READERS_SCHEMA",
        field="readers_schema",
        default="public",
        read=schema_name,
        meaning="the schema in which SQL readers find their views, such as market_data_daily",
    ),
    Setting(
        name="READER_PRICES",
        field="reader_prices",
        default="",
        read=lambda value: Prices(one_of(*Prices)(value)),
        meaning="raw or adjusted prices in market_data_daily and volume_slots; not set: as before, if new adjusted",
    ),
    Setting(
        name="MIGRATE_AT_START",
        field="migrate_at_start",
        default="on",
        read=switch,
        meaning="off: a start waits until `maintenance migrate` has brought the tables up to date",
    ),
    Setting(
        name="DATA_DIR",
        field="data_dir",
        default="./data",
        read=folder_to_be,
        meaning="where the embedded servers keep their data",
    ),
    Setting(
        name="MAINTENANCE_SCHEDULE",
        field="rules",
        default=SCHEDULE,
        read=_rules,
        words=True,
        meaning="when a cycle runs: session transition plus offset, one rule or more",
    ),
    Setting(
        name="MAINTENANCE_DEADLINE",
        field="deadline",
        default="1h",
        read=duration(60, 43_200),
        meaning="how long after a due time its data may take; `maintenance status` exits 3 from then on",
    ),
    Setting(
        name="OHLC_SESSIONS",
        field="ohlc_sessions",
        default="30",
        read=whole(16, 1000),
        meaning="sessions of daily bars to keep complete (ATR(14) needs 15; 16 at least)",
    ),
    Setting(
        name="SLOT_SESSIONS",
        field="slot_sessions",
        default="10",
        read=whole(5, 50),
        meaning="sessions of five-minute volume slots to keep complete (RVOL averages need 5)",
    ),
    Setting(
        name="RESTATE_SESSIONS",
        field="restate_sessions",
        default="1",
        read=whole(0, 10),
        meaning="evenings after its own on which a session is fetched again, since the vendor corrects it; 0 = never",
    ),
    Setting(
        name="SAMPLE_REQUESTS",
        field="sample_requests",
        default="150",
        read=whole(0, 10_000),
        meaning="requests a week for the sample of stored sessions and symbols that is fetched again; 0 = none",
    ),
    Setting(
        name="DETAILS_REFRESH_DAYS",
        field="details_refresh_days",
        default="30",
        read=whole(1, 365),
        meaning="days after which a ticker's details are asked for again, spread over the period",
    ),
    Setting(
        name="RETENTION",
        field="kept_days",
        default="working_records=400d",
        read=_kept_days,
        absent={},
        words=True,
        meaning="how long data sets are kept, such as volume_slots=800d; what is not named, and its coverage, for ever",
    ),
    Setting(
        name="MAINTENANCE_WORKERS",
        field="workers",
        default="2",
        read=whole(1, 64),
        meaning="worker processes that `maintenance run` starts",
    ),
    Setting(
        name="MAINTENANCE_PARTS_AT_ONCE",
        field="parts_at_once",
        default="4",
        read=whole(1, 64),
        meaning="parts that one worker runs side by side",
    ),
    Setting(
        name="MAINTENANCE_LEASE",
        field="lease",
        default="10s",
        read=duration(1, 600),
        meaning="how long a silent worker keeps its parts before others take them over",
    ),
    Setting(
        name="MAINTENANCE_PART_TIMEOUT",
        field="part_timeout",
        default="30m",
        read=duration(10, 86_400),
        meaning="how long a part may take before it is ended and tried again; after two thirds it commits what it has",
    ),
    Setting(
        name="MAINTENANCE_MAX_ATTEMPTS",
        field="max_attempts",
        default="5",
        read=whole(1, 100),
        meaning="attempts of a failing part before it goes to maintenance:dead",
    ),
    Setting(
        name="MAINTENANCE_MAX_DELIVERIES",
        field="max_deliveries",
        default="5",
        read=whole(1, 100),
        meaning="times a part may lose its worker before it goes to maintenance:dead",
    ),
    Setting(
        name="MAINTENANCE_CATCH_UP",
        field="catch_up",
        default="on",
        read=switch,
        meaning="off: no cycle begins by calendar and ledger alone, only by events and requests",
    ),
    Setting(
        name="MAINTENANCE_ALLOW_EVICTION",
        field="allow_eviction",
        default="off",
        read=switch,
        meaning="on: run on a Redis whose maxmemory-policy is not noeviction, and may lose work by it",
    ),
    *HTTP_SETTINGS,
    CALENDAR_OVERRIDES,
    EARLY_EXTENDED_CLOSE,
    SESSION_CATCH_UP_DAYS,
    PUBLISH_SESSIONS,
    *NEIGHBOUR_SETTINGS,
    *ALERT_SETTINGS,
    Setting(
        name="SIMULATED_TICKERS",
        field="simulated_tickers",
        default="11000",
        read=whole(20, 50_000),
        meaning="size of the simulated market",
    ),
    Setting(
        name="SIMULATED_SEED",
        field="simulated_seed",
        default="1",
        read=whole(0, 999_999_999),
        meaning="another seed is another market",
    ),
    Setting(
        name="SIMULATED_LATENCY",
        field="simulated_latency",
        default="0ms",
        read=duration(0, 60),
        meaning="how long the simulated market waits before it answers",
    ),
    *EXPORT_SETTINGS,
    LOG_LEVEL,
    LOG_FORMAT,
)
