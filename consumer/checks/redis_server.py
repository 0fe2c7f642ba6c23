"""Checks the Redis server: old enough a version, a primary, nothing evicted, writes kept.

Judged from INFO alone, which every managed Redis answers; CONFIG is often forbidden there.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from consumer.checks.finding import Finding, ok, refused, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

OLDEST = (6, 2)
FULL_AT = 0.9


async def check_redis(redis: Redis, *, allow_eviction: bool) -> list[Finding]:
    """Ask the server and judge. Raises RedisError where it does not answer."""
    try:
        info = await redis.info("everything")
    except NoPermissionError:
        cure = "allow it (ACL SETUSER … +info), or make sure: 6.2 or newer, a primary, noeviction, append-only file on"
        return [unknown("redis", "INFO is not allowed to this user", cure)]
    return judge(info, allow_eviction=allow_eviction)


def judge(info: Mapping[str, Any], *, allow_eviction: bool) -> list[Finding]:
    """Return the findings of an INFO."""
    return [
        _version(info),
        _role(info),
        _eviction(info, allow_eviction=allow_eviction),
        _persistence(info),
        _memory(info),
    ]


def _version(info: Mapping[str, Any]) -> Finding:
    check = "redis version"
    name, text = info.get("server_name", "redis"), str(info.get("valkey_version") or info.get("redis_version") or "")
    if (found := re.match(r"(\d+)\.(\d+)", text)) is None:
        return unknown(check, f"INFO says no version ({text!r})", "this service needs Redis 6.2 or newer")
    if (int(found[1]), int(found[2])) < OLDEST:
        return refused(check, f"{name} {text}", "it lacks commands: upgrade to Redis 6.2 or newer, or any Valkey")
    return ok(check, f"{name} {text}")


def _role(info: Mapping[str, Any]) -> Finding:
    check, role = "redis role", str(info.get("role", "unknown"))
    if role == "slave":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        return refused(check, f"a replica of {primary}", "it takes no writes: set REDIS_URL to the primary")
    if role == "sentinel" or info.get("redis_mode") == "sentinel":
        return refused(check, "a Sentinel", "it keeps no data: set REDIS_URL to the primary that it watches")
    if info.get("cluster_enabled"):
        cure = "scripts here work on keys of several slots: set REDIS_URL to a Redis that is not in cluster mode"
        return refused(check, "a node of a cluster", cure)
    return ok(check, "primary" if role == "master" else role)


def _eviction(info: Mapping[str, Any], *, allow_eviction: bool) -> Finding:
    check, policy = "redis eviction", str(info.get("maxmemory_policy", ""))
    if not policy:
        return unknown(check, "INFO says no maxmemory_policy", "make sure that it is noeviction")
    if policy == "noeviction":
        return ok(check, policy)
    seen = f"maxmemory-policy {policy}"
    if allow_eviction:
        return warning(check, seen, "allowed by MAINTENANCE_ALLOW_EVICTION: work may vanish when it is full")
    return refused(
        check,
        seen,
        "Redis may drop streams of unfinished work: CONFIG SET maxmemory-policy noeviction (and CONFIG REWRITE), or "
        "MAINTENANCE_ALLOW_EVICTION=on to run all the same",
    )


def _persistence(info: Mapping[str, Any]) -> Finding:
    check = "redis persistence"
    for what in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"):
        if info.get(what, "ok") != "ok":
            cure = "look at the server's log and the disk it writes to: it refuses writes, or will lose them"
            return warning(check, f"{what} {info[what]}", cure)
    if not info.get("aof_enabled"):
        return warning(
            check,
            f"append-only file off{_last_snapshot(info)}",
            "a restart loses what was asked by hand since: CONFIG SET appendonly yes (and CONFIG REWRITE)",
        )
    return ok(check, "append-only file on, last writes and rewrite ok")


def _last_snapshot(info: Mapping[str, Any]) -> str:
    if (saved := int(info.get("rdb_last_save_time", 0))) <= 0:
        return ""
    return f", last snapshot or start at {dt.datetime.fromtimestamp(saved, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _memory(info: Mapping[str, Any]) -> Finding:
    check, used, most = "redis memory", int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    seen = f"{used / 2**20:,.0f} MB used" + (f" of {most / 2**20:,.0f}" if most else ", no limit set")
    if most and used > FULL_AT * most:
        return warning(check, seen, "writes are refused when it is full: raise maxmemory")
    return ok(check, seen)
