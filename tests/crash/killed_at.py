"""Runs one consumer that dies by SIGKILL at a named point: `python -m tests.crash.killed_at POINT`.

The product has no hooks for this: the function at the point is wrapped from outside, before the consumer is built. A
point lies between two effects, so that the first one has happened when the process dies and the second one has not.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

import consumer.__main__
from consumer.cycle.opening import Served
from contract import keys

if TYPE_CHECKING:
    from consumer.cycle.opening import Opened
    from consumer.delivery.entries import Claimed

Reached = Callable[[tuple[Any, ...], dict[str, Any], Any], bool]


def always(_arguments: tuple[Any, ...], _named: dict[str, Any], _result: Any) -> bool:
    return True


def of_tasks(_arguments: tuple[Any, ...], named: dict[str, Any], result: Any) -> bool:
    """Of the task stream, not of the session events; and with entries."""
    return bool(result) and named.get("stream", keys.TASKS.name) == keys.TASKS.name


def with_entries(_arguments: tuple[Any, ...], _named: dict[str, Any], result: Claimed) -> bool:
    return bool(result.entries)


def some(_arguments: tuple[Any, ...], _named: dict[str, Any], result: Any) -> bool:
    return bool(result)


def of_part(task: str, part: str) -> Reached:
    """Of `CycleRunner._run_taken(self, delivery, cycle, part, row)` and its like: those that name this part."""

    def reached(arguments: tuple[Any, ...], _named: dict[str, Any], _result: Any) -> bool:
        return any(
            getattr(one, "task", None) == task and str(getattr(one, "part", "")).startswith(part) for one in arguments
        )

    return reached


def opened_now(_arguments: tuple[Any, ...], _named: dict[str, Any], result: Opened) -> bool:
    return result.served is Served.OPENED


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """*target* is `module:attribute.path`; the process dies after (or *before*) its *nth* call that *reached* counts.

    *first*: another worker dies there beforehand, and leaves what this one needs.
    """

    target: str
    before: bool = False
    nth: int = 1
    reached: Reached = always
    first: str | None = None


STREAM = "consumer.delivery.task_stream:TaskStream"
RUNNER = "consumer.cycle.runner:CycleRunner"
WRITER = "consumer.redis_cache.writer:CacheWriter"

POINTS: dict[str, Point] = {
    "XREADGROUP has answered": Point(target=f"{STREAM}.read", reached=of_tasks, nth=3),
    "an entry is claimed": Point(target=f"{STREAM}.claim_apart", reached=with_entries, first="a part is taken"),
    "a delivery has begun": Point(target=f"{STREAM}.begin", reached=some, nth=4),
    "a part is taken": Point(target="consumer.postgres.ledger:take_part", nth=4),
    "the vendor has answered": Point(target="consumer.massive.client:MassiveClient.five_minute_bars", nth=5),
    "first write of a transaction": Point(target="consumer.postgres.coverage:record_load", nth=3),
    "before a commit": Point(target=f"{RUNNER}._end", nth=4),
    "committed, not settled": Point(target=f"{RUNNER}._run_taken", nth=4),
    "settled, reply lost": Point(target=f"{STREAM}._settle_all", nth=3),
    "settlement about to be sent": Point(target=f"{STREAM}._settle_all", before=True, nth=3),
    "plan committed, its parts not sent": Point(target=f"{RUNNER}._run_taken", reached=of_part("cycle", "plan")),
    "batches planned, not sent": Point(target=f"{RUNNER}._run_taken", reached=of_part("volume_slots", "plan")),
    "the last cache committed": Point(target=f"{RUNNER}._run_taken", reached=of_part("redis_sync", ""), nth=9),
    "finish committed": Point(target=f"{RUNNER}._run_taken", reached=of_part("cycle", "finish")),
    "a cycle inserted, not committed": Point(target="consumer.cycle.opening:_insert"),
    "a cycle opened, its parts not sent": Point(target="consumer.cycle.opening:open_cycle", reached=opened_now),
    "before what is due is promoted": Point(target=f"{STREAM}.promote", before=True, nth=2),
    "what is due is promoted": Point(target=f"{STREAM}.promote", reached=some),
    "a session event handled, not acknowledged": Point(target=f"{STREAM}.enqueue", reached=some),
    "a dead letter kept, not settled": Point(target="consumer.cycle.failures:FailureRecorder._give_up"),
    "a cache built, not swapped": Point(target=f"{WRITER}._put_in_place", before=True, nth=3),
    "a cache swapped, not marked": Point(target=f"{WRITER}.finish", before=True),
}


def die_at(point: Point) -> None:
    """Wrap the function of *point*."""
    module_name, _, path = point.target.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for attribute in outer:
        owner = getattr(owner, attribute)
    setattr(owner, name, _deadly(getattr(owner, name), point))


def _deadly(function: Callable[..., Any], point: Point) -> Callable[..., Any]:
    met = 0

    def pass_by(arguments: tuple[Any, ...], named: dict[str, Any], result: Any = None) -> None:
        nonlocal met
        met += point.reached(arguments, named, result)
        if met >= point.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(function)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        if point.before:
            pass_by(arguments, named)
        result = await function(*arguments, **named)
        if not point.before:
            pass_by(arguments, named, result)
        return result

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        if point.before:
            pass_by(arguments, named)
        result = function(*arguments, **named)
        if not point.before:
            pass_by(arguments, named, result)
        return result

    return awaited if inspect.iscoroutinefunction(function) else called


if __name__ == "__main__":
    die_at(POINTS[sys.argv.pop(1)])
    sys.exit(consumer.__main__.main())
