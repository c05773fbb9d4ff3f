"""Two models on a population of units, made up so that their true difference is exactly what is asked for.

A population has as many units as make its own values the truth; samples are drawn from it. `tie` is the correlation of
the two models, unit by unit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from typing_extensions import override

from sparsescope.metrics import create
from sparsescope.metrics.base import Metric
from sparsescope.units import FloatArray, Units

SIZE = 50_000
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Population:
    """Of one metric: arrays of all units by dense and by the candidate, what belongs to no unit, and the stratum."""

    metric: Metric
    stratum: str
    dense: Arrays
    own: Arrays
    common: Arrays

    def units(self, rows: np.ndarray) -> tuple[Units, Units]:
        """Return the units of a sample by dense and by the candidate."""
        dense, own = (
            Units({self.stratum: len(rows)}, {name: array[rows] for name, array in arrays.items()}, self.common)
            for arrays in (self.dense, self.own)
        )
        return dense, own

    @property
    def size(self) -> int:
        return len(next(iter(self.dense.values())))

    @property
    def difference(self) -> float:
        """The truth."""
        dense, own = self.units(np.arange(self.size))
        return self.metric.value(own) - self.metric.value(dense)


def nll(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """Surprise of networks that are right on nine images of ten; `gap` as a fraction of dense."""
    latent = _tied(rng, tie, SIZE)
    dense, own = (np.logaddexp(0, -(3.5 + 2.7 * each)) for each in latent)
    return _scaled("nll", "nll", dense, own, gap)


def trace(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """Curvature at images: a heavy tail, and some below 0."""
    latent = _tied(rng, tie, SIZE)
    dense, own = (np.exp(1.2 * each) - 0.15 for each in latent)
    return _scaled("input_trace", "trace", dense, own, gap)


def fidelity(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """Squared errors of local models."""
    latent = _tied(rng, tie, SIZE)
    dense, own = (np.exp(0.9 * each) for each in latent)
    return _scaled("fidelity", "fidelity", dense, own, gap)


def corruption_error(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """15 corruptions at 5 severities, each image under 15 of the 75 cells; errors from 6 % to 60 %."""
    size, table = 8000, (15, 5)
    level = np.linspace(-1.55, 0.25, 15)[:, None] + np.linspace(-0.35, 0.35, 5)

    def errors(image: FloatArray, noise: FloatArray, worse: float) -> np.ndarray:
        return np.asarray(0.8 * image[:, None, None] + 0.6 * noise < level + worse)

    images, noise = _tied(rng, tie, size), _tied(rng, tie, (size, *table))
    dense = errors(images[0], noise[0], 0.0)

    seen = np.zeros((size, 75), bool)
    np.put_along_axis(seen, rng.permuted(np.tile(np.arange(75), (size, 1)), axis=1)[:, :15], True, axis=1)
    observed = seen.reshape(size, *table)
    counts = observed.sum(0)

    def rates(wrong: np.ndarray) -> FloatArray:
        return np.asarray(((wrong & observed).sum(0) / counts).sum(1))

    def excess(worse: float) -> float:
        return float((rates(errors(images[1], noise[1], worse)) / rates(dense)).mean()) - 1 - gap

    own = errors(images[1], noise[1], float(brentq(excess, -1, 1, xtol=1e-5)))
    sides = [{"error": error, "dense_error": dense} for error in (dense, own)]
    arrays = [{name: array & observed for name, array in side.items()} | {"observed": observed} for side in sides]
    return Population(create("corruption_error"), "test", arrays[0], arrays[1], {})


def composition(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """Pixels where 64 units of a layer and their formulas overlap: none on most images, many on a few."""
    size, width = 5000, 64
    sides = []
    images, units = _tied(rng, tie, (size, 1)), _tied(rng, tie, (size, width))
    for image, unit in zip(images, units, strict=True):
        latent = 0.7 * image + 0.7 * unit
        union = np.where(latent > 1.6, np.exp(3 + 1.5 * latent), 0).astype(np.int64)
        sides.append((union, rng.beta(1, 6, (size, width)) * union))
    (union, overlap), (own_union, own_overlap) = sides
    value = (overlap.sum(0) / union.sum(0)).mean()
    own_overlap = own_overlap * ((1 - gap) * value / (own_overlap.sum(0) / own_union.sum(0)).mean())
    common = {"dead": np.zeros(width, bool)}
    dense, own = ({"union": all_, "intersection": both} for all_, both in ((union, overlap), (own_union, own_overlap)))
    return Population(create("composition"), "probe", dense, own, common)


def sce(gap: float, classes: int, dense_scale: float, rng: np.random.Generator) -> Population:
    """Labels drawn from a softmax; each model's logits are the true ones times a factor, which 1 calibrates.

    `gap` is the difference of the SCE summed over classes; the candidate is the overconfident one.
    """
    size = max(600_000 // classes, 20_000)
    logits = rng.normal(size=(size, classes)) * 1.5
    logits[np.arange(size), rng.integers(0, classes, size)] += 6
    label = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    metric = create("sce")

    def side(scale: float) -> Arrays:
        scaled = (logits * scale).astype(np.float32)
        return {"logits": scaled, "label": label, "log_normaliser": np.logaddexp.reduce(scaled, axis=1, dtype=float)}

    def summed(arrays: Arrays) -> float:
        return classes * metric.value(Units({"test": size}, arrays))

    dense, own = side(dense_scale), dense_scale
    if gap:
        least = summed(dense) + gap
        own = brentq(lambda scale: summed(side(scale)) - least, dense_scale, 4, xtol=1e-4)
    return Population(metric, "test", dense, side(own), {})


def ece(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """Confidences that are five points too high, the candidate's more so."""
    size = 200_000
    confidence = 0.3 + 0.65 * rng.beta(3, 0.7, size)
    luck = _tied(rng, tie, size)
    right = [stats.norm.cdf(each) < confidence - 0.05 for each in luck]

    def side(shift: float, correct: np.ndarray) -> Arrays:
        return {"confidence": confidence + shift, "correct": correct, "brier": np.zeros(size)}

    metric = create("ece")

    def excess(shift: float) -> float:
        own, dense = (metric.value(Units({"test": size}, each)) for each in (side(shift, right[1]), side(0, right[0])))
        return own - dense - gap

    return Population(metric, "test", side(0, right[0]), side(float(brentq(excess, -0.04, 0.04)), right[1]), {})


