"""Starts the market-session producer as a process: `python -m producers.market_session`.

SIGTERM, SIGINT and SIGHUP end it at once (nothing is held, nothing to finish). Exit codes: 0 ended by a signal,
2 the settings are refused.
"""

from __future__ import annotations

import asyncio
import os
import sys

from loguru import logger
from redis.asyncio import Redis

from process.bounded_replies import BoundedReplies
from process.exit_codes import ExitCode
from process.logs import configure_logs
from process.settings.secret_values import hide_secrets
from process.settings.shared import log_as_json
from process.stopping import stopping_signals
from producers.market_session.run import Telling, run
from producers.market_session.settings import SETTINGS, BadSettings, Settings, read_settings


def main() -> int:
    terminal = sys.stderr.isatty()
    configure_logs(json=not terminal)
    hide_secrets(SETTINGS, os.environ)
    try:
        settings = read_settings(os.environ)
        configure_logs(json=log_as_json(settings.log_format, terminal=terminal), level=settings.log_level)
        asyncio.run(_run_until_signalled(settings))
    except BadSettings as error:
        for problem in error.problems:
            logger.bind(problem=problem, runbook="start-refused").error("setting_refused")
        return ExitCode.USAGE
    return ExitCode.OK


async def _run_until_signalled(settings: Settings) -> None:
    # Shorter than a pass: a dead connection is noticed here, the timeout of a pass is the second line.
    redis = Redis.from_url(
        settings.redis_url,
        decode_responses=True,
        encoding_errors="replace",
        parser_class=BoundedReplies,
        socket_timeout=5,
        socket_connect_timeout=5,
    )
    telling = Telling(catch_up=settings.catch_up, neighbours=settings.publish_sessions)
    producer = asyncio.create_task(run(redis, settings.calendar, telling=telling))
    loop = asyncio.get_running_loop()
    for number in stopping_signals():
        loop.add_signal_handler(number, producer.cancel)
    logger.bind(catch_up_days=settings.catch_up.days).info("market_session_producer_started")
    try:
        await producer
    except asyncio.CancelledError:
        logger.info("market_session_producer_stopped")
    finally:
        await redis.aclose()


if __name__ == "__main__":
    sys.exit(main())
