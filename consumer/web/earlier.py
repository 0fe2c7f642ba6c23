"""Answers what the earlier service and "historical" answered beside what is ours: their fields, their two routes.

Both put other words into the same fields of /health, so each port says those of the service that it stands for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from consumer.web.monitor import next_due
from consumer.web.problems import json_answer
from consumer.web.triggers import NOT_CLEARED
from market.trading_calendar import NEW_YORK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from consumer.web.health import Check
    from consumer.web.monitor import Monitor, Status
    from contract.reports import DayStatus


class StandsFor(StrEnum):
    """Whose words a port speaks."""

    DATA_MAINTENANCE = "data_maintenance"
    HISTORICAL = "historical"


def health_words(monitor: Monitor, checks: Mapping[str, Check], stands_for: StandsFor) -> dict[str, object]:
    """The fields of /health as the earlier service, or "historical", had them."""
    healthy = all(check.connected for check in checks.values())
    redis, database = (checks[name].connected for name in ("redis", "postgresql"))
    words: dict[str, object] = {
        "status": "healthy" if healthy else "unhealthy",
        "service": stands_for.value,
        "timestamp": monitor.now(),
        "last_maintenance": monitor.seen.last_maintenance,
        "scheduler_running": monitor.seen.worker_at_work,
    }
    if not healthy:
        words["error"] = "; ".join(f"{name}: {one.error}" for name, one in checks.items() if not one.connected)
    if stands_for is StandsFor.HISTORICAL:
        both = {"database": database, "redis": redis}
        words |= {name: "healthy" if fine else "unhealthy" for name, fine in both.items()}
        return words | {"status": "healthy" if healthy else "degraded", "event_bus": _connection(fine=redis)}
    return words | {"redis": _connection(fine=redis), "timescaledb": _connection(fine=database)}


def _connection(*, fine: bool) -> str:
    return "connected" if fine else "disconnected"


def status_words(status: Status, details: DayStatus | None) -> dict[str, object]:
    """The fields of /status as the earlier service had them: of the newest session that is whole."""
    if status.last_run is None:
        words = {"status": "no_maintenance_run_yet", "message": "No maintenance has been executed yet"}
        return {**words, "last_maintenance": None, "details": None}
    return {"status": "ok", "last_maintenance": status.last_run, "details": details}


async def next_run(monitor: Monitor) -> dict[str, Any]:
    """When the next cycle is due, in the earlier service's words and in ours; null after the calendar's end."""
    now = monitor.now()
    due = next_due(monitor.schedule, monitor.calendar, now)
    await monitor.health()
    at: Any = due["at"]
    return {
        "current_time_et": f"{now.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S %Z}",
        "maintenance": {
            "next_run_et": None if at is None else f"{at.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S %Z}",
            "time_until": None if at is None else str(at - now).partition(".")[0],
            "running": monitor.seen.worker_at_work,
        },
        "next_due": due,
    }


async def clear_caches(request: web.Request) -> web.Response:
    """Nothing is deleted, and the answer says so."""
    return json_answer({"status": "ignored", "keys_deleted": 0, "patterns_processed": 0, "note": NOT_CLEARED})
