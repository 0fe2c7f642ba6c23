"""The circuit of an endpoint: it opens after failures in a row, and single trials find out when it answers again."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumer.massive.circuit_breaker import CircuitBreaker, CircuitOpen, CircuitRules

AFTER, FIRST, LONGEST = 3, 4.0, 20.0


class Circuit(RuleBasedStateMachine):
    """Requests come, go and are cancelled in any order; the model counts those let in."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.under_way = 0
        self.in_a_row = 0
        self.opened_at: float | None = None
        self.breaker = CircuitBreaker(
            "range_bars",
            CircuitRules(
                after=AFTER,
                first_pause=dt.timedelta(seconds=FIRST),
                longest_pause=dt.timedelta(seconds=LONGEST),
                clock=lambda: self.now,
                draw=lambda: 1.0,
            ),
        )

    @rule()
    def ask(self) -> None:
        was_open = self.breaker.is_open
        try:
            self.breaker.enter()
        except CircuitOpen:
            assert was_open, "a closed circuit refuses nobody"
        else:
            self.under_way += 1

    @precondition(lambda self: self.under_way > 0)
    @rule()
    def succeed(self) -> None:
        self.under_way -= 1
        self.breaker.succeeded()
        assert not self.breaker.is_open
        self.in_a_row = 0

    @precondition(lambda self: self.under_way > 0)
    @rule()
    def fail(self) -> None:
        self.under_way -= 1
        self.in_a_row += 1
        self.breaker.failed()
        assert self.breaker.is_open or self.in_a_row < AFTER

    @precondition(lambda self: self.under_way > 0)
    @rule()
    def give_up(self) -> None:
        self.under_way -= 1
        self.breaker.abandoned()

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def an_open_circuit_lets_somebody_in_after_its_longest_pause(self) -> None:
        if self.breaker.is_open and self.under_way == 0:
            before, self.now = self.now, self.now + LONGEST + 1
            self.breaker.enter()
            self.breaker.abandoned()
            self.now = before


TestCircuit = Circuit.TestCase
TestCircuit.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_pauses_double_up_to_the_longest_and_one_trial_goes_at_a_time() -> None:
    now = [0.0]
    breaker = CircuitBreaker(
        "splits",
        CircuitRules(
            after=1,
            first_pause=dt.timedelta(seconds=FIRST),
            longest_pause=dt.timedelta(seconds=LONGEST),
            clock=lambda: now[0],
            draw=lambda: 1.0,
        ),
    )
    breaker.failed()
    for pause in (4.0, 8.0, 16.0, 20.0, 20.0):
        now[0] += pause - 0.1
        with pytest.raises(CircuitOpen, match="splits has not been answering; it is tried again in 0 s"):
            breaker.enter()
        now[0] += 0.1
        breaker.enter()
        with pytest.raises(CircuitOpen, match="just now"):
            breaker.enter()
        breaker.failed()
    now[0] += 20.0
    breaker.enter()
    breaker.succeeded()
    breaker.enter()
    breaker.enter()
