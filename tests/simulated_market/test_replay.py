"""Claims that a replayed folder comes out of the endpoints as it stands in the files."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json

import pytest

from simulated_market.replayed.reference_files import BadReferenceFile

HEADER = ("ticker", "volume", "open", "close", "high", "low", "window_start", "transactions")
NIGHT = dt.datetime(2014, 6, 10, 2, tzinfo=dt.UTC)
FOUR_O_CLOCK = 1402300800  # 2014-06-09 04:00 New York
MINUTES = [
    ("AAPL", "600", "645.57", "92.42", "645.57", "92.23", 0, 0),
    ("AAPL", "59.5", "92.46", "92.4", "92.5", "92.4", 60, 2),
    ("AAPL", "110", "92.46", "92.3", "92.46", "92.3", 300, 1),
    ("BRK.A", "1", "190000", "190001", "190002", "189999", 5400, 1),
]


def write(path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", newline="") as text:
        csv.writer(text).writerows([HEADER, *rows])


def stamped(rows):
    return [(*row[:6], (FOUR_O_CLOCK + row[6]) * 1_000_000_000, row[7]) for row in rows]


@pytest.fixture
def folder(tmp_path):
    """Two sessions around a split, and minutes of the second."""
    days = tmp_path / "us_stocks_sip" / "day_aggs_v1" / "2014" / "06"
    write(
        days / "2014-06-06.csv.gz", [("AAPL", "12116671", "649.9", "645.57", "651.26", "644.47", 1402027200 * 10**9, 0)]
    )
    rows = [
        ("AAPL", "72875948", "92.69", "93.7", "93.88", "91.75", 1402286400 * 10**9, 0),
        ("BACpB", "10.5", "25", "25.1", "25.2", "24.9", 1402286400 * 10**9, 3),
        ("BRK.A", "100", "190000", "190001", "190002", "189999", 1402286400 * 10**9, 0),
    ]
    write(days / "2014-06-09.csv.gz", rows)
    minutes = tmp_path / "us_stocks_sip" / "minute_aggs_v1" / "2014" / "06"
    write(minutes / "2014-06-09.csv.gz", stamped(MINUTES))
    split = {"id": "x", "ticker": "AAPL", "execution_date": "2014-06-09", "split_from": 1, "split_to": 7}
    (tmp_path / "splits.json").write_text(json.dumps([split]))
    return tmp_path


@pytest.fixture
async def replay(serve, folder):
    return await serve(replay=folder, now=NIGHT)


async def test_a_day_has_the_rows_of_its_file_in_the_files_spelling(replay):
    rows = await replay.grouped("2014-06-09")

    assert list(rows) == ["AAPL", "BACpB", "BRK.A"]
    assert rows["BACpB"] == {
        "T": "BACpB", "v": 10.5, "o": 25.0, "c": 25.1, "h": 25.2, "l": 24.9, "t": 1402344000000, "n": 3,
    }  # fmt: skip
    assert "n" not in rows["AAPL"]


async def test_a_day_without_a_file_has_no_results(replay):
    for day in ("2014-06-05", "2014-06-08"):
        assert "results" not in await replay.ok(f"/v2/aggs/grouped/locale/us/market/stocks/{day}")


async def test_one_minute_bars_come_out_as_they_are(replay):
    bars = await replay.bars("AAPL", "2014-06-06/2014-06-09", "1/minute")

    assert [(bar["v"], bar["o"], bar["c"], bar["h"], bar["l"]) for bar in bars] == [
        (600, 645.57, 92.42, 645.57, 92.23),
        (59.5, 92.46, 92.4, 92.5, 92.4),
        (110, 92.46, 92.3, 92.46, 92.3),
    ]
    assert [bar["t"] for bar in bars] == [(FOUR_O_CLOCK + after) * 1000 for after in (0, 60, 300)]


async def test_five_minute_bars_are_folded_from_the_minutes(replay):
    first, second = await replay.bars("AAPL", "2014-06-06/2014-06-09")

    assert (first["v"], first["o"], first["c"], first["h"], first["l"]) == (659.5, 645.57, 92.4, 645.57, 92.23)
    assert (first["t"], second["t"]) == (FOUR_O_CLOCK * 1000, (FOUR_O_CLOCK + 300) * 1000)
    assert await replay.bars("BACpB", "2014-06-09/2014-06-09") == []


async def test_adjusted_bars_follow_the_splits_file(replay):
    bars = await replay.bars("AAPL", "2014-06-06/2014-06-09", "1/day", adjusted="true")

    assert bars[0]["c"] == pytest.approx(645.57 / 7, abs=1e-6)
    assert bars[0]["v"] == pytest.approx(12116671 * 7)
    assert (bars[1]["c"], bars[1]["v"]) == (93.7, 72875948)
    splits = (await replay.ok("/stocks/v1/splits?execution_date.gte=2014-01-01"))["results"]
    assert [(row["ticker"], row["split_to"], row["historical_adjustment_factor"]) for row in splits] == [
        ("AAPL", 7, 0.142857)
    ]


async def test_of_a_ticker_of_the_day_files_nothing_is_known_but_that_it_trades(replay):
    rows = (await replay.ok("/v3/reference/tickers?limit=1000"))["results"]

    bare = {"market": "stocks", "locale": "us", "active": True, "currency_name": "usd"}
    assert rows == [{"ticker": ticker, **bare} for ticker in ("AAPL", "BACpB", "BRK.A")]
    assert (await replay.raw("/v3/reference/tickers/AAPL"))[0] == 404
    assert (await replay.raw("/vX/reference/tickers/AAPL/events"))[0] == 404
    assert (await replay.ok("/stocks/vX/float"))["results"] == []
    assert (await replay.ok("/v3/reference/tickers?search=aap&sort=name"))["results"] == rows[:1]


async def test_reference_data_that_the_folder_brings_is_served_as_it_is(folder, serve):
    listed = {"ticker": "BRK.A", "name": "Berkshire", "market": "stocks", "locale": "us", "active": True,
              "currency_name": "usd", "type": "CS", "cik": "0001067983"}  # fmt: skip
    gone = {**listed, "ticker": "OLD", "name": "Old", "active": False, "delisted_utc": "2014-06-01T00:00:00Z"}
    details = {**listed, "sic_code": "6331", "share_class_shares_outstanding": 850_000}
    free = {"ticker": "BRK.A", "effective_date": "2014-06-01", "free_float": 500_000, "free_float_percent": 58.8}
    for name, rows in (("tickers", [listed, gone]), ("ticker_details", [details]), ("floats", [free])):
        (folder / f"{name}.json").write_text(json.dumps(rows))
    market = await serve(replay=folder, now=NIGHT)

    rows = (await market.ok("/v3/reference/tickers?limit=1000"))["results"]
    assert [row["ticker"] for row in rows] == ["AAPL", "BACpB", "BRK.A"]
    assert rows[2] == listed
    assert (await market.ok("/v3/reference/tickers?active=false"))["results"] == [gone]
    assert (await market.ok("/v3/reference/tickers/BRK.A"))["results"] == details
    assert (await market.raw("/v3/reference/tickers/AAPL"))[0] == 404
    assert (await market.ok("/stocks/vX/float"))["results"] == [free]


async def test_a_reference_file_in_another_shape_is_refused_by_name(folder, serve):
    (folder / "floats.json").write_text('[{"ticker": 5}]')
    with pytest.raises(BadReferenceFile, match=r"floats\.json.*ticker"):
        await serve(replay=folder)


async def test_a_folder_without_day_files_is_refused_by_name(tmp_path, serve):
    with pytest.raises(FileNotFoundError, match="day_aggs_v1"):
        await serve(replay=tmp_path)
