"""A closed terminal ends our processes, unless they were told to outlive it."""

from __future__ import annotations

import signal

from process.stopping import stopping_signals


def test_sighup_stops_unless_nohup_has_it_ignored() -> None:
    assert signal.SIGHUP in stopping_signals()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert stopping_signals() == (signal.SIGTERM, signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)
