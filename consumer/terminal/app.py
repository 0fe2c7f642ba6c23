"""The command line `maintenance`. Data goes to standard output, the rest to standard error.

Exit codes: 0 ok · 1 failed · 2 usage · 3 finding (late, partial, missing) · 4 unreachable. README.md has the table.
With --json also a refusal is JSON: {"error": …, "exit_code": …}.
"""

import asyncio
import datetime as dt
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from consumer.completeness.backfill import Backfill
from consumer.completeness.sessions import Span
from consumer.terminal import adopt as adopt_verb
from consumer.terminal import backfill as backfill_verb
from consumer.terminal import cancel as cancel_verb
from consumer.terminal import coverage as coverage_verb
from consumer.terminal import doctor as doctor_verb
from consumer.terminal import export as export_verb
from consumer.terminal import migrate as migrate_verb
from consumer.terminal import pending as pending_verb
from consumer.terminal import plan as plan_verb
from consumer.terminal import report as report_verb
from consumer.terminal import run as run_verb
from consumer.terminal import run_source
from consumer.terminal import status as status_verb
from consumer.terminal import trigger as trigger_verb
from consumer.terminal import verify as verify_verb
from consumer.terminal.environment import settings_set
from consumer.terminal.export_request import ExportRequest
from consumer.terminal.letters import boundary, dead_letters, findings
from consumer.terminal.parameters import (
    NOBODY,
    AsPage,
    By,
    First,
    Json,
    Last,
    MaybeReason,
    OfMonth,
    Who,
)
from consumer.terminal.refused import SERVER_ERRORS, CommandRefused, usage, what_a_server_said, write_refusal
from consumer.terminal.run_options import RunOptions
from contract.messages import TaskName
from market.calendar_errors import CalendarError
from market.data_source import SourceKind
from process.exit_codes import ExitCode
from process.logs import configure_logs

app = App(name="maintenance", help="Data maintenance for a US stock-market stack, run by market events.")


app.command(dead_letters)
app.command(findings)
app.command(boundary)


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
    options = RunOptions(once=once, simulated=simulated, tickers=tickers, replay=replay, trading_day=trading_day)
    if (refusal := _refusal(options)) is not None:
        sys.stderr.write(refusal + "\n")
        return ExitCode.USAGE
    settings = settings_set()
    if (refusal := run_source.refusal(settings, options)) is not None:
        sys.stderr.write(refusal + "\n")
        return ExitCode.USAGE
    return asyncio.run(run_verb.run(settings, options))


def _refusal(options: RunOptions) -> str | None:
    if options.replay is not None and not (options.replay / "us_stocks_sip").is_dir():
        return f"--replay {options.replay}: no folder us_stocks_sip there; name the folder that holds it"
    if options.tickers is not None and not 20 <= options.tickers <= 50_000:
        return "--tickers: from 20 to 50000"
    return None


@app.command
def status(*, json: Json = False) -> int:
    """Show the newest session's verdict and the newest cycle; exits 3 when the newest due time is not served."""
    return asyncio.run(status_verb.show(settings_set(), as_json=json))


@app.command
def trigger(
    *,
    day: Annotated[dt.date | None, Parameter(help="trading day, default the last completed one")] = None,
    task: Annotated[TaskName, Parameter(help="the whole cycle, or one task")] = TaskName.CYCLE,
    force: Annotated[bool, Parameter(help="fetch again what the ledger says is there")] = False,
    wait: Annotated[bool, Parameter(help="follow it to its end")] = False,
    who: Annotated[Who, Parameter(name="*")] = NOBODY,
) -> int:
    """Ask for a cycle; asking twice does no work twice."""
    request = trigger_verb.TriggerRequest(day=day, task=task, force=force, wait=wait, who=who)
    return asyncio.run(trigger_verb.send(settings_set(), request))


@app.command
def coverage(*, first: First = None, last: Last = None, json: Json = False) -> int:
    """Show what every session holds, from which source; exits 3 when there are gaps."""
    span = Span(first=first, last=last)
    return asyncio.run(coverage_verb.show(settings_set(), span, gaps_only=False, as_json=json))


@app.command
def gaps(*, first: First = None, last: Last = None, json: Json = False) -> int:
    """Show the sessions that lack something, old and recent; exits 3 when there are any."""
    span = Span(first=first, last=last)
    return asyncio.run(coverage_verb.show(settings_set(), span, gaps_only=True, as_json=json))


