"""evaluate_pairs(): several trainings of a method, evaluated together and judged as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparsescope.benchmark import Benchmark
from sparsescope.datasets import ClassesBy
from sparsescope.evaluation.execution import Execution
from sparsescope.evaluation.measure import Progress
from sparsescope.evaluation.models import Model, ModelOptions
from sparsescope.evaluation.paired_task import METHOD, open_paired_task
from sparsescope.evaluation.run import evaluate_task
from sparsescope.evaluation.settings import resolve
from sparsescope.evaluation.task import DataOptions
from sparsescope.metrics.base import Metric
from sparsescope.results import Evaluation

__all__ = ["evaluate_pairs"]


def evaluate_pairs(
    pairs: Sequence[tuple[Model, Model]],
    benchmark: str | Benchmark | None = None,
    *,
    name: str = METHOD,
    arch: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: str | int | None = None,
    weights: str | None = None,
    trust_pickle: bool = False,
    ood: str | Sequence[str] = (),
    corrupted: str | None = None,
    train: str | None = None,
    probe: str | None = None,
    resize: int | None = None,
    crop: int | None = None,
    classes: ClassesBy = "name",
    preset: str | None = None,
    metrics: str | Metric | Sequence[str | Metric] | None = None,
    skip: str | Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    confidence: float | None = None,
    replicates: int | None = None,
    seed: int = 0,
    device: str = "auto",
    batch_size: int | str = "auto",
    workers: int = 1,
    cache: bool | str | Path = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure pairs of dense and sparse models, each of another training, and judge the method that made them.

    Every pair has its own verdict, as from `evaluate`. The method's is on the mean difference of the pairs, with
    intervals that cover new trainings as well as new images; from 3 pairs on, fewer are not judged. Every model is
    measured once, in however many pairs it stands; pairs that share a model count as one training, by their mean.

    Args:
        pairs: (dense, sparse) of each training; see `evaluate` for what a model may be.
        benchmark: as of `evaluate`; default: what the first dense checkpoint names.
        name: of the method, by which `verdict(name)` finds it; no model may have it.
        arch, mean, std, output, weights, trust_pickle: as of `evaluate`.
        ood, corrupted, train, probe, resize, crop, classes: as of `evaluate`.
        preset, metrics, skip, options, config, confidence, replicates, seed: as of `evaluate`.
        device, batch_size, workers, cache, progress: as of `evaluate`.

    Returns:
        the Evaluation; `evaluation.verdict("method")` is the verdict on the method, `evaluation.methods` its numbers.

    Raises:
        InputError: as `evaluate`; also where a pair is given twice.

    Example:
        >>> import copy, numpy as np, sparsescope as ss
        >>> from torch import nn
        >>> images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
        >>> benchmark = ss.Benchmark("noise", ss.ArrayImages(images, np.arange(200) % 4))
        >>> pairs = []
        >>> for _ in range(3):  # trained, in earnest, from three seeds
        ...     dense = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 4))
        ...     sparse = copy.deepcopy(dense)
        ...     ss.prune("omp", dense, sparsity=0.75).apply(sparse)
        ...     pairs.append((dense, sparse))
        >>> evaluation = ss.evaluate_pairs(pairs, benchmark, metrics=["accuracy"], cache=False)
        >>> evaluation.methods["method"].trainings, len(evaluation.pairs)
        (3, 3)
    """
    settings = resolve(
        preset=preset,
        config=config,
        options=options,
        metrics=metrics,
        skip=skip,
        confidence=confidence,
        replicates=replicates,
        seed=seed,
    )
    execution = Execution(device, batch_size, workers, cache, progress)
    sets = (ood,) if isinstance(ood, str) else ood
    task = open_paired_task(
        pairs,
        benchmark,
        name=name,
        models=ModelOptions(arch, mean, std, output, weights, trust_pickle),
        images=DataOptions(sets, corrupted, train, probe, resize, crop, classes),
    )
    return evaluate_task(task, settings, execution)
