"""The faults of a seed: drawn beforehand, each with randomness of its own, so that one can be left out alone."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec

from tests.simulator import data_faults, message_faults, process_faults
from tests.simulator.gates import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.simulator.gates import Step
    from tests.simulator.stage import Stage

# A fault that aims at a step of this name waits so many steps for one.
PATIENCE = 40
_WORK = (("vendor", ""), ("begin", ""), ("take_part UPDATE", ""), ("fenced_write SELECT", ""), ("write INSERT", ""))
_ENDS = (("settle", ""), ("COMMIT", ""), ("settle", '"fields"'), ("enqueue", ""), ("SET", "maintenance:status"))
AIMS = {
    "crash": (*_ENDS, *_ENDS, *_WORK, ("XREADGROUP", "")),
    "freeze": (*_WORK, *_WORK, *_ENDS, ("XREADGROUP", "")),
    "slow_down": (("COMMIT", ""), ("COMMIT", ""), *_ENDS, *_WORK),
    "lose_request": (*_ENDS, *_WORK, ("XREADGROUP", ""), ("claim", "")),
    "lose_reply": (*_ENDS, *_WORK, ("XREADGROUP", ""), ("claim", "")),
    "mute_redis": _WORK,
    "stop": (*_ENDS, *_WORK),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """*kind* happens at the first chance from step *at* on; *aim*: to a process that is about to do this."""

    number: int
    at: int
    kind: str
    aim: tuple[str, str]  # parts of the step's name and of its detail
    seed: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which faults happen: none of the numbers in *without*, and *only* these kinds where any are named."""

    without: frozenset[int] = frozenset()
    only: tuple[str, ...] = ()


EVERYTHING = Choice()


def draw_faults(seed: int, *, parts: int, may_lose: bool, only: Sequence[str] = ()) -> list[Fault]:
    """The faults of *seed*, in the order of their time; *may_lose*: also such as take messages out of Redis."""
    random = Random(f"{seed}/faults")
    possible = [kind for kind in only or KINDS if may_lose or kind not in NEEDS_CATCH_UP]
    kinds = random.choices(possible, [KINDS[kind][0] for kind in possible], k=random.randint(6, 20))
    steps = sorted(random.randint(5, 20 + 13 * parts) for _ in kinds)
    return [
        Fault(
            number=number, at=at, kind=kind, seed=f"{seed}/{number}",
            aim=random.choice(AIMS[kind]) if kind in AIMS and random.random() < 0.85 else ("", ""),
        )
        for number, (at, kind) in enumerate(zip(steps, kinds, strict=True), start=1)
    ]  # fmt: skip


def target(stage: Stage, fault: Fault) -> Step | None:
    """The step that *fault* hits, if there is one of its kind; faults that aim at nothing take any."""
    random = Random(f"{fault.seed}/target/{stage.number}")
    steps = [step for worker in stage.moving() for step in worker.steps if step.phase is not Phase.OVER]
    work = [step for step in steps if not step.is_poll]
    name, detail = fault.aim
    aimed = [step for step in steps if name in step.name and detail in step.detail] if name else work or steps
    return random.choice(aimed) if aimed else None


async def inject(stage: Stage, kind: str, random: Random, step: Step | None) -> None:
    _, act = KINDS[kind]
    await act(stage, random, step)


# Only the reconciler brings back what these take away.
NEEDS_CATCH_UP = {"delete_by_hand", "flush", "roll_back"}
BY_HAND = {*NEEDS_CATCH_UP, "move_by_hand", "lose_group"}
KINDS: dict[str, tuple[float, Callable[[Stage, Random, Step | None], Awaitable[None]]]] = {
    "crash": (10, process_faults.crash),
    "freeze": (12, process_faults.freeze),
    "slow_down": (8, process_faults.slow_down),
    "lose_request": (2, process_faults.lose_request),
    "lose_reply": (3, process_faults.lose_reply),
    "mute_redis": (1, process_faults.mute_redis),
    "pass_deadline": (1, process_faults.pass_deadline),
    "stop": (1.5, process_faults.stop),
    "duplicate": (5, message_faults.duplicate),
    "ask": (1.5, message_faults.ask),
    "ask_nonsense": (1, message_faults.ask_nonsense),
    "ask_by_rule": (0.7, message_faults.ask_by_rule),
    "cancel_day": (0.4, message_faults.cancel_day),
    "let_time_pass": (2, process_faults.let_time_pass),
    "skew_clock": (0.7, process_faults.skew_clock),
    "move_by_hand": (0.5, message_faults.move_by_hand),
    "delete_by_hand": (0.4, message_faults.delete_by_hand),
    "lose_group": (0.5, message_faults.lose_group),
    "flush": (2.5, message_faults.flush),
    "roll_back": (3, message_faults.roll_back),
    "forget_scripts": (0.4, message_faults.forget_scripts),
    "find": (1.5, data_faults.find),
}
