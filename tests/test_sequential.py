"""Boundaries of repeated looks: against published tables, and by walking."""

import numpy as np
import pytest
from scipy.optimize import brentq

from sparsescope.sequential import SHARES, crossing, looks, reaches


@pytest.mark.parametrize(
    ("looked", "published"),
    [
        (2, [2.9626, 1.9686]),
        (3, [3.7103, 2.5114, 1.9930]),
        (4, [4.3326, 2.9631, 2.3590, 2.0141]),
        (5, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        (10, [6.9914, 4.8769, 3.9297, 3.3671, 2.9893, 2.7148, 2.5041, 2.3358, 2.1975, 2.0812]),
    ],
)
def test_boundaries_are_those_of_the_published_programs(looked: int, published: list[float]) -> None:
    """Lan & DeMets' spending of O'Brien & Fleming's type, one-sided 0.025, as ldbounds and gsDesign print them."""
    assert reaches(np.arange(1, looked + 1) / looked, 0.025) == pytest.approx(published, abs=2e-4)


@pytest.mark.parametrize(
    ("looked", "obrien_fleming", "pocock"),
    [(2, 1.977, 2.178), (3, 2.004, 2.289), (4, 2.024, 2.361), (5, 2.040, 2.413), (10, 2.087, 2.555)],
)
def test_integration_gives_the_constants_of_the_textbook(looked: int, obrien_fleming: float, pocock: float) -> None:
    """Jennison & Turnbull 2000, tables 2.1 and 2.3: two-sided tests of level 0.05."""
    shares = np.arange(1, looked + 1) / looked

    def constant(shape: np.ndarray) -> float:
        return float(brentq(lambda c: crossing(c * shape, shares, both=True).sum() - 0.05, 1.5, 4))

    assert constant(shares**-0.5) == pytest.approx(obrien_fleming, abs=6e-4)
    assert constant(np.ones(looked)) == pytest.approx(pocock, abs=6e-4)


def test_random_walks_cross_as_often_as_was_spent() -> None:
    """40,000 walks: a standard error of 0.0008 at 0.025, three times as much at half."""
    rng, shares = np.random.default_rng(0), np.array(SHARES)
    steps = rng.normal(size=(40_000, len(shares))) * np.sqrt(np.diff(shares, prepend=0))
    for drift in (0.0, 4.0):
        errors = (steps.cumsum(axis=1) + drift * shares) / np.sqrt(shares)
        ends = reaches(SHARES, 0.025)
        first = np.where((errors >= ends).any(axis=1), (errors >= ends).argmax(axis=1), len(shares))
        counted = np.bincount(first, minlength=len(shares) + 1)[:-1] / len(first)
        assert counted == pytest.approx(crossing(ends, SHARES, drift), abs=0.008)
        if not drift:
            assert counted.sum() == pytest.approx(0.025, abs=0.0025)


def test_naive_looks_err_far_more_often() -> None:
    assert crossing([1.96] * len(SHARES), SHARES).sum() > 0.08


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_looks_become_less_strict_and_spend_all_in_the_end(confidence: float) -> None:
    taken = looks(confidence)
    assert [look.share for look in taken] == list(SHARES)
    levels, chances = [look.level for look in taken], [look.spent for look in taken]
    assert levels == sorted(levels, reverse=True) and 1 > levels[0] > levels[-1] > confidence
    assert chances == sorted(chances) and chances[0] < 1e-4 and chances[-1] == pytest.approx(1 - confidence)
    assert looks(confidence, (1.0,))[0].level == pytest.approx(confidence)
