"""Tells that a server is away: whoever uses delivery may tell it in its own words, through the same two methods."""

from __future__ import annotations

from typing import Protocol

from loguru import logger


class Trouble(Protocol):
    """Whoever hears of each failure, and of its end; what `met` returns is not asked for."""

    def met(self, error: BaseException) -> object: ...

    def over(self) -> None: ...


class FirstAndLast:
    """Logs the first failure of a row as *event*, and when it is over."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._times = 0

    def met(self, error: BaseException) -> None:
        self._times += 1
        if self._times == 1:
            logger.warning(self._event, reason=str(error))

    def over(self) -> None:
        if self._times:
            logger.info("trouble_is_over", of=self._event, times=self._times)
        self._times = 0
