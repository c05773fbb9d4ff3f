"""run_sweep: train, prune, evaluate and record, or go on where that stopped.

    OUT/sweep.json                          the record (`results.Sweep`), written after every evaluation
    OUT/failures.json                       what could not be made, and why; only where something failed
    OUT/seed-0/dense/checkpoint.pt          the dense network of a seed; epoch-0.pt and epoch-K.pt for rewinding
    OUT/seed-0/small/checkpoint.pt          its small dense twin
    OUT/seed-0/lth-0.488/checkpoint.pt      a ticket; LTH's rounds off the grid too
    OUT/seed-0/lth-0.488/ticket.json        how it was pruned
    OUT/seed-0/evaluations/lth-0.488.json   an evaluation against the dense network of the same seed
    OUT/over-seeds/lth-0.488.json           the same of all seeds, as pairs: from three seeds on

A training run goes on after its last whole epoch. An evaluation that was interrupted finds finished parts in the cache,
and a finished one is kept as long as it is of the two networks that lie there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sparsescope.benchmark import Benchmark
from sparsescope.checkpoints import load_classifier
from sparsescope.errors import DataError, InputError
from sparsescope.evaluation import DataOptions, Execution, evaluate_task, open_task
from sparsescope.evaluation.measure import Progress
from sparsescope.evaluation.task import open_data as open_benchmark
from sparsescope.results import Sweep
from sparsescope.sweeps.checks import check_networks, make_folder
from sparsescope.sweeps.contents import Contents, contents_of, recorded
from sparsescope.sweeps.over_seeds import judge_over_seeds
from sparsescope.sweeps.plan import Point, points
from sparsescope.sweeps.recipe import SweepRecipe
from sparsescope.sweeps.record import (
    Failure,
    check_tickets,
    evaluation_file,
    finished,
    open_record,
    save_failures,
    save_record,
    working_on,
)
from sparsescope.sweeps.tickets import make_ticket
from sparsescope.sweeps.workshop import Workshop
from sparsescope.training import Precision
from sparsescope.userfiles import object_name

__all__ = ["Outcome", "Resources", "make_workshop", "open_data", "run_sweep"]


@dataclass(frozen=True)
class Resources:
    """What a sweep computes with; on one device no number depends on it beyond float rounding, precision aside.

    Args:
        device: `cpu`, `cuda` or `mps`.
        precision: of the forward pass in training.
        workers: threads that prepare training batches, and worker processes of the evaluation.
        batch_size: images per forward pass in the evaluation, or `"auto"`.
        cache: whether (or in which folder) finished parts of evaluations are kept.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    workers: int = 1
    batch_size: int | str = "auto"
    cache: bool | str | Path = True

    def execution(self, progress: Progress | None = None) -> Execution:
        """Return how an evaluation is run with them."""
        return Execution(self.device, self.batch_size, self.workers, self.cache, progress)


@dataclass(frozen=True)
class Outcome:
    """The record of a sweep, and what is missing in it.

    Args:
        sweep: what has been evaluated so far, by any command.
        failures: of this command.
        busy: seeds that were left to other commands, which work on them.
    """

    sweep: Sweep
    failures: tuple[Failure, ...]
    busy: tuple[int, ...] = ()


def open_data(recipe: SweepRecipe) -> Benchmark:
    """Return the data of a sweep; DataError where it has no training images."""
    asked = recipe.evaluation
    images = DataOptions(asked.ood, asked.corrupted, recipe.train, asked.probe, recipe.resize, recipe.crop)
    benchmark = open_benchmark(recipe.data, options=images)
    if benchmark.train is None:
        raise DataError(f"{recipe.data} has no training images. Say where they are: train = SPEC in the recipe.")
    return benchmark


def make_workshop(
    recipe: SweepRecipe,
    benchmark: Benchmark,
    folder: Path,
    seed: int,
    resources: Resources,
    told: Callable[[str, float, str], None] | None = None,
) -> Workshop:
    """Return where the networks of one seed are made."""
    assert benchmark.train is not None
    return Workshop(
        folder / f"seed-{seed}",
        recipe.architecture,
        benchmark.train,
        recipe.training_recipe(),
        seed=seed,
        data=recipe.data,
        resize=recipe.resize,
        crop=recipe.crop,
        classes=benchmark.classes,
        output=recipe.output,
        rewind=recipe.rewind,
        scope=recipe.scope,
        prune_head=recipe.prune_head,
        skip_first=recipe.skip_first,
        options={object_name(method): recipe.options.get(method, {}) for method in recipe.methods},
        recipes={object_name(method): schedule for method, schedule in recipe.own_recipes.items()},
        score_images=recipe.score_images,
        device=resources.device,
        precision=resources.precision,
        workers=resources.workers,
        told=told,
    )


