"""What "historical" answers its readers, asked of this service: every route, in its shape, with the figures of the
caches; and that a reader who misses something finds it without anything being written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.postgres import boundaries
from consumer.postgres.decisions import Decision
from contract import data_sets
from market.volume_slots import SLOTS_PER_DAY
from tests.cycle.stack import DAY
from tests.web.conftest import client_, clock, market, postgres_dsn, stack

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from tests.cycle.stack import Stack

    Client = TestClient[Any, Any]

MARKET_OF = 60  # tickers

__all__ = ["client_", "clock", "market", "postgres_dsn", "stack"]


async def got(client: Client, path: str, *, status: int = 200) -> Any:
    """The JSON of an answer, whose status is *status*."""
    answer = await client.get(path)
    assert answer.status == status, (path, await answer.text())
    return await answer.json(content_type=None)


async def cached(stack: Stack, pattern: str) -> dict[str, Any]:
    """What Redis holds under the keys of *pattern*, by symbol: JSON documents, or hashes."""
    found: dict[str, Any] = {}
    redis: Any = stack.redis
    async for key in redis.scan_iter(match=pattern.format(symbol="*")):
        symbol = key.removeprefix(pattern.partition("{")[0]).removesuffix(pattern.rpartition("}")[2])
        found[symbol] = await redis.hgetall(key) if pattern.endswith(":5") else json.loads(await redis.get(key))
    return found


async def test_metadata_of_every_symbol_is_the_document_of_the_cache_one_by_one_and_in_bulk(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    documents = await cached(stack, "metadata:ticker:{symbol}")
    assert len(documents) > 50
    for symbol, document in documents.items():
        assert await got(client, f"/api/metadata/{symbol}") == document
    everything = await got(client, "/api/metadata/bulk")
    assert (everything["results"], everything["next"]) == (documents, None)
    assert (everything["count"], everything["symbols"]) == (len(documents), sorted(documents))

    some = sorted(documents)[:3]
    named = await got(client, f"/api/metadata/bulk?symbols={some[0].lower()},{some[1]},NOSUCH")
    assert named["symbols"] == [some[0], some[1], "NOSUCH"]
    assert (named["count"], named["not_found"]) == (2, ["NOSUCH"])
    assert named["results"] == {symbol: documents[symbol] for symbol in some[:2]}


async def test_what_is_listed_comes_in_pages_that_together_are_all_of_it(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    listed = sorted(await stack.redis.smembers("ticker:universe"))  # type: ignore[misc]
    for path, symbols_of in (
        ("/api/universe/symbols?limit=25", lambda page: page["symbols"]),
        ("/api/metadata/bulk?limit=25", lambda page: list(page["results"])),
    ):
        following, found = path, []
        while following:
            page = await got(client, following)
            found += symbols_of(page)
            following = page["next"]
        assert found == listed
    page = await got(client, "/api/universe/symbols?limit=1000000")
    assert (page["count"], page["total"], page["limit"]) == (len(listed), len(listed), 20_000)


async def test_means_trades_and_atr_are_those_of_the_caches_and_the_mean_is_what_sql_says(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    compared = 0
    for symbol, cache in (await cached(stack, "rvol:hist:avg:{symbol}:5")).items():
        told = await got(client, f"/api/rvol/hist-avg/bulk?symbol={symbol}")
        assert {slot: str(mean) for slot, mean in told["averages"].items()} == cache
        assert (told["days"], told["slots"]) == (5, len(told["averages"]))
        compared += len(cache)
    assert compared > 1_000
    for symbol, cache in (await cached(stack, "trades:baseline:{symbol}:5")).items():
        told = await got(client, f"/api/trades/baseline/bulk?symbol={symbol}")
        assert (told["avg_trades"], told["days_count"]) == (float(cache["avg"]), int(cache["days"]))
        assert told["slots"] == {slot: json.loads(text) for slot, text in cache.items() if slot.isdigit()}
    for symbol, text in (await stack.redis.hgetall("atr:daily")).items():  # type: ignore[misc]
        assert await got(client, f"/api/atr/{symbol}") == {"symbol": symbol, **json.loads(text)}

    symbol = await stack.value(
        "SELECT symbol FROM session_slots WHERE outcome = 'traded' AND symbol NOT IN (SELECT symbol FROM stock_split) "
        "GROUP BY symbol HAVING count(*) = 5 ORDER BY symbol LIMIT 1"
    )
    mean = await stack.value(
        "SELECT avg((SELECT sum(v) FROM unnest(volumes[1:101]) AS v)) FROM session_slots WHERE symbol = $1", symbol
    )
    told = await got(client, f"/api/rvol/hist-avg?symbol={symbol}&slot=100")
    assert (told["symbol"], told["slot"], told["avg"]) == (symbol, 100, int(mean))
    whole_day = await got(client, f"/api/rvol/hist-avg?symbol={symbol}&slot=191")
    assert (await got(client, f"/api/rvol/hist-avg?symbol={symbol}&slot=250"))["avg"] == whole_day["avg"]


async def test_a_reader_that_misses_a_mean_is_answered_and_no_hash_is_written(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    before = await cached(stack, "rvol:hist:avg:{symbol}:5")
    for symbol in before:  # a field that is missing is a miss for it: it asks, and looks into the hash again
        assert (await got(client, f"/api/rvol/hist-avg/bulk?symbol={symbol}&days=5"))["slots"] > 0
    await got(client, f"/api/rvol/hist-avg?symbol={next(iter(before))}&slot=3")
    assert await cached(stack, "rvol:hist:avg:{symbol}:5") == before
    assert await stack.redis.ttl(f"rvol:hist:avg:{next(iter(before))}:5") > 13 * 86_400


async def test_no_mean_is_told_of_slots_that_nobody_observed(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    symbol = await stack.value("SELECT min(symbol) FROM session_slots WHERE outcome = 'traded'")
    await stack.pool.execute(
        "UPDATE session_slots SET outcome = 'unproven', volumes = NULL, trades = NULL WHERE symbol = $1",
        symbol,
    )
    told = await got(client, f"/api/rvol/hist-avg?symbol={symbol}&slot=100")
    assert (told["avg"], told["sessions"]) == (None, 0)
    assert (await got(client, f"/api/rvol/hist-avg/bulk?symbol={symbol}"))["averages"] == {}
    (session,) = (await got(client, f"/api/slots/{symbol}"))["results"]
    assert (session["outcome"], session["volumes"]) == ("unproven", None)


async def test_bars_are_those_of_sql_and_a_session_that_is_not_stored_is_named(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    symbol, execution_day = await _split(stack)
    stored = await stack.pool.fetch("SELECT * FROM daily_bar WHERE symbol = $1 ORDER BY trading_date", symbol)
    raw = await got(client, f"/api/bars/{symbol}?adjusted=false&limit=16")
    adjusted = await got(client, f"/api/bars/{symbol}?limit=16")
    view = await stack.pool.fetch(
        "SELECT * FROM public.market_data_daily_adjusted WHERE symbol = $1 ORDER BY trading_date", symbol
    )
    assert [bar["close"] for bar in raw["results"]] == [row["close"] for row in stored]
    assert [bar["close"] for bar in adjusted["results"]] == pytest.approx([row["close"] for row in view])
    assert [bar["volume"] for bar in adjusted["results"]] == pytest.approx([row["volume"] for row in view])
    assert adjusted["results"][0]["close"] != raw["results"][0]["close"]
    assert adjusted["results"][-1] | {"price_factor": None} == raw["results"][-1] | {"price_factor": None}

    await stack.pool.execute(
        "DELETE FROM coverage WHERE data_set = $1 AND trading_day = $2", data_sets.DAILY_BARS, execution_day
    )
    await stack.pool.execute("DELETE FROM daily_bar WHERE trading_date = $1", execution_day)
    after = await got(client, f"/api/bars/{symbol}?adjusted=false&limit=16&to={DAY}")
    assert after["not_stored"] == [execution_day.isoformat()]
    assert after["count"] == raw["count"] - 1


async def _split(stack: Stack) -> tuple[str, Any]:
    """A symbol with a split inside of the window, and a session of its window before that."""
    row = await stack.pool.fetchrow(
        "SELECT s.symbol, max(b.trading_date) AS day FROM stock_split AS s JOIN daily_bar AS b ON b.symbol = s.symbol "
        "AND b.trading_date < s.execution_day WHERE s.verdict <> 'contradicted' AND s.company IS NULL "
        "AND EXISTS (SELECT FROM daily_bar AS a WHERE a.symbol = s.symbol AND a.trading_date >= s.execution_day) "
        "GROUP BY s.symbol HAVING count(*) > 1 ORDER BY s.symbol LIMIT 1"
    )
    assert row is not None, "the market of the tests has a split in its window"
    return row["symbol"], row["day"]


async def test_bars_of_a_range_come_in_pages_that_together_are_all_of_it(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    symbol = await stack.value("SELECT symbol FROM daily_bar GROUP BY symbol HAVING count(*) = 16 ORDER BY 1 LIMIT 1")
    first = await stack.value("SELECT min(trading_date) FROM daily_bar")
    following, days = f"/api/bars/{symbol}?from={first}&to={DAY}&limit=5", []
    while following:
        page = await got(client, following)
        assert page["count"] <= 5
        days += [bar["date"] for bar in page["results"]]
        following = page["next"]
    stored = await stack.pool.fetch("SELECT trading_date FROM daily_bar WHERE symbol = $1 ORDER BY 1", symbol)
    assert days == [row["trading_date"].isoformat() for row in stored]


async def test_slots_are_those_of_sql_and_a_session_that_is_not_stored_has_none(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    symbol = await stack.value(
        "SELECT symbol FROM session_slots WHERE outcome = 'traded' AND trades IS NOT NULL "
        "AND symbol NOT IN (SELECT symbol FROM stock_split) GROUP BY symbol HAVING count(*) = 5 ORDER BY 1 LIMIT 1"
    )
    stored = await stack.pool.fetch("SELECT * FROM session_slots WHERE symbol = $1 ORDER BY trading_date", symbol)
    told = (await got(client, f"/api/slots/{symbol}?days=6&adjusted=false"))["results"]
    assert (told[0]["outcome"], told[0]["volumes"], told[0]["accumulated"]) == ("missing", None, None)
    for row, session in zip(stored, told[1:], strict=True):
        assert (session["date"], session["outcome"]) == (row["trading_date"].isoformat(), "traded")
        assert (session["volumes"], session["trades"]) == (row["volumes"], row["trades"])
        assert session["accumulated"][-1] == pytest.approx(sum(row["volumes"]))
        assert len(session["volumes"]) == SLOTS_PER_DAY
    (quiet,) = await stack.pool.fetch(
        "SELECT symbol FROM session_slots WHERE trading_date = $1 AND outcome = 'no_trades' LIMIT 1", DAY
    ) or [None]
    if quiet is not None:
        (session,) = (await got(client, f"/api/slots/{quiet['symbol']}"))["results"]
        assert (session["outcome"], set(session["volumes"])) == ("no_trades", {0})


async def test_the_counts_of_historical_are_those_of_the_tables(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    active = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    stats = await got(client, "/api/universe/stats")
    assert (stats["timescaledb_active"], stats["redis_count"]) == (active, active)
    assert stats["timescaledb_total"] >= active
    assert stats["last_warmup"] is not None
    told = await got(client, "/api/stats")
    assert (told["universe_size"], told["warmup"]["status"], told["warmup"]["in_progress"]) == (active, "fresh", False)
    await got(client, "/api/universe/symbols")
    await got(client, "/api/universe/symbols")
    told = await got(client, "/api/stats")
    assert (told["cache_misses"], told["cache_hits"], told["cache_hit_rate"]) == (1, 1, 0.5)


async def test_an_answer_that_the_caller_has_is_not_sent_again_until_something_else_stands(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    symbol = await stack.value("SELECT min(symbol) FROM ticker_atr")
    first = await client.get(f"/api/atr/{symbol}")
    etag = first.headers["ETag"]
    assert (first.headers["Maintenance-As-Of"], first.headers["Maintenance-Verdict"]) == (DAY.isoformat(), "final")
    for known in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(f"/api/atr/{symbol}", headers={"If-None-Match": known})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
    head = await client.head(f"/api/atr/{symbol}")
    assert (head.status, head.headers["ETag"], await head.read()) == (200, etag, b"")
    assert int(head.headers["Content-Length"]) == len(await first.read())

    await stack.pool.execute("UPDATE ticker_atr SET atr = atr + 1 WHERE symbol = $1", symbol)
    await stack.pool.execute("UPDATE coverage SET load_id = load_id + 1 WHERE data_set = 'atr'")  # as a load does
    changed = await client.get(f"/api/atr/{symbol}", headers={"If-None-Match": etag})
    assert changed.status == 200
    assert (await changed.json())["atr"] == pytest.approx((await first.json())["atr"] + 1)


async def test_who_is_not_known_is_answered_with_the_nearest_and_bars_spelling_is_understood(
    stack: Stack, client: Client
) -> None:
    await stack.run_cycle()
    listed = sorted(await stack.redis.smembers("ticker:universe"))  # type: ignore[misc]
    symbol = next(one for one in listed if len(one) == 4 and one.isalpha() and one.isupper())
    for path in ("/api/metadata/{}", "/api/bars/{}", "/api/rvol/hist-avg/bulk?symbol={}"):
        document = await got(client, path.format(symbol + "Z"), status=404)
        assert document["detail"].startswith(f"Ticker '{symbol}Z' not found: did you mean")
        assert symbol in document["detail"]
    preferred = await stack.value("SELECT max(symbol) FROM listed_ticker WHERE symbol ~ 'p[A-Z]?$' AND is_active")
    assert preferred is not None
    spelled = await stack.value("SELECT market_data_symbol FROM listed_ticker WHERE symbol = $1", preferred)
    assert (await got(client, f"/api/atr/{spelled or preferred}"))["symbol"] == preferred
    assert (await got(client, f"/api/atr/{symbol.lower()}"))["symbol"] == symbol


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("/api/metadata/bulk?symbols=", "symbols=AAPL,MSFT"),
        ("/api/metadata/bulk?symbols=A%00B", "is no symbol"),
        ("/api/metadata/bulk?symbols=" + ",".join(f"A{n}" for n in range(1_001)), "ask for fewer"),
        ("/api/metadata/bulk?limit=0", "limit"),
        ("/api/metadata/%20", "is no symbol"),
        ("/api/metadata/AAPL?use_cache=true", "no query parameters"),
        ("/api/rvol/hist-avg?symbol=A", "slot"),
        ("/api/rvol/hist-avg?symbol=A&slot=251", "250"),
        ("/api/rvol/hist-avg?symbol=A&slot=1&slot=2", "keep one"),
        ("/api/rvol/hist-avg/bulk?symbol=A&days=61", "60"),
        ("/api/bars/A?limit=1001", "1000"),
        ("/api/bars/A?start=2025-11-11", "from, to, limit, adjusted"),
        ("/api/bars/A?from=11/11/2025", "date"),
        ("/api/slots/A?days=21", "20"),
    ],
)
async def test_what_is_not_understood_is_refused_with_the_cure(client: Client, path: str, cure: str) -> None:
    document = await got(client, path, status=400)
    assert cure in document["detail"]


async def test_days_that_cannot_be_are_refused_with_the_cure_and_before_the_first_night_nothing_is_there(
    stack: Stack, client: Client
) -> None:
    assert (await got(client, "/api/metadata/bulk"))["count"] == 0
    await got(client, "/api/metadata/AAPL", status=404)
    await stack.run_cycle()
    symbol = await stack.value("SELECT min(symbol) FROM ticker_atr")
    for query, cure in (
        ("bars/{}?from=2025-11-11&to=2025-11-10", "exchange them"),
        ("bars/{}?from=1990-01-01", "1998-01-01"),
        ("slots/{}?day=2025-11-09", "Sunday"),
    ):
        assert cure in (await got(client, f"/api/{query.format(symbol)}", status=400))["detail"]


async def test_no_mean_is_made_across_a_boundary_that_a_person_has_drawn(stack: Stack, client: Client) -> None:
    await stack.run_cycle()
    symbol = await stack.value(
        "SELECT symbol FROM session_slots WHERE outcome = 'traded' AND symbol NOT IN (SELECT symbol FROM stock_split) "
        "GROUP BY symbol HAVING count(*) = 5 ORDER BY symbol LIMIT 1"
    )
    before = await got(client, f"/api/rvol/hist-avg?symbol={symbol}&slot=191")
    newest = await stack.value(
        "SELECT sum(v) FROM session_slots, unnest(volumes) AS v WHERE symbol = $1 AND trading_date = $2", symbol, DAY
    )
    named = boundaries.Named(symbol=symbol, day=DAY, evidence="a spin-off")
    decision = Decision(by="ann", reason="spin-off", at=stack.clock())
    async with stack.pool.acquire() as connection, connection.transaction():
        assert await boundaries.decide(connection, named, boundaries.State.ACCEPTED, decision)
    after = await got(client, f"/api/rvol/hist-avg?symbol={symbol}&slot=191")
    assert (before["sessions"], after["sessions"], after["avg"]) == (5, 1, int(newest))
