"""Reads what Redis holds of the delivery, and holds every step against it.

After each Redis step of a process two states are compared: nobody may end or take what another process holds with its
lease alive, and nothing may leave the stream while the ledger says that its work is still open.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from consumer.cycle.messages import work_key
from consumer.delivery.redis_scripts import readable
from contract import keys
from tests.simulator.virtual_worker import LEASE

if TYPE_CHECKING:
    from redis import Redis

LEASE_MS = int(LEASE.total_seconds() * 1000)


class Violation(Exception):
    """An invariant does not hold; the text says which, and for what."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """One row of XPENDING."""

    owner: str
    idle_ms: int
    deliveries: int

    @property
    def lease_is_alive(self) -> bool:
        return self.idle_ms < LEASE_MS


class RedisState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the delivery keeps in Redis."""

    entries: dict[str, dict[str, str]]
    pending: dict[str, Pending]
    later: dict[str, float]
    queued: dict[str, str]
    fence: int

    @property
    def unread(self) -> list[str]:
        return [entry_id for entry_id in self.entries if entry_id not in self.pending]

    @property
    def ghosts(self) -> bool:
        """Whether something is pending whose entry is gone: the next claim acknowledges it."""
        return not self.pending.keys() <= self.entries.keys()

    def key_of(self, entry_id: str) -> str:
        """The name of the entry's work, as the product gives it."""
        return _key_of(entry_id, tuple(self.entries.get(entry_id, {}).items()))

    @property
    def is_empty(self) -> bool:
        return not (self.entries or self.pending or self.later)


NOTHING = RedisState(entries={}, pending={}, later={}, queued={}, fence=0)


# One round trip, and one answer for one instant.
_LOOK = """
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000)
if pending.err then pending = {} end  -- no such group
return {redis.call('XRANGE', KEYS[1], '-', '+'), pending, redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES'),
        redis.call('HGETALL', KEYS[3]), redis.call('GET', KEYS[4])}
"""


def read_state(redis: Redis) -> RedisState:
    """Look at all of it at once; *redis* is no client of the simulated processes."""
    names = (keys.TASKS.name, keys.LATER.pattern, keys.QUEUED.pattern, keys.FENCE.pattern)
    answer = redis.execute_command("EVAL", _LOOK, len(names), *names, keys.GROUP, NEVER_DECODE=True)
    entries, pending, later, queued, fence = readable(answer)
    return RedisState(
        entries={entry_id: _pairs(flat) for entry_id, flat in entries},
        pending={
            entry_id: Pending(owner=owner, idle_ms=idle, deliveries=deliveries)
            for entry_id, owner, idle, deliveries in pending
        },
        later={key: float(score) for key, score in _pairs(later).items()},
        queued=_pairs(queued),
        fence=int(fence or 0),
    )


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


@functools.lru_cache(maxsize=2000)
def _key_of(entry_id: str, fields: tuple[tuple[str, str], ...]) -> str:
    return work_key(dict(fields))


def check_ownership(before: RedisState, after: RedisState, *, actor: str, step: str) -> None:
    """An entry ends only by the hand of its holder, and changes hands only when its lease has run out."""
    if step == "withdraw":
        return  # of work that was called off: `ledger_state` sees to it
    for entry_id, held in before.pending.items():
        if held.owner == actor or entry_id not in before.entries:
            continue
        now = after.pending.get(entry_id)
        if now is None:
            raise Violation(f"{actor} ended ({step}) {entry_id} of {before.key_of(entry_id)!r}, held by {held.owner}")
        if now.owner != held.owner and held.lease_is_alive:
            raise Violation(f"{actor} took ({step}) {entry_id} of {before.key_of(entry_id)!r} from {held.owner}")
