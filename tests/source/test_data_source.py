"""Claims about the value that says whose data something is."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from market.data_source import (
    VENDOR,
    DataSource,
    SourceKind,
    folder_source,
    replay_source,
    simulated_source,
    source_of_mark,
)

SANDBOX = simulated_source(seed=1, tickers=2000)
REPLAY = replay_source(digest="0123456789abcdef", name="real market (2013)")
FOLDER = folder_source(PurePath("/srv/bärs of NYSE"))
ALL = (
    VENDOR, SANDBOX, simulated_source(seed=2, tickers=2000), simulated_source(seed=1, tickers=60), REPLAY, FOLDER,
    folder_source(PurePath("/srv/bars")),
)  # fmt: skip


def test_seed_size_and_folder_make_other_sources_and_a_name_does_not() -> None:
    for number, one in enumerate(ALL):
        assert [one.is_same(other) for other in ALL] == [number == place for place in range(len(ALL))]
    assert REPLAY.is_same(replay_source(digest=REPLAY.identity, name="elsewhere"))


def test_each_source_has_a_readable_folder_name_of_its_own() -> None:
    slugs = [source.slug for source in ALL]
    assert slugs == [
        "vendor", "simulated-seed1-2000", "simulated-seed2-2000", "simulated-seed1-60",
        "replay-real-market-2013-01234567", "folder-b-rs-of-NYSE-4aed5cab", "folder-bars-f038d395",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["../../etc", "", "ü" * 300, "a/b", ".hidden"])
def test_no_folder_name_leads_out_of_the_data_directory(name: str) -> None:
    slug = replay_source(digest="0" * 32, name=name).slug
    assert "/" not in slug
    assert len(slug.encode()) < 100
    assert slug.startswith("replay-")


def test_a_mark_is_read_as_it_was_written_and_nothing_else_is_taken_for_one() -> None:
    for source in ALL:
        read = source_of_mark(source.mark)
        assert read is not None
        assert read.is_same(source)
    for strange in ("", "vendor", "vendor ", "polygon massive", "7", "Vendor massive", "simulated tickers=5"):
        assert source_of_mark(strange) is None


def test_provenance_says_whose_rows_are() -> None:
    assert [source.provenance for source in (VENDOR, SANDBOX, REPLAY, FOLDER)] == [
        "massive", "simulated", "replay", "folder",
    ]  # fmt: skip
    assert FOLDER.words == "the folder /srv/bärs of NYSE"
    assert FOLDER.mark.isascii()
    assert DataSource(kind=SourceKind.REPLAY, identity="x").words == "a replay of a folder (x)"


def test_a_simulated_market_that_pays_dividends_is_another_source() -> None:
    plain, paying = (simulated_source(seed=7, tickers=60, dividends=pays) for pays in (False, True))
    assert not paying.is_same(plain)
    assert source_of_mark(paying.mark) == paying
    assert (plain.slug, paying.slug) == ("simulated-seed7-60", "simulated-seed7-60-dividends")
