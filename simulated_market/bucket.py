"""Serves a bucket of flat files that are listed and not filled: when they came, and what answers for one that is not.

As much of S3's protocol as it takes to list a folder and to ask for a file; `maintenance doctor --live` asks no more.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from market.trading_calendar import NEW_YORK, TradingCalendar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_YEAR = re.compile(r"us_stocks_sip/(day|minute)_aggs_v1/(\d{4})/?")


class BucketAssumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What nobody has verified of the vendor's bucket."""

    out_at: dt.time = dt.time(11)
    """New York time of the day after, from which a session's files are there."""
    minutes_late: dt.timedelta = dt.timedelta(0)
    """How much later than day files those of minutes come."""
    missing: int = 404
    """What answers for a file that is not there."""
    listable: bool = True
    access_key: str | None = None
    """The only key that is let in; None lets any."""


def build_bucket(assumptions: BucketAssumptions, *, now: Callable[[], dt.datetime]) -> web.Application:
    """The bucket, ready to be served."""
    bucket = _Bucket(assumptions, now)
    app = web.Application()
    app.router.add_get("/{bucket}{slash:/?}", bucket.listing)
    app.router.add_get("/{bucket}/{key:.+}", bucket.file)  # HEAD too
    return app


class _Bucket:
    def __init__(self, assumptions: BucketAssumptions, now: Callable[[], dt.datetime]) -> None:
        self._assumed = assumptions
        self._now = now
        self._calendar = TradingCalendar()

    async def listing(self, request: web.Request) -> web.Response:
        if not self._lets_in(request) or not self._assumed.listable:
            return _refused(403, "AccessDenied")
        found = _YEAR.match(request.query.get("prefix", ""))
        files = [] if found is None else self._files(found[1], int(found[2]))
        after = request.query.get("start-after", "")
        entries = "".join(_entry(file) for file in files if file[0] > after)
        text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>{text}', content_type="application/xml")

    async def file(self, request: web.Request) -> web.Response:
        """None of those listed is there to be read: no file is invented."""
        if not self._lets_in(request):
            return _refused(403, "InvalidAccessKeyId")
        return _refused(self._assumed.missing, "AccessDenied" if self._assumed.missing == 403 else "NoSuchKey")

    def _lets_in(self, request: web.Request) -> bool:
        known = self._assumed.access_key
        return known is None or f"Credential={known}/" in request.headers.get("Authorization", "")

    def _files(self, kind: str, year: int) -> Iterator[tuple[str, dt.datetime]]:
        for day in self._calendar.trading_days(dt.date(year, 1, 1), dt.date(year, 12, 31)):
            came = dt.datetime.combine(day + dt.timedelta(days=1), self._assumed.out_at, NEW_YORK).astimezone(dt.UTC)
            came += self._assumed.minutes_late if kind == "minute" else dt.timedelta(0)
            if came <= self._now():
                yield f"us_stocks_sip/{kind}_aggs_v1/{day:%Y/%m}/{day}.csv.gz", came


def _entry(file: tuple[str, dt.datetime]) -> str:
    key, came = file
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{came:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f'<ETag>"{came:%Y%m%d%H%M%S}"</ETag><Size>1000</Size><StorageClass>STANDARD</StorageClass></Contents>'
    )


def _refused(status: int, code: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return web.Response(status=status, text=text, content_type="application/xml")
