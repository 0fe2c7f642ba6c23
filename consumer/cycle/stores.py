"""Holds together what the loops of one consumer read and write: the ledger, Redis, and the stream of tasks in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from consumer.delivery.task_stream import TaskStream
    from consumer.postgres.pool import Pool


@dataclass(frozen=True, kw_only=True)
class Stores:
    """What is open, and stays whoever's who opened it."""

    pool: Pool
    redis: Redis
    stream: TaskStream
