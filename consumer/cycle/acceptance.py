"""Settles a finding by a person's word, what stands or what was kept aside: for the command and the page alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.postgres import findings
from consumer.tasks.standing import take_aside

if TYPE_CHECKING:
    import datetime as dt

    from consumer.postgres.findings import KeptFinding, Settled
    from consumer.postgres.pool import Pool


class NothingAside(Exception):
    """The finding is about what stands: there is no other answer to take."""


async def accept(
    pool: Pool, finding_id: int, settled: Settled, *, take_new: bool, now: dt.datetime
) -> KeptFinding | None:
    """Settle it; None where it is not open. Raises NothingAside."""
    async with pool.acquire() as connection, connection.transaction():
        finding = await findings.lock_open(connection, finding_id)
        if finding is None:
            return None
        if not take_new:
            await findings.settle(connection, [finding.finding_id], settled, now=now)
        elif await findings.contested(connection, finding.finding_id) is None:
            raise NothingAside
        else:
            await take_aside(connection, finding, settled, now=now)
        return finding
