"""Declares the settings that name a vendor and say how it is reached; the others are in declared_settings.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from consumer.vendor.questions import Question
from process.settings.reading import BadValue, Setting
from process.settings.urls import http_url
from process.settings.values import folder, limit, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

VENDOR_URL = "https://api.massive.com"
ENDPOINTS = tuple(endpoint.value for endpoint in Question)


def _endpoint_budgets(value: str) -> Mapping[str, tuple[int | None, int | None]]:
    """Question → requests a second, requests a minute."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for word in value.split():
        match = re.fullmatch(r"([a-z_]+)=([1-9][0-9]{0,5})/([sm])", word)
        if match is None or match[1] not in ENDPOINTS:
            raise BadValue(f"has {word[:80]!r}: write for example range_bars=40/s, of {', '.join(ENDPOINTS)}")
        second, minute = found.get(match[1], (None, None))
        if (second if match[3] == "s" else minute) is not None:
            raise BadValue(f"has two limits a {match[3]} of {match[1]}: keep one")
        found[match[1]] = (int(match[2]), minute) if match[3] == "s" else (second, int(match[2]))
    return found


def _flat_files(value: str) -> str:
    if value.startswith("s3://"):
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?", value):
            raise BadValue("names no bucket: write for example s3://flatfiles")
        return value
    return str(folder(value))


VENDOR_SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="MASSIVE_API_KEY",
        field="api_key",
        default="",
        read=text,
        secret=True,
        aliases=("POLYGON_API_KEY",),
        meaning="key of the vendor's API (POLYGON_API_KEY means the same); without it see --simulated",
    ),
    Setting(
        name="MARKET_DATA_FOLDER",
        field="market_data_folder",
        default="",
        read=folder,
        meaning="a folder of tables to load from instead of the vendor's API, laid out as docs/extending.md says",
    ),
    Setting(
        name="MASSIVE_BASE_URL",
        field="base_url",
        default="",
        read=http_url(VENDOR_URL),
        hidden=True,
        meaning=f"the vendor's address; with a key {VENDOR_URL}, without one the simulated market's",
    ),
    Setting(
        name="MASSIVE_REQUESTS_PER_SECOND",
        field="requests_per_second",
        default="50",
        read=limit,
        meaning="request budget of the key, shared by all workers; 0 = no limit but the pauses that a 429 asks for",
    ),
    Setting(
        name="MASSIVE_REQUESTS_PER_MINUTE",
        field="requests_per_minute",
        default="0",
        read=limit,
        meaning="the same per minute: 5 on the free plan; 0 = no limit",
    ),
    Setting(
        name="MASSIVE_ENDPOINT_BUDGETS",
        field="endpoint_budgets",
        default="",
        read=_endpoint_budgets,
        absent={},
        words=True,
        meaning="limits of single endpoints within that budget, such as range_bars=40/s ticker_details=300/m",
    ),
    Setting(
        name="MASSIVE_FLAT_FILES",
        field="flat_files",
        default="",
        read=_flat_files,
        meaning="the vendor's flat files, a folder or s3://flatfiles: slots of sessions that have a file come from it",
    ),
    Setting(
        name="MASSIVE_S3_ACCESS_KEY_ID",
        field="s3_access_key",
        default="",
        read=text,
        secret=True,
        aliases=("POLYGON_S3_ACCESS_KEY",),
        meaning="key of the bucket, from the vendor's dashboard (not the API key)",
    ),
    Setting(
        name="MASSIVE_S3_SECRET_ACCESS_KEY",
        field="s3_secret_key",
        default="",
        read=text,
        secret=True,
        aliases=("POLYGON_S3_SECRET_KEY",),
        meaning="its secret",
    ),
    Setting(
        name="MASSIVE_S3_ENDPOINT",
        field="s3_endpoint",
        default="https://files.massive.com",
        read=http_url("https://files.massive.com"),
        hidden=True,
        meaning="where the bucket is",
    ),
    Setting(
        name="MASSIVE_REQUESTS_IN_FLIGHT",
        field="requests_in_flight",
        default="64",
        read=whole(1, 1000),
        meaning="requests that one worker has under way at most",
    ),
)