class Ranked(Population):
    """A population of pairs of a test image and one from elsewhere; each model's scores are independent in a pair."""

    @override
    def units(self, rows: np.ndarray) -> tuple[Units, Units]:
        group = np.repeat(["", "far"], len(rows))
        dense, own = (
            Units(
                {"test": len(rows), "ood:far": len(rows)},
                {"max_softmax": np.concatenate([side["inside"][rows], side["outside"][rows]]), "group": group},
            )
            for side in (self.dense, self.own)
        )
        return dense, own


def auroc(gap: float, tie: float, rng: np.random.Generator) -> Population:
    """Confidence of test images, one and a half standard deviations above that of others."""
    inside, outside = _tied(rng, tie, SIZE), _tied(rng, tie, SIZE)
    sides = [{"inside": high + 1.5, "outside": low} for high, low in zip(inside, outside, strict=True)]

    def population(shift: float) -> Ranked:
        own = {**sides[1], "inside": sides[1]["inside"] - shift}
        return Ranked(create("ood_auroc"), "test", sides[0], own, {})

    return population(float(brentq(lambda shift: population(shift).difference + gap, -1, 1, xtol=1e-6)))


POPULATIONS: dict[str, Callable[[float, float, np.random.Generator], Population]] = {
    "nll": nll,
    "fidelity": fidelity,
    "input_trace": trace,
    "composition": composition,
    "corruption_error": corruption_error,
    "ece": ece,
    "ood_auroc": auroc,
}
"""Metric -> its population by gap and tie."""


def _tied(rng: np.random.Generator, tie: float, shape: int | tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    shared, first, second = (rng.normal(size=shape) for _ in range(3))
    return tuple(np.sqrt(tie) * shared + np.sqrt(1 - tie) * each for each in (first, second))  # type: ignore[return-value]


def _scaled(metric: str, name: str, dense: FloatArray, own: FloatArray, gap: float) -> Population:
    own = own * ((1 + gap) * dense.mean() / own.mean())
    extra = {"valid": np.ones(len(dense), bool)} if metric == "fidelity" else {}
    return Population(create(metric), "test", {name: dense, **extra}, {name: own, **extra}, {})
