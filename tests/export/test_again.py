"""An export that is made again writes what is new, and nothing else; what lacks is told and never a smaller file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl
import pytest

from consumer.export import exportable as exportables
from consumer.export import folder, parquet
from consumer.export.described import KEY, described
from consumer.export.exportable import UnknownDataSet, exportable, wanted
from consumer.export.folder import LOCK, UNFINISHED, Folder
from consumer.export.outcome import Outcome
from consumer.export.place import PlaceRefused, Spoilt
from market.data_source import VENDOR, SourceKind
from tests.cycle.stack import CALENDAR, DAY, OPTIONS, Stack, new_york
from tests.export.conftest import export, exporter_of

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from consumer.export.described import Described
    from consumer.export.outcome import Exported

WINDOW = CALENDAR.last_trading_days(OPTIONS.ohlc_sessions, up_to=DAY)
BARS = f"daily_bars/trading_date={DAY}/part.parquet"
SLOTS = f"volume_slots/trading_date={DAY}/part.parquet"


def outcomes(told: list[Exported], data_set: str) -> dict[dt.date | None, Outcome]:
    return {one.trading_day: one.outcome for one in told if one.data_set == data_set}


def files(to: Path) -> dict[str, int]:
    """Every file below *to*, and when it was written."""
    return {str(path.relative_to(to)): path.stat().st_mtime_ns for path in to.rglob("*") if path.is_file()}


def said_by(path: Path) -> Described:
    about = described(pl.read_parquet_metadata(path)[KEY])
    assert about is not None
    return about


def test_what_can_be_exported_follows_from_the_declarations() -> None:
    assert {one.folder: one.key(DAY if one.by_session else None) for one in exportable()} == {
        "atr": f"atr/trading_date={DAY}/part.parquet",
        "daily_bars": BARS,
        "volume_slots": SLOTS,
        "details": "details/part.parquet",
        "splits": "splits/part.parquet",
        "universe": "universe/part.parquet",
        "dividends": "dividends/part.parquet",
    }


def test_a_further_table_of_a_data_set_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = wanted(("daily_bars",))[0].data_set
    second = msgspec.structs.replace(bars.tables[0], name="daily_other")
    monkeypatch.setattr(exportables, "DATA_SETS", (msgspec.structs.replace(bars, tables=(*bars.tables, second)),))
    assert [one.folder for one in exportable()] == ["daily_bars", "daily_other"]


@pytest.mark.parametrize("name", ["bars", "plausibility", ""])
def test_a_name_that_nothing_exports_is_refused_with_those_that_can_be(name: str) -> None:
    with pytest.raises(UnknownDataSet, match=r"one of .*daily_bars.*volume_slots"):
        wanted((name,))


async def test_a_second_export_writes_nothing(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    first = await export(stack, to, WINDOW)
    stands = files(to)

    again = await export(stack, to, WINDOW)

    written = [one for one in first if one.outcome is Outcome.WRITTEN]
    assert len(written) == 16 + 5 + 1 + 4  # bars, slots, the newest session's ATR, what is listed at present
    assert {one.outcome for one in again} == {Outcome.UNCHANGED, Outcome.NONE}
    assert files(to) == stands
    assert set(stands) == {one.key for one in written} | {LOCK}


async def test_a_night_later_the_restated_sessions_are_written_again_and_the_older_are_not(
    stack: Stack, to: Path
) -> None:
    await stack.run_cycle()
    await export(stack, to, WINDOW)
    next_day = CALENDAR.session_after(DAY).day
    stack.clock.at = new_york(next_day, "20:30")
    await stack.run_cycle(next_day)

    told = await export(stack, to, (*WINDOW, next_day))

    bars = outcomes(told, "daily_bars")
    assert bars[next_day] is Outcome.WRITTEN
    assert bars[DAY] is Outcome.WRITTEN, "fetched again on the evening after its own: confirmed a night later"
    assert {bars[day] for day in WINDOW[:-1]} == {Outcome.UNCHANGED}


async def test_a_value_that_changed_under_the_same_load_is_written_again(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await export(stack, to, [DAY])
    await stack.pool.execute("UPDATE daily_bar SET volume = volume + 1 WHERE trading_date = $1", DAY)
    told = await export(stack, to, [DAY])
    assert outcomes(told, "daily_bars") == {DAY: Outcome.WRITTEN}
    assert outcomes(told, "volume_slots") == {DAY: Outcome.UNCHANGED}
    stands = await stack.value("SELECT sum(volume) FROM daily_bar WHERE trading_date = $1", DAY)
    assert pl.read_parquet(to / BARS)["volume"].sum() == pytest.approx(stands)


async def test_a_session_that_becomes_final_is_written_again_as_final(stack: Stack, to: Path) -> None:
    stack.clock.at = new_york(DAY, "17:00")
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars")
    assert (said_by(to / BARS).state, said_by(to / BARS).final) == ("provisional", False)
    stack.clock.at = new_york(DAY, "20:30")
    await stack.run_cycle()
    assert outcomes(await export(stack, to, [DAY], "daily_bars"), "daily_bars") == {DAY: Outcome.WRITTEN}
    assert (said_by(to / BARS).state, said_by(to / BARS).final) == ("final", True)


async def test_what_is_missing_is_told_and_no_file_is_written_of_it(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await stack.pool.execute("DELETE FROM coverage WHERE data_set = 'daily_bars' AND trading_day = $1", WINDOW[3])
    told = await export(stack, to, WINDOW, "daily_bars")
    assert outcomes(told, "daily_bars")[WINDOW[3]] is Outcome.MISSING
    assert not (to / f"daily_bars/trading_date={WINDOW[3]}").exists()


async def test_a_session_that_lost_rows_is_told_and_its_file_of_before_stays(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars", "volume_slots")
    before = files(to)
    await stack.pool.execute(
        "DELETE FROM daily_bar WHERE trading_date = $1 AND symbol = (SELECT min(symbol) FROM daily_bar)", DAY
    )
    told = await export(stack, to, [DAY], "daily_bars", "volume_slots")
    bars = next(one for one in told if one.data_set == "daily_bars")
    assert (bars.outcome, bars.state) == (Outcome.PARTIAL, "partial")
    assert bars.why is not None
    assert bars.why.startswith("1 of ")
    assert files(to)[BARS] == before[BARS]


async def test_what_retention_deleted_is_told_and_its_file_stays(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await export(stack, to, [WINDOW[0]], "daily_bars")
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", WINDOW[0])
    await stack.pool.execute(
        "UPDATE coverage SET retired_at = now() WHERE data_set = 'daily_bars' AND trading_day = $1", WINDOW[0]
    )
    told = await export(stack, to, [WINDOW[0]], "daily_bars")
    assert outcomes(told, "daily_bars") == {WINDOW[0]: Outcome.RETIRED}
    assert (to / f"daily_bars/trading_date={WINDOW[0]}/part.parquet").exists()


async def test_a_suspect_session_is_written_and_says_so(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    load = await stack.value("SELECT min(load_id) FROM daily_bar WHERE trading_date = $1", DAY)
    await stack.pool.execute(
        "INSERT INTO session_finding (trading_day, data_set, kind, reason, load_id, found_at, state) "
        "VALUES ($1, 'daily_bars', 'repeated_prices', 'as the day before', $2, now(), 'open')", DAY, load,
    )  # fmt: skip
    told = await export(stack, to, [DAY], "daily_bars")
    assert outcomes(told, "daily_bars") == {DAY: Outcome.WRITTEN}
    assert (said_by(to / BARS).condition, said_by(to / BARS).final) == ("degraded", False)


async def test_an_infinite_day_is_told_and_everything_else_is_written(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await stack.pool.execute(
        "UPDATE ticker_profile SET as_of = 'infinity' WHERE symbol = (SELECT min(symbol) FROM ticker_profile)"
    )
    told = await export(stack, to, [DAY])
    details = next(one for one in told if one.data_set == "details")
    assert details.outcome is Outcome.UNWRITABLE
    assert details.why is not None
    assert "as_of holds an infinite date" in details.why
    assert outcomes(told, "splits") != {}
    assert outcomes(told, "universe") == {None: Outcome.WRITTEN}


async def test_a_file_that_was_cut_is_written_anew(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars")
    whole = (to / BARS).read_bytes()
    for left in (whole[: len(whole) // 2], b"", b"something else"):
        (to / BARS).write_bytes(left)
        told = await export(stack, to, [DAY], "daily_bars")
        assert outcomes(told, "daily_bars") == {DAY: Outcome.WRITTEN}
        assert pl.read_parquet(to / BARS).equals(pl.read_parquet(whole))


async def test_a_footer_longer_than_the_first_look_is_read_whole(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "LIKELY_FOOTER", 16)
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars")
    assert outcomes(await export(stack, to, [DAY], "daily_bars"), "daily_bars") == {DAY: Outcome.UNCHANGED}


async def test_an_export_of_another_source_is_not_replaced(stack: Stack, to: Path) -> None:
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars")
    before, place = files(to), Folder(to)
    other = msgspec.structs.replace(VENDOR, kind=SourceKind.SIMULATED, identity="seed=1 tickers=60")
    exporter = exporter_of(stack, place, "daily_bars")
    exporter = type(exporter)(**{**vars(exporter), "source": other.mark})
    with pytest.raises(PlaceRefused, match="holds an export of vendor massive, and this database holds simulated"):
        [one async for one in exporter.export([DAY])]
    assert files(to) == before


async def test_what_a_disk_gives_back_otherwise_takes_no_files_place(
    stack: Stack, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.run_cycle()
    await export(stack, to, [DAY], "daily_bars")
    before = (to / BARS).read_bytes()
    await stack.pool.execute("UPDATE daily_bar SET volume = volume + 1 WHERE trading_date = $1", DAY)
    honest = folder.read_back

    def flipped(path: Path) -> bytes:
        body = bytearray(honest(path))
        body[100] ^= 1
        return bytes(body)

    monkeypatch.setattr(folder, "read_back", flipped)
    with pytest.raises(Spoilt):
        await export(stack, to, [DAY], "daily_bars")
    assert (to / BARS).read_bytes() == before
    assert set(files(to)) == {BARS, LOCK}


async def test_two_exports_at_once_into_one_folder_are_refused(to: Path) -> None:
    first, second = Folder(to), Folder(to)
    await first.open([])
    with pytest.raises(PlaceRefused, match="another export writes to"):
        await second.open([])
    await first.close()
    await second.close()
    await second.open([])
    await second.close()


async def test_what_a_killed_run_left_is_removed_and_what_is_somebody_elses_stays(to: Path) -> None:
    session = to / f"daily_bars/trading_date={DAY}"
    session.mkdir(parents=True)
    left, others = session / f".part.parquet.0123{UNFINISHED}", [session / "notes.txt", to / f".other{UNFINISHED}"]
    for path in (left, *others):
        path.write_bytes(b"any")
    place = Folder(to)
    await place.open(["daily_bars"])
    await place.close()
    assert not left.exists()
    assert all(path.exists() for path in others)
