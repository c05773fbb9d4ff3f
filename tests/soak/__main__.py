"""Runs the soak; see the package."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.growth import BLOCKS, growth
from tests.soak.samples import QUANTITIES, sample

TOLERANCE = {"memory": 4.0}
"""MiB per 1,000 iterations, 4 KiB each; of all counts one per 1,000."""
_LOG_EVERY = 50


def main() -> int:
    """Work for a while, print slope and standard error of everything that is counted; exit code 1 where it grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1, help="worker processes of every evaluation")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (temporary := Path(folder) / "temporary").mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)  # so that what is left there is our own
        (task := Path(folder) / "task").mkdir()
        samples = soak(task, arguments.workers, 60 * arguments.minutes)
    return print_growth(samples)


def soak(folder: Path, workers: int, seconds: float) -> list[tuple[float, ...]]:
    """Return a sample of every iteration."""
    from tests.soak.work import Work

    work, samples, until = Work(folder, workers), list[tuple[float, ...]](), time.monotonic() + seconds
    while time.monotonic() < until or len(samples) < 2 * BLOCKS:
        work(len(samples))
        samples.append(sample())
        if len(samples) % _LOG_EVERY == 1:
            row = " ".join(f"{value:.0f}" for value in samples[-1])
            print(f"{len(samples):>6} {row}", file=sys.stderr, flush=True)
    return samples


def print_growth(samples: list[tuple[float, ...]]) -> int:
    """Print a row for every quantity; return 1 if any grows."""
    print(f"{len(samples):,} iterations")
    print(f"{'':<12}{'at the end':>12}{'per 1,000':>12}{'error':>10}")
    grows = False
    for name, values in zip(QUANTITIES, zip(*samples, strict=True), strict=True):
        found = growth(values)
        failed = found.exceeds(TOLERANCE.get(name, 1.0))
        print(f"{name:<12}{found.level:>12.1f}{found.slope:>12.3f}{found.error:>10.3f}{'  GROWS' if failed else ''}")
        grows |= failed
    return int(grows)


if __name__ == "__main__":
    sys.exit(main())
