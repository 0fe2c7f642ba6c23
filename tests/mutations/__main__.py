"""Breaks the product on purpose, one invariant at a time, in a copy, and tells whether the named test noticed.

    python -m tests.mutations [--only I3] [--list]

Exit 1 when a mutation is not caught, when the text that it replaces is gone, or when a test fails unbroken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.table import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
COPIED = (
    "market", "contract", "process", "producers", "simulated_market", "consumer", "tests", "bench",
    "pyproject.toml", "README.md", "streams.md", "docs",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="mutations of this invariant, as in I3")
    parser.add_argument("--list", action="store_true", help="only print the table")
    wanted = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if wanted.only in (None, mutation.invariant)]
    if wanted.list:
        for mutation in chosen:
            print(f"{mutation.invariant}: {mutation.what} -> {mutation.test}")
        return 0
    with tempfile.TemporaryDirectory(prefix="dm-mutations-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as another user, who must get through
        copy = make_copy(Path(folder) / "copy")
        failures = unbroken(copy, chosen) + sum(not caught(copy, mutation) for mutation in chosen)
    print(f"{len(chosen)} mutations, {failures} not caught or failing unbroken")
    return 1 if failures else 0


def make_copy(place: Path) -> Path:
    """Copy what the tests need."""
    place.mkdir(mode=0o711)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place / name)
    return place


def passes(copy: Path, *tests: str) -> bool:
    """Whether the tests pass on *copy*, which comes before the installed package on the path."""
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600, check=False,
    )  # fmt: skip
    return process.returncode == 0


def unbroken(copy: Path, chosen: list[Mutation]) -> int:
    """How many failures there are before anything is broken: a test that fails anyway catches nothing."""
    tests = sorted({mutation.test for mutation in chosen})
    if passes(copy, *tests):
        return 0
    failing = [test for test in tests if not passes(copy, test)]
    for test in failing:
        print(f"FAILS UNBROKEN  {test}")
    return len(failing)


def caught(copy: Path, mutation: Mutation) -> bool:
    """Break *copy*, run the test, mend it."""
    path = copy / mutation.file
    sound = path.read_text("utf-8")
    if mutation.old not in sound:
        print(f"{mutation.invariant:4} TEXT IS GONE  {mutation.what} ({mutation.file})")
        return False
    began = time.monotonic()
    path.write_text(sound.replace(mutation.old, mutation.new, 1), "utf-8")
    try:
        found = not passes(copy, mutation.test)
    finally:
        path.write_text(sound, "utf-8")
    verdict = "caught    " if found else "NOT CAUGHT"
    print(f"{mutation.invariant:4} {verdict}  {mutation.what} ({time.monotonic() - began:.0f} s)", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
