"""Says where the vendor is, with which key it is asked, and with how much patience."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from consumer.massive.budget import Sleep

if TYPE_CHECKING:
    from consumer.massive.budget import Budget
    from market.data_source import DataSource

CONNECT_TIMEOUT = dt.timedelta(seconds=10)
TOTAL_TIMEOUT = dt.timedelta(seconds=60)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often the client tries before it hands the failure back; the delays are drawn from zero up to these."""

    tries: int = 3
    rate_limited_tries: int = 6
    longest_paused: dt.timedelta = dt.timedelta(
        minutes=10
    )  # by the vendor's wish; then the part waits, not the request
    first_delay: dt.timedelta = dt.timedelta(seconds=1)
    longest_delay: dt.timedelta = dt.timedelta(seconds=10)
    max_pages: int = 100
    failures_to_open: int = 5
    first_pause: dt.timedelta = dt.timedelta(seconds=1)
    longest_pause: dt.timedelta = dt.timedelta(seconds=30)
    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = asyncio.sleep
    draw: Callable[[], float] = random.random


@dataclass(frozen=True, kw_only=True)
class Access:
    """One base URL, one key, one budget. An answer of another *source* than the one named is refused.
    *on_answer*: told the endpoint and status of each answer, None where none came."""

    base_url: str
    api_key: str | None = field(repr=False)
    budget: Budget
    timeout: dt.timedelta = TOTAL_TIMEOUT
    max_in_flight: int = 64
    patience: Patience = field(default_factory=Patience)
    source: DataSource | None = None
    on_answer: Callable[[str, int | None], None] = lambda _endpoint, _status: None
