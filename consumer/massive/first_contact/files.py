"""Looks at the bucket of flat files: when they came, and what answers for one that is not there."""

from __future__ import annotations

import datetime as dt
import importlib
import math
import re
from http import HTTPStatus
from statistics import median
from typing import TYPE_CHECKING, Any

from consumer.massive.first_contact.assumed import holds, otherwise, told, unseen
from consumer.vendor.errors import FlatFilesUnusable
from market.trading_calendar import NEW_YORK
from process.redaction import hide, redacted

if TYPE_CHECKING:
    from consumer.massive.first_contact.facts import Contact, FileLook
    from consumer.vendor.first_contact import Seen

SESSIONS = 8
NOON = dt.time(12)
LONGEST_DEADLINE_H = 12
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})\.csv\.gz$")


class Bucket:
    """The vendor's bucket, asked plainly: what it says is what is wanted."""

    def __init__(self, *, endpoint: str, bucket: str, access_key: str, secret_key: str) -> None:
        hide([access_key, secret_key])
        try:
            stores = importlib.import_module("obstore.store")
            self._obstore: Any = importlib.import_module("obstore")
            self._errors: Any = importlib.import_module("obstore.exceptions")
        except ModuleNotFoundError as error:
            raise FlatFilesUnusable("a bucket needs obstore: pip install 'data-maintenance[flat-files]'") from error
        self._store: Any = stores.S3Store(
            bucket,
            endpoint=endpoint,
            region="us-east-1",
            access_key_id=access_key,
            secret_access_key=secret_key,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "30s", "connect_timeout": "10s"},
            retry_config={"max_retries": 0},
        )

    async def came_at(self, kind: str, days: list[dt.date]) -> dict[dt.date, dt.datetime]:
        """One listing: the files from the first of *days* on, which are of one year. Raises FlatFilesUnusable."""
        folder = f"us_stocks_sip/{kind}_aggs_v1/{days[0]:%Y}"
        after = f"{folder}/{days[0]:%m}/{days[0]}"
        try:
            rows = await self._obstore.list(self._store, prefix=folder, offset=after).collect_async()
        except (self._errors.BaseError, OSError) as error:
            raise FlatFilesUnusable(_first_line(error)) from error
        found = {_day_of(str(row["path"])): row["last_modified"] for row in rows}
        return {day: found[day].astimezone(dt.UTC) for day in days if day in found}

    async def missing(self, day: dt.date) -> int:
        """The status of a file that nobody can have published. Raises FlatFilesUnusable where it is no status."""
        try:
            await self._obstore.head_async(self._store, f"us_stocks_sip/day_aggs_v1/{day:%Y/%m}/{day}.csv.gz")
        except FileNotFoundError:
            return HTTPStatus.NOT_FOUND
        except self._errors.PermissionDeniedError:
            return HTTPStatus.FORBIDDEN
        except self._errors.UnauthenticatedError:
            return HTTPStatus.UNAUTHORIZED
        except (self._errors.BaseError, OSError) as error:
            raise FlatFilesUnusable(_first_line(error)) from error
        return HTTPStatus.OK


def _first_line(error: BaseException) -> str:
    return redacted(f"{type(error).__name__}: {error}".splitlines()[0])[:200]


def _day_of(path: str) -> dt.date | None:
    found = _DAY.search(path)
    return None if found is None else dt.date.fromisoformat(found[1])


async def files(contact: Contact) -> list[Seen]:
    """Both kinds of files, and one that is not there."""
    if contact.bucket is None:
        return [unseen(one, contact.no_bucket) for one in ("file_times", "missing_file")]
    try:
        return [await _times(contact, contact.bucket), await _missing(contact, contact.bucket)]
    except FlatFilesUnusable as error:
        contact.asker.note("flat files", status=0, rows=None, said=str(error))
        cure = "check MASSIVE_S3_ACCESS_KEY_ID, MASSIVE_S3_SECRET_ACCESS_KEY and whether the plan has flat files"
        return [otherwise("file_times", str(error), cure), unseen("missing_file", "the bucket does not let us in")]


async def _missing(contact: Contact, bucket: FileLook) -> Seen:
    never = contact.newest + dt.timedelta(days=(5 - contact.newest.weekday()) % 7)  # the Saturday after it
    contact.asker.take("flat files: one that is not there")
    status = await bucket.missing(never)
    contact.asker.note(f"HEAD day file of {never}", status=status, rows=None, said="")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
        follows = "a listing tells it from a refusal: one more request for each file that is not out"
        return told("missing_file", status == HTTPStatus.NOT_FOUND, f"answered {status:d}", follows)
    return otherwise("missing_file", f"answered {status:d}", "it would not be known as 'not out yet': send this report")


async def _times(contact: Contact, bucket: FileLook) -> Seen:
    days = _of_one_year(list(contact.calendar.last_trading_days(SESSIONS, up_to=contact.newest)))
    late: dict[str, list[float]] = {}
    lacking: list[str] = []
    for kind in ("day", "minute"):
        contact.asker.take(f"flat files: when those of {kind}s came")
        came = await bucket.came_at(kind, days)
        times = ", ".join(f"{day} {at:%Y-%m-%dT%H:%MZ}" for day, at in sorted(came.items()))
        contact.asker.note(
            f"LIST {kind} files of {days[0]} to {days[-1]}", status=HTTPStatus.OK, rows=len(came), said=times
        )
        late[kind] = [(at - _noon_after(day)).total_seconds() / 3600 for day, at in sorted(came.items())]
        lacking += [f"{kind} file of {day}" for day in days if day not in came and _noon_after(day) < contact.now()]
    if not any(late.values()):
        seen = f"no file of {days[0]} to {days[-1]}"
        return otherwise("file_times", seen, "slots come by REST alone: send this report")
    unset = {"MASSIVE_FLAT_FILES": "s3://flatfiles"} if contact.configured.flat_files is None else {}
    return _judged_times(late, lacking, unset)


def _of_one_year(days: list[dt.date]) -> list[dt.date]:
    """Those of the year that most are of: a folder is a year's, and two more listings may be beyond thirty requests."""
    year = days[len(days) // 2].year
    return [day for day in days if day.year == year]


def _judged_times(late: dict[str, list[float]], lacking: list[str], unset: dict[str, str]) -> Seen:
    each = [
        f"{len(hours)} {kind} files, written {_clock(median(hours))} the day after (the latest {_clock(max(hours))})"
        for kind, hours in late.items()
        if hours
    ]
    seen = "; ".join([*each, *(f"no {one}" for one in lacking[:3])])
    slowest = max((median(hours) for hours in late.values() if hours), default=0.0)
    if slowest <= 0 and not lacking:
        follows = "a latest one long after the others was replaced: it is read again by its ETag"
        return holds("file_times", seen, follows, **unset)
    hours = min(max(math.ceil(slowest) + 1, 1), LONGEST_DEADLINE_H)
    late_words = "slots by file come later than they are due"
    return otherwise("file_times", seen, late_words, MAINTENANCE_DEADLINE=f"{hours}h", **unset)


def _clock(after_noon: float) -> str:
    """Hours after noon of the next day as a clock there shows it."""
    at = dt.datetime(2000, 1, 1, 12) + dt.timedelta(hours=after_noon)  # noqa: DTZ001  a clock face
    days = (at.date() - dt.date(2000, 1, 1)).days
    return f"{at:%H:%M} ET" + (f" {days:+d} d" if days else "")


def _noon_after(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), NOON, NEW_YORK).astimezone(dt.UTC)
