"""Plays seeds from the command line and tells what came of them.

python -m tests.simulator --seeds 1000 --server all
python -m tests.simulator --seed 17 --verbose
python -m tests.simulator --seeds 100 --mutant no-fence-in-write
"""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from consumer.embedded.postgres_server import EmbeddedPostgres
from tests.conftest import QUICK_AND_FORGETFUL, finish
from tests.simulator.faults import KINDS, Choice
from tests.simulator.ground import ground
from tests.simulator.mutants import MUTANTS
from tests.simulator.servers import NAMES, NoSuchServer, redis_server
from tests.simulator.shrinking import shrink

if TYPE_CHECKING:
    from tests.simulator.ground import Ground, Outcome

MOST_PRINTED = 3
HANGS_AFTER_S = 60.0


def main() -> int:
    options = read_options()
    folder = Path(tempfile.mkdtemp(prefix="dm-sim-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
    logger.remove()
    postgres = EmbeddedPostgres(folder, QUICK_AND_FORGETFUL)
    finish(postgres.start())
    try:
        names = NAMES if options.server == "all" else (options.server,)
        return max([run_on(name, folder, postgres.dsn, options) for name in names])
    finally:
        finish(postgres.stop())
        shutil.rmtree(folder, ignore_errors=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=1, help="the first one (1)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--without", default="", help="numbers of faults to leave out, as in 2,5")
    parser.add_argument("--faults", default="", help=f"only these kinds, of {', '.join(KINDS)}")
    parser.add_argument("--server", default="valkey", choices=(*NAMES, "all"))
    parser.add_argument("--mutant", choices=(*MUTANTS, "each"), help="break the product on purpose")
    parser.add_argument("--verbose", action="store_true", help="print the schedule also of what went well")
    return parser.parse_args()


def run_on(name: str, folder: Path, dsn: str, options: argparse.Namespace) -> int:
    """Play on one server; the exit code."""
    try:
        with redis_server(name, folder) as url, ground(url, dsn) as made:
            if options.mutant == "each":
                return max([play_all(made, options, mutant) for mutant in MUTANTS])
            return play_all(made, options, options.mutant)
    except NoSuchServer as missing:
        print(f"{name}: skipped, {missing}")
        return 0


def play_all(made: Ground, options: argparse.Namespace, mutant: str | None) -> int:
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    choice = Choice(without=frozenset(int(n) for n in words(options.without)), only=tuple(words(options.faults)))
    figures: Counter[str] = Counter()
    failed: list[Outcome] = []
    began = time.monotonic()
    for seed in seeds:
        faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
        outcome = made.play(seed, mutant=mutant, choice=choice)
        figures += outcome.figures
        if outcome.violation is not None:
            failed.append(outcome)
        elif options.verbose:
            print(*outcome.schedule, sep="\n")
    took = time.monotonic() - began
    faulthandler.dump_traceback_later(10 * HANGS_AFTER_S, exit=True)  # shrinking, and the end
    if mutant is not None and options.seed is None:
        print(f"{made.version}, {mutant}: {len(failed)} of {len(seeds)} seeds fail ({took:.1f} s)")
        return 0 if failed else 1
    report(made.version, figures, failed, took)
    for outcome in failed[:MOST_PRINTED]:
        show_failure(made, outcome, choice, mutant)
    return 1 if failed else 0


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def report(version: str, figures: Counter[str], failed: list[Outcome], took: float) -> None:
    print(f"{version}: {figures['seeds']} seeds, {len(failed)} failed, {took:.1f} s")
    print("  " + ", ".join(f"{count} {what}" for what, count in sorted(figures.items()) if what != "seeds"))
    if failed:
        print(f"  failed: {', '.join(str(outcome.seed) for outcome in failed[:50])}")


def show_failure(made: Ground, outcome: Outcome, choice: Choice, mutant: str | None) -> None:
    shortest, again = shrink(made, outcome, choice, mutant=mutant)
    print(f"\nseed {outcome.seed}: {outcome.violation}")
    print(f"with the fewest faults: {shortest.violation}")
    print(*shortest.schedule, sep="\n")
    command = f"python -m tests.simulator --seed {outcome.seed} --verbose"
    command += f" --without {','.join(map(str, sorted(again.without)))}" if again.without else ""
    command += f" --faults {','.join(again.only)}" if again.only else ""
    print("again: " + command + (f" --mutant {mutant}" if mutant else ""))


if __name__ == "__main__":
    sys.exit(main())
