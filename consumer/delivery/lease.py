"""Keeps the leases of running work alive from a thread of its own.

A thread, because a handler that blocks the event loop must not lose its lease. But a loop that stays blocked past the
work's deadline is wedged, and wedged work with a kept lease would be immortal: then the process ends itself, its lease
runs out, and another consumer takes over. When Redis is mute the work is told to stop before its lease can have run
out.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import redis
from loguru import logger
from redis.backoff import NoBackoff
from redis.retry import Retry

from consumer.delivery.errors import DeadlinePassed, DeliveryError, LeaseLost, LeaseUncertain
from consumer.delivery.redis_scripts import Beat

if TYPE_CHECKING:
    import asyncio
    import datetime as dt

    from consumer.delivery.channel import Channel

BEATS_PER_LEASE = 4
# A failed beat takes at most two timeouts (connect, read), a quarter of a lease together, and is repeated after a
# sixteenth. Told to stop at 0.65 of a lease since the last good beat, at the end of such a round it is still 0.97.
TIMEOUT = 1 / 8
REPEAT_AFTER = 1 / 16
GIVE_UP_AT = 0.65
LEAST_TIMEOUT_S = 0.05
BEATEN_AT_ONCE = 500  # a command may not hold up the server
WEDGED_EXIT_CODE = 75


class _Held(msgspec.Struct):
    """One entry under way: how its work is told to stop, when its last good beat was sent, and its deadline."""

    tell: Callable[[DeliveryError], None]
    beaten_at: float  # both in monotonic seconds
    deadline: float  # none until the work begins: a Redis that is away may keep it from that for hours
    allowed_s: float
    told: bool = False
    overdue_since: float | None = None  # when this thread first saw that the deadline has passed


class LeaseKeeper:
    """Beats for every entry that is held, four times a lease."""

    def __init__(
        self, url: str, channel: Channel, *, consumer: str, lease: dt.timedelta, loop: asyncio.AbstractEventLoop
    ) -> None:
        """*url*: its thread has a connection of its own."""
        self._lease = lease.total_seconds()
        self._patience = GIVE_UP_AT * self._lease
        self._loop = loop
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        timeout = max(self._lease * TIMEOUT, LEAST_TIMEOUT_S)
        self._redis = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
        self._beat = Beat(self._redis, channel, consumer=consumer)
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is still held runs out by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._lease / 2)  # a beat under way ends within its timeouts
        self._redis.close()

    def hold(self, entry_id: str, tell: Callable[[DeliveryError], None], *, deadline_s: float) -> None:
        """Keep *entry_id* alive until `drop`. *tell* is called on the loop, once, when its work has to stop:
        with LeaseLost, or with DeadlinePassed *deadline_s* seconds after `work_begins`."""
        now = time.monotonic()
        with self._lock:
            self._held[entry_id] = _Held(tell=tell, beaten_at=now, deadline=math.inf, allowed_s=deadline_s)

    def work_begins(self, entry_id: str) -> None:
        with self._lock:
            held = self._held.get(entry_id)
            if held is not None:
                held.deadline = time.monotonic() + held.allowed_s

    def settling(self, entry_id: str) -> None:
        """The work has ended: from now on only the lease is kept, until its end is written."""
        with self._lock:
            held = self._held.get(entry_id)
            if held is not None:
                held.deadline = math.inf
                held.told = True

    def drop(self, entry_id: str) -> None:
        with self._lock:
            self._held.pop(entry_id, None)

    def _run(self) -> None:
        pause = self._lease / BEATS_PER_LEASE
        try:
            while not self._stopped.wait(pause):
                self._end_overdue()
                pause = self._lease / BEATS_PER_LEASE if self._beat_all() else self._lease * REPEAT_AFTER
        finally:
            if not self._stopped.is_set():
                logger.critical("lease_keeper_died", runbook="wedged-worker")
                self._tell_unbeaten(LeaseLost("the thread that keeps leases has died"), older_than=-math.inf)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        with self._lock:
            overdue = [(entry_id, held) for entry_id, held in self._held.items() if now > held.deadline]
        for entry_id, held in overdue:
            # Since it was told, not since the deadline: a machine that slept over it gave the work no time to end.
            held.overdue_since = now if held.overdue_since is None else held.overdue_since
            if now > held.overdue_since + self._lease:
                logger.critical("wedged_worker_ends_itself", entry_id=entry_id, runbook="wedged-worker")
                # Not sys.exit, which ends a thread alone: nothing on a blocked loop would ever come to its end.
                os._exit(WEDGED_EXIT_CODE)
            self._tell(held, DeadlinePassed(f"no end after {held.allowed_s:g} s"))

    def _beat_all(self) -> bool:
        """Renew all leases, in one round trip unless they are very many; whether Redis answered."""
        with self._lock:
            ids = list(self._held)
        return all(self._beat_some(ids[first : first + BEATEN_AT_ONCE]) for first in range(0, len(ids), BEATEN_AT_ONCE))

    def _beat_some(self, ids: list[str]) -> bool:
        sent_at = time.monotonic()
        try:
            lost = self._beat(ids)
        except redis.RedisError as error:
            logger.debug("beat_failed", reason=str(error))
            # Only a Redis that is away says nothing of the lease.  One that refuses us answers, and may do so for ever.
            away = isinstance(error, (redis.ConnectionError, redis.TimeoutError))
            why = LeaseUncertain("no answer from Redis for most of a lease") if away else LeaseLost(f"a beat: {error}")
            self._tell_unbeaten(why, older_than=self._patience)
            return False
        self._note(ids, set(lost), sent_at)
        return True

    def _note(self, ids: list[str], lost: set[str], sent_at: float) -> None:
        with self._lock:
            for entry_id in ids:
                held = self._held.get(entry_id)
                if held is not None and entry_id not in lost:
                    held.beaten_at = sent_at
                elif held is not None and held.beaten_at < sent_at:  # not one that was taken up after the beat was sent
                    self._tell(held, LeaseLost("another consumer holds the entry"))

    def _tell_unbeaten(self, why: DeliveryError, *, older_than: float) -> None:
        """Read the clock here, after the beat that failed: it may have hung for a good part of the lease."""
        now = time.monotonic()
        with self._lock:
            for held in self._held.values():
                if now - held.beaten_at > older_than:
                    self._tell(held, why)

    def _tell(self, held: _Held, why: DeliveryError) -> None:
        if not held.told:
            held.told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs on it any more
                self._loop.call_soon_threadsafe(held.tell, why)
