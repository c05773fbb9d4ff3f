"""Methods: populations of trainings and images, made up so that the truth over both is known; error rates of verdicts.

`spread` is the standard deviation of a pair's true difference over trainings, in standard errors of one pair's
difference over the images of a sample; `shared` how far the images' errors are those of all pairs.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import numpy as np
from scipy import stats

from sparsescope.evaluation import bootstrap as resampling
from sparsescope.evaluation.bootstrap import bootstrap
from sparsescope.evaluation.differences import Reduced
from sparsescope.evaluation.methods import averaged
from sparsescope.metrics import create
from sparsescope.metrics.base import Metric
from sparsescope.units import FloatArray, Units

from .paired import LEVEL, Rates
from .sampled import SEEDS, Drawn

TRAININGS, IMAGES = 120, 20_000
SHARED, SPREADS, PAIRS = (0.1, 0.5), (0.0, 0.3, 1.0, 3.0), (3, 5)
"""What is simulated: of the images' errors what is that of all pairs, how far trainings differ, numbers of pairs."""
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trained:
    """Pairs (dense, candidate) of one metric's arrays on all images, and the mean of their true differences."""

    metric: Metric
    pairs: list[tuple[Arrays, Arrays]]
    strata: tuple[str, ...]
    truth: float

    def units(self, side: Arrays, rows: list[np.ndarray]) -> Units:
        size = len(next(iter(side.values()))) // len(self.strata)
        picked = np.concatenate([place * size + own for place, own in enumerate(rows)])
        return Units(
            {name: len(own) for name, own in zip(self.strata, rows, strict=True)},
            {name: array[picked] for name, array in side.items()},
        )


def _made(
    metric: Metric, strata: tuple[str, ...], shared: float, spread: float, n: int, gap: float,
    side: Callable[[FloatArray, float], Arrays], seed: int,
) -> Trained:  # fmt: skip
    """Return a population; `side` makes a model's arrays of latent noise (images,) and how much worse the model is.

    How much worse a candidate is follows from a straight line through two values of the metric, then the spread and gap
    are measured, not assumed.
    """
    rng = np.random.default_rng(seed)
    size = IMAGES * len(strata)
    common, of_candidates = rng.normal(size=(2, size))
    latent = []
    for _ in range(TRAININGS):
        base = np.sqrt(0.8) * common + np.sqrt(0.2) * rng.normal(size=size)
        change = np.sqrt(shared) * of_candidates + np.sqrt(1 - shared) * rng.normal(size=size)
        latent.append((base, np.sqrt(0.9) * base + np.sqrt(0.1) * change))

    def units(arrays: Arrays) -> Units:
        return Units(dict.fromkeys(strata, IMAGES), arrays)

    dense = [side(base, 0.0) for base, _ in latent]
    reference = np.array([metric.value(units(each)) for each in dense])

    def candidates(worse: FloatArray) -> tuple[list[Arrays], FloatArray]:
        made = [side(own, amount) for (_, own), amount in zip(latent, worse, strict=True)]
        return made, np.array([metric.value(units(each)) for each in made]) - reference

    _, (low, high) = zip(*(candidates(np.full(TRAININGS, step)) for step in (0.0, 0.05)), strict=True)
    slope = float((high - low).mean()) / 0.05
    if metric.margin_kind == "relative":
        gap = gap * float(np.abs(reference).mean())
    error = _standard_error(metric, units, list(zip(dense[:4], candidates(np.zeros(TRAININGS))[0][:4], strict=True)), n)
    wanted = gap + spread * error * stats.norm.ppf((rng.permutation(TRAININGS) + 0.5) / TRAININGS)
    worse = (wanted - low) / slope
    for _ in range(2):
        made, found = candidates(worse)
        worse = worse + (wanted - found) / slope
    made, found = candidates(worse)
    return Trained(metric, list(zip(dense, made, strict=True)), strata, float(found.mean()))


