"""Claims about when a day may be asked for, by plan and clock."""

from __future__ import annotations

import datetime as dt

from simulated_market.options import Plan

GROUPED = "/v2/aggs/grouped/locale/us/market/stocks"
RANGE = "/v2/aggs/ticker/AAPL/range/5/minute"


def new_york(hour: int, minute: int = 0) -> dt.datetime:
    """An hour of 2025-11-11 in New York (five hours behind UTC)."""
    return dt.datetime(2025, 11, 11, tzinfo=dt.UTC) + dt.timedelta(hours=hour + 5, minutes=minute)


async def test_the_free_plan_refuses_today_until_midnight(serve):
    evening, after_midnight = (
        await serve(plan=Plan.FREE, now=new_york(23)),
        await serve(plan=Plan.FREE, now=new_york(24, 1)),
    )

    status, body = await evening.refused(f"{GROUPED}/2025-11-11")
    assert (status, body["status"]) == (403, "NOT_AUTHORIZED")
    assert body["message"].startswith("Attempted to request today's data before end of day.")
    assert (await evening.refused(f"{RANGE}/2025-11-10/2025-11-11"))[1]["message"] == body["message"]
    assert len(await after_midnight.grouped("2025-11-11")) > 40


async def test_the_free_plan_reaches_two_years_back(serve):
    client = await serve(plan=Plan.FREE)

    assert (await client.raw(f"{GROUPED}/2023-11-14"))[0] == 200
    status, body = await client.refused(f"{GROUPED}/2023-11-10")
    assert status == 403
    assert body["message"].startswith("Your plan doesn't include this data timeframe.")


async def test_every_plan_refuses_the_future(serve):
    for plan in Plan:
        status, body = await (await serve(plan=plan)).refused(f"{GROUPED}/2025-11-12")
        assert status == 403
        assert "timeframe" in body["message"]


async def test_the_paid_plan_shows_the_day_as_it_grows(serve):
    early, noon, night = [await serve(now=new_york(hour)) for hour in (9, 12, 21)]

    assert await early.grouped("2025-11-11") == {}
    part, whole = await noon.grouped("2025-11-11"), await night.grouped("2025-11-11")
    assert part.keys() == whole.keys()
    assert all(0 < part[symbol]["v"] < whole[symbol]["v"] for symbol in ("AAPL", "SPY", "MSFT"))


async def test_the_paid_plan_gives_minutes_a_quarter_of_an_hour_late(serve):
    noon, night = await serve(now=new_york(12)), await serve(now=new_york(21))
    part, whole = await noon.bars("AAPL", "2025-11-11/2025-11-11"), await night.bars("AAPL", "2025-11-11/2025-11-11")

    assert part == whole[: len(part)]
    assert part[-1]["t"] == new_york(11, 45).timestamp() * 1000


async def test_a_range_of_the_paid_plan_may_end_in_the_future(serve):
    client = await serve()

    assert await client.bars("AAPL", "2025-11-11/2026-11-11") == await client.bars("AAPL", "2025-11-11/2025-11-11")
    assert await client.bars("AAPL", "2040-01-01/2040-02-01") == []


async def test_dates_before_the_history_have_no_data(client):
    assert await client.grouped("2001-05-04") == {}
    assert await client.bars("AAPL", "1970-01-01/2001-05-04") == []
    assert (await client.raw("/v3/reference/tickers/AAPL?date=1990-01-02"))[0] == 200
