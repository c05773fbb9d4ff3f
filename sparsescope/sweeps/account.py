"""Account: how much of a sweep is done, in forward passes of one image, for one line of progress."""

from collections.abc import Callable

from sparsescope.benchmark import Benchmark
from sparsescope.sweeps.plan import BACKWARD, Point, chain, evaluation_passes, points, trainings
from sparsescope.sweeps.recipe import SweepRecipe

__all__ = ["Account"]


class Account:
    """Adds up the progress of trainings and evaluations; give it to `run_sweep` as `told`.

    Args:
        recipe: the sweep.
        benchmark: its data.
        progress: called with (work done, work in all, one line).
    """

    def __init__(
        self, recipe: SweepRecipe, benchmark: Benchmark, progress: Callable[[float, float, str], None]
    ) -> None:
        assert benchmark.train is not None
        epoch = (1 + BACKWARD) * len(benchmark.train)
        self._cost = {
            (seed, name): epochs * epoch for seed in recipe.seeds for name, epochs in trainings(recipe).items()
        }
        passes = evaluation_passes(recipe, benchmark)
        self._cost |= {(point.seed, _evaluation(point)): passes for point in points(recipe)}
        self._total = sum(self._cost.values())
        self._done = dict.fromkeys(self._cost, 0.0)
        self._progress = progress

    def __call__(self, point: Point, part: str, fraction: float, line: str) -> None:
        """Take note of how much of one part, a training run or `"evaluation"`, is done."""
        runs = ["dense", *chain(point)]
        if part == "evaluation":
            part, finished = _evaluation(point), runs
        else:
            finished = runs[: runs.index(part)] if part in runs else []
        for name in finished:
            self._done[point.seed, name] = self._cost[point.seed, name]
        self._done[point.seed, part] = fraction * self._cost[point.seed, part]
        self._progress(sum(self._done.values()), self._total, line)


def _evaluation(point: Point) -> str:
    return f"evaluation of {point.name}"
