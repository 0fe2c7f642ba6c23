"""Runs a worker together with the thread that keeps its leases: one is never without the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from consumer.delivery.lease import LeaseKeeper
from consumer.delivery.worker import Worker

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from random import Random

    from consumer.delivery.handler import Handler
    from consumer.delivery.task_stream import TaskStream
    from consumer.delivery.worker import WorkerOptions


class LeasedWorker:
    """One consumer of the task stream, whatever its handler does."""

    def __init__(
        self,
        stream: TaskStream,
        handler: Handler,
        options: WorkerOptions,
        *,
        redis_url: str,
        random: Random,
        now: Callable[[], dt.datetime],
        on_lost: Callable[[], None] = lambda: None,
        keeper: LeaseKeeper | None = None,
    ) -> None:
        """*redis_url*: the keeper's thread has a connection of its own. *keeper*: one that is not a thread."""
        self.stream = stream
        self.keeper = keeper or LeaseKeeper(
            redis_url, consumer=stream.consumer, lease=stream.lease, loop=asyncio.get_running_loop()
        )
        self.worker = Worker(stream, self.keeper, handler, options, random=random, now=now, on_lost=on_lost)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set; leases are kept until the last entry is released."""
        self.keeper.start()
        try:
            await self.worker.run(stop)
        finally:
            self.keeper.stop()
