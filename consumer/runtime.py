"""Gives a process of ours its clock, its Redis client and its stop signal."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from process.bounded_replies import BoundedReplies
from process.stopping import stopping_signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

T = TypeVar("T")

COMMAND_TIMEOUT_S = 5.0
CANCELLED_AGAIN_AFTER_S = 1.0


def utc_now() -> dt.datetime:
    """The one clock of the process."""
    return dt.datetime.now(dt.UTC)


def connect_redis(url: str, *, timeout_s: float = COMMAND_TIMEOUT_S) -> redis.asyncio.Redis:
    """A client that does not retry by itself: what may be repeated is decided by whoever sends it. Whatever stands
    in Redis, its replies are small."""
    return redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_s,
        socket_connect_timeout=COMMAND_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        encoding_errors="replace",  # one value that is no UTF-8 must not make a whole read fail
        parser_class=BoundedReplies,
    )


def connect_blocking_redis(url: str) -> redis.Redis:
    """A client for threads, for what is packed and compared in bulk."""
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=30, encoding_errors="replace")


async def end_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* until they have ended; how, is left to whoever looks.

    Once is not enough: a cancellation that comes in the same moment as an answer or a broken connection may be
    swallowed on its way through a driver, and a loop that goes on would keep this process alive for ever.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCELLED_AGAIN_AFTER_S)


def watched(work: Coroutine[Any, Any, None], on_failure: Callable[[BaseException], None]) -> asyncio.Task[None]:
    """Run *work* beside the rest; *on_failure* hears of whatever ends it, or nobody would miss it."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            on_failure(failure)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


class Stopped(Exception):
    """The process was told to stop before it had come up."""


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* gives. Raises Stopped, with *work* cancelled, when *stop* is set first."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return working.result()
    finally:
        await end_all([working, stopped])


@contextlib.asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set, and SIGHUP, which a terminal sends when it is closed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = stopping_signals()
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
