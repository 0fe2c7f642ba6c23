"""The command line `maintenance`. Data goes to standard output, the rest to standard error.

Exit codes: 0 ok · 1 failed · 2 usage · 3 finding (late, partial, missing) · 4 unreachable.
"""

import asyncio
import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from consumer.postgres.dead_letters import Selection
from consumer.settings import SETTINGS, BadSettings, Settings, read_settings
from consumer.terminal import adopt as adopt_verb
from consumer.terminal import backfill as backfill_verb
from consumer.terminal import cancel as cancel_verb
from consumer.terminal import coverage as coverage_verb
from consumer.terminal import dead_letters as dead_letters_verb
from consumer.terminal import doctor as doctor_verb
from consumer.terminal import findings as findings_verb
from consumer.terminal import pending as pending_verb
from consumer.terminal import plan as plan_verb
from consumer.terminal import run as run_verb
from consumer.terminal import run_source
from consumer.terminal import status as status_verb
from consumer.terminal import trigger as trigger_verb
from consumer.terminal import verify as verify_verb
from market.calendar_errors import CalendarError
from market.data_source import SourceKind
from producers.messages import TaskName
from producers.settings.secret_values import hide_secrets

app = App(name="maintenance", help="Data maintenance for a US stock-market stack, run by market events.")


def settings_or_exit() -> Settings:
    """Read the environment; exit 2 with every problem when it is refused."""
    hide_secrets(SETTINGS, os.environ)
    try:
        return read_settings(os.environ)
    except BadSettings as refused:
        sys.stderr.write("\n".join(["these settings are refused:", *(f"  {line}" for line in refused.problems)]) + "\n")
        sys.exit(run_verb.EXIT_USAGE)


@app.command
def run(
    *,
    once: bool = False,
    simulated: Annotated[bool, Parameter(help="the simulated market, whatever is set", negative=())] = False,
    tickers: Annotated[int | None, Parameter(help="size of the simulated market")] = None,
    replay: Annotated[Path | None, Parameter(help="replay a folder of the vendor's flat files instead")] = None,
    trading_day: Annotated[dt.date | None, Parameter(help="the trading day to maintain, YYYY-MM-DD")] = None,
) -> int:
    """Run the service in the foreground, with whatever servers are not configured.

    Parameters
    ----------
    once
        Run one cycle and exit: 0 when the day is complete, 3 with what is missing otherwise.
    """
    options = run_verb.RunOptions(
        once=once, simulated=simulated, tickers=tickers, replay=replay, trading_day=trading_day
    )  # fmt: skip
    if (refusal := _refusal(options)) is not None:
        sys.stderr.write(refusal + "\n")
        return run_verb.EXIT_USAGE
    settings = settings_or_exit()
    if (refusal := run_source.refusal(settings, options)) is not None:
        sys.stderr.write(refusal + "\n")
        return run_verb.EXIT_USAGE
    return asyncio.run(run_verb.run(settings, options))


def _refusal(options: run_verb.RunOptions) -> str | None:
    if options.replay is not None and not (options.replay / "us_stocks_sip").is_dir():
        return f"--replay {options.replay}: no folder us_stocks_sip there; name the folder that holds it"
    if options.tickers is not None and not 20 <= options.tickers <= 50_000:
        return "--tickers: from 20 to 50000"
    return None


@app.command
def status(*, json: bool = False) -> int:
    """Show the newest session's verdict and the newest cycle; exits 3 when the newest due time is not served."""
    return asyncio.run(status_verb.show(settings_or_exit(), as_json=json))


@app.command
def trigger(
    *,
    day: Annotated[dt.date | None, Parameter(help="trading day, default the last completed one")] = None,
    task: Annotated[TaskName, Parameter(help="the whole cycle, or one task")] = TaskName.CYCLE,
    force: Annotated[bool, Parameter(help="fetch again what the ledger says is there")] = False,
    wait: Annotated[bool, Parameter(help="follow it to its end")] = False,
) -> int:
    """Ask for a cycle; asking twice does no work twice."""
    request = trigger_verb.TriggerRequest(day=day, task=task, force=force, wait=wait)
    return asyncio.run(trigger_verb.send(settings_or_exit(), request))


