"""`python -m tests.massive.fuzz --bodies 100000 --seed 1`: no mangled body crashes a decoder or yields a wrong row."""

from __future__ import annotations

import argparse
import platform
import time

import msgspec
from loguru import logger

from tests.massive.mangling import run


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--bodies", type=int, default=100_000)
    flags.add_argument("--seed", type=int, default=1)
    chosen = flags.parse_args()
    logger.remove()  # each mangled row is a warning
    began = time.perf_counter()
    counts = run(chosen.bodies, chosen.seed)
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    versions = f"Python {platform.python_version()}, msgspec {msgspec.__version__}"
    print(f"seed {chosen.seed}: {told}; no crash, no wrong row; {time.perf_counter() - began:.1f} s; {versions}")


if __name__ == "__main__":
    main()
