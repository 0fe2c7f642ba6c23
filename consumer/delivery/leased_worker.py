"""Runs a worker together with the thread that keeps its leases: one is never without the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.delivery.worker import Worker

if TYPE_CHECKING:
    import asyncio

    from consumer.delivery.handler import Handler, Surroundings, WorkerOptions
    from consumer.delivery.lease import LeaseKeeper
    from consumer.delivery.task_stream import TaskStream


class LeasedWorker:
    """One consumer of the task stream, whatever its handler does."""

    def __init__(
        self,
        stream: TaskStream,
        keeper: LeaseKeeper,
        handler: Handler,
        options: WorkerOptions,
        surroundings: Surroundings,
    ) -> None:
        self.stream = stream
        self.keeper = keeper
        self.worker = Worker(stream, keeper, handler, options, surroundings)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set; leases are kept until the last entry is released."""
        self.keeper.start()
        try:
            await self.worker.run(stop)
        finally:
            self.keeper.stop()
