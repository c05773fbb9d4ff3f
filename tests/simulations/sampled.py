"""Error rates of the verdict on samples of a population, by the package's own reductions, intervals and rules."""

import contextlib
from collections.abc import Mapping
from unittest import mock

import numpy as np

from sparsescope.evaluation import bootstrap as resampling
from sparsescope.evaluation.bootstrap import bootstrap
from sparsescope.evaluation.differences import Reduced, difference
from sparsescope.results import MetricResult, MetricValue, Outcome, Pair
from sparsescope.units import FloatArray, Units, resampling_weights
from sparsescope.verdict import judge

from .paired import LEVEL, Rates
from .populations import Population

SEEDS = 8
"""Of resampling weights, which take most of the time: samples share them."""
PAIR = Pair(dense="dense", candidate="own")


def sampled_rates(
    population: Population, n: int, samples: int, *, replicates: int = 400, seed: int = 0, before: bool = False
) -> Rates:
    """Return how often intervals of samples hold the population's difference, and what the verdict says.

    An interval that by its own account decides nothing counts as held. `before`: by bootstrap percentiles around the
    value, and with relative margins as fractions of the dense value.
    """
    rng, truth = np.random.default_rng(seed), population.difference
    held, outcomes = 0, list[Outcome]()
    kind = type(population.metric)
    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(resampling, "resampling_weights", Drawn()))
        if before:
            patches.enter_context(mock.patch.object(kind, "interval", "percentile"))
            patches.enter_context(mock.patch.object(kind, "debiased", kind.reduce))
        for sample in range(samples):
            dense, own = population.units(rng.integers(0, population.size, n))
            found, covers = judged(population, dense, own, truth, replicates, sample % SEEDS, before)
            outcomes.append(found)
            held += covers
    return Rates(held / samples, outcomes.count("pass") / samples, outcomes.count("fail") / samples)


class Drawn:
    """`resampling_weights` that are drawn once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], FloatArray] = {}

    def __call__(self, strata: Mapping[str, int], replicates: range, seed: int) -> FloatArray:
        key = (*strata.items(), replicates, seed)
        if key not in self._known:
            self._known[key] = resampling_weights(strata, replicates, seed)
        return self._known[key]


def judged(
    population: Population,
    dense: Units,
    own: Units,
    truth: float,
    replicates: int,
    seed: int,
    before: bool,
    level: float = LEVEL,
) -> tuple[Outcome, bool]:
    metric, units = population.metric, {"dense": dense, "own": own}
    (draws,) = bootstrap([(metric, units)], replicates, seed)
    sides = {name: Reduced.of(metric, rows, draws[name]) for name, rows in units.items()}
    if not all(np.isfinite(side.value) for side in sides.values()):
        return "not evaluated", True
    margin = metric.default_margin(dense)
    found = difference(
        metric, sides["own"], sides["dense"], margin=margin, margin_kind=metric.margin_kind, confidence=level
    )
    if before:
        found = found.model_copy(update={"from_margin": None, "undecided": None})
    result = MetricResult.model_construct(
        name=metric.name,
        higher_is_better=metric.higher_is_better,
        margin=margin,
        margin_kind=metric.margin_kind,
        values={name: MetricValue(status="measured", value=side.value, n=len(dense)) for name, side in sides.items()},
        differences={"own": found},
    )
    interval = found.interval or (-np.inf, np.inf)
    covers = found.undecided is not None or interval[0] <= truth <= interval[1]
    return judge(result, PAIR, level).outcome, covers
