"""Trainings crossed with images: a literal analysis of variance says the same, and more of either lowers its part."""

import numpy as np
import pytest
from scipy import stats

from sparsescope.crossed import Components, larger_designs


def table(pairs: int, units: int, seed: int = 0) -> np.ndarray:
    """Differences (pairs, units): trainings, images, and what both have together."""
    rng = np.random.default_rng(seed)
    return 0.3 * rng.normal(size=(pairs, 1)) + rng.normal(size=units) + 2 * rng.normal(size=(pairs, units))


def of_table(found: np.ndarray) -> Components:
    return Components.of(found.mean(axis=1), np.cov(found) / found.shape[1], found.shape[1])


@pytest.mark.parametrize("seed", range(5))
def test_a_mean_over_images_has_the_mean_squares_of_the_analysis_of_variance(seed: int) -> None:
    found = table(4, 200, seed)
    pairs, units = found.shape
    grand, rows, columns = found.mean(), found.mean(axis=1), found.mean(axis=0)
    of_pairs = units * ((rows - grand) ** 2).sum() / (pairs - 1)
    of_images = pairs * ((columns - grand) ** 2).sum() / (units - 1)
    rest = ((found - rows[:, None] - columns + grand) ** 2).sum() / ((pairs - 1) * (units - 1))
    parts = of_table(found)
    assert parts.own == pytest.approx(min(rest, of_pairs) / units)
    assert parts.shared == pytest.approx((of_images - rest) / (pairs * units))
    assert parts.trainings == pytest.approx(max(of_pairs - rest, 0) / units)
    assert parts.variance == pytest.approx((of_pairs + of_images - rest) / (pairs * units))
    assert parts.of_trainings + parts.of_images == parts.variance


def test_the_reach_is_that_of_students_t_where_one_part_is_all() -> None:
    pairs_only, images_only = Components(3, 500, 0.01, 0.02, 0.0), Components(3, 500, 0.0, 0.0, 0.01)
    assert pairs_only.reach(0.95) == pytest.approx(stats.t.isf(0.025, 2) * 0.1)
    assert images_only.reach(0.95) == pytest.approx(stats.t.isf(0.025, 499) * 0.1)
    assert Components(3, 500, 0.0, 0.0, 0.0).reach(0.95) == 0


def test_larger_designs_reach_as_far_as_they_are_told() -> None:
    found = Components(3, 1000, trainings=1e-5, own=2e-5, shared=3e-5)
    pairs, times = larger_designs(found, 0.013, 0.95)
    assert pairs is not None and times is not None
    assert found.with_more(pairs).reach(0.95) <= 0.013 < found.with_more(pairs - 1).reach(0.95)
    assert found.with_more(3, times).reach(0.95) <= 0.013 < found.with_more(3, times / 1.05).reach(0.95)


def test_what_more_of_one_kind_cannot_lower_is_not_promised() -> None:
    only_images = larger_designs(Components(3, 1000, trainings=0.0, own=0.0, shared=1e-4), 0.01, 0.95)
    only_pairs = larger_designs(Components(3, 1000, trainings=1e-4, own=0.0, shared=0.0), 0.01, 0.95)
    assert only_images[0] is None and only_images[1] == pytest.approx(3.9, abs=0.2)
    assert only_pairs[0] is not None and only_pairs[1] is None
