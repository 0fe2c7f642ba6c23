"""Starts one consumer process: ``python -m consumer [--no-http]``; settings come from the environment."""

from __future__ import annotations

import asyncio
import os
import sys

from consumer.checks.start_up import StartRefused
from consumer.postgres.migrate import SchemaMismatch
from consumer.postgres.versions import CURE, NotServed
from consumer.runtime import Stopped
from consumer.service import run_consumer
from consumer.settings import SETTINGS, BadSettings, Settings, read_settings
from consumer.source.judgement import SourceRefused
from consumer.web.serving import HttpRefused
from consumer.worker_settings import missing
from process.exit_codes import ExitCode
from process.logs import configure_logs
from process.settings.secret_values import hide_secrets
from process.settings.shared import log_as_json


def main() -> int:
    """Run until stopped; exit 2 with every problem when the settings are refused, 1 when the servers are not fit.

    2 as well where the servers hold another source's data: like a setting, that is for a person to change.
    """
    hide_secrets(SETTINGS, os.environ)
    try:
        settings = read_settings(os.environ)
    except BadSettings as refused:
        sys.stderr.write("\n".join(["these settings are refused:", *refused.problems]) + "\n")
        return ExitCode.USAGE
    if lacking := missing(settings):
        sys.stderr.write("\n".join([*lacking, ""]))
        return ExitCode.USAGE
    as_json = log_as_json(settings.log_format, terminal=sys.stderr.isatty())
    configure_logs(json=as_json, level=settings.log_level)
    return _run(settings)


def _run(settings: Settings) -> int:
    try:
        asyncio.run(run_consumer(settings, http="--no-http" not in sys.argv[1:]))
    except Stopped:
        return ExitCode.OK
    except NotServed as refused:
        sys.stderr.write(f"this service has stopped, and handed back its work:\n{refused}: {CURE}\n")
        return ExitCode.FAILED
    except (SourceRefused, StartRefused, SchemaMismatch, HttpRefused) as refused:
        sys.stderr.write(f"this service does not start here:\n{refused}\n")
        return ExitCode.USAGE if isinstance(refused, SourceRefused) else ExitCode.FAILED
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
