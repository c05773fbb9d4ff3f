"""Runs the fuzz; see the package."""

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.limits import run_inputs
from tests.fuzz.readers import READERS

_SHOWN = 12


def main() -> int:
    """Try inputs for a while, print how many there were of each outcome; exit code 1 if any was not read or refused."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60, help="for how long, all readers together")
    parser.add_argument("--reader", choices=list(READERS), help="try this one alone")
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--inputs", type=int, default=10**9, help="at most so many of each reader")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = [arguments.reader] if arguments.reader else list(READERS)
    total, failed = Counter[str](), False
    print(f"{'reader':<12}" + "".join(f"{title:>9}" for title in _TITLES))
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            place = Path(folder) / name
            place.mkdir()
            attempt = READERS[name](place)
            until = time.monotonic() + arguments.seconds / len(names)
            counts, found = run_inputs(attempt, arguments.seed, until, arguments.inputs)
            total += counts
            _print_row(name, counts)
            for text in found[:_SHOWN]:
                print(f"  {text}", file=sys.stderr, flush=True)
            failed |= bool(found)
    _print_row("all", total)
    return int(failed)


_TITLES = ("inputs", "read", "refused", "foreign", "hang", "memory", "fatal")


def _print_row(name: str, counts: Counter[str]) -> None:
    numbers = [counts.total(), *(counts[title] for title in _TITLES[1:])]
    print(f"{name:<12}" + "".join(f"{number:>9,}" for number in numbers), flush=True)


if __name__ == "__main__":
    sys.exit(main())