def _standard_error(
    metric: Metric, units: Callable[[Arrays], Units], pairs: list[tuple[Arrays, Arrays]], n: int
) -> float:
    errors = []
    for dense, own in pairs:
        sides = {"dense": units(dense), "own": units(own)}
        (draws,) = bootstrap([(metric, sides)], 30, 0)
        errors.append(float(np.std(draws["own"] - draws["dense"], ddof=1)))
    return float(np.mean(errors)) * np.sqrt(IMAGES / n)


def nll(shared: float, spread: float, n: int, gap: float, seed: int = 0) -> Trained:
    """A mean over images; `gap` as a fraction of dense."""
    return _made(
        create("nll"), ("test",), shared, spread, n, gap,
        lambda latent, worse: {"nll": (1 + worse) * np.logaddexp(0, -(3.5 + 2.7 * latent))}, seed,
    )  # fmt: skip


def accuracy(shared: float, spread: float, n: int, gap: float, seed: int = 0) -> Trained:
    """A share of images: nine of ten."""
    return _made(
        create("accuracy"), ("test",), shared, spread, n, -gap,
        lambda latent, worse: {"correct": latent > worse - 1.28}, seed,
    )  # fmt: skip


def auroc(shared: float, spread: float, n: int, gap: float, seed: int = 0) -> Trained:
    """Ranks of images of two sets."""

    def side(latent: FloatArray, worse: float) -> Arrays:
        return {"max_softmax": latent + np.where(np.arange(len(latent)) < IMAGES, 2.0 - worse, 0.0)}

    return _made(create("ood_auroc"), ("test", "ood:far"), shared, spread, n, -gap, side, seed)


def ece(shared: float, spread: float, n: int, gap: float, seed: int = 0) -> Trained:
    """Confidence from .5 to 1, and 15 points more than accuracy for dense."""

    def side(latent: FloatArray, worse: float) -> Arrays:
        confidence = 0.5 + 0.5 * stats.norm.cdf(latent)
        chance = np.modf(np.abs(latent) * 1e4)[0]
        return {"confidence": confidence, "correct": chance < confidence - 0.15 - worse, "brier": confidence}

    return _made(create("ece"), ("test",), shared, spread, n, gap, side, seed)


METHODS: dict[str, tuple[Callable[..., Trained], float]] = {
    "nll": (nll, 0.05),
    "accuracy": (accuracy, 0.01),
    "ood_auroc": (auroc, 0.01),
    "ece": (ece, 0.01),
}
"""Metric -> what makes its population, and its margin."""


def method_rates(
    population: Trained, pairs: int, n: int, samples: int, *, replicates: int = 400, seed: int = 0
) -> Rates:
    """Return how often intervals over `pairs` trainings and n images hold the truth, and what a verdict would say."""
    rng, metric = np.random.default_rng(seed), population.metric
    margin = METHODS[metric.name][1]
    held = passes = fails = 0
    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(resampling, "resampling_weights", Drawn()))
        for sample in range(samples):
            rows = [rng.integers(0, IMAGES, n) for _ in population.strata]
            chosen = [population.pairs[place] for place in rng.integers(0, TRAININGS, pairs)]
            units = {
                f"{place}/{side}": population.units(arrays, rows)
                for place, pair in enumerate(chosen)
                for side, arrays in zip(("dense", "own"), pair, strict=True)
            }
            (draws,) = bootstrap([(metric, units)], replicates, sample % SEEDS)
            sides = {name: Reduced.of(metric, each, draws[name]) for name, each in units.items()}
            found = averaged(
                metric,
                [[(sides[f"{place}/own"], sides[f"{place}/dense"])] for place in range(pairs)],
                margin=margin,
                margin_kind=metric.margin_kind,
                confidence=LEVEL,
            )
            assert found.interval is not None
            low, high = found.interval
            held += low <= population.truth <= high
            low, high = found.from_margin or (low, high)
            if metric.margin_kind == "absolute":
                low, high = (low + margin, high + margin) if metric.higher_is_better else (low - margin, high - margin)
            low, high = (low, high) if metric.higher_is_better else (-high, -low)
            passes, fails = passes + (low >= 0), fails + (high < 0)
    return Rates(held / samples, passes / samples, fails / samples)
