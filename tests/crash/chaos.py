"""Disturbs a whole deployment at random and compares what is left with an undisturbed run.

python -m tests.crash.chaos --minutes 10 --tickers 11000 --seed 1 [--report FILE] [--logs DIR]: exits 1 when the data
differ, work is left over, a defect was logged, or the history breaks a rule (tests/histories). The seed decides which
faults come, in which order and for how long; when they strike is decided by real processes, so the same seed is the
same weather and not the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import shutil
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import msgspec

from consumer.runtime import end_all
from market.schedule import Schedule, parse_rules
from market.trading_calendar import TradingCalendar
from tests.crash import recording
from tests.crash.chaos_report import ChaosReport, different, of_consumers, of_ledger, of_logs
from tests.crash.deployment import Deployment, deployment
from tests.crash.disturbances import Disturbances
from tests.crash.repeats import count_deliveries, cut_short, largest_parts, repeated_at_most
from tests.crash.stack import until
from tests.crash.workload import Fingerprint, Workload

WORKERS, PRODUCERS = 3, 2
CALM, DISTURBED = ("calm", 1), ("disturbed", 2)  # database, Redis database
SCHEDULES = ("CLOSED+15m", "CLOSED+3h")
NOTHING_DUE_FOR = dt.timedelta(minutes=45)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of run it is to be."""

    minutes: float
    tickers: int
    seed: int
    pause_s: float = 3.0
    latency_ms: int = 10
    settings: dict[str, str] = {}
    postgres: dict[str, str] = {}
    logs: Path | None = None

    @property
    def patience_s(self) -> float:
        return 120 + self.tickers / 10


def schedule_for(now: dt.datetime) -> tuple[str, dt.date]:
    """Return a rule that does not fall due during the run, and the day whose data it makes due: a final one."""
    for text in SCHEDULES:
        schedule = Schedule(TradingCalendar(), parse_rules(text))
        if schedule.next_due(now).due_at > now + NOTHING_DUE_FOR:
            return text, schedule.latest_due(now).trading_day
    raise AssertionError("two rules that are hours apart cannot both fall due within the run")


async def chaos(options: Options) -> ChaosReport:
    """Run undisturbed, then disturbed, and compare."""
    rule, day = schedule_for(dt.datetime.now(dt.UTC))
    settings = {"MASSIVE_REQUESTS_PER_SECOND": "2000", **options.settings, "MAINTENANCE_SCHEDULE": rule}
    async with deployment(
        tickers=options.tickers,
        latency_ms=options.latency_ms,
        settings=settings,
        postgres={**options.postgres, **recording.POSTGRES},
    ) as deployed:
        await _make_databases(deployed)
        undisturbed = await _undisturbed(deployed, options, day)
        return await _disturbed(deployed, options, day, undisturbed)


async def _make_databases(deployed: Deployment) -> None:
    connection = await asyncpg.connect(deployed.postgres.dsn)
    try:
        for database, _ in (CALM, DISTURBED):
            await connection.execute(f"CREATE DATABASE {database} TEMPLATE template0")
            await count_deliveries(deployed.dsn(database))
    finally:
        await connection.close()


def _workload(deployed: Deployment, options: Options, day: dt.date, place: tuple[str, int]) -> Workload:
    return Workload(deployed, day, Random(options.seed), database=place[0], redis_db=place[1])


class Undisturbed(msgspec.Struct, frozen=True, kw_only=True):
    """What the disturbed run is held against."""

    data: Fingerprint
    requests: dict[str, int]
    largest_parts: dict[str, int]
    seconds: float


async def _undisturbed(deployed: Deployment, options: Options, day: dt.date) -> Undisturbed:
    """The cycle that the schedule makes due, with nothing in its way. FLUSHALL comes later: hence the fingerprint."""
    workload = _workload(deployed, options, day, CALM)
    began = time.monotonic()
    async with deployed.running(*CALM, workers=WORKERS, producers=PRODUCERS):
        await until(workload.running, what="the cycle that is due")
        await workload.quiet(within_s=options.patience_s)
        seconds = time.monotonic() - began
        await workload.take_stock()
        async with workload.ledger() as db:
            most = await largest_parts(db)
        return Undisturbed(
            data=await workload.fingerprint(), requests=dict(workload.requests), largest_parts=most,
            seconds=round(seconds, 1),
        )  # fmt: skip


