"""The verbs of `maintenance dead-letters`, `findings` and `boundary`: what waits for a person's word."""

import asyncio
import datetime as dt
from typing import Annotated

from cyclopts import App, Parameter

from consumer.postgres.boundaries import State
from consumer.postgres.dead_letters import Selection
from consumer.terminal import boundaries as boundaries_verb
from consumer.terminal import dead_letters as dead_letters_verb
from consumer.terminal import findings as findings_verb
from consumer.terminal.environment import settings_set
from consumer.terminal.parameters import (
    By,
    Corrections,
    DryRun,
    EveryOpen,
    Id,
    Ids,
    Json,
    MaybeReason,
    OfCause,
    OfTask,
    Reason,
    SettledToo,
    Symbol,
)
from consumer.terminal.refused import usage
from contract.messages import TaskName

dead_letters = App(name="dead-letters", help="Show what was given up, send it again, or drop it.")


@dead_letters.command(name="list")
def list_dead_letters(
    *,
    all: SettledToo = False,
    json: Json = False,
) -> int:
    """List them; exits 3 while any is open."""
    return asyncio.run(dead_letters_verb.show(settings_set(), settled=all, as_json=json))


@dead_letters.command(name="replay")
def replay_dead_letters(
    *ids: Ids,
    task: OfTask = None,
    cause: OfCause = None,
    all: EveryOpen = False,
    set: Corrections = (),
    reason: MaybeReason = None,
    by: By = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Ask again for what they wanted; a part's task is planned anew, and does only what is missing."""
    selection = _selection(ids, task, cause, every=all)
    settling = dead_letters_verb.Settling(selection=selection, reason=reason, by=by, dry_run=dry_run, as_json=json)
    return asyncio.run(dead_letters_verb.replay(settings_set(), settling, changes=set))


@dead_letters.command(name="drop")
def drop_dead_letters(
    *ids: Ids,
    reason: Reason,
    task: OfTask = None,
    cause: OfCause = None,
    all: EveryOpen = False,
    by: By = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Settle them without doing them; they stay in the ledger with who and why."""
    selection = _selection(ids, task, cause, every=all)
    settling = dead_letters_verb.Settling(selection=selection, reason=reason, by=by, dry_run=dry_run, as_json=json)
    return asyncio.run(dead_letters_verb.drop(settings_set(), settling))


def _selection(ids: tuple[int, ...], task: TaskName | None, cause: str | None, *, every: bool) -> Selection:
    if not (ids or task or cause or every):
        raise usage("which ones: ids of `maintenance dead-letters list`, --task, --cause or --all")
    return Selection(ids=ids, task=None if task is None else task.value, fingerprint=cause)


findings = App(name="findings", help="Show which sessions are suspect and why, and settle it.")


@findings.command(name="list")
def list_findings(
    *,
    all: SettledToo = False,
    json: Json = False,
) -> int:
    """List them; exits 3 while any is open."""
    return asyncio.run(findings_verb.show(settings_set(), settled=all, as_json=json))


@findings.command(name="accept")
def accept_finding(
    finding: Id,
    /,
    *,
    reason: Reason,
    take_new: Annotated[bool, Parameter(help="take the answer that was kept aside instead", negative=())] = False,
    by: By = None,
    json: Json = False,
) -> int:
    """Say that what stands is right, and settle the finding; it is not reported again for the same rows."""
    acceptance = findings_verb.Acceptance(finding_id=finding, reason=reason, by=by, take_new=take_new, as_json=json)
    return asyncio.run(findings_verb.accept(settings_set(), acceptance))


boundary = App(name="boundary", help="Show and decide where a series may not be read across: a spin-off, a merger.")
FirstOfSeries = Annotated[dt.date, Parameter(help="first session of the new series")]


@boundary.command(name="list")
def list_boundaries(*, all: SettledToo = False, json: Json = False) -> int:
    """List those that a price proposes; exits 0, since a proposal changes no figure."""
    return asyncio.run(boundaries_verb.show(settings_set(), decided=all, as_json=json))


@boundary.command(name="accept")
def accept_boundary(symbol: Symbol, day: FirstOfSeries, /, *, reason: Reason, by: By = None, json: Json = False) -> int:
    """Say that a series begins anew on that day, proposed or not: figures are made of nothing before it."""
    word = boundaries_verb.Word(symbol=symbol, day=day, state=State.ACCEPTED, reason=reason, by=by, as_json=json)
    return asyncio.run(boundaries_verb.decide(settings_set(), word))


@boundary.command(name="reject")
def reject_boundary(symbol: Symbol, day: FirstOfSeries, /, *, reason: Reason, by: By = None, json: Json = False) -> int:
    """Say that a series goes on across that day; it takes an acceptance back, too."""
    word = boundaries_verb.Word(symbol=symbol, day=day, state=State.REJECTED, reason=reason, by=by, as_json=json)
    return asyncio.run(boundaries_verb.decide(settings_set(), word))
