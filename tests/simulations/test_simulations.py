"""A small part of the simulations: the whole is `python -m tests.simulations`."""

import sys
from pathlib import Path

import numpy as np
import pytest

from sparsescope.sequential import looks

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.simulations.paired import newcombe, percentile, rates, tango
from tests.simulations.populations import composition, corruption_error, fidelity, nll, sce
from tests.simulations.sampled import sampled_rates
from tests.simulations.stopping import NAIVE, of_population, of_shares
from tests.simulations.trainings import IMAGES, METHODS, TRAININGS, method_rates
from tests.simulations.trainings import nll as nll_of_trainings


@pytest.mark.parametrize("n", [20, 100, 400, 1000])
@pytest.mark.parametrize("differing", [0.01, 0.015, 0.02, 0.05, 0.1])
def test_shares_of_images_pass_at_the_margin_as_rarely_as_they_should(n: int, differing: float) -> None:
    """Exactly: at most 2.6 % false passes; 1.2 % false fails of 100 images, else 1 %."""
    at, equal = (rates(tango, n, differing, gap) for gap in (-0.01, 0.0))
    assert at.passes < 0.026
    assert equal.fails < (0.0125 if n == 100 else 0.01)
    assert min(at.coverage, equal.coverage) > 0.93


def test_what_was_tried_instead_passes_too_often() -> None:
    assert rates(percentile, 20, 0.1, -0.01).passes > 0.15
    assert rates(newcombe, 400, 0.01, -0.01, accuracy=0.5).passes > 0.05


def test_the_exact_sum_counts_every_outcome() -> None:
    """By drawing: 20,000 test sets of 60 images."""
    rng = np.random.default_rng(0)
    lost, gained, _ = rng.multinomial(60, [0.06, 0.04, 0.9], 20_000).T
    low, high = tango(np.zeros_like(lost), lost, gained, 60)
    found = rates(tango, 60, 0.1, -0.02)
    assert found.coverage == pytest.approx(np.mean((low <= -0.02) & (high >= -0.02)), abs=0.006)
    assert found.passes == pytest.approx(np.mean(low >= -0.01), abs=0.006)


@pytest.mark.parametrize("name", ["nll", "corruption_error", "composition"])
def test_populations_differ_by_what_was_asked_for(name: str) -> None:
    make = {"nll": nll, "corruption_error": corruption_error, "composition": composition}[name]
    population = make(0.03, 0.9, np.random.default_rng(0))
    everything = population.units(np.arange(population.size))
    dense, own = (population.metric.value(units) for units in everything)
    better = 1 if population.metric.higher_is_better else -1
    assert better * (own - dense) == pytest.approx(-0.03 * dense, rel=0.02)


def test_intervals_of_few_images_hold() -> None:
    """150 samples each: three standard errors below 95 % are 89.7 %, and above the 2.5 % of false passes 6.3 %."""
    for make, margin, n in ((nll, 0.05, 60), (corruption_error, 0.02, 60)):
        found = sampled_rates(make(margin, 0.9, np.random.default_rng(1)), n, 150, replicates=200)
        assert found.coverage > 0.897
        assert found.passes < 0.063


@pytest.mark.parametrize(("name", "pairs", "spread"), [("nll", 3, 3.0), ("nll", 5, 0.0), ("accuracy", 3, 1.0)])
def test_intervals_of_methods_cover_new_trainings_and_new_images(name: str, pairs: int, spread: float) -> None:
    """200 samples each: three standard errors below 95 % are 90.4 %, and above the 2.5 % of false passes 5.8 %."""
    make, margin = METHODS[name]
    found = method_rates(make(0.5, spread, 200, margin), pairs, 200, 200, replicates=100)
    assert found.coverage > 0.904
    assert found.passes < 0.058


def test_one_training_says_too_little_of_a_method() -> None:
    """What the images alone leave open misses the truth where trainings differ."""
    population = nll_of_trainings(0.5, 3.0, 200, 0.0)
    held = 0
    for sample in range(60):
        rng = np.random.default_rng(sample)
        dense, own = population.pairs[rng.integers(0, TRAININGS)]
        rows = rng.integers(0, IMAGES, 200)
        differences = own["nll"][rows] - dense["nll"][rows]
        reach = 2 * differences.std() / 200**0.5
        held += abs(differences.mean() - population.truth) <= reach
    assert held / 60 < 0.7


def test_too_few_images_per_class_decide_nothing() -> None:
    found = sampled_rates(sce(0.02, 10, 1.0, np.random.default_rng(1)), 500, 10, replicates=100)
    assert (found.passes, found.fails) == (0, 0)


def test_stopping_errs_as_rarely_as_measuring_all_and_uses_half_where_it_is_clear() -> None:
    """4,000 test sets of 10,000 images: a standard error of 0.25 points at 2.5 %."""
    at, equal, naive = (
        of_shares(10_000, 0.05, gap, 4000, taken)
        for gap, taken in ((-0.01, looks(0.95)), (0.0, looks(0.95)), (-0.01, NAIVE))
    )
    assert max(at.passes, at.fails) < 0.0325
    assert min(naive.passes, naive.fails) > 0.07
    assert equal.passes > 0.98 and equal.used <= 0.5


def test_a_clear_failure_of_a_skewed_metric_takes_half_of_the_units() -> None:
    found = of_population(fidelity(0.4, 0.9, np.random.default_rng(1)), 300, 30)
    assert found.fails > 0.9 and found.used <= 0.5
