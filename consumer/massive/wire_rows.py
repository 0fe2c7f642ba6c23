"""Names the rows that only this vendor's answers have; what becomes of them is in consumer/vendor/rows.py."""

import msgspec

from consumer.vendor.rows import Count, Milliseconds


class RangeRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What volume slots need of an intraday bar: its start, its volume and, where it says so, of how many trades."""

    t: Milliseconds
    v: float
    n: Count | None = None


class CustomDayRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ticker's bar of one day as the custom bars give it: the fields of DailyRow, without the ticker."""

    o: float
    h: float
    l: float  # noqa: E741  (the vendor's name)
    c: float
    v: float
    t: Milliseconds
    vw: float | None = None
    n: int | None = None
