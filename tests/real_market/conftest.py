"""Replays the real market through the whole service, once a trading day, and keeps what it left behind.

The service is started as a person starts it, `maintenance run --once`, with Redis and PostgreSQL of the tests, so that
both can be asked when it has ended. Without the folder of real data the tests are skipped.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import redis as redis_client

from tests.conftest import execute, finish
from tests.looking import look_into
from tests.real_market.expected import Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.embedded.postgres_server import EmbeddedPostgres
    from consumer.embedded.redis_server import EmbeddedRedis

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 120
BEFORE_COLUMBUS_DAY = dt.date(2013, 10, 11)
SPLIT_OF_APPLE = dt.date(2014, 6, 9)
TABLES = (
    "daily_bar", "volume_slots", "session_slots", "ticker_profile", "listed_ticker", "stock_split",
    "ticker_atr", "cycle", "data_load", "session_finding",
    "stock_dividend", "daily_total_return",
)  # fmt: skip


class Replayed(NamedTuple):
    """What one run has left: exit code, what it printed, every row of its tables, every key of its Redis."""

    day: dt.date
    exit_code: int
    printed: str
    tables: dict[str, list[dict[str, Any]]]
    keys: dict[str, Any]

    def metadata(self) -> dict[str, dict[str, Any]]:
        prefix = "metadata:ticker:"
        return {name.removeprefix(prefix): json.loads(text) for name, text in self.keys.items()
                if name.startswith(prefix)}  # fmt: skip

    def atr(self) -> dict[str, dict[str, Any]]:
        return {symbol: json.loads(text) for symbol, text in self.keys["atr:daily"].items()}


# Shares of the tests' own making, as no file of the folder has any; of one ticker nothing is known at all.
UNKNOWN = "AIG"


# What Apple paid, by its own word: press release of 2014-04-23, filed with the SEC on Form 8-K that day. $3.29 a share,
# "payable on May 15, 2014, to shareholders of record as of the close of business on May 12, 2014" (its text is at
# macdailynews.com/2014/04/23/apple-announces-7-for-1-stock-split-boosts-dividend-ups-buybacks-to-90-billion), declared
# before the seven-for-one split, which "trading will begin on a split-adjusted basis on June the 9th, 2014" is said of
# (loopinsight.com/2014/04/24/apple-announces-seven-way-stock-split), and so on old shares; with three days to settle
# its ex-day was May 8. The next, of August 7, was $0.47 on new ones: a seventh. $3.05 was paid with an ex-day on
# 2013-08-08, before the sessions of 2013 begin.
DIVIDENDS = [
    {"id": f"aapl-{ex_day}", "ticker": "AAPL", "cash_amount": amount, "currency": "USD", "ex_dividend_date": ex_day,
     "record_date": record, "pay_date": paid, "frequency": 4, "distribution_type": "recurring"}
    for ex_day, record, paid, amount in (
        ("2013-08-08", "2013-08-12", "2013-08-15", 3.05), ("2014-05-08", "2014-05-12", "2014-05-15", 3.29),
        ("2014-08-07", "2014-08-11", "2014-08-14", 0.47),
    )
]  # fmt: skip


def with_details(folder: Path, home: Path) -> Path:
    """The same folder with a count of shares beside it for every ticker but one, as a replay may bring them."""
    for name in ("us_stocks_sip", "splits.json"):
        (home / name).symlink_to(folder / name)
    files = Files(folder)
    tickers = sorted({row["ticker"] for day in files.days("day_aggs_v1") for row in files.rows("day_aggs_v1", day)})
    fixed = {"market": "stocks", "locale": "us", "active": True, "currency_name": "usd"}
    details = [
        {"ticker": ticker, **fixed, "weighted_shares_outstanding": 1_000_000_000 + 7_000_001 * number}
        for number, ticker in enumerate(tickers)
        if ticker != UNKNOWN
    ]
    (home / "ticker_details.json").write_text(json.dumps(details))
    (home / "dividends.json").write_text(json.dumps(DIVIDENDS))
    return home


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = Path(os.environ.get("REAL_MARKET_DIR") or REPOSITORY.parent / "shared" / "real-market")
    if not (folder / "us_stocks_sip").is_dir():
        pytest.skip(f"no real market data in {folder}: set REAL_MARKET_DIR to a folder of the vendor's flat files")
    return Files(with_details(folder.resolve(), tmp_path_factory.mktemp("real-market")))


@pytest.fixture(scope="module")
def columbus(
    files: Files, redis_server: EmbeddedRedis, postgres_server: EmbeddedPostgres, tmp_path_factory: Any
) -> Replayed:
    """2013-10-11: forty sessions of bars, six sessions of minutes of SPY, IBM, BAC and AIG."""
    return replay(files, BEFORE_COLUMBUS_DAY, redis_server, postgres_server, tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def apple(
    files: Files, redis_server: EmbeddedRedis, postgres_server: EmbeddedPostgres, tmp_path_factory: Any
) -> Replayed:
    """2014-06-09: Apple's shares split seven for one that morning."""
    return replay(files, SPLIT_OF_APPLE, redis_server, postgres_server, tmp_path_factory.mktemp("replay"))


def replay(
    files: Files, day: dt.date, redis_server: EmbeddedRedis, postgres_server: EmbeddedPostgres, data_dir: Path
) -> Replayed:
    with redis_client.Redis(unix_socket_path=str(redis_server.socket_path), decode_responses=True) as redis:
        redis.flushall()
        with new_database(postgres_server) as dsn:
            ended = subprocess.run(
                [sys.executable, "-m", "consumer.terminal", "run", "--once", "--replay", str(files.folder),
                 "--trading-day", str(day)],
                cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                env=environment(REDIS_URL=redis_server.url, DATABASE_URL=dsn, DATA_DIR=str(data_dir)),
            )  # fmt: skip
            assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr[-4000:]
            tables: dict[str, list[dict[str, Any]]] = {}
            finish(read_tables(dsn, tables))
            return Replayed(day, ended.returncode, ended.stdout, tables, read_keys(redis))


def environment(**settings: str) -> dict[str, str]:
    """Ours, without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return {**kept, "HTTP_PORT": "0", "LOG_FORMAT": "json", **settings}


@contextlib.contextmanager
def new_database(server: EmbeddedPostgres) -> Iterator[str]:
    name = f"replay_{uuid.uuid4().hex[:12]}"
    finish(execute(server.dsn, f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield server.dsn.replace("/postgres?", f"/{name}?", 1)
    finally:
        finish(execute(server.dsn, f"DROP DATABASE {name} WITH (FORCE)"))


async def read_tables(dsn: str, into: dict[str, list[dict[str, Any]]]) -> None:
    connection = await look_into(dsn, {"search_path": "maintenance, public"})
    try:
        for table in TABLES:
            into[table] = [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]
    finally:
        await connection.close()


def read_keys(redis: Any) -> dict[str, Any]:
    read = {
        "string": redis.get, "hash": redis.hgetall, "set": redis.smembers, "list": lambda key: redis.lrange(key, 0, -1),
        "zset": lambda key: redis.zrange(key, 0, -1), "stream": redis.xlen,
    }  # fmt: skip
    return {key: read[redis.type(key)](key) for key in redis.scan_iter(count=1000)}
