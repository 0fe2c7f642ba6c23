"""Flat files save requests and decide about no night: whenever they fail, REST brings the session, and is told why."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from consumer.massive.flat_file_store import LocalFolder
from consumer.massive.flat_files import FileOnDisk, flat_file_path
from consumer.vendor.errors import FlatFilesUnusable, NotYetPublished, ProviderUnavailable, VendorError
from consumer.vendor.protocol import FlatFileKind
from tests.cycle.stack import CALENDAR, DAY, Clock, Market, Stack, stack_on, until
from tests.tasks.test_slot_files import publish

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator, Collection
    from pathlib import Path

BEFORE = CALENDAR.last_trading_days(5, up_to=DAY)[:-1]  # the sessions whose files are out
AWAY = ProviderUnavailable("s3://flatfiles does not answer: GenericError")
WRONG_KEY = FlatFilesUnusable("s3://flatfiles does not accept the keys. Check MASSIVE_S3_ACCESS_KEY_ID")
READ_ONLY = OSError(errno.EROFS, "Read-only file system", "/data/flat-files/2025-11-10.csv.gz")


class Troubled(LocalFolder):
    """A bucket that fails where the test says: when it is asked what there is, from that question on, or for a file."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.fails: dict[str, Exception] = {}
        self.listed = self.fetched = 0
        self.listing_fails_from = 0

    async def versions(self, kind: FlatFileKind, days: Collection[dt.date]) -> dict[dt.date, str]:
        self.listed += 1
        if "list" in self.fails and self.listed > self.listing_fails_from:
            raise self.fails["list"]
        return await super().versions(kind, days)

    async def fetch(self, kind: FlatFileKind, day: dt.date) -> FileOnDisk:
        self.fetched += 1
        if "fetch" in self.fails:
            raise self.fails["fetch"]
        found = await LocalFolder.versions(self, kind, [day])
        return FileOnDisk(path=flat_file_path(self._root, kind, day), version=found[day])


@pytest.fixture
def bucket(tmp_path: Path) -> Troubled:
    (tmp_path / "us_stocks_sip").mkdir()
    return Troubled(tmp_path)


@pytest.fixture
async def stack(
    postgres_dsn: str, redis_url: str, market: Market, clock: Clock, bucket: Troubled
) -> AsyncIterator[Stack]:
    async with stack_on(postgres_dsn, redis_url, market, clock, flat_files=bucket) as found:
        yield found


async def publish_all(stack: Stack, folder: Path) -> None:
    """Load bars and listing, and write the files that agree with them."""
    for task in ("metadata_enrich", "ohlc_daily"):
        await stack.run_cycle(task=task)
    for day in BEFORE:
        bars = await stack.pool.fetch("SELECT symbol, volume FROM daily_bar WHERE trading_date = $1", day)
        publish(folder, day, **{row["symbol"]: row["volume"] for row in bars})
    await stack.market.reset()


async def symbols_asked(stack: Stack) -> int:
    return (await stack.market.requests()).get("range_bars", 0)


@pytest.mark.parametrize("trouble", [AWAY, WRONG_KEY, READ_ONLY], ids=["away", "wrong key", "disk"])
@pytest.mark.parametrize("stage", ["list", "fetch"])
async def test_files_that_cannot_be_had_are_made_up_for_by_rest_with_one_warning(
    stack: Stack, bucket: Troubled, tmp_path: Path, logged: list[dict[str, Any]], stage: str, trouble: Exception
) -> None:
    await publish_all(stack, tmp_path)
    bucket.fails[stage] = trouble

    cycle = await stack.run_cycle()

    assert (cycle.state, cycle.missing) == ("complete", ())
    (warning,) = [line for line in cycle.warnings if "flat file" in line]
    reason = "Read-only file system; mount it writable" if trouble is READ_ONLY else str(trouble)
    assert reason in warning
    assert len([line for line in logged if line["event"] == "flat_files_not_used"]) == 1
    assert (await stack.verdict()).state == "final"
    listed = await stack.value("SELECT count(*) FROM listed_ticker WHERE is_active")
    assert listed <= await symbols_asked(stack) <= 2 * listed, "once, and once more for what was to come by file"
    assert bucket.fetched <= len(BEFORE), "each file is tried once"
    assert await stack.dead() == []


