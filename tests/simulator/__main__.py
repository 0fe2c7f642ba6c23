"""Plays seeds from the command line and tells what came of them.

python -m tests.simulator --seeds 1000 --server all
python -m tests.simulator --first 300000 --seeds 20000 --resume valkey.json   # again after an interruption: goes on
python -m tests.simulator --sum valkey.json redis-7.0.json
python -m tests.simulator --seed 17 --verbose
python -m tests.simulator --seeds 100 --mutant no-fence-in-write
"""

from __future__ import annotations

import argparse
import faulthandler
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from consumer.embedded.postgres_server import EmbeddedPostgres
from tests.conftest import QUICK_AND_FORGETFUL, finish
from tests.simulator.faults import KINDS, Choice
from tests.simulator.ground import ground
from tests.simulator.mutants import MUTANTS
from tests.simulator.progress import OtherRange, Progress, keep, resume, sum_of
from tests.simulator.servers import NAMES, NoSuchServer, redis_server
from tests.simulator.shrinking import shrink

if TYPE_CHECKING:
    from tests.simulator.ground import Ground, Outcome

MOST_PRINTED = 3
HANGS_AFTER_S = 60.0
KEPT_EVERY = 20  # seeds


def main() -> int:
    options = read_options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was played is kept, and the servers end
    if options.sum:
        text, good = sum_of(options.sum)
        print(text)
        return 0 if good else 1
    folder = Path(tempfile.mkdtemp(prefix="dm-sim-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
    logger.remove()
    postgres = EmbeddedPostgres(folder, QUICK_AND_FORGETFUL)
    finish(postgres.start())
    try:
        names = NAMES if options.server == "all" else (options.server,)
        return max([run_on(name, folder, postgres.dsn, options) for name in names])
    except KeyboardInterrupt:
        print("interrupted" + (f"; the same command goes on with {options.resume}" if options.resume else ""))
        return 130
    finally:
        finish(postgres.stop())
        shutil.rmtree(folder, ignore_errors=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=1, help="the first one (1)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--resume", type=Path, help="keep the progress in this file, and go on where it stands")
    parser.add_argument("--sum", type=Path, nargs="+", help="only tell what these files hold together")
    parser.add_argument("--without", default="", help="numbers of faults to leave out, as in 2,5")
    parser.add_argument("--faults", default="", help=f"only these kinds, of {', '.join(KINDS)}")
    parser.add_argument("--server", default="valkey", choices=(*NAMES, "all"))
    parser.add_argument("--mutant", choices=(*MUTANTS, "each"), help="break the product on purpose")
    parser.add_argument("--verbose", action="store_true", help="print the schedule also of what went well")
    options = parser.parse_args()
    if options.resume and (options.server == "all" or options.seed is not None or options.mutant):
        parser.error("--resume keeps one range on one server: name the server, and no seed or mutant")
    return options


def run_on(name: str, folder: Path, dsn: str, options: argparse.Namespace) -> int:
    """Play on one server; the exit code."""
    try:
        with redis_server(name, folder) as url, ground(url, dsn) as made:
            if options.mutant == "each":
                return max([play_all(made, name, options, mutant) for mutant in MUTANTS])
            return play_all(made, name, options, options.mutant)
    except NoSuchServer as missing:
        print(f"{name}: skipped, {missing}")
        return 0
    except OtherRange as other:
        print(f"{name}: not played, {other}")
        return 2


def play_all(made: Ground, server: str, options: argparse.Namespace, mutant: str | None) -> int:
    first, seeds = (options.first, options.seeds) if options.seed is None else (options.seed, 1)
    choice = Choice(without=frozenset(int(n) for n in words(options.without)), only=tuple(words(options.faults)))
    progress = resume(options.resume, server=server, first=first, seeds=seeds)
    progress.version = made.version
    failed = play_range(made, progress, options, mutant, choice)
    faulthandler.dump_traceback_later(10 * HANGS_AFTER_S, exit=True)  # shrinking, and the end
    if mutant is not None and options.seed is None:
        print(f"{made.version}, {mutant}: {len(failed)} of {seeds} seeds fail ({progress.took_s:.1f} s)")
        return 0 if failed else 1
    print(progress.text())
    for outcome in failed[:MOST_PRINTED]:
        show_failure(made, outcome, choice, server, mutant)
    chosen = choice.only or mutant is not None  # then nobody expects everything
    return 1 if progress.failed or not (chosen or progress.is_good) else 0


def play_range(
    made: Ground, progress: Progress, options: argparse.Namespace, mutant: str | None, choice: Choice
) -> list[Outcome]:
    """Play what is left of the range; return what failed of it."""
    failed: list[Outcome] = []
    try:
        for seed in progress.left:
            faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
            began = time.monotonic()
            outcome = made.play(seed, mutant=mutant, choice=choice)
            progress.add(outcome, took_s=time.monotonic() - began)
            if outcome.violation is not None:
                failed.append(outcome)
            elif options.verbose:
                print(*outcome.schedule, sep="\n")
            if outcome.violation is not None or progress.played % KEPT_EVERY == 0:
                keep(options.resume, progress)
    finally:
        keep(options.resume, progress)
    return failed


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def show_failure(made: Ground, outcome: Outcome, choice: Choice, server: str, mutant: str | None) -> None:
    shortest, again = shrink(made, outcome, choice, mutant=mutant)
    print(f"\nseed {outcome.seed}: {outcome.violation}")
    print(f"with the fewest faults: {shortest.violation}")
    print(*shortest.schedule, sep="\n")
    command = f"{command_for(outcome.seed, server)} --verbose"
    command += f" --without {','.join(map(str, sorted(again.without)))}" if again.without else ""
    command += f" --faults {','.join(again.only)}" if again.only else ""
    print("again: " + command + (f" --mutant {mutant}" if mutant else ""))


def command_for(seed: int, server: str) -> str:
    """What plays this seed again."""
    return f"python -m tests.simulator --seed {seed} --server {server}"


if __name__ == "__main__":
    sys.exit(main())
