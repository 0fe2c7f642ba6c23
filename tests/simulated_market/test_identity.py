"""Claims that a simulated market says which one it is, and that a replayed folder is known by what is in it."""

from __future__ import annotations

import json
import shutil

import pytest

from simulated_market.identity import SOURCE_HEADER, source_of_folder


async def test_every_answer_names_the_market_also_a_refusal_and_one_of_its_own_addresses(serve):
    market = await serve(tickers=60, seed=3, key="right")
    for path, status in (
        ("/v3/reference/tickers/AAPL", 401),
        ("/v3/reference/tickers/NOSUCH?apiKey=right", 404),
        ("/v3/reference/tickers?apiKey=right", 200),
        ("/nowhere", 401),
        ("/_simulator/identity", 200),
    ):
        async with market.session.get(f"{market.origin}{path}") as answer:
            assert (answer.status, answer.headers.get(SOURCE_HEADER)) == (status, "simulated seed=3 tickers=60"), path


async def test_the_identity_is_told_without_a_key_and_counts_as_no_request(serve):
    market = await serve(tickers=60, seed=3, key="right")
    told = await market.ok("/_simulator/identity")
    assert told == {"kind": "simulated", "identity": "seed=3 tickers=60", "name": ""}
    assert (await market.ok("/_simulator/requests"))["total"] == 0


@pytest.fixture
def folder(tmp_path):
    for data_set in ("day_aggs_v1", "minute_aggs_v1"):
        days = tmp_path / "here" / "us_stocks_sip" / data_set / "2014" / "06"
        days.mkdir(parents=True)
        (days / "2014-06-09.csv.gz").write_bytes(b"12345")
    return tmp_path / "here"


def test_a_folder_that_was_moved_or_renamed_is_the_same_source_under_another_name(folder, tmp_path):
    before = source_of_folder(folder)
    moved = tmp_path / "else" / "where"
    shutil.copytree(folder, moved)
    after = source_of_folder(moved)
    assert after.is_same(before)
    assert (before.name, after.name) == ("here", "where")


@pytest.mark.parametrize("change", ["a file more", "a file less", "another size", "details", "a stranger's file"])
def test_a_folder_is_another_source_when_a_file_that_is_served_changes(folder, change):
    before = source_of_folder(folder)
    days = folder / "us_stocks_sip" / "day_aggs_v1" / "2014" / "06"
    match change:
        case "a file more":
            (days / "2014-06-10.csv.gz").write_bytes(b"1")
        case "a file less":
            (folder / "us_stocks_sip" / "minute_aggs_v1" / "2014" / "06" / "2014-06-09.csv.gz").unlink()
        case "another size":
            (days / "2014-06-09.csv.gz").write_bytes(b"123456")
        case "details":
            (folder / "ticker_details.json").write_text(json.dumps([]))
        case _:
            (folder / "README.md").write_text("nothing that is served")
    assert source_of_folder(folder).is_same(before) == (change == "a stranger's file")
