"""Makes first contacts with a simulated market and bucket, on a clock that only waiting moves."""

from __future__ import annotations

import datetime as dt
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from consumer.massive.first_contact.asking import Pace
from consumer.settings import read_settings
from consumer.vendors import Surroundings, first_contact, open_web
from simulated_market.app import build_app
from simulated_market.assumptions import Assumptions
from simulated_market.bucket import BucketAssumptions, build_bucket
from simulated_market.options import Plan, SimulatorOptions

if TYPE_CHECKING:
    from aiohttp import web

    from consumer.vendor.first_contact import ContactReport, Seen
    from simulated_market.faults.fault_set import Fault

KEY, ACCESS, SECRET = "a-key-of-the-tests-0001", "access-of-the-tests", "secret-of-the-tests-02"
NOON = dt.datetime(2025, 11, 11, 17, 0, tzinfo=dt.UTC)  # a Tuesday, 12:00 in New York
EVENING = dt.datetime(2025, 11, 12, 1, 30, tzinfo=dt.UTC)  # 20:30 of the same day
MORNING = dt.datetime(2025, 11, 11, 14, 0, tzinfo=dt.UTC)  # 09:00
SATURDAY = dt.datetime(2025, 11, 8, 17, 0, tzinfo=dt.UTC)


class FakeTime:
    """A clock that stands still but while somebody waits."""

    def __init__(self) -> None:
        self.at = 0.0
        self.waited: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.at += seconds

    @property
    def pace(self) -> Pace:
        return Pace(clock=lambda: self.at, sleep=self.sleep)


def market(
    now: dt.datetime, *faults: Fault, assumed: dict[str, Any] | None = None, free: bool = False, key: str = KEY
) -> web.Application:
    options = SimulatorOptions(
        tickers=40,
        key=key,
        plan=Plan.FREE if free else Plan.PAID,
        dividends=True,
        assumptions=Assumptions(**(assumed or {})),
    )
    return build_app(options, now=lambda: now, faults=faults)


async def contact(
    app: web.Application,
    now: dt.datetime,
    *,
    bucket: BucketAssumptions | None = None,
    time: FakeTime | None = None,
    **environment: str,
) -> ContactReport:
    """The report of one contact with *app*, which stands for the vendor."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(TestServer(app))
        files = await stack.enter_async_context(
            TestServer(build_bucket(bucket or BucketAssumptions(access_key=ACCESS), now=lambda: now))
        )
        settings = read_settings(
            {
                "MASSIVE_API_KEY": KEY,
                "MASSIVE_BASE_URL": str(vendor.make_url("")).rstrip("/"),
                "MASSIVE_S3_ENDPOINT": str(files.make_url("")).rstrip("/"),
                "MASSIVE_S3_ACCESS_KEY_ID": ACCESS,
                "MASSIVE_S3_SECRET_ACCESS_KEY": SECRET,
                "MASSIVE_FLAT_FILES": "s3://flatfiles",
                **environment,
            }
        )
        told = Surroundings(
            version="of the tests", settings={}, now=lambda: now, say=lambda _: None, pace=(time or FakeTime()).pace
        )
        web_session = await stack.enter_async_context(open_web(settings))
        return await first_contact(settings, web_session, told)


def about(report: ContactReport, assumption: str) -> Seen:
    """What the report says of one assumption."""
    return next(one for one in report.seen if one.assumption == assumption)
