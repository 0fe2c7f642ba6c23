"""Says why a command has no answer: one line with its cure, an exit code, and with --json the same as JSON.

The exit codes of all commands are a table in README.md. Whatever a server may say ends here; no command has words of
its own for one that is away.
"""

from __future__ import annotations

import sys

import asyncpg
import msgspec
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

from consumer.checks.refusals import refusal_in
from consumer.postgres.pool import CONNECTION_ERRORS, CONTENTION_ERRORS
from process.exit_codes import ExitCode


class CommandRefused(Exception):
    """A command has no answer; the text is for a person and names the cure."""

    def __init__(self, text: str, code: ExitCode) -> None:
        super().__init__(text)
        self.code = code


def unreachable(text: str) -> CommandRefused:
    return CommandRefused(text, ExitCode.UNREACHABLE)


def usage(error: Exception | str) -> CommandRefused:
    return CommandRefused(str(error), ExitCode.USAGE)


SERVER_ERRORS = (RedisError, asyncpg.PostgresError, *CONNECTION_ERRORS)


def what_a_server_said(error: Exception) -> CommandRefused:
    """What one of SERVER_ERRORS means for whoever typed a command."""
    if (finding := refusal_in(error)) is not None:
        return CommandRefused(f"{finding.check}: {finding.seen}. {finding.cure}", ExitCode.FAILED)
    seen = f"{type(error).__name__}: {' '.join(str(error).split())}"
    match error:
        case asyncpg.PostgresError() if not isinstance(error, (*CONNECTION_ERRORS, *CONTENTION_ERRORS)):
            text = f"PostgreSQL refuses a statement ({seen}): `maintenance doctor` compares the schema"
            return CommandRefused(text, ExitCode.FAILED)
        case ResponseError() if not isinstance(error, BusyLoadingError):
            text = f"Redis refuses a command ({seen}): `maintenance doctor` looks further"
            return CommandRefused(text, ExitCode.FAILED)
        case RedisError():
            return unreachable(f"Redis does not answer ({seen}): is `maintenance run` up, or REDIS_URL right?")
        case _:
            return unreachable(f"PostgreSQL does not answer ({seen}): is `maintenance run` up, or DATABASE_URL right?")


def write_refusal(refused: CommandRefused, *, as_json: bool) -> int:
    """Write it for a person, and for a program where it was promised JSON; return the exit code."""
    sys.stderr.write(f"{refused}\n")
    if as_json:
        answer = {"error": str(refused), "exit_code": refused.code.value}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")
    return refused.code
