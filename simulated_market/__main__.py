"""Serves the simulated market until it is told to stop: `python -m simulated_market --port 0`.

Prints one line of JSON with its address once it listens, and nothing else to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from market.trading_calendar import NEW_YORK
from process.exit_codes import ExitCode
from process.stopping import stopping_signals
from simulated_market.app import build_app, real_clock
from simulated_market.assumptions import Assumptions
from simulated_market.options import Plan, SimulatorOptions
from simulated_market.replayed.reference_files import BadReferenceFile

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    options = SimulatorOptions(
        tickers=flags.tickers,
        seed=flags.seed,
        replay=flags.replay,
        latency_ms=flags.latency_ms,
        key=flags.key,
        plan=flags.plan,
        dividends=flags.dividends,
        requests_per_minute=flags.requests_per_minute,
        assumptions=flags.assume,
    )
    try:
        asyncio.run(_serve(options, flags.host, flags.port, flags.now))
    except (FileNotFoundError, BadReferenceFile) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE
    return ExitCode.OK


async def _serve(options: SimulatorOptions, host: str, port: int, fixed_now: dt.datetime | None) -> None:
    app = build_app(options, now=real_clock if fixed_now is None else lambda: fixed_now)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = {"listening": f"http://{host}:{runner.addresses[0][1]}"}
        sys.stdout.write(msgspec.json.encode(address).decode() + "\n")
        sys.stdout.flush()
        await _told_to_stop()
    finally:
        await runner.cleanup()


async def _told_to_stop() -> None:
    stopped = asyncio.Event()
    for number in stopping_signals():
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulated_market", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--tickers", type=int, default=11_000, help="size of the market (default 11000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another market")
    parser.add_argument("--replay", type=Path, metavar="DIR", help="serve this flat-files folder instead")
    parser.add_argument("--dividends", action="store_true", help="have invented companies pay dividends")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="wait before every answer")
    parser.add_argument("--key", help="the only API key accepted (default: any, or none)")
    parser.add_argument("--plan", type=Plan, choices=list(Plan), default=Plan.PAID)
    parser.add_argument("--requests-per-minute", type=int, help="answer 429 beyond this")
    parser.add_argument(
        "--assume",
        type=_assumptions,
        default=Assumptions(),
        metavar="JSON",
        help="turn assumptions over: assumptions.py",
    )
    parser.add_argument("--now", type=_instant, help="pretend that it is always this instant (ISO 8601)")
    return parser


def _assumptions(text: str) -> Assumptions:
    try:
        return msgspec.json.decode(text, type=Assumptions)
    except msgspec.MsgspecError as error:
        raise argparse.ArgumentTypeError(f"{error}: simulated_market/assumptions.py has them") from error


def _instant(text: str) -> dt.datetime:
    instant = dt.datetime.fromisoformat(text)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=NEW_YORK)


if __name__ == "__main__":
    sys.exit(main())
