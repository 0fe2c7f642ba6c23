"""Writes the logs of every process: one JSON object a line for machines, one plain line for people.

The message is a constant sentence and the facts are bound fields, so a line can be searched without parsing
prose. A log line is never worth an exception: what has no JSON form is written as its text.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import msgspec
from loguru import logger

from process.shortened import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from loguru import Message, Record

# A fact is a name, a figure or a sentence. What a stranger wrote into it may be of any size, and in any depth.
LONGEST_FACT = 2_000
LONGEST_FACTS = 20_000  # of one line
LONGEST_TRACEBACK = 20_000
LONGEST_NAME = 100
MOST_ITEMS, MOST_DEPTH = 30, 3
MOST_DIGITS = 10**30

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
        "event": shortened(record["message"], LONGEST_FACT),
        **_bounded(facts),
    }
    if record["exception"] is not None:
        line["exception"] = _traceback(record)
    return _json.encode(line).decode() + "\n"


def plain_line(record: Record) -> str:
    """Give one line for a person: time of day, level, sentence, facts."""
    facts = "".join(f"  {name}={value}" for name, value in _bounded(record["extra"]).items())
    sentence = shortened(record["message"], LONGEST_FACT)
    head = f"{record['time']:%H:%M:%S} {record['level'].name:<8}{sentence}{facts}\n"
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
    text = "".join(traceback.format_exception(problem.type, problem.value, problem.traceback))
    # Where it began and what it was: the middle says least.
    half = LONGEST_TRACEBACK // 2
    return text if len(text) <= LONGEST_TRACEBACK else f"{text[:half]}\n…\n{text[-half:]}"


def _bounded(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as they are, as long as nothing of them is larger than a line may be."""
    kept = {shortened(name, LONGEST_NAME): _fact(value, MOST_DEPTH) for name, value in _some(facts)}
    if sum(len(str(value)) for value in kept.values()) <= LONGEST_FACTS:
        return kept
    each = max(LONGEST_FACTS // len(kept), LONGEST_NAME)
    return {
        name: value if isinstance(value, int | float) else shortened(str(value), each) for name, value in kept.items()
    }


def _fact(value: object, depth: int) -> object:
    match value:
        case None | bool() | float() | dt.date() | dt.time() | dt.timedelta():
            return value
        case int():
            return value if abs(value) < MOST_DIGITS else shortened(hex(value), LONGEST_FACT)
        case str():
            return shortened(value, LONGEST_FACT)
        case bytes():
            return shortened(value.decode("utf-8", "backslashreplace"), LONGEST_FACT)
        case dict() if depth:
            return {shortened(str(name), LONGEST_NAME): _fact(one, depth - 1) for name, one in _some(value)}
        case list() | tuple() | set() | frozenset() if depth:
            kept = [_fact(one, depth - 1) for one in itertools.islice(value, MOST_ITEMS)]
            return kept if len(value) <= MOST_ITEMS else [*kept, f"… {len(value) - MOST_ITEMS:,} more"]
        case dict() | list() | tuple() | set() | frozenset():
            return f"… {len(value):,} items"
        case _:
            return shortened(str(value), LONGEST_FACT)


def _some(facts: dict[Any, Any]) -> list[tuple[Any, Any]]:
    kept = list(itertools.islice(facts.items(), MOST_ITEMS))
    return kept if len(facts) <= MOST_ITEMS else [*kept, ("…", f"{len(facts) - MOST_ITEMS:,} more")]


def _to_standard_error(line: str) -> None:
    # Looked up at each line: a test or a progress bar may have put another stream in its place.
    sys.stderr.write(line)
    sys.stderr.flush()
