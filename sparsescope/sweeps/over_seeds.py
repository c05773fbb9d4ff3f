"""A method at one sparsity, judged over all its seeds: their networks evaluated as pairs, from what is cached."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sparsescope.benchmark import Benchmark
from sparsescope.checkpoints import load_classifier
from sparsescope.crossed import FEWEST
from sparsescope.errors import InputError, SparsescopeWarning
from sparsescope.evaluation import evaluate_task, open_paired_task
from sparsescope.results import Sweep, SweepPoint
from sparsescope.results.sweep import over_seeds_file
from sparsescope.sweeps.plan import Point
from sparsescope.sweeps.recipe import SweepRecipe

if TYPE_CHECKING:
    from sparsescope.sweeps.run import Resources

__all__ = ["judge_over_seeds"]

Told = Callable[[Point, str, float, str], None]


def judge_over_seeds(
    recipe: SweepRecipe, record: Sweep, folder: Path, benchmark: Benchmark, resources: "Resources", told: Told | None
) -> None:
    """Evaluate every method at every sparsity with three seeds or more as pairs, where that is not done yet.

    Every seed has been evaluated by itself, so that nothing is measured but what the cache has lost; without a cache
    all of it would be, and nothing is done: the page then puts the seeds' own intervals together. So it does where the
    pairs cannot be evaluated, of which a warning tells.
    """
    if not resources.cache:
        return
    done = record.over_seeds(folder)
    places: dict[str, list[SweepPoint]] = {}
    for point in record.points:
        places.setdefault(point.model, []).append(point)
    for name, points in places.items():
        if len(points) < FEWEST or name in done:
            continue
        try:
            _judge(recipe, name, points, folder, benchmark, resources, told)
        except (InputError, RuntimeError, ArithmeticError) as error:
            text = f"{name} is judged by the intervals of its seeds, as they cannot be evaluated together: {error}"
            warnings.warn(text, SparsescopeWarning, stacklevel=2)


def _judge(
    recipe: SweepRecipe,
    name: str,
    points: list[SweepPoint],
    folder: Path,
    benchmark: Benchmark,
    resources: "Resources",
    told: Told | None,
) -> None:
    last = Point(points[-1].method, points[-1].target, points[-1].seed)

    def progress(work: float, total: float, label: str) -> None:
        if told is not None and total > 0:
            told(last, "evaluation", work / total, f"{name}, {len(points)} seeds together: {label}")

    arch = recipe.architecture
    pairs = [
        (
            load_classifier(folder / f"seed-{point.seed}/dense/checkpoint.pt", arch=arch, name=f"dense-{point.seed}"),
            load_classifier(
                folder / point.checkpoint,
                arch=arch if point.target is not None else recipe.small,
                name=f"{name}-{point.seed}",
            ),
        )
        for point in points
    ]
    task = open_paired_task(pairs, benchmark, name=name)
    evaluation = evaluate_task(task, recipe.evaluation.settings(), resources.execution(progress))
    path = folder / over_seeds_file(name)
    path.parent.mkdir(exist_ok=True)
    evaluation.save(path)
