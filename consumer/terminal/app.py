"""The command line `maintenance`: run, status, trigger. Data goes to standard output, the rest to standard error.

Exit codes: 0 ok · 1 failed · 2 usage · 3 finding (late, partial, missing) · 4 unreachable.
"""

import asyncio
import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from consumer.settings import BadSettings, Settings, read_settings
from consumer.terminal import run as run_verb
from consumer.terminal import status as status_verb
from consumer.terminal import trigger as trigger_verb
from producers.messages import TaskName

app = App(name="maintenance", help="Data maintenance for a US stock-market stack, run by market events.")


def settings_or_exit() -> Settings:
    """Read the environment; exit 2 with every problem when it is refused."""
    try:
        return read_settings(os.environ)
    except BadSettings as refused:
        sys.stderr.write("\n".join(["these settings are refused:", *(f"  {line}" for line in refused.problems)]) + "\n")
        sys.exit(run_verb.EXIT_USAGE)


@app.command
def run(
    *,
    once: bool = False,
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
    options = run_verb.RunOptions(once=once, tickers=tickers, replay=replay, trading_day=trading_day)
    if (refusal := _refusal(options)) is not None:
        sys.stderr.write(refusal + "\n")
        return run_verb.EXIT_USAGE
    return asyncio.run(run_verb.run(settings_or_exit(), options))


def _refusal(options: run_verb.RunOptions) -> str | None:
    if options.replay is not None and not (options.replay / "us_stocks_sip").is_dir():
        return f"--replay {options.replay}: no folder us_stocks_sip there; name the folder that holds it"
    if options.tickers is not None and not 20 <= options.tickers <= 50_000:
        return "--tickers: from 20 to 50000"
    return None


@app.command
def status(*, json: bool = False) -> int:
    """Show the current and the last cycle; exits 3 when the last due day is not complete."""
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


def main() -> None:
    """Entry point of the command."""
    sys.exit(app())