First = Annotated[dt.date | None, Parameter(name="--from", help="first session, default where the data begins")]
Last = Annotated[dt.date | None, Parameter(name="--to", help="last session, default the last completed one")]
Json = Annotated[bool, Parameter(negative=())]


@app.command
def coverage(*, first: First = None, last: Last = None, json: Json = False) -> int:
    """Show what every session holds, from which source; exits 3 when there are gaps."""
    span = coverage_verb.Span(first=first, last=last)
    return asyncio.run(coverage_verb.show(settings_or_exit(), span, gaps_only=False, as_json=json))


@app.command
def gaps(*, first: First = None, last: Last = None, json: Json = False) -> int:
    """Show the sessions that lack something, old and recent; exits 3 when there are any."""
    span = coverage_verb.Span(first=first, last=last)
    return asyncio.run(coverage_verb.show(settings_or_exit(), span, gaps_only=True, as_json=json))


@app.command
def backfill(
    *,
    first: Annotated[dt.date, Parameter(name="--from", help="first session")],
    last: Annotated[dt.date, Parameter(name="--to", help="last session")],
    task: Annotated[TaskName, Parameter(help="both, or only bars or slots")] = TaskName.CYCLE,
    dry_run: Annotated[bool, Parameter(help="only forecast requests and time", negative=())] = False,
) -> int:
    """Repair exactly the gaps of these sessions, behind all other work."""
    request = backfill_verb.BackfillRequest(first=first, last=last, task=task, dry_run=dry_run)
    return asyncio.run(backfill_verb.run(settings_or_exit(), request))


@app.command
def adopt(
    *,
    source: Annotated[SourceKind, Parameter(help="vendor, simulated or replay")],
    tickers: Annotated[int | None, Parameter(help="of a simulated market: its size")] = None,
    replay: Annotated[Path | None, Parameter(help="of a replay: the folder")] = None,
    replace: Annotated[bool, Parameter(help="even where another stamp stands", negative=())] = False,
) -> int:
    """Say whose data a database and a Redis hold that do not tell it themselves."""
    adoption = adopt_verb.Adoption(kind=source, tickers=tickers, replay=replay, replace=replace)
    if (refusal := adopt_verb.refusal(adoption)) is not None:
        sys.stderr.write(refusal + "\n")
        return run_verb.EXIT_USAGE
    return asyncio.run(adopt_verb.adopt(settings_or_exit(), adoption))


@app.command
def plan(*, json: Json = False) -> int:
    """Forecast what the next cycle will ask of the vendor."""
    return asyncio.run(plan_verb.show(settings_or_exit(), as_json=json))


@app.command
def verify(*, json: Json = False) -> int:
    """Compare the Redis caches with PostgreSQL; exits 3 on a difference."""
    return asyncio.run(verify_verb.show(settings_or_exit(), as_json=json))


