"""Ends a pass once all its parts have ended: the run is complete only by proof.

The proof is the plan itself: computed once more, it must find nothing to do. What this plan of the vendor brings later
is no lack of the run: it goes on with it, or another run does when its time has come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.catalogue.registry import DATA_SETS, data_set_of
from consumer.cycle.lacks import describe_missing, summarised
from consumer.cycle.opened_pass import FINISH_STAGE
from consumer.cycle.outcome import Left, PassEnd, judge
from consumer.cycle.plan import missing_parts, newer_caches
from consumer.cycle.what_stands import read_situation
from consumer.data_sets.declaration import Excuses
from consumer.data_sets.vendor_plan import Capability
from consumer.postgres.cycle_changes import end_pass
from consumer.postgres.ledger import PartReport
from consumer.postgres.part_outcomes import ended_parts
from consumer.postgres.states import PartState
from consumer.verdict.judge import ruler_of
from consumer.verdict.options import expectations_of
from contract import data_sets as names
from contract.failures import FailureClass
from contract.messages import TaskName

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan
    from consumer.postgres.part_outcomes import EndedPart
    from consumer.postgres.pool import Connection
    from consumer.tasks.part import PartContext, Write
    from consumer.verdict.ruler import Ruler


async def finish_cycle(ctx: PartContext) -> Write:
    """The last part of every pass."""
    now = ctx.services.now()
    ctx.services.vendor.tell_rest()
    ended = await ended_parts(ctx.services.pool, ctx.cycle, but_stage=FINISH_STAGE)
    # Forced once is enough: the proof asks for what is missing, and not for all of it anew.
    terms = msgspec.structs.replace(ctx.terms, cycle=msgspec.structs.replace(ctx.cycle, force=False))
    situation = await read_situation(ctx, terms, every_fact=True)
    left = what_is_left(situation, _ruler(ctx, situation), ended)
    fatal = next((part.reason for part in ended if part.failure_class is FailureClass.KEY_REFUSED), None)
    end = PassEnd(run_pass=ctx.cycle.run_pass, now=now, give_up_at=ctx.cycle.give_up_at, fatal=fatal)
    outcome = judge(left, ended, end)
    warnings = summarised(_warnings(situation, ended))

    async def write(connection: Connection) -> PartReport:
        await end_pass(connection, ctx.cycle, outcome, warnings=warnings, now=now)
        return PartReport()

    return write


def what_is_left(situation: Situation, ruler: Ruler, ended: Sequence[EndedPart]) -> Left:
    """Return what a new plan would do, in words and in kind."""
    # What the vendor's plan never brings is no lack of this night, as it is none of the session's verdict. A new plan
    # would ask for it all the same, since plans change; but what follows from it is not missing either.
    situation = msgspec.structs.replace(situation, left_out=_never_brought(ruler))
    parts = missing_parts(situation)
    return Left(
        missing=tuple(describe_missing(situation, parts, ended, _excuses(situation, ruler, ended))),
        planned=frozenset((str(part.task), part.part) for part in parts),
        suspect=any(part.part.startswith("recheck:") for part in parts),
        goes_on=_goes_on(parts, ruler),
        cut=_was_cut(situation, parts, ended),
        published_at=_published_at(situation, ruler),
    )


def _never_brought(ruler: Ruler) -> frozenset[str]:
    return frozenset(one.name for one in DATA_SETS if one.capability is not None and not ruler.plan.has(one.capability))


def _ruler(ctx: PartContext, situation: Situation) -> Ruler:
    """By what the sessions of the cycle are measured; the same as for a verdict."""
    services = ctx.services
    expectations = expectations_of(services.options, services.schedule, slot_files=services.flat_files is not None)
    return ruler_of(situation.holdings, expectations, situation.now)


def _warnings(situation: Situation, ended: Sequence[EndedPart]) -> list[str]:
    warnings = [text for part in ended for text in part.warnings]
    warnings += [text for text in situation.files.warnings if text not in warnings]
    newer = newer_caches(situation)
    if TaskName.REDIS_SYNC in situation.terms.cycle.tasks and newer is not None:
        warnings.append(f"redis_sync: the caches stand at {newer} and are not taken back to {situation.terms.day}")
    return warnings


def _excuses(situation: Situation, ruler: Ruler, ended: Sequence[EndedPart]) -> Excuses:
    """Why what is missing was not brought; what this plan brings later than the schedule asks for it is no lack."""
    day = situation.terms.day
    reasons: dict[tuple[str, str], str] = {}
    for part in ended:
        if part.reason:
            reasons.setdefault((part.task, part.part.partition(":")[0]), part.reason)
    return Excuses(
        reasons=reasons,
        later=frozenset(one.name for one in DATA_SETS if one.in_verdict and ruler.is_later(one.name, day)),
        later_days=_later_days(situation, ruler),
    )


def _later_days(situation: Situation, ruler: Ruler) -> frozenset[dt.date]:
    """The sessions whose slots this plan brings later than the schedule asks for them, and not yet."""
    sessions = situation.terms.sessions(situation.terms.options.slot_sessions)
    return frozenset(day for day in sessions if not ruler.plan.brings_slots or ruler.is_later(names.VOLUME_SLOTS, day))


def _goes_on(parts: Sequence[PartPlan], ruler: Ruler) -> bool:
    """Whether another pass can bring more at once: symbol by symbol, within the budget."""
    piecemeal = [one for part in parts if (one := data_set_of(part)) is not None and one.piecemeal is not None]
    return any(one.name != names.VOLUME_SLOTS or ruler.plan.has(Capability.RANGE_BARS) for one in piecemeal)


def _was_cut(situation: Situation, parts: Sequence[PartPlan], ended: Sequence[EndedPart]) -> bool:
    """Whether this pass asked for as many symbols as one may, and a new plan would ask for more of them."""
    most = situation.terms.options.requests_a_pass
    if most is None:
        return False
    for one in {one.name: one for part in parts if (one := data_set_of(part)) is not None}.values():
        if one.piecemeal is None:
            continue
        prefix = f"{one.piecemeal.kind}:"
        asked = sum(part.symbols for part in ended if part.part.startswith(prefix) and part.state is PartState.DONE)
        if asked >= one.piecemeal.a_pass(most):
            return True
    return False


def _published_at(situation: Situation, ruler: Ruler) -> dt.datetime | None:
    if ruler.plan.has(Capability.SAME_DAY):
        return None
    return ruler.plan.published_at(situation.terms.calendar.session(situation.terms.day))
