"""The verbs of `maintenance` that only look: status, coverage, gaps, symbol, pending, plan, report, verify, doctor."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consumer.completeness.sessions import Span
from consumer.terminal import coverage as coverage_verb
from consumer.terminal import doctor as doctor_verb
from consumer.terminal import live as live_verb
from consumer.terminal import pending as pending_verb
from consumer.terminal import plan as plan_verb
from consumer.terminal import report as report_verb
from consumer.terminal import status as status_verb
from consumer.terminal import symbol as symbol_verb
from consumer.terminal import verify as verify_verb
from consumer.terminal.coverage import Wanted
from consumer.terminal.environment import settings_set
from consumer.terminal.parameters import AsPage, At, First, Json, Last, OfDataSets, OfMonth, OfSymbol, Symbol
from consumer.terminal.refused import usage


def status(
    *, watch: Annotated[bool, Parameter(help="stay, and say what changes", negative=())] = False, json: Json = False
) -> int:
    """Show the newest session's verdict, the next run and the calendar; exits 3 when the newest due time is not served.

    Times are New York's where they are of the market (ET), else UTC, and say which.
    """
    return asyncio.run(status_verb.show(settings_set(), watch=watch, as_json=json))


def coverage(
    *,
    first: First = None,
    last: Last = None,
    data_set: OfDataSets = (),
    symbol: OfSymbol = None,
    json: Json = False,
) -> int:
    """Show what the sessions hold, from which source, equal neighbours in a line; exits 3 when there are gaps."""
    wanted = Wanted(span=Span(first=first, last=last), data_sets=data_set, symbol=symbol, gaps_only=False)
    return asyncio.run(coverage_verb.show(settings_set(), wanted, as_json=json))


def gaps(
    *,
    first: First = None,
    last: Last = None,
    data_set: OfDataSets = (),
    symbol: OfSymbol = None,
    json: Json = False,
) -> int:
    """Show the sessions that lack something, old and recent, equal neighbours in a line; exits 3 when there are any."""
    wanted = Wanted(span=Span(first=first, last=last), data_sets=data_set, symbol=symbol, gaps_only=True)
    return asyncio.run(coverage_verb.show(settings_set(), wanted, as_json=json))


def symbol(name: Symbol, /, *, at: At = None, json: Json = False) -> int:
    """Draw one symbol: bars, ATR, today's slots beside the usual ones, Redis beside PostgreSQL, and why they say so.

    Exits 3 where Redis holds something else than PostgreSQL would have it hold, 2 where nothing is known of it.
    """
    return asyncio.run(symbol_verb.show(settings_set(), name, at=at, as_json=json))


def report(*, month: OfMonth = None, json: Json = False, html: AsPage = None) -> int:
    """Report one month's health on one page; exits 3 when something of it lacks."""
    wanted = report_verb.Wanted(month=month, as_json=json, html=html)
    return asyncio.run(report_verb.show(settings_set(), wanted))


def plan(*, json: Json = False) -> int:
    """Forecast what the next cycle will ask of the vendor."""
    return asyncio.run(plan_verb.show(settings_set(), as_json=json))


def verify(*, json: Json = False) -> int:
    """Compare the Redis caches with PostgreSQL; exits 3 on a difference."""
    return asyncio.run(verify_verb.show(settings_set(), as_json=json))


def pending(*, json: Json = False) -> int:
    """Show who holds which work, and what waits; exits 3 when nobody alive holds something."""
    return asyncio.run(pending_verb.show(settings_set(), as_json=json))


def doctor(
    *,
    offline: Annotated[bool, Parameter(help="do not ask the vendor", negative=())] = False,
    live: Annotated[
        bool, Parameter(help="ask the vendor, in 30 requests at most, about all that was only assumed", negative=())
    ] = False,
    report: Annotated[Path | None, Parameter(help="with --live: the file to write, default in this folder")] = None,
    json: Json = False,
) -> int:
    """Check everything this service stands on; exits 3 when a promise cannot be kept, 4 when a server is away."""
    if live and offline:
        raise usage("--live asks the vendor and --offline does not: give one of them")
    if live:
        return asyncio.run(live_verb.examine(settings_set(), report=report, as_json=json))
    if report is not None:
        raise usage("--report goes with --live")
    return asyncio.run(doctor_verb.examine(settings_set(), as_json=json, offline=offline))
