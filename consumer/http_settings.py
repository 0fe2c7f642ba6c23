"""Declares the settings of the HTTP API: where it listens, by which names it is asked, and with which tokens."""

from __future__ import annotations

from process.settings.reading import Setting
from process.settings.values import listening_on, names, text, whole

HTTP_SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="HTTP_HOST",
        field="http_host",
        default="127.0.0.1",
        read=listening_on,
        meaning="address of the HTTP API; others than loopback need MAINTENANCE_API_TOKEN",
    ),
    Setting(name="HTTP_PORT", field="http_port", default="8008", read=whole(0, 65_535), meaning="its port"),
    Setting(
        name="HISTORICAL_PORT",
        field="historical_port",
        default="",
        read=whole(1, 65_535),
        meaning="a further port of the HTTP API, such as 8004, on which it stands for `historical`; not set: none",
    ),
    Setting(
        name="HTTP_ALLOWED_HOSTS",
        field="http_allowed_hosts",
        default="",
        read=names,
        absent=(),
        words=True,
        meaning="further names under which it may be asked, such as a proxy's; addresses and localhost always may",
    ),
    Setting(
        name="MAINTENANCE_API_TOKEN",
        field="api_token",
        default="",
        read=text,
        secret=True,
        meaning="bearer token for POST /trigger; not needed from loopback while the API listens only there",
    ),
    Setting(
        name="MAINTENANCE_API_TOKEN_BEFORE",
        field="api_token_before",
        default="",
        read=text,
        secret=True,
        meaning="the former one, taken as well until every caller has the new one",
    ),
    Setting(
        name="MAINTENANCE_READ_TOKEN",
        field="read_token",
        default="",
        read=text,
        secret=True,
        meaning="token for reads, but for the probes; a browser asks for it as a password. Not set: reads are open",
    ),
    Setting(
        name="MAINTENANCE_READ_TOKEN_BEFORE",
        field="read_token_before",
        default="",
        read=text,
        secret=True,
        meaning="the former one, taken as well until every reader has the new one",
    ),
)
