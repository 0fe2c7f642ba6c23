"""Proves that a log line is one JSON object with its facts flat, whatever was bound to it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from loguru import logger

from process import shortened
from process.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lines() -> Iterator[list[str]]:
    written: list[str] = []
    configure_logs(json=True, level="DEBUG", write=written.append)
    yield written
    logger.remove()
    logger.add(sys.stderr)
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if type(handler).__module__ != "process.logs"]


def only(lines: list[str]) -> dict[str, Any]:
    [line] = lines
    assert line.endswith("\n")
    assert line.count("\n") == 1
    shown: dict[str, Any] = json.loads(line)
    return shown


def test_bound_fields_stand_beside_the_sentence(lines: list[str]) -> None:
    logger.bind(trading_day=dt.date(2025, 11, 11), parts=3, path=object).info("maintenance_cycle_finished")
    shown = only(lines)
    assert shown["event"] == "maintenance_cycle_finished"
    assert shown["level"] == "INFO"
    assert dt.datetime.fromisoformat(shown["time"]).utcoffset() == dt.timedelta(0)
    assert (shown["trading_day"], shown["parts"]) == ("2025-11-11", 3)


def test_a_bound_field_named_event_does_not_hide_the_sentence(lines: list[str]) -> None:
    logger.bind(event="SESSION_CHANGED", level=4).info("entry read")
    shown = only(lines)
    assert (shown["event"], shown["field_event"], shown["field_level"]) == ("entry read", "SESSION_CHANGED", 4)


def test_braces_and_tags_in_a_fact_are_only_text(lines: list[str]) -> None:
    logger.bind(reason="{no} <red>markup</red>").warning("part failed")
    assert only(lines)["reason"] == "{no} <red>markup</red>"


@pytest.mark.parametrize("fact", ["\ud800", float("nan"), {1, 2}, {"a": object()}, "two\nlines"])
def test_a_fact_of_any_kind_is_still_one_line(lines: list[str], fact: object) -> None:
    logger.bind(fact=fact).info("odd fact")
    assert only(lines)["event"] == "odd fact"


def test_an_exception_is_told_without_the_values_of_variables(lines: list[str]) -> None:
    password = "hunter" + "2"
    try:
        raise ValueError(len(password))
    except ValueError:
        logger.exception("it broke")
    shown = only(lines)
    assert "ValueError: 7" in shown["exception"]
    assert "hunter2" not in shown["exception"]


def test_what_a_library_says_is_one_line_like_any_other(lines: list[str]) -> None:
    try:
        raise ConnectionResetError("the server went away")
    except ConnectionResetError:
        logging.getLogger("asyncpg.pool").warning("could not restore %d connections", 2, exc_info=True)
    shown = only(lines)
    assert (shown["event"], shown["level"]) == ("library_message", "WARNING")
    assert (shown["library"], shown["says"]) == ("asyncpg.pool", "could not restore 2 connections")
    assert shown["exception"].endswith("ConnectionResetError: the server went away\n")


def test_logs_configured_twice_say_what_a_library_says_once(lines: list[str]) -> None:
    configure_logs(json=True, level="DEBUG", write=lines.append)
    logging.getLogger("asyncpg.pool").warning("careful")
    assert only(lines)["says"] == "careful"


def test_a_person_reads_one_plain_line() -> None:
    written: list[str] = []
    configure_logs(json=False, write=written.append)
    try:
        logger.bind(task="ohlc_daily").info("task finished")
    finally:
        logger.remove()
        logger.add(sys.stderr)
    assert written[0].endswith("INFO    task finished  task=ohlc_daily\n")


def deep(levels: int) -> object:
    found: object = "bottom"
    for _ in range(levels):
        found = {"in": [found]}
    return found


GIANTS: dict[str, object] = {
    "text": "x\n" * 2_000_000,
    "bytes": b"\xff" * 2_000_000,
    "number": 10**4_000,
    "fields": {f"f{number}": "v" for number in range(100_000)},
    "name": {"n" * 1_000_000: "v"},
    "list": ["v" * 1_000] * 10_000,
    "many of some size": {f"f{number}": {f"g{other}": "v" * 1_999 for other in range(30)} for number in range(30)},
    "depth": deep(5_000),
}


@pytest.mark.parametrize("kind", GIANTS)
@pytest.mark.parametrize("form", ["json", "plain"])
def test_no_fact_makes_a_line_longer_than_a_person_can_read(kind: str, form: str) -> None:
    written: list[str] = []
    configure_logs(json=form == "json", write=written.append)
    try:
        logger.bind(reason=GIANTS[kind], entry_id="1-0").error("delivery_dead_lettered")
        logger.error("x" * 1_000_000)
        try:
            raise ValueError("y" * 1_000_000)
        except ValueError:
            logger.exception("it broke")
    finally:
        logger.remove()
        logger.add(sys.stderr)
    assert len(written) == 3
    assert max(len(line) for line in written) < 30_000
    assert "1-0" in written[0]


def test_what_is_cut_of_a_fact_is_told_by_size_and_hash(lines: list[str]) -> None:
    text = "\x07" + "é" * 5_000
    logger.bind(reason=text).warning("refused")
    told = only(lines)["reason"]
    assert told.startswith("\\x07éé")
    assert told.endswith(f"(10,001 bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()})")


def test_a_secret_across_the_cut_of_a_fact_is_not_told_by_half(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortened, "redacted", lambda text: text.replace("hunter-two-hunter-two", "***"))
    logger.bind(reason="x" * 190 + "hunter-two-hunter-two" + "y" * 5_000).warning("refused")
    assert "hunter" not in only(lines)["reason"]