@app.command
def report(*, month: OfMonth = None, json: Json = False, html: AsPage = None) -> int:
    """Report one month's health on one page; exits 3 when something of it lacks."""
    wanted = report_verb.Wanted(month=month, as_json=json, html=html)
    return asyncio.run(report_verb.show(settings_set(), wanted))


@app.command
def backfill(
    *,
    first: Annotated[dt.date, Parameter(name="--from", help="first session")],
    last: Annotated[dt.date, Parameter(name="--to", help="last session")],
    task: Annotated[TaskName, Parameter(help="both, or only bars or slots")] = TaskName.CYCLE,
    dry_run: Annotated[bool, Parameter(help="only forecast requests and time", negative=())] = False,
    who: Annotated[Who, Parameter(name="*")] = NOBODY,
) -> int:
    """Repair exactly the gaps of these sessions, behind all other work."""
    wanted = Backfill(first=first, last=last, task=task)
    request = backfill_verb.BackfillRequest(wanted=wanted, dry_run=dry_run, who=who)
    return asyncio.run(backfill_verb.run(settings_set(), request))


@app.command
def export(*, request: Annotated[ExportRequest, Parameter(name="*")]) -> int:
    """Write sessions as Parquet files; what is there already is skipped. Exits 3 when something lacks."""
    return asyncio.run(export_verb.run(settings_set(), request))


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
        return ExitCode.USAGE
    return asyncio.run(adopt_verb.adopt(settings_set(), adoption))


@app.command
def migrate(
    *,
    finish: Annotated[
        bool,
        Parameter(
            help="serve older programs no more: those at work stop, and what only they read is dropped", negative=()
        ),
    ] = False,
    adopt: Annotated[
        bool,
        Parameter(
            help="take the earlier service's place: its tables are kept under another name, its bars taken over",
            negative=(),
        ),
    ] = False,
) -> int:
    """Bring the tables up to date; a new program does so at its start, but for what older ones still read."""
    return asyncio.run(migrate_verb.bring_up_to_date(settings_set(), finishing=finish, adopting=adopt))


@app.command
def plan(*, json: Json = False) -> int:
    """Forecast what the next cycle will ask of the vendor."""
    return asyncio.run(plan_verb.show(settings_set(), as_json=json))


@app.command
def verify(*, json: Json = False) -> int:
    """Compare the Redis caches with PostgreSQL; exits 3 on a difference."""
    return asyncio.run(verify_verb.show(settings_set(), as_json=json))


@app.command
def pending(*, json: Json = False) -> int:
    """Show who holds which work, and what waits; exits 3 when nobody alive holds something."""
    return asyncio.run(pending_verb.show(settings_set(), as_json=json))


@app.command
def doctor(
    *,
    offline: Annotated[bool, Parameter(help="do not ask the vendor", negative=())] = False,
    json: Json = False,
) -> int:
    """Check everything this service stands on; exits 3 when a promise cannot be kept, 4 when a server is away."""
    return asyncio.run(doctor_verb.examine(settings_set(), as_json=json, offline=offline))


@app.command
def cancel(
    day: dt.date,
    /,
    *,
    reason: MaybeReason = None,
    by: By = None,
) -> int:
    """End what runs or waits for a trading day; nothing of it is opened again by itself."""
    return asyncio.run(cancel_verb.cancel(settings_set(), day, reason=reason, by=by))


def call(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what it cannot answer is told here, in one form for every verb."""
    as_json = "--json" in arguments
    try:
        return int(app(arguments, exit_on_error=False, result_action="return_value") or 0)
    except CycloptsError as error:  # told already, in a box
        return write_refusal(usage(" ".join(str(error).split())), as_json=as_json) if as_json else ExitCode.USAGE
    except CommandRefused as refused:
        return write_refusal(refused, as_json=as_json)
    except CalendarError as error:  # of a clock outside the trading calendar
        return write_refusal(CommandRefused(str(error), ExitCode.FAILED), as_json=as_json)
    except SERVER_ERRORS as error:
        return write_refusal(what_a_server_said(error), as_json=as_json)


def main() -> None:
    """Entry point of the command."""
    configure_logs(json=False, level="WARNING")
    try:
        code = call(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # `maintenance … | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    sys.exit(code)
