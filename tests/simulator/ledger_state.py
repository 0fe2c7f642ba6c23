"""Holds what leaves Redis against the ledger: its work has ended, and what follows from it has been sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.simulator.redis_state import RedisState, Violation

if TYPE_CHECKING:
    from tests.simulator.gated_postgres import Session

OPEN = ("blocked", "ready", "running", "retrying")


class LedgerPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a running cycle, as committed."""

    key: str
    state: str
    stage: str
    needs: list[str]
    cycle_id: int
    run_pass: int

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def is_unsent(self, messages: set[str]) -> bool:
        return self.state == "ready" and self.run_pass == 1 and self.key not in messages

    def waits_for(self, other: LedgerPart) -> bool:
        """Whether this part may not run before *other* has ended."""
        if other.cycle_id != self.cycle_id or not other.is_open:
            return False
        return other.stage in self.needs or ("*" in self.needs and other.stage != self.stage)


async def check_removed(
    ledger: Session, before: RedisState, after: RedisState, *, step: str, nothing_lost: bool
) -> None:
    """Raise Violation when a message has gone too early. *nothing_lost*: nobody else has taken messages away."""
    removed = before.entries.keys() - after.entries.keys()
    if not removed:
        return
    rows = await ledger.fetch(
        "SELECT cycle_id || '/' || task || '/' || part AS key, part.state, stage, needs, cycle_id, "
        "part.pass AS run_pass FROM part JOIN cycle USING (cycle_id) WHERE cycle.state = 'running'"
    )
    parts = {row["key"]: LedgerPart(**dict(row)) for row in rows}
    messages = {after.key_of(entry_id) for entry_id in after.entries} | after.later.keys()
    # Who was frozen over a withdrawal may take back what has gone on meanwhile, and sends it again: at the latest when
    # nothing moves any more, something has to lead to it.
    for entry_id in removed if not step.startswith("withdraw") else ():
        key = before.key_of(entry_id)
        # A message names the part, not the pass: what goes may be the last pass's, acknowledged late. A next pass is
        # begun by the reconciler, which also sends what it lacks; the end shows whether it did.
        if key in parts and parts[key].is_open and parts[key].run_pass == 1 and key not in messages:
            raise Violation(f"{step} removed the message of {key}, which the ledger has as {parts[key].state}")
    _check_released(parts, step)
    if nothing_lost:
        _check_sent(parts, messages, step)


def _check_released(parts: dict[str, LedgerPart], step: str) -> None:
    """A part that waits for nothing any more was released by the last one that it waited for."""
    for part in parts.values():
        if part.state == "blocked" and not any(part.waits_for(other) for other in parts.values()):
            raise Violation(f"after {step}: {part.key} waits for nothing, and nobody has released it")


def _check_sent(parts: dict[str, LedgerPart], messages: set[str], step: str) -> None:
    """What may run has a message, or one that is still to come: with the settlement of work that has ended."""
    to_be_settled = any(key not in parts or not parts[key].is_open for key in messages)
    unsent = [part.key for part in parts.values() if part.is_unsent(messages)]
    if unsent and not to_be_settled:
        raise Violation(f"after {step}: nothing in Redis leads to {', '.join(unsent)} any more")
