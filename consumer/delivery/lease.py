"""Keeps the leases of running work alive from a thread of its own.

A thread, because a handler that blocks the event loop must not lose its lease. But a loop that stays blocked past the
work's deadline is wedged, and wedged work with a kept lease would be immortal: then the process ends itself, its lease
runs out, and another consumer takes over. When Redis is mute the work is cancelled before its lease can have run out.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import redis
from loguru import logger
from redis.backoff import NoBackoff
from redis.retry import Retry

from consumer.delivery.task_stream import SCRIPT_KEYS, script_text
from producers import keys

if TYPE_CHECKING:
    import datetime as dt

BEATS_PER_LEASE = 4
GIVE_UP_AT = 0.8  # of a lease, counted from when the last good beat was sent
WEDGED_EXIT_CODE = 75


class _Held(msgspec.Struct):
    """One entry under way: its task, when its last good beat was sent, and its deadline (monotonic seconds)."""

    task: asyncio.Task[object]
    beaten_at: float
    deadline: float
    cancelled: bool = False


class LeaseKeeper:
    """Beats for every entry that is held, four times a lease."""

    def __init__(self, url: str, *, consumer: str, lease: dt.timedelta, loop: asyncio.AbstractEventLoop) -> None:
        self._lease = lease.total_seconds()
        self._consumer = consumer
        self._loop = loop
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        timeout = max(self._lease / BEATS_PER_LEASE, 0.2)
        self._redis = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
        self._beat = self._redis.register_script(script_text("beat"))
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is still held runs out by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._lease)
        self._redis.close()

    def hold(self, entry_id: str, task: asyncio.Task[object], *, deadline_s: float) -> None:
        """Keep *entry_id* alive until `drop`, at most *deadline_s* seconds; then *task* is cancelled."""
        now = time.monotonic()
        with self._lock:
            self._held[entry_id] = _Held(task=task, beaten_at=now, deadline=now + deadline_s)

    def drop(self, entry_id: str) -> None:
        with self._lock:
            self._held.pop(entry_id, None)

    def _run(self) -> None:
        while not self._stopped.wait(self._lease / BEATS_PER_LEASE):
            self._end_overdue()
            self._beat_all()

    def _end_overdue(self) -> None:
        now = time.monotonic()
        with self._lock:
            overdue = [(entry_id, held) for entry_id, held in self._held.items() if now > held.deadline]
        for entry_id, held in overdue:
            if now > held.deadline + self._lease:
                logger.error("wedged_worker_ends_itself", entry_id=entry_id, runbook="wedged-worker")
                os._exit(WEDGED_EXIT_CODE)
            self._cancel(held, "deadline passed")

    def _beat_all(self) -> None:
        with self._lock:
            ids = list(self._held)
        if not ids:
            return
        sent_at = time.monotonic()
        try:
            lost = set(self._beat(keys=SCRIPT_KEYS, args=[keys.GROUP, self._consumer, *ids]))
        except redis.RedisError as error:
            logger.debug("beat_failed", reason=str(error))
            self._cancel_unbeaten(sent_at)
            return
        with self._lock:
            for entry_id in ids:
                held = self._held.get(entry_id)
                if held is not None and entry_id not in lost:
                    held.beaten_at = sent_at
                elif held is not None:
                    self._cancel(held, "lease lost")

    def _cancel_unbeaten(self, now: float) -> None:
        with self._lock:
            for held in self._held.values():
                if now - held.beaten_at > GIVE_UP_AT * self._lease:
                    self._cancel(held, "lease lost: no answer from Redis")

    def _cancel(self, held: _Held, reason: str) -> None:
        if not held.cancelled:  # once: what follows a cancellation must be able to await
            held.cancelled = True
            self._loop.call_soon_threadsafe(held.task.cancel, reason)
