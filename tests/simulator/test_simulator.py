"""Plays schedules that once failed, and seeds that nobody has played yet; shows that each broken delivery is noticed.

The long run is `python -m tests.simulator --seeds 20000 --resume FILE`.
"""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.conftest import execute, finish
from tests.simulator.__main__ import command_for
from tests.simulator.demands import SHARES, demanded_from
from tests.simulator.faults import EVERYTHING, KINDS, Choice
from tests.simulator.ground import ground
from tests.simulator.mutants import MUTANTS
from tests.simulator.progress import OtherRange, Progress, keep, resume, sum_of
from tests.simulator.schedules.cures import CURES
from tests.simulator.schedules.table import SCHEDULES
from tests.simulator.servers import NAMES, NoSuchServer, binary_of, redis_server
from tests.simulator.shrinking import shrink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumer.embedded.postgres_server import EmbeddedPostgres
    from tests.simulator.ground import Ground, Outcome

FRESH_SEEDS = 10  # on each server, others every time: what one range has shown says little of the next
SEEDS_UNTIL_CAUGHT = range(1, 81)


@pytest.fixture(scope="module")
def simulator_dsn(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A database for all seeds; each of them begins with empty tables."""
    name = f"simulator_{uuid.uuid4().hex[:12]}"
    finish(execute(postgres_server.dsn, f"CREATE DATABASE {name} TEMPLATE template0"))
    yield postgres_server.dsn.replace("/postgres?", f"/{name}?", 1)
    finish(execute(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="module", params=NAMES)
def each_ground(request: pytest.FixtureRequest, servers_dir: Path, simulator_dsn: str) -> Iterator[tuple[str, Ground]]:
    """Every server that is here, in turn."""
    try:
        binary_of(request.param)
    except NoSuchServer as missing:
        pytest.skip(str(missing))
    with redis_server(request.param, servers_dir) as url, ground(url, simulator_dsn) as made:
        yield request.param, made


@pytest.fixture(scope="module")
def valkey_ground(servers_dir: Path, simulator_dsn: str) -> Iterator[Ground]:
    with redis_server("valkey", servers_dir, use="mutants") as url, ground(url, simulator_dsn) as made:
        yield made


@pytest.fixture(scope="module")
def farm() -> Progress:
    """What the fresh seeds have come to, on all servers together."""
    return Progress(server="each", first=0, seeds=FRESH_SEEDS * len(NAMES))


@pytest.mark.long(15)
def test_every_schedule_of_faults_ends_with_everything_done_once(
    each_ground: tuple[str, Ground], farm: Progress
) -> None:
    server, made = each_ground
    first = secrets.randbelow(10**9)
    for seed in range(first, first + FRESH_SEEDS):
        outcome = made.play(seed)
        farm.add(outcome, took_s=0.0)
        assert outcome.violation is None, "\n".join((
            f"seed {seed}: {outcome.violation}", *outcome.schedule, f"again: {command_for(seed, server)}",
        ))  # fmt: skip
    assert not farm.never(), f"{farm.played} seeds, the last from {first} on"


def test_a_long_range_goes_on_where_it_was_interrupted(valkey_ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    whole, interrupted = (Progress(server="valkey", first=7, seeds=4) for _ in range(2))
    for seed in whole.left:
        outcome = valkey_ground.play(seed)
        whole.add(outcome, took_s=1.0)
        if seed < 9:
            interrupted.add(outcome, took_s=1.0)
    keep(file, interrupted)

    resumed = resume(file, server="valkey", first=7, seeds=4)
    assert list(resumed.left) == [9, 10]
    for seed in resumed.left:
        resumed.add(valkey_ground.play(seed), took_s=1.0)

    assert resumed == whole
    with pytest.raises(OtherRange):
        resume(file, server="valkey", first=8, seeds=4)


def test_a_farm_fails_for_a_fault_or_a_way_that_never_came_up_once_that_is_no_chance(tmp_path: Path) -> None:
    whole = Progress(server="valkey", first=1, seeds=10_000, played=10_000, figures=dict.fromkeys(SHARES, 1))
    file = tmp_path / "progress.json"
    keep(file, whole)
    assert sum_of([file])[1]

    for name in SHARES:
        lacking = {other: count for other, count in whole.figures.items() if other != name}
        before, from_then_on = (
            msgspec.structs.replace(whole, played=demanded_from(name) + one, figures=lacking) for one in (-1, 0)
        )
        assert name not in before.never()
        assert any(line.startswith(name) for line in before.not_yet())
        assert name in from_then_on.never()
        keep(file, from_then_on)
        text, good = sum_of([file])
        assert not good
        assert name in text


def test_every_kind_of_fault_is_demanded_of_a_farm() -> None:
    assert {f"fault: {kind}" for kind in KINDS} == {name for name in SHARES if name.startswith("fault: ")}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_failed_comes_to_a_good_end(valkey_ground: Ground, name: str) -> None:
    schedule, _ = SCHEDULES[name]

    outcome = valkey_ground.direct(schedule)

    assert outcome.violation is None, f"{outcome.violation}\n" + "\n".join(outcome.schedule)


@pytest.mark.parametrize("name", [name for name, (_, cure) in SCHEDULES.items() if cure is not None])
def test_a_schedule_fails_with_its_cure_taken_out(valkey_ground: Ground, name: str) -> None:
    schedule, cure = SCHEDULES[name]
    assert cure is not None

    with CURES[cure].applied():
        outcome = valkey_ground.direct(schedule)

    assert outcome.violation is not None, "\n".join(outcome.schedule)
    assert "NeverReached" not in outcome.violation, outcome.violation


def test_a_seed_plays_the_same_schedule_again(valkey_ground: Ground) -> None:
    first, second = (valkey_ground.play(7) for _ in range(2))

    assert first.schedule == second.schedule
    assert first.figures == second.figures


def test_a_seed_without_faults_loses_no_step(valkey_ground: Ground) -> None:
    seeds = [valkey_ground.play(seed, choice=Choice(only=("let_time_pass",))) for seed in range(1, 6)]

    assert [outcome.violation for outcome in seeds] == [None] * 5
    assert not sum(outcome.figures["stale writes rejected"] + outcome.figures["settle refused"] for outcome in seeds)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_delivery_is_caught(valkey_ground: Ground, name: str) -> None:
    mutant = MUTANTS[name]
    choice = Choice(only=mutant.faults)

    def caught(outcome: Outcome) -> bool:
        return outcome.violation is not None if mutant.rule is None else mutant.rule in outcome.broken_rules

    assert any(caught(valkey_ground.play(seed, mutant=name, choice=choice)) for seed in SEEDS_UNTIL_CAUGHT), (
        f"{mutant.broken}: not noticed in {len(SEEDS_UNTIL_CAUGHT)} seeds"
    )


def test_a_failing_seed_is_told_with_fewer_faults(valkey_ground: Ground) -> None:
    # Which seed fails hangs on every statement that the work makes.
    played = (valkey_ground.play(seed, mutant="successors-outside") for seed in SEEDS_UNTIL_CAUGHT)
    failed = next(outcome for outcome in played if outcome.violation is not None)

    shortest, choice = shrink(valkey_ground, failed, EVERYTHING, mutant="successors-outside")

    assert shortest.violation is not None
    assert len(shortest.faults) < len(failed.faults)
    again = valkey_ground.play(failed.seed, mutant="successors-outside", choice=choice)
    assert again.schedule == shortest.schedule