async def test_a_corrupt_file_costs_its_session_a_request_a_symbol_and_is_named(
    stack: Stack, bucket: Troubled, tmp_path: Path
) -> None:
    await publish_all(stack, tmp_path)
    broken = BEFORE[-1]
    path = flat_file_path(tmp_path, FlatFileKind.MINUTE, broken)
    path.write_bytes(path.read_bytes()[:-30])

    cycle = await stack.run_cycle()

    assert (cycle.state, cycle.missing) == ("complete", ())
    (warning,) = [line for line in cycle.warnings if "flat file" in line]
    assert warning.startswith(f"slots {broken}: the flat file is not used: ")
    sources = await stack.pool.fetch(
        "SELECT DISTINCT trading_date, source FROM session_slots JOIN data_load USING (load_id) ORDER BY 1"
    )
    by_rest = [row["trading_date"] for row in sources if row["source"].endswith(":rest")]
    assert {broken, DAY} <= set(by_rest)


async def test_a_bucket_that_goes_away_before_the_pass_is_judged_takes_nothing_back(
    stack: Stack, bucket: Troubled, tmp_path: Path
) -> None:
    await publish_all(stack, tmp_path)
    bucket.fails["list"], bucket.listing_fails_from = AWAY, bucket.listed + 1  # the plan still hears it

    cycle = await stack.run_cycle()

    assert (cycle.state, cycle.missing) == ("complete", ())
    assert [line for line in cycle.warnings if "flat file" in line] == [
        f"flat files are not used, REST is asked instead: {AWAY}"
    ]


async def test_a_replaced_file_that_is_broken_keeps_no_cycle_from_its_end(
    stack: Stack, bucket: Troubled, tmp_path: Path
) -> None:
    await publish_all(stack, tmp_path)
    assert (await stack.run_cycle()).state == "complete"
    flat_file_path(tmp_path, FlatFileKind.MINUTE, BEFORE[-1]).write_bytes(b"no gzip")
    await stack.market.reset()

    cycle = await stack.run_cycle()

    assert (cycle.state, cycle.missing) == ("complete", ())
    assert await symbols_asked(stack) == 0, "what stands is whole"


async def test_failed_files_are_no_absence_of_the_vendor(stack: Stack, bucket: Troubled, tmp_path: Path) -> None:
    """On a plan without such bars files are all there is: they fail and wait, and the vendor is asked all the same."""
    for day in BEFORE:
        publish(tmp_path, day, SPY=100.0)
    await stack.pool.execute(
        "INSERT INTO vendor_capability (capability, available, learned_at, evidence) "
        "VALUES ('range_bars', false, now(), 'test')"
    )
    await stack.market.fail({"kind": "not_entitled", "endpoint": "range_bars"})
    bucket.fails["fetch"] = AWAY
    splits = stack.services.vendor.list_splits

    async def once_the_files_have_failed(*asked: Any, **more: Any) -> Any:
        failed = "SELECT count(*) = $1 FROM part WHERE part LIKE 'file:%' AND state = 'failed'"
        await until(lambda: stack.value(failed, len(BEFORE)), what="the end of all files")
        return await splits(*asked, **more)

    stack.services.vendor.list_splits = once_the_files_have_failed  # type: ignore[method-assign]
    cycle = await stack.run_cycle()

    parts = await stack.parts(cycle.cycle_id)
    details = {state for name, state in parts.items() if "/details:" in name}
    assert details == {"done"}, "asked after the files had failed"
    assert cycle.state == "waiting"
    bucket.fails.clear()
    await stack.next_pass()
    loaded = await stack.value("SELECT count(DISTINCT trading_date) FROM session_slots")
    assert loaded == len(BEFORE)


@pytest.mark.parametrize("error", [VendorError("anything"), NotYetPublished("gone"), OSError("anything")])
async def test_whatever_a_listing_fails_of_the_plan_goes_on(
    stack: Stack, bucket: Troubled, tmp_path: Path, error: Exception
) -> None:
    bucket.fails["list"] = error
    assert (await stack.run_cycle()).state == "complete"
