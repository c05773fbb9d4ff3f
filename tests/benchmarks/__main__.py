"""All benchmarks in one table: `python -m tests.benchmarks [MODULE…] [--device cuda] [--data DIR] [--preset NAME]`.

What · target · peer · measured · met; one thread, and ratios within one run, so that they say the same on any machine.
To add a benchmark: a module `bench_NAME.py` with `rows(options: Options) -> Iterable[Row]`, and its name in `MODULES`.
"""

import argparse
import importlib
import os
from collections.abc import Iterable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from tests.benchmarks.harness import Options, Row

MODULES = ("evaluation", "passes", "curvature", "lime")
"""Modules `bench_NAME`, in the order of the table."""


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a Markdown table as the rows come."""
    yield "| what | target | peer | measured | met |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield "| " + " | ".join(row.cells()) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=MODULES, metavar="MODULE", help=", ".join(MODULES))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", help="folder with checkpoints/ and cifar10/; random networks and images otherwise")
    parser.add_argument("--preset", default="quick", help="whose whole evaluation is timed")
    arguments = parser.parse_args()
    if unknown := set(arguments.modules) - set(MODULES):
        parser.error(f"expected some of {', '.join(MODULES)}, but got {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    options = Options(arguments.device, arguments.repeats, arguments.data, arguments.preset)
    for line in table(
        row
        for name in arguments.modules
        for row in importlib.import_module(f"tests.benchmarks.bench_{name}").rows(options)
    ):
        print(line, flush=True)


if __name__ == "__main__":
    main()
