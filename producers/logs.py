"""Writes the logs of every process: one JSON object a line for machines, one plain line for people.

The message is a constant sentence and the facts are bound fields, so a line can be searched without parsing
prose. A log line is never worth an exception: what has no JSON form is written as its text.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from loguru import Message, Record

# What every JSON line has; a bound field of the same name is told apart by a prefix instead of lost.
OWN_FIELDS = ("time", "level", "event", "exception")

_json = msgspec.json.Encoder(enc_hook=str)


def configure_logs(*, json: bool, level: str = "INFO", write: Callable[[str], object] | None = None) -> None:
    """Send every log line through *write* (default: standard error), as JSON or for people to read."""
    form = json_line if json else plain_line

    def sink(message: Message) -> None:
        (write or _to_standard_error)(_safe_line(form, message))

    logger.remove()
    # diagnose and backtrace show the values of variables or the whole stack: secrets, megabytes of rows.
    logger.add(sink, level=level, format="{message}", diagnose=False, backtrace=False)
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _FromLibraries)]
    root.addHandler(_FromLibraries())


class _FromLibraries(logging.Handler):
    """What libraries say through `logging` becomes a line of ours; by itself it would be bare text among the JSON."""

    def emit(self, record: logging.LogRecord) -> None:
        exception = record.exc_info if record.exc_info and record.exc_info[1] else None
        said = logger.bind(library=record.name, says=record.getMessage())
        # Never more than a warning: what of it needs a person, the code that called the library says itself.
        said.opt(exception=exception).log(
            "WARNING" if record.levelno >= logging.WARNING else "DEBUG", "library_message"
        )


def json_line(record: Record) -> str:
    """Give one JSON object with the bound fields beside `event`, `time` and `level`."""
    facts = {f"field_{name}" if name in OWN_FIELDS else name: value for name, value in record["extra"].items()}
    line: dict[str, Any] = {
        "time": record["time"].astimezone(dt.UTC),
        "level": record["level"].name,
        "event": record["message"],
        **facts,
    }
    if record["exception"] is not None:
        line["exception"] = _traceback(record)
    return _json.encode(line).decode() + "\n"


def plain_line(record: Record) -> str:
    """Give one line for a person: time of day, level, sentence, facts."""
    facts = "".join(f"  {name}={value}" for name, value in record["extra"].items())
    head = f"{record['time']:%H:%M:%S} {record['level'].name:<8}{record['message']}{facts}\n"
    return head if record["exception"] is None else head + _traceback(record)


def _safe_line(form: Callable[[Record], str], message: Message) -> str:
    try:
        return form(message.record)
    except (TypeError, ValueError, RecursionError):
        # A fact that even its text form fails for, such as a lone surrogate: the sentence still counts.
        facts = {name: ascii(value) for name, value in message.record["extra"].items()}
        message.record["extra"] = facts
        return form(message.record)


def _traceback(record: Record) -> str:
    problem = record["exception"]
    assert problem is not None
    return "".join(traceback.format_exception(problem.type, problem.value, problem.traceback))


def _to_standard_error(line: str) -> None:
    # Looked up at each line: a test or a progress bar may have put another stream in its place.
    sys.stderr.write(line)
    sys.stderr.flush()