async def _disturbed(
    deployed: Deployment,
    options: Options,
    day: dt.date,
    undisturbed: Undisturbed,
) -> ChaosReport:
    random = Random(options.seed)
    workload = _workload(deployed, options, day, DISTURBED)
    disturbances = Disturbances(deployed, random, database=DISTURBED[0], redis_db=DISTURBED[1])
    async with deployed.running(*DISTURBED, workers=WORKERS, producers=PRODUCERS):
        await until(workload.running, what="the cycle that is due")
        listener = recording.Listener(DISTURBED[1])
        listening = asyncio.create_task(listener.listen(deployed.redis_url(DISTURBED[1])))
        more = asyncio.create_task(workload.keep_coming())
        try:
            await disturbances.deal(seconds=options.minutes * 60, pause_s=options.pause_s, wanted=workload.wanted)
        finally:
            await end_all([more])
            if not more.cancelled():
                more.result()
        quiet_since = time.monotonic()
        asked_again = await workload.quiet(within_s=options.patience_s)
        quiet_s = round(time.monotonic() - quiet_since, 1)
        await workload.take_stock()
        left = await workload.left_over()
        await end_all([listening])
        if not listening.cancelled():
            listening.result()  # a listener that broke off has heard too little
        history, breaches = await recording.judged(workload, listener)
        differences = different(undisturbed.data, await workload.fingerprint())
        async with workload.ledger() as db:
            interrupted = await cut_short(db)
        found = {**await of_ledger(workload), "consumers": await of_consumers(workload)}
    logs = sorted(deployed.home.glob(f"{DISTURBED[0]}-*.log"))
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
        for log in logs:
            shutil.copy(log, options.logs)
    log_lines, reasons, defects = of_logs(logs)
    return ChaosReport(
        seed=options.seed, tickers=options.tickers, minutes=options.minutes, trading_day=day.isoformat(),
        faults=dict(sorted(disturbances.dealt.items())), faults_that_met_another=disturbances.failed,
        exits={one.name: dict(one.exits) for one in (*deployed.workers, *deployed.producers)},
        cycles_asked_for=dict(workload.asked), asked_again_after_the_chaos=asked_again,
        log_lines=dict(log_lines), reasons={event: dict(some.most_common(12)) for event, some in reasons.items()},
        asked_by_force=dict(workload.asked_by_force), asked_twice=dict(workload.asked_twice),
        asked_twice_at_most=repeated_at_most(
            interrupted, undisturbed.largest_parts, faulty=workload.answered_with_a_fault
        ),
        deliveries_cut_short=interrupted,
        answers=dict(workload.statuses), requests=dict(workload.requests),
        requests_undisturbed=undisturbed.requests, undisturbed_s=undisturbed.seconds, quiet_s=quiet_s,
        left_over=left, history=history, breaches=breaches, differences=differences, defects=defects, **found,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tickers", type=int, default=11_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two faults, on average")
    parser.add_argument("--report", type=Path, help="where the report goes as JSON")
    parser.add_argument("--logs", type=Path, help="folder that keeps the logs of workers and producers")
    flags = parser.parse_args()
    options = Options(
        minutes=flags.minutes, tickers=flags.tickers, seed=flags.seed, pause_s=flags.pause, logs=flags.logs
    )  # fmt: skip
    report = asyncio.run(_until_told_to_stop(options))
    print(report.text())
    if flags.report is not None:
        flags.report.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    wrong = report.left_over or report.defects or report.breaches
    return 0 if report.data_equal and not wrong else 1


async def _until_told_to_stop(options: Options) -> ChaosReport:
    """SIGTERM ends what was started just as Ctrl-C does."""
    this: asyncio.Task[Any] | None = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await chaos(options)


if __name__ == "__main__":
    sys.exit(main())
