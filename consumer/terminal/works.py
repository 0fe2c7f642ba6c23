"""The verbs of `maintenance` that do something: run, worker, trigger, backfill, export, cancel, adopt, migrate."""

import asyncio
import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from consumer.completeness.backfill import Backfill
from consumer.postgres.decisions import Decision
from consumer.runtime import utc_now
from consumer.terminal import adopt as adopt_verb
from consumer.terminal import backfill as backfill_verb
from consumer.terminal import cancel as cancel_verb
from consumer.terminal import export as export_verb
from consumer.terminal import migrate as migrate_verb
from consumer.terminal import run as run_verb
from consumer.terminal import run_source
from consumer.terminal import trigger as trigger_verb
from consumer.terminal.environment import settings_set
from consumer.terminal.export_request import ExportRequest
from consumer.terminal.parameters import By, Json, MaybeReason
from consumer.terminal.refused import usage
from consumer.terminal.run_options import RunOptions
from consumer.worker_settings import missing
from contract.messages import TaskName
from market.data_source import SourceKind


def run(*, options: Annotated[RunOptions, Parameter(name="*")] = RunOptions()) -> int:  # noqa: B008
    """Run the service in the foreground, with whatever servers are not configured."""
    if (refusal := _refusal(options)) is not None:
        raise usage(refusal)
    settings = settings_set()
    if (refusal := run_source.refusal(settings, options)) is not None:
        raise usage(refusal)
    return asyncio.run(run_verb.run(settings, options))


def _refusal(options: RunOptions) -> str | None:
    if options.replay is not None and not (options.replay / "us_stocks_sip").is_dir():
        return f"--replay {options.replay}: no folder us_stocks_sip there; name the folder that holds it"
    if options.tickers is not None and not 20 <= options.tickers <= 50_000:
        return "--tickers: from 20 to 50000"
    return None


def worker(
    *,
    http: Annotated[bool, Parameter(help="serve the page and the HTTP API too")] = False,
    json: Json = False,
) -> int:
    """Run one consumer in the foreground, on servers of your own: it works off what others ask for.

    Parameters
    ----------
    json
        Its log as JSON lines, which are on standard error.
    """
    if lacking := missing(settings_set()):
        raise usage("; ".join(lacking))
    arguments = [sys.executable, "-m", "consumer", *([] if http else ["--no-http"])]
    sys.stdout.flush()
    os.execve(sys.executable, arguments, {**os.environ, **({"LOG_FORMAT": "json"} if json else {})})


def trigger(
    *,
    day: Annotated[dt.date | None, Parameter(help="trading day, default the last completed one")] = None,
    task: Annotated[TaskName, Parameter(help="the whole cycle, or one task")] = TaskName.CYCLE,
    force: Annotated[bool, Parameter(help="fetch again what the ledger says is there")] = False,
    wait: Annotated[bool, Parameter(help="follow it to its end")] = False,
    json: Json = False,
) -> int:
    """Ask for a cycle; asking twice does no work twice."""
    request = trigger_verb.TriggerRequest(day=day, task=task, force=force, wait=wait, as_json=json)
    return asyncio.run(trigger_verb.send(settings_set(), request))


def backfill(
    *,
    first: Annotated[dt.date, Parameter(name="--from", help="first session")],
    last: Annotated[dt.date, Parameter(name="--to", help="last session")],
    task: Annotated[TaskName, Parameter(help="both, or only bars or slots")] = TaskName.CYCLE,
    dry_run: Annotated[bool, Parameter(help="only forecast requests and time", negative=())] = False,
    json: Json = False,
) -> int:
    """Repair exactly the gaps of these sessions, behind all other work."""
    wanted = Backfill(first=first, last=last, task=task)
    request = backfill_verb.BackfillRequest(wanted=wanted, dry_run=dry_run, as_json=json)
    return asyncio.run(backfill_verb.run(settings_set(), request))


def export(*, request: Annotated[ExportRequest, Parameter(name="*")]) -> int:
    """Write sessions as Parquet files; what is there already is skipped. Exits 3 when something lacks."""
    return asyncio.run(export_verb.run(settings_set(), request))


def adopt(
    *,
    source: Annotated[SourceKind, Parameter(help="vendor, simulated or replay")],
    tickers: Annotated[int | None, Parameter(help="of a simulated market: its size")] = None,
    replay: Annotated[Path | None, Parameter(help="of a replay: the folder")] = None,
    replace: Annotated[bool, Parameter(help="even where another stamp stands", negative=())] = False,
    json: Json = False,
) -> int:
    """Say whose data a database and a Redis hold that do not tell it themselves."""
    adoption = adopt_verb.Adoption(kind=source, tickers=tickers, replay=replay, replace=replace, as_json=json)
    if (refusal := adopt_verb.refusal(adoption)) is not None:
        raise usage(refusal)
    return asyncio.run(adopt_verb.adopt(settings_set(), adoption))


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
    json: Json = False,
) -> int:
    """Bring the tables up to date; a new program does so at its start, but for what older ones still read."""
    return asyncio.run(migrate_verb.bring_up_to_date(settings_set(), finishing=finish, adopting=adopt, as_json=json))


def cancel(
    day: dt.date,
    /,
    *,
    reason: MaybeReason = None,
    by: By = None,
    json: Json = False,
) -> int:
    """End what runs or waits for a trading day; nothing of it is opened again by itself."""
    decision = Decision(by=by or cancel_verb.operator(), reason=reason, at=utc_now())
    return asyncio.run(cancel_verb.cancel(settings_set(), day, decision=decision, as_json=json))
