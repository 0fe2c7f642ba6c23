"""Declares the settings of what is told outside: a webhook for missed deadlines, pings, and traces."""

from __future__ import annotations

import importlib.util

from process.settings.reading import BadValue, Setting
from process.settings.urls import http_url
from process.settings.values import switch
from process.webhook_signing import key_of


def _key(value: str) -> str:
    try:
        key_of(value)
    except ValueError:
        raise BadValue("begins with whsec_ and goes on with what is no base64: copy it whole") from None
    return value


def _tracing(value: str) -> bool:
    wanted = switch(value)
    if wanted and importlib.util.find_spec("opentelemetry") is None:
        raise BadValue("wants OpenTelemetry, which is not installed: pip install 'data-maintenance[otel]'")
    return wanted


ALERT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="ALERT_WEBHOOK_URL",
        field="alert_webhook_url",
        default="",
        read=http_url("https://hooks.example.com/services/…", whole=True),
        secret=True,
        meaning="gets a JSON message, which Slack can show, when data miss their deadline and when they come after it",
    ),
    Setting(
        name="ALERT_WEBHOOK_SECRET",
        field="alert_webhook_secret",
        default="",
        read=_key,
        secret=True,
        meaning="signs those messages as standardwebhooks.com says: HMAC-SHA256 over id, timestamp and body",
    ),
    Setting(
        name="HEALTHCHECK_URL",
        field="healthcheck_url",
        default="",
        read=http_url("https://hc-ping.com/…", whole=True),
        secret=True,
        meaning="is pinged as healthchecks.io wants it: /start, itself when a due time is served, /fail when it is not",
    ),
    Setting(
        name="MAINTENANCE_TRACING",
        field="tracing",
        default="off",
        read=_tracing,
        meaning="on: a span for each piece of work goes where the OTEL_ variables say; wants data-maintenance[otel]",
    ),
)
