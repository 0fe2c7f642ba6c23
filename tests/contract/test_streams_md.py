"""Holds streams.md and the code to each other, both ways: names, fields, types, requiredness, bounds, examples."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from contract import announcements, keys
from contract.flat_fields import FALSE_WORDS, TRUE_WORDS, required_type
from contract.market_status import MarketStatus
from contract.messages import (
    MISTAKEN_DAY_NAMES,
    SessionChanged,
    TaskMessage,
    TaskName,
    decode_session_changed,
    decode_task,
    encode,
)
from contract.plain_text import LONGEST_TEXT
from contract.reports import (
    ORIGINAL_FIELD,
    Condition,
    CycleState,
    DataSetReport,
    DayStatus,
    DeadLetter,
    EventName,
    MaintenanceEvent,
    PartCount,
    RunReport,
    SessionState,
    TaskState,
    decode_dead_letter,
    decode_event,
    decode_status,
    encode_dead_letter,
)
from market.session import SessionPhase

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "streams.md").read_text()

CHANNELS = [value for value in vars(keys).values() if isinstance(value, keys.Channel)]
FLAT_TYPES = {
    str: "text",
    dt.date: "day",
    dt.datetime: "instant",
    dt.time: "time",
    bool: "flag",
    int: "whole number",
    float: "number",
    SessionPhase: "phase",
    TaskName: "task",
    EventName: "event name",
    CycleState: "cycle state",
    TaskState: "task state",
    PartCount: "part count",
    SessionState: "session state",
    Condition: "condition",
    DataSetReport: "data set report",
    RunReport: "run report",
}


class Row(NamedTuple):
    """A table row by column title, without the backticks."""

    cells: dict[str, str]

    def __getitem__(self, column: Any) -> str:
        return self.cells[column]


def tables(text: str) -> list[list[Row]]:
    found: list[list[Row]] = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        titles, _, *lines = [[c.strip() for c in line.strip()[1:-1].split("|")] for line in block.splitlines()]
        found.append([Row(dict(zip(titles, line, strict=True))) for line in lines])
    return found


def table_with(column: str, *, under: str = "") -> list[Row]:
    return next(table for table in tables(section(under)) if column in table[0].cells)


def section(title: str) -> str:
    """The text below the heading *title* up to the next heading of any level; without one, everything."""
    if not title:
        return DOCUMENT
    start = re.search(rf"^#+ {re.escape(title)}$", DOCUMENT, re.MULTILINE)
    assert start, f"streams.md has no heading {title!r}"
    return re.split(r"^#", DOCUMENT[start.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def bare(cell: str) -> str:
    return cell.strip("`")


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def spelled(wanted: Any) -> str:
    """A type as the tables spell it."""
    bare_type = required_type(wanted)
    optional = bare_type is not wanted
    match getattr(bare_type, "__origin__", None):
        case origin if origin is dict:
            name = f"name to {FLAT_TYPES[bare_type.__args__[1]]}"
        case origin if origin is list:
            name = f"list of {FLAT_TYPES[bare_type.__args__[0]]}"
        case _:
            name = FLAT_TYPES[bare_type]
    return f"{name} or null" if optional else name


def fields_of(struct: type[msgspec.Struct], *, flat: bool) -> list[tuple[str, str, str]]:
    """(name, type, required) as the tables show them; a flat field that is None is simply not written."""
    return [
        (field.name, spelled(required_type(field.type) if flat else field.type), "yes" if field.required else "no")
        for field in msgspec.structs.fields(struct)
    ]


def documented_fields(heading: str) -> list[tuple[str, str, str]]:
    return [(bare(row["field"]), row["type"], row["required"]) for row in table_with("field", under=heading)]


def examples(heading: str) -> dict[str, str]:
    return {bare(row["field"]): bare(row["example"]) for row in table_with("field", under=heading)}


# Streams and keys


def test_the_stream_table_is_the_code() -> None:
    documented = {
        bare(row["stream"]): (row["consumer group"].strip("`"), row["trimmed at about"])
        for row in table_with("consumer group")
    }
    in_code = {stream.name: (stream.group or "–", str(stream.kept or "never")) for stream in keys.STREAMS}
    assert documented == in_code


def test_the_key_table_is_the_code() -> None:
    documented = {bare(row["key"]): (row["type"], row["TTL"]) for row in table_with("TTL")}
    assert documented == {key.pattern: (key.holds.value, shown_ttl(key)) for key in keys.KEYS}


def shown_ttl(key: keys.Key) -> str:
    if key.short_lived:
        return "short"
    if key.ttl is None:
        return "none"
    return f"{key.ttl.days} d" if key.ttl.days else f"{key.ttl.seconds} s"


def test_the_channel_table_is_the_code_and_its_messages_are_what_we_write() -> None:
    rows = {bare(row["channel"]): json.loads(bare(row["message"])) for row in table_with("channel")}
    assert list(rows) == [channel.name for channel in CHANNELS]
    day, at = dt.date(2025, 11, 12), dt.datetime(2025, 11, 12, 8, tzinfo=dt.UTC)
    written = [
        announcements.session_changed(decode_session_changed(examples("`market:session`"))),
        announcements.day_changed(day, SessionPhase.CLOSED, at=at),
        announcements.encode_announcement(announcements.Completed(date=day, timestamp=at, state="final")),
        announcements.encode_announcement(announcements.NewDay(date=day, timestamp=at)),
    ]
    assert [shape(one) for one in rows.values()] == [shape(json.loads(one)) for one in written]


def shape(message: Any) -> Any:
    return {name: shape(value) for name, value in message.items()} if isinstance(message, dict) else type(message)


def test_the_fields_of_the_market_status_are_the_code() -> None:
    table = table_with("status field", under="What is written of the market's phase")
    in_code = [(field.name, spelled(field.type)) for field in msgspec.structs.fields(MarketStatus)]
    assert [(bare(row["status field"]), row["type"]) for row in table] == in_code


def test_every_stream_and_key_that_the_code_names_is_listed() -> None:
    listed = set(keys.STREAMS) | set(keys.KEYS)
    named = {value for value in vars(keys).values() if isinstance(value, keys.Stream | keys.Key)}
    assert named == listed
    assert len(keys.KEYS) + len(keys.STREAMS) == len(listed)


def test_a_key_function_fills_its_pattern() -> None:
    assert keys.status_key(dt.date(2025, 11, 11)) == "maintenance:status:2025-11-11"
    assert keys.TICKER_METADATA.pattern.format(symbol="BRK.A") == "metadata:ticker:BRK.A"
    assert keys.RVOL_AVERAGES.pattern.format(symbol="BACpB") == "rvol:hist:avg:BACpB:5"
    assert keys.AVERAGE_VOLUMES.pattern.format(symbol="SPY") == "ticker:avg_volume:SPY"


KEY_SPACES = {re.split("[:{]", name)[0] for name in [*(s.name for s in keys.STREAMS), *(k.pattern for k in keys.KEYS)]}
KEY_LIKE = re.compile(rf"(?:{'|'.join(sorted(KEY_SPACES))}):[a-z_:{{}}]+")


def declared_names() -> list[str]:
    named = [one.name for one in (*keys.STREAMS, *CHANNELS)]
    return [*named, *(key.pattern for key in keys.KEYS)]


def test_no_source_file_names_a_key_that_is_not_declared() -> None:
    """A key spelled elsewhere must at least begin like one that contract/keys.py declares."""
    declared = declared_names()
    undeclared = [
        f"{path.relative_to(ROOT)}: {text!r}"
        for path, text in string_literals()
        if KEY_LIKE.fullmatch(text) and not any(name.startswith(text) for name in declared)
    ]
    assert not undeclared, f"declare it in contract/keys.py and describe it in streams.md: {undeclared}"


def string_literals() -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for package in ("market", "producers", "consumer"):
        for path in (ROOT / package).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text()))
            found += [(path, n.value) for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        for path in (ROOT / package).rglob("*.lua"):
            found += [(path, text) for text in re.findall(r"""['"]([^'"\n]*)['"]""", path.read_text())]
    return found


def test_every_key_that_the_document_mentions_exists() -> None:
    mentioned = set(KEY_LIKE.findall(DOCUMENT))
    declared = declared_names()
    unknown = [name for name in mentioned if not any(known.startswith(name.rstrip(":")) for known in declared)]
    assert not unknown


# Fields


@pytest.mark.parametrize(
    ("heading", "struct"),
    [
        ("`market:session`", SessionChanged),
        ("`maintenance:tasks`", TaskMessage),
        ("`maintenance:events`", MaintenanceEvent),
    ],
)
def test_the_fields_of_a_stream_are_the_code(heading: str, struct: type[msgspec.Struct]) -> None:
    assert documented_fields(heading) == fields_of(struct, flat=True)


def test_the_fields_of_a_dead_letter_are_the_code() -> None:
    *ours, original = documented_fields("`maintenance:dead`")
    own_fields = [field for field in msgspec.structs.fields(DeadLetter) if field.name != "fields"]
    assert ours == [(f.name, spelled(f.type), "yes" if f.required else "no") for f in own_fields]
    assert original[0].startswith(ORIGINAL_FIELD)


def test_the_fields_of_the_status_are_the_code() -> None:
    assert documented_fields("`maintenance:status:{trading_day}`") == fields_of(DayStatus, flat=False)


@pytest.mark.parametrize(("column", "struct"), [("data set field", DataSetReport), ("run field", RunReport)])
def test_the_fields_within_the_status_are_the_code(column: str, struct: type[msgspec.Struct]) -> None:
    table = table_with(column, under="`maintenance:status:{trading_day}`")
    assert [(bare(row[column]), row["type"], row["required"]) for row in table] == fields_of(struct, flat=False)


def test_the_examples_of_the_session_stream_decode_and_are_what_we_write() -> None:
    shown = examples("`market:session`")
    assert encode(decode_session_changed(shown)) == shown


def test_the_examples_of_the_task_stream_decode_and_are_what_we_write() -> None:
    shown = examples("`maintenance:tasks`")
    assert encode(decode_task(shown)) == shown


def test_the_examples_of_the_dead_letters_decode_and_are_what_we_write() -> None:
    shown = examples("`maintenance:dead`")
    assert encode_dead_letter(decode_dead_letter(shown)) == shown


def test_the_examples_of_the_events_decode_and_are_what_we_write() -> None:
    shown = examples("`maintenance:events`")
    assert encode(decode_event(shown)) == shown


def test_the_examples_of_the_status_decode() -> None:
    shown = examples("`maintenance:status:{trading_day}`")
    text = "{" + ", ".join(f'"{name}": {value}' for name, value in shown.items()) + "}"
    status = decode_status(text)
    assert status.run is not None
    assert status.run.parts["ohlc_daily"].total == 32


# Words on the wire


def test_the_words_of_each_type_are_the_code() -> None:
    rows = {row["type"]: row for row in table_with("also read")}
    assert words(rows["phase"]["written as"]) == list(SessionPhase)
    assert words(rows["task"]["written as"]) == list(TaskName)
    assert set(words(rows["flag"]["written as"]) + words(rows["flag"]["also read"])) == {*TRUE_WORDS, *FALSE_WORDS}
    assert f"at most {LONGEST_TEXT} characters" in rows["text"]["written as"]


def test_the_states_of_the_status_are_the_code() -> None:
    rows = {bare(row["field"]): row for row in table_with("field", under="`maintenance:status:{trading_day}`")}
    assert words(rows["state"]["meaning"]) == list(SessionState)
    assert words(rows["condition"]["meaning"]) == list(Condition)
    [run_state] = [
        row for row in table_with("run field", under="`maintenance:status:{trading_day}`")
        if bare(row["run field"]) == "state"
    ]  # fmt: skip
    assert words(run_state["meaning"]) == list(CycleState)
    assert words(rows["tasks"]["meaning"]) == list(TaskState)


def test_the_event_names_are_the_code() -> None:
    table = table_with("happens when", under="`maintenance:events`")
    assert [bare(row["event name"]) for row in table] == list(EventName)


def test_the_names_that_are_refused_are_told() -> None:
    told = section("For people at `redis-cli`")
    assert all(f"`{name}`" in told for name in MISTAKEN_DAY_NAMES)


# Recipes and glossary


def recipes() -> list[list[str]]:
    lines = re.findall(r"^redis-cli (.*)$", section("For people at `redis-cli`"), re.MULTILINE)
    return [line.split("#")[0].replace("'", "").split() for line in lines]


async def test_every_recipe_is_a_command_that_redis_takes(redis: Any) -> None:
    await redis.xgroup_create(keys.TASKS.name, keys.GROUP, id="0", mkstream=True)
    # Below the client's own reading of the answers, which takes a recipe's answer for another one's.
    connection = await redis.connection_pool.get_connection()
    try:
        for recipe in recipes():
            await connection.send_command(*" ".join(recipe).replace("BLOCK 0", "BLOCK 1").split())
            await connection.read_response()
    finally:
        await redis.connection_pool.release(connection)


def test_every_recipe_that_adds_a_task_is_understood() -> None:
    typed = [recipe[3:] for recipe in recipes() if recipe[:2] == ["XADD", keys.TASKS.name]]
    assert len(typed) >= 4
    for fields in typed:
        decode_task(dict(zip(fields[::2], fields[1::2], strict=True)))


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    glossary = [row["word"] for row in table_with("means")]
    assert glossary == sorted(set(glossary), key=str.lower)
