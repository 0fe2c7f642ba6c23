"""Stops asking an endpoint that does not answer, and finds out with single trials when it does again.

After some failures in a row the circuit opens: requests fail at once, without being sent. After a pause, doubled each
time and jittered, one request at a time goes through; its success closes the circuit. Pure but for clock and log.
"""

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable

import msgspec
from loguru import logger

from consumer.vendor.errors import ProviderUnavailable


class CircuitOpen(ProviderUnavailable):
    """The endpoint has not been answering and was not asked."""


class CircuitRules(msgspec.Struct, frozen=True, kw_only=True):
    """*after* how many failures in a row a circuit opens, and for how long; *clock* gives seconds."""

    after: int
    first_pause: dt.timedelta
    longest_pause: dt.timedelta
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random


class CircuitBreaker:
    """The circuit of one endpoint, in one process."""

    def __init__(self, endpoint: str, rules: CircuitRules) -> None:
        self._endpoint = endpoint
        self._rules = rules
        self._failures = 0
        self._openings = 0
        self._trial_at: float | None = None
        self._on_trial = False
        self._trial_over = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return self._trial_at is not None

    @property
    def on_trial(self) -> bool:
        """Whether somebody is finding out just now."""
        return self._on_trial

    async def trial_ended(self) -> None:
        """Return once whoever is finding out knows, or has given up."""
        while self._on_trial:
            await self._trial_over.wait()

    def enter(self) -> None:
        """Ask whether a request may go out; whoever is let in must say how it ended. Raises CircuitOpen."""
        if self._trial_at is None:
            return
        left = self._trial_at - self._rules.clock()
        if left > 0 or self._on_trial:
            when = f"in {left:.0f} s" if left > 0 else "just now"
            raise CircuitOpen(f"{self._endpoint} has not been answering; it is tried again {when}")
        self._on_trial = True
        self._trial_over.clear()

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        if self._trial_at is not None:
            logger.bind(endpoint=self._endpoint).info("The endpoint answers again")
        self._failures = self._openings = 0
        self._trial_at = None
        self._end_trial()

    def failed(self) -> None:
        """It did not answer."""
        self._failures += 1
        if self._trial_at is None and self._failures < self._rules.after:
            return
        if self._trial_at is not None and not self._on_trial:
            return  # sent before the circuit opened: nothing new
        self._openings += 1
        pause = min(self._rules.first_pause * 2.0 ** min(self._openings - 1, 20), self._rules.longest_pause)
        self._trial_at = self._rules.clock() + pause.total_seconds() * (0.5 + self._rules.draw() / 2)
        self._end_trial()
        if self._openings == 1:
            logger.bind(endpoint=self._endpoint, failures=self._failures).warning(
                "The endpoint does not answer and is left alone for a while"
            )

    def abandoned(self) -> None:
        """Whoever was let in was cancelled: somebody else may try."""
        self._end_trial()

    def _end_trial(self) -> None:
        self._on_trial = False
        self._trial_over.set()
