"""`maintenance findings list | accept`: shows which sessions are suspect and why, and lets a person settle it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from consumer.cycle import acceptance as acceptances
from consumer.postgres import findings
from consumer.postgres.findings import KeptFinding, Settled, State
from consumer.runtime import utc_now
from consumer.terminal import answers
from consumer.terminal.answers import write_json
from consumer.terminal.cancel import operator
from consumer.terminal.reach import looking, reached
from consumer.terminal.refused import CommandRefused, usage
from process.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.settings import Settings


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says about one finding: what stands is right, or with *take_new* the answer kept aside is."""

    finding_id: int
    reason: str
    by: str | None
    take_new: bool = False
    as_json: bool = False


async def show(settings: Settings, *, settled: bool, as_json: bool) -> int:
    """List the open findings, or all of them with *settled*; 3 while any is open."""
    async with looking(settings) as service:
        found = await findings.find(service.pool, settled=settled)
    if as_json:
        write_json(found)
    elif found:
        _print(found)
    else:
        sys.stderr.write("no session is suspect\n")
    return ExitCode.FINDING if any(one.state is State.OPEN for one in found) else ExitCode.OK


async def accept(settings: Settings, acceptance: Acceptance) -> int:
    """Settle one finding; 3 when it is not open, 2 when there is no other answer to take."""
    settled = Settled(state=State.ACCEPTED, by=acceptance.by or operator(), reason=acceptance.reason)
    try:
        async with reached(settings) as service:
            accepted = await acceptances.accept(
                service.pool, acceptance.finding_id, settled, take_new=acceptance.take_new, now=utc_now()
            )
    except acceptances.NothingAside as error:
        raise usage(
            f"finding {acceptance.finding_id} is about what stands: nothing was kept aside; ask again "
            "for the session with `maintenance trigger --force`, or accept what stands"
        ) from error
    if accepted is None:
        text = "it is not open; `maintenance findings list --all` shows the settled ones"
        raise CommandRefused(text, ExitCode.FINDING)
    if acceptance.as_json:
        write_json(
            answers.Settled(
                finding_id=accepted.finding_id,
                trading_day=accepted.trading_day,
                kind=accepted.kind.value,
                took_new=acceptance.take_new,
            )
        )
        return ExitCode.OK
    done = "what stands was accepted"
    if acceptance.take_new:
        done = "the answer that was kept aside was taken; what is computed from it follows with the next cycle"
    sys.stdout.write(f"{accepted.finding_id} {accepted.trading_day} {accepted.kind}: {done}\n")
    return ExitCode.OK


def _print(found: Sequence[KeptFinding]) -> None:
    table = Table("id", "session", "data set", "kind", "found (UTC)", "state", "what", box=None, pad_edge=False)
    for one in found:
        table.add_row(
            str(one.finding_id),
            str(one.trading_day),
            one.data_set,
            one.kind.value,
            f"{one.found_at:%Y-%m-%d %H:%M}",
            one.state.value,
            one.reason + _rechecked(one) + _settled(one),
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table, highlight=False, markup=False)


def _rechecked(one: KeptFinding) -> str:
    seen = one.evidence.get("recheck")
    if one.state is not State.OPEN or not isinstance(seen, dict) or not seen.get("source"):
        return ""
    other = seen.get("agree_with_the_other")
    beside = "" if other is None else f", to {other:.0%} with the other answer"
    return (
        f" [{seen['compared']} rows of {seen['source']} agree to {seen['agree_with_what_stands']:.0%} with it{beside}]"
    )


def _settled(one: KeptFinding) -> str:
    return "" if one.state is State.OPEN else f" [{one.state} by {one.settled_by}: {one.settled_reason}]"
