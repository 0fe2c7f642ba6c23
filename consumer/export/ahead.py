"""Takes one step ahead of whoever uses the results: while one is worked on, the next one comes to be.

One and no more, so that memory has a bound; and nothing goes on once the results are no longer wanted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator

    T = TypeVar("T")


async def one_ahead(steps: Iterable[Callable[[], Awaitable[T]]]) -> AsyncGenerator[T]:
    """Give what each of *steps* returns, in their order; the next one runs while a result is used.

    What a step raises is raised in its turn, after the results before it have been given.
    """
    waiting = iter(steps)
    ahead = _begun(waiting)
    try:
        while ahead is not None:
            found = await ahead
            ahead = _begun(waiting)
            yield found
            del found
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # told by nobody: what ended us comes first


def _begun(waiting: Iterator[Callable[[], Awaitable[T]]]) -> asyncio.Task[T] | None:
    step = next(waiting, None)
    return None if step is None else asyncio.create_task(_taken(step))


async def _taken(step: Callable[[], Awaitable[T]]) -> T:
    return await step()
