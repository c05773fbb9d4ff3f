"""What a sweep trains and evaluates, and what that costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sparsescope.benchmark import Benchmark
from sparsescope.evaluation.plan import Plan, make_plan
from sparsescope.pruning import CATALOGUE
from sparsescope.pruning.iterative import round_sparsities
from sparsescope.results import Pairs
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.sweeps.tickets import run_name, snapped
from sparsescope.sweeps.workshop import Workshop
from sparsescope.userfiles import object_name

__all__ = [
    "BACKWARD",
    "Cost",
    "Point",
    "Speed",
    "estimate",
    "evaluation_passes",
    "evaluation_plan",
    "measure_speed",
    "points",
    "trainings",
]

BACKWARD = 2.0
"""A backward pass costs about two forward passes."""


@dataclass(frozen=True)
class Point:
    """One network to evaluate: a ticket, or the small dense twin, whose target is None."""

    method: str
    target: float | None
    seed: int

    @property
    def name(self) -> str:
        """Of its training run, and of the network in the evaluation."""
        return run_name(self.method, self.target)


@dataclass(frozen=True)
class Speed:
    """Seconds per image: of a training step, and of a forward pass."""

    training: float
    forward: float


@dataclass(frozen=True)
class Cost:
    """What a whole sweep takes.

    Args:
        trainings: number of training runs.
        epochs: of all of them together.
        training_images: images that go forward and backward in training.
        evaluations: number of evaluated networks, each against its dense parent.
        evaluation_passes: passes of single images in evaluation, in forward passes; backward ones count more.
        disk: bytes of checkpoints and evaluations.
    """

    trainings: int
    epochs: int
    training_images: int
    evaluations: int
    evaluation_passes: float
    disk: int

    def seconds(self, speed: Speed) -> float:
        """Return about how long it takes on one device; what evaluation does beside passes is not in it."""
        return self.training_images * speed.training + self.evaluation_passes * speed.forward


def points(recipe: SweepRecipe) -> list[Point]:
    """Return what is evaluated, in the order of methods, sparsities and seeds."""
    tickets = [Point(method, s, seed) for method in recipe.methods for s in recipe.grid for seed in recipe.seeds]
    return tickets + ([Point("small", None, seed) for seed in recipe.seeds] if recipe.small is not None else [])


def chain(point: Point) -> list[str]:
    """Return the training runs of a point, dense aside: of a method that trains in rounds, its rounds."""
    chosen = CATALOGUE.get(point.method)  # other methods are scores, and what a record names need not be there any more
    if chosen is not None and chosen.trains == "in rounds" and point.target is not None:
        return [run_name(point.method, s) for s in round_sparsities(snapped(point.target))]
    return [point.name]


def trainings(recipe: SweepRecipe) -> dict[str, int]:
    """Return the epochs of every training run of one seed, by name."""
    trained = recipe.trained()
    runs = {"dense": trained["dense"].epochs}
    for point in points(recipe):
        how = trained[object_name(point.method)]
        runs |= dict.fromkeys(chain(point), how.epochs - how.first)
    return runs


def evaluation_plan(recipe: SweepRecipe, benchmark: Benchmark) -> Plan:
    """Return what is measured of one network."""
    one = Pairs.of_one_dense(["dense"])
    return make_plan(recipe.evaluation.settings().metrics, benchmark, recipe.evaluation.seed, one)


def evaluation_passes(recipe: SweepRecipe, benchmark: Benchmark) -> float:
    """Return about how many forward passes of one image the evaluation of one network takes."""
    return sum(task.cost * len(task.ids) for task in evaluation_plan(recipe, benchmark).tasks)


def estimate(recipe: SweepRecipe, benchmark: Benchmark, parameters: int) -> Cost:
    """Return the cost of a sweep.

    Args:
        recipe: the sweep.
        benchmark: its data.
        parameters: of the dense network.
    """
    assert benchmark.train is not None
    seeds, runs, evaluated = len(recipe.seeds), trainings(recipe), points(recipe)
    weights = 4 * parameters  # bytes; a checkpoint holds them and their momentum, a mask is a byte per weight
    per_seed = 4 * weights + (len(runs) - 1) * (3 * weights + 2 * parameters)
    return Cost(
        trainings=len(runs) * seeds,
        epochs=sum(runs.values()) * seeds,
        training_images=sum(runs.values()) * seeds * len(benchmark.train),
        evaluations=len(evaluated),
        evaluation_passes=evaluation_passes(recipe, benchmark) * (len(evaluated) + seeds),
        disk=per_seed * seeds + len(evaluated) * _EVALUATION,
    )


_EVALUATION = 1_000_000  # bytes of an evaluation.json, about


def measure_speed(workshop: Workshop, *, seconds: float = 2.0) -> Speed:
    """Time training steps and forward passes of the dense network on random images for a moment.

    As many images at once as a batch has, but fewer of a large network: a batch of it would take minutes on a CPU.
    """
    classifier = workshop.initial()
    classifier.module.to(workshop.device)

    def step(images: Tensor) -> None:
        labels = torch.zeros(len(images), dtype=torch.long, device=workshop.device)
        functional.cross_entropy(classifier(images), labels).backward()  # type: ignore[no-untyped-call]

    def forward(images: Tensor) -> None:
        with torch.no_grad():
            classifier(images)

    found = []
    for act, mode in ((step, True), (forward, False)):
        classifier.module.train(mode)
        found.append(_seconds_per_image(act, workshop, seconds / 2))
    return Speed(*found)


def _seconds_per_image(act: Callable[[Tensor], None], workshop: Workshop, seconds: float) -> float:
    """Time two images, then, for the moment, as many at once as pass in a few such moments, at most a batch."""
    largest = min(workshop.recipe.batch_size, _PROBED)
    images = torch.rand(largest, *workshop.images.shape, generator=torch.Generator().manual_seed(0))

    def timed(size: int) -> float:
        started = time.perf_counter()
        act(images[:size])
        _wait(workshop.device)
        return time.perf_counter() - started

    few = min(2, largest)
    timed(few)  # whatever is slow only once
    size = min(largest, max(few, int(few * _MOMENTS * seconds / timed(few))))
    spent, count = 0.0, 0
    while count == 0 or spent < seconds:
        spent, count = spent + timed(size), count + 1
    return spent / count / size


_MOMENTS = 4  # a large batch takes less time per image than two, and is what training has
_PROBED = 64  # images at most


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()
