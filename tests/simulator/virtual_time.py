"""Gives the simulated processes an event loop whose timers go by a clock that only the simulator moves.

Input and output are real. So a schedule does not depend on how fast the machine is, and a wait of half a minute costs
nothing.
"""

from __future__ import annotations

import asyncio

TURNS_UNTIL_HOT = 20_000


class NeverQuiet(Exception):
    """Something spins on the event loop without waiting for anything."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop in which time stands still until it is advanced."""

    def __init__(self) -> None:
        self._simulated_s = 0.0
        super().__init__()

    def time(self) -> float:
        return self._simulated_s

    def restart_clock(self) -> None:
        """Begin again at zero; no timer may be left."""
        self._simulated_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass; what has become due runs at the next turns."""
        self._simulated_s += seconds

    def next_timer_in(self) -> float | None:
        """Seconds until the next timer is due; None when there is none."""
        waiting = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        return max(0.0, min(waiting) - self._simulated_s) if waiting else None

    async def quiet(self) -> None:
        """Return when nothing can go on without input, output or time."""
        for _ in range(TURNS_UNTIL_HOT):
            await asyncio.sleep(0)
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise NeverQuiet("the event loop never comes to rest: a hot loop")
