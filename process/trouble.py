"""Tells of trouble that lasts: at once, once a minute, and when it is over; and how long to wait meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Callable

TELL_EVERY_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0  # how late the work goes on once a server is back


class Trouble:
    """What keeps one loop from its work. *event* is the line that it logs."""

    def __init__(
        self,
        event: str,
        *,
        first_pause_s: float | None = None,
        longest_pause_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._event = event
        self._first_pause_s = FIRST_PAUSE_S if first_pause_s is None else first_pause_s
        self._longest_pause_s = LONGEST_PAUSE_S if longest_pause_s is None else longest_pause_s
        self._clock = clock
        self._times = 0
        self._told: tuple[float, str] | None = None  # when, and of what; kept when it is over: it may come and go
        self._is_told = False
        self._began_at = 0.0

    @property
    def lasts(self) -> bool:
        return self._times > 0

    def met(self, error: BaseException, *, runbook: str | None = None, event: str | None = None) -> float:
        """Count it, tell of it when it is time; return the seconds to wait before another try.

        With *runbook* it is nothing that passes: an error with its traceback.
        """
        now = self._clock()
        if not self._times:
            self._began_at = now
        self._times += 1
        pause = min(self._first_pause_s * 2.0 ** min(self._times - 1, 16), self._longest_pause_s)
        event = event or self._event
        if self._told is None or now - self._told[0] >= TELL_EVERY_S or self._told[1] != event:
            self._told, self._is_told = (now, event), True
            self._log(error, event, runbook, lasting_s=now - self._began_at)
        return pause

    def _log(self, error: BaseException, event: str, runbook: str | None, *, lasting_s: float) -> None:
        reason = f"{type(error).__name__}: {error}"
        log = logger.bind(reason=reason, times=self._times, lasting_s=round(lasting_s, 1))
        if runbook is None:
            log.warning(event)
        else:
            log.opt(exception=error).bind(runbook=runbook).error(event)

    def over(self) -> None:
        """It went well."""
        if self._is_told:
            lasted_s = round(self._clock() - self._began_at, 1)
            logger.info("trouble_is_over", of=self._event, times=self._times, lasted_s=lasted_s)
        self._times, self._is_told = 0, False