def run_sweep(
    recipe: SweepRecipe,
    folder: Path,
    resources: Resources | None = None,
    *,
    told: Callable[[Point, str, float, str], None] | None = None,
    benchmark: Benchmark | None = None,
) -> Outcome:
    """Train and evaluate every point of a sweep that is not done yet, and keep the record in `folder/sweep.json`.

    A ticket that fails is told of in the outcome and tried again next time; the others are made all the same. Other
    methods, sparsities or seeds may be asked of a folder later on: the record has them all. Several processes may run
    the same sweep in one folder: each takes the seeds that no other works on.

    Args:
        recipe: what to run.
        folder: where everything goes; it is made.
        resources: what to compute with.
        told: called with (point, training run or "evaluation", fraction done of it, one line).
        benchmark: the recipe's data, if they are open already.

    Raises:
        OptionError: the folder holds the sweep of another recipe or of other images, or tickets of other code or
            another training, or a method or architecture is unknown.
        InputError: data or networks that cannot be used, or files that cannot be written. Nothing has been trained.
    """
    resources = resources or Resources()
    recipe.check_methods()
    benchmark = open_data(recipe) if benchmark is None else benchmark
    contents = contents_of(recipe, benchmark)
    record = open_record(recipe, folder, contents)
    whole = recipe.joined(recorded(record, folder))
    check_tickets(recipe, whole, folder)
    done = {point: found for point in points(whole) if (found := finished(folder, point)) is not None}
    open_points = [point for point in points(recipe) if point not in done]
    if open_points:
        check_networks(recipe, benchmark, make_workshop(recipe, benchmark, folder, open_points[0].seed, resources))
    make_folder(folder)
    save_record(recipe, done, folder, contents, check=True)
    for point in points(recipe):
        if point in done and told is not None:
            told(point, "evaluation", 1.0, f"{point.name} is done")
    failures: list[Failure] = []
    tried, busy = set(done), []
    for seed in dict.fromkeys(point.seed for point in open_points):
        with working_on(folder, seed) as mine:
            if not mine:
                busy.append(seed)
                continue
            pending = [point for point in open_points if point.seed == seed]
            failures += _Bench(recipe, contents, benchmark, folder, seed, resources, told).make_all(pending)
            tried.update(pending)
    save_failures(folder, failures, tried)
    record = Sweep.load(folder)
    judge_over_seeds(whole, record, folder, benchmark, resources, told)
    return Outcome(record, tuple(failures), tuple(busy))


@dataclass
class _Bench:
    """The work on one seed."""

    recipe: SweepRecipe
    contents: Contents
    benchmark: Benchmark
    folder: Path
    seed: int
    resources: Resources
    told: Callable[[Point, str, float, str], None] | None
    dense_is_there: bool = False

    def make_all(self, pending: list[Point]) -> list[Failure]:
        """Train, evaluate and record every point that another command has not finished; return what failed."""
        failures = []
        for point in pending:
            try:
                if finished(self.folder, point) is None:
                    self.make(point)
            except (InputError, RuntimeError, ArithmeticError) as error:
                failures.append(_failure(point, error, not self.dense_is_there))
                if not self.dense_is_there:
                    break
                continue
            found = finished(self.folder, point)
            assert found is not None
            save_record(self.recipe, {point: found}, self.folder, self.contents)
        return failures

    def make(self, point: Point) -> None:
        """Train and evaluate one point."""
        tell = self.told

        def in_training(run: str, fraction: float, line: str) -> None:
            if tell is not None:
                tell(point, run, fraction, f"seed {point.seed}, {run}: {line}")

        def in_evaluation(done: float, total: float, label: str) -> None:
            if tell is not None and total > 0:
                tell(point, "evaluation", done / total, f"seed {point.seed}, {point.name}: {label}")

        workshop = make_workshop(self.recipe, self.benchmark, self.folder, self.seed, self.resources, in_training)
        workshop.dense()
        self.dense_is_there = True
        if point.target is None:
            assert self.recipe.small is not None
            arch, checkpoint = self.recipe.small, workshop.small(self.recipe.small)
        else:
            arch, checkpoint = self.recipe.architecture, make_ticket(workshop, point.method, point.target)
        task = open_task(
            load_classifier(workshop.dense_checkpoint, arch=self.recipe.architecture, name="dense"),
            [load_classifier(checkpoint, arch=arch, name=point.name)],
            self.benchmark,
        )
        evaluation = evaluate_task(task, self.recipe.evaluation.settings(), self.resources.execution(in_evaluation))
        path = self.folder / evaluation_file(point)
        path.parent.mkdir(exist_ok=True)
        evaluation.save(path)


def _failure(point: Point, error: Exception, whole_seed: bool) -> Failure:
    reason = str(error) or type(error).__name__
    return Failure("dense" if whole_seed else point.method, None if whole_seed else point.target, point.seed, reason)