@app.command
def pending(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Show who holds which work, and what waits; exits 3 when nobody alive holds something."""
    return asyncio.run(pending_verb.show(settings_or_exit(), as_json=json))


@app.command
def doctor(
    *,
    offline: Annotated[bool, Parameter(help="do not ask the vendor", negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Check everything this service stands on; exits 3 when a promise cannot be kept, 4 when a server is away."""
    return asyncio.run(doctor_verb.examine(settings_or_exit(), as_json=json, offline=offline))


@app.command
def cancel(
    day: dt.date,
    /,
    *,
    reason: Annotated[str | None, Parameter(help="why, for the record")] = None,
    by: Annotated[str | None, Parameter(help="who, default the user at the terminal")] = None,
) -> int:
    """End what runs or waits for a trading day; nothing of it is opened again by itself."""
    return asyncio.run(cancel_verb.cancel(settings_or_exit(), day, reason=reason, by=by))


dead_letters = App(name="dead-letters", help="Show what was given up, send it again, or drop it.")
app.command(dead_letters)
OfTask = Annotated[TaskName | None, Parameter(help="those of this task")]
OfCause = Annotated[str | None, Parameter(help="those of this cause, as the list shows it")]
By = Annotated[str | None, Parameter(help="who, default the user at the terminal")]
DryRun = Annotated[bool, Parameter(help="only say what would be done", negative=())]


@dead_letters.command(name="list")
def list_dead_letters(
    *,
    all: Annotated[bool, Parameter(help="the settled ones too", negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """List them; exits 3 while any is open."""
    return asyncio.run(dead_letters_verb.show(settings_or_exit(), settled=all, as_json=json))


@dead_letters.command(name="replay")
def replay_dead_letters(
    *ids: Annotated[int, Parameter(help="ids of the list")],
    task: OfTask = None,
    cause: OfCause = None,
    all: Annotated[bool, Parameter(help="every open one", negative=())] = False,
    set: Annotated[tuple[str, ...], Parameter(help="name=value: correct a field", negative=())] = (),
    reason: Annotated[str | None, Parameter(help="what was cured, for the record")] = None,
    by: By = None,
    dry_run: DryRun = False,
) -> int:
    """Ask again for what they wanted; a part's task is planned anew, and does only what is missing."""
    if (selection := _selection(ids, task, cause, every=all)) is None:
        return run_verb.EXIT_USAGE
    return asyncio.run(
        dead_letters_verb.replay(settings_or_exit(), selection, changes=set, reason=reason, by=by, dry_run=dry_run)
    )


@dead_letters.command(name="drop")
def drop_dead_letters(
    *ids: Annotated[int, Parameter(help="ids of the list")],
    reason: Annotated[str, Parameter(help="why, for the record")],
    task: OfTask = None,
    cause: OfCause = None,
    all: Annotated[bool, Parameter(help="every open one", negative=())] = False,
    by: By = None,
    dry_run: DryRun = False,
) -> int:
    """Settle them without doing them; they stay in the ledger with who and why."""
    if (selection := _selection(ids, task, cause, every=all)) is None:
        return run_verb.EXIT_USAGE
    return asyncio.run(dead_letters_verb.drop(settings_or_exit(), selection, reason=reason, by=by, dry_run=dry_run))


def _selection(ids: tuple[int, ...], task: TaskName | None, cause: str | None, *, every: bool) -> Selection | None:
    if not (ids or task or cause or every):
        sys.stderr.write("which ones: ids of `maintenance dead-letters list`, --task, --cause or --all\n")
        return None
    return Selection(ids=ids, task=None if task is None else task.value, fingerprint=cause)


findings = App(name="findings", help="Show which sessions are suspect and why, and settle it.")
app.command(findings)


@findings.command(name="list")
def list_findings(
    *,
    all: Annotated[bool, Parameter(help="the settled ones too", negative=())] = False,
    json: Json = False,
) -> int:
    """List them; exits 3 while any is open."""
    return asyncio.run(findings_verb.show(settings_or_exit(), settled=all, as_json=json))


@findings.command(name="accept")
def accept_finding(
    finding: Annotated[int, Parameter(help="id of the list")],
    /,
    *,
    reason: Annotated[str, Parameter(help="why, for the record")],
    take_new: Annotated[bool, Parameter(help="take the answer that was kept aside instead", negative=())] = False,
    by: By = None,
) -> int:
    """Say that what stands is right, and settle the finding; it is not reported again for the same rows."""
    acceptance = findings_verb.Acceptance(finding_id=finding, reason=reason, by=by, take_new=take_new)
    return asyncio.run(findings_verb.accept(settings_or_exit(), acceptance))


def main() -> None:
    """Entry point of the command. A clock outside the trading calendar has one answer for every verb."""
    try:
        code = app()
    except CalendarError as error:
        sys.exit(f"{error}")
    sys.exit(code)
