"""What all checks cost beside a full `quick` evaluation: `python tests/benchmarks/bench_checks.py --data npz:FILE A B`.

Two models, such as ResNet-20 and a pruned one, on 1,000 CIFAR-10 images; one thread, process CPU time, no cache.
Target: at most 1 % of the evaluation. As measured (torch 2.14, a busy server): 0.25 %, 0.17 s of 69 s.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch

from sparsescope.evaluation import Execution, evaluate_task, open_task, resolve, run


def timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """Return the function, which adds its process CPU time to a list."""

    def call(*arguments: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments)
        finally:
            spent.append(time.process_time() - start)

    return call


def main() -> None:
    """Print seconds of the checks, of the evaluation, and the share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = open_task(arguments.models[0], arguments.models[1:], arguments.data)
    spent: list[float] = []
    start = time.process_time()
    with (
        mock.patch.object(run, "check_task", timed(run.check_task, spent)),
        mock.patch.object(run, "check_results", timed(run.check_results, spent)),
    ):
        evaluate_task(task, resolve(preset="quick"), Execution("cpu", cache=False))
    total = time.process_time() - start
    print(f"checks {sum(spent):.2f} s of {total:.1f} s: {sum(spent) / total:.2%}")


if __name__ == "__main__":
    main()
