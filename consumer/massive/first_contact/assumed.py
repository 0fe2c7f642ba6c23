"""Words each assumption, and makes of what was seen a finding about one of them.

Where each comes from: docs/first-contact.md, a line an assumption, in this order.
"""

from __future__ import annotations

from consumer.vendor.first_contact import Seen, Standing
from process.redaction import redacted

ASSUMED = {
    "key": "the key is accepted, and every plan lists splits",
    "request_limit": "the free plan allows 5 requests a minute, paid ones far more; a 429 names no time to wait",
    "newest_session": "every plan gives a session from midnight New York time on",
    "same_day": "paid plans give a session on its own day, the free one refuses it: 'before end of day'",
    "closed_day": "a day without a session is an answer without rows",
    "history": "a plan without the current day reaches two years back, the others further",
    "bar_time": "t of a whole-market row is the end of its session, also where that closes early",
    "volume": "volumes have fractions",
    "early_extended_close": "on a day of an early close late trading ends at 17:00 New York time",
    "one_answer_a_ticker": "52 sessions of 5-minute bars are one answer at limit=50000",
    "listing_page": "the listing comes 1,000 a page, in the order of its symbols",
    "next_page": "next_url goes on where its page ended, asked on our own host with the key in a header",
    "delisted_order": "sort=delisted_utc with order=desc gives those first that left last",
    "details": "details of a ticker are part of the plan, with shares and SIC code",
    "unknown_ticker": "an unknown ticker is answered 404, NOT_FOUND",
    "floats": "floats are part of the plan, in the order of their symbols at up to 5,000 a page",
    "splits_order": "splits come oldest first at sort=execution_date.asc, up to 5,000 a page",
    "dividends_order": "dividends come oldest first at sort=ex_dividend_date.asc, up to 5,000 a page",
    "dividend_shares": "a dividend is told in shares of its ex-day, also where a split is executed on that morning",
    "closures": "the closures ahead are those of our calendar",
    "snapshot": "the free plan has no snapshot, every other has the whole market in one answer",
    "snapshot_delay": "the snapshot is 15 minutes late, or on a real-time plan not at all",
    "silent_minutes": "who traded today has its newest minute in the snapshot",
    "accumulated": "accumulated volume (min.av) counts up to 15 % more than the minute bars do",
    "file_times": "the flat files of a session are out by noon of the next day, New York time",
    "missing_file": "a flat file that is not there is answered 404",
    "sector_ranges": "the Fama-French 12 ranges are those of the author's own file",
}


def holds(assumption: str, seen: str, follows: str = "", **settings: str) -> Seen:
    """It is as assumed."""
    return _finding(assumption, Standing.HOLDS, seen, follows, settings)


def otherwise(assumption: str, seen: str, follows: str = "", **settings: str) -> Seen:
    """It is not."""
    return _finding(assumption, Standing.OTHERWISE, seen, follows, settings)


def unseen(assumption: str, why: str, follows: str = "", **settings: str) -> Seen:
    """It could not be told now; *why* says when it can."""
    return _finding(assumption, Standing.UNSEEN, why, follows, settings)


def told(assumption: str, fine: bool, seen: str, follows: str = "") -> Seen:
    """As assumed where *fine*; *follows* is said only where it is not."""
    return holds(assumption, seen) if fine else otherwise(assumption, seen, follows)


def _finding(assumption: str, standing: Standing, seen: str, follows: str, settings: dict[str, str]) -> Seen:
    return Seen(
        assumption=assumption,
        assumed=ASSUMED[assumption],
        standing=standing,
        seen=redacted(seen),  # it quotes what came
        follows=follows,
        settings=settings,
    )
