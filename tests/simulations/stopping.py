"""What comes of stopping as soon as it is decided: errors, and units used, against measuring all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unittest import mock

import numpy as np

from sparsescope.evaluation import bootstrap as resampling
from sparsescope.proportions import score_interval
from sparsescope.results import Outcome
from sparsescope.sequential import SHARES, Look, looks

from .paired import LEVEL, MARGIN
from .populations import Population
from .sampled import SEEDS, Drawn, judged

NAIVE = tuple(Look(number, share, LEVEL, 0.0) for number, share in enumerate(SHARES, start=1))
"""Looks as nobody should take them: each at the level of a single one."""


@dataclass(frozen=True)
class Stopping:
    """How often it passes and fails, and how often measuring all does; and the median share of units that was used.

    `used` is over the samples that measuring all decides (nan if none); `quicker` the share of these that stop early.
    """

    passes: float
    fails: float
    all_pass: float
    all_fail: float
    used: float


def of_shares(
    n: int, differing: float, gap: float, samples: int, taken: Sequence[Look] = looks(LEVEL), seed: int = 0
) -> Stopping:
    """Stop accuracy, of which `gap` is the true difference and `differing` the share of images that differ."""
    rng, lost, gained = np.random.default_rng(seed), np.zeros(samples), np.zeros(samples)
    shares = (differing - gap) / 2, (differing + gap) / 2, 1 - differing
    sizes = [math.ceil(look.share * n) for look in taken]
    outcomes = np.full(samples, "inconclusive", dtype="U12")
    used = np.full(samples, n)
    for size, before, look in zip(sizes, [0, *sizes], taken, strict=False):
        new = rng.multinomial(size - before, shares, samples)
        lost, gained = lost + new[:, 0], gained + new[:, 1]
        open_ = outcomes == "inconclusive"
        for outcome, where in _outcomes(lost, gained, size, look.level).items():
            outcomes[open_ & where] = outcome
            used[open_ & where] = size
    return _summary(outcomes, _outcomes(lost, gained, n, LEVEL), used / n)


def _outcomes(lost: np.ndarray, gained: np.ndarray, size: int, level: float) -> dict[str, np.ndarray]:
    low, high = score_interval(lost, gained, size, level)
    return {"pass": low >= -MARGIN - 1e-12, "fail": high < -MARGIN - 1e-12}


def of_population(
    population: Population, n: int, samples: int, taken: Sequence[Look] = looks(LEVEL), *, replicates: int = 400
) -> Stopping:
    """Stop a metric of samples of a population, by the package's own intervals and rules."""
    rng, truth = np.random.default_rng(0), population.difference
    outcomes, whole, used = [], [], []
    with mock.patch.object(resampling, "resampling_weights", Drawn()):
        for sample in range(samples):
            rows = rng.integers(0, population.size, n)

            def look_at(size: int, level: float, rows: np.ndarray = rows, seed: int = sample % SEEDS) -> Outcome:
                sides = population.units(rows[:size])
                return judged(population, *sides, truth, replicates, seed, False, level)[0]

            outcome, size = _stopped(look_at, n, taken)
            outcomes.append(outcome)
            used.append(size / n)
            whole.append(look_at(n, LEVEL))
    found = np.array(whole)
    return _summary(np.array(outcomes), {name: found == name for name in ("pass", "fail")}, np.array(used))


def _stopped(look_at: Callable[[int, float], Outcome], n: int, taken: Sequence[Look]) -> tuple[Outcome, int]:
    for look in taken:
        size = math.ceil(look.share * n)
        if (outcome := look_at(size, look.level)) in ("pass", "fail"):
            return outcome, size
    return outcome, n


def _summary(outcomes: np.ndarray, whole: dict[str, np.ndarray], used: np.ndarray) -> Stopping:
    decided = whole["pass"] | whole["fail"]
    return Stopping(
        passes=float((outcomes == "pass").mean()),
        fails=float((outcomes == "fail").mean()),
        all_pass=float(whole["pass"].mean()),
        all_fail=float(whole["fail"].mean()),
        used=float(np.median(used[decided])) if decided.any() else float("nan"),
    )
