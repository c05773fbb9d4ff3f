"""The score interval against the literature, the test that it inverts done another way, and exact error rates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.special import xlogy

from sparsescope.proportions import score_interval, units_for_margin


def by_likelihood(lost: int, gained: int, n: int, z: float) -> list[float]:
    """Both ends by root finding, the nuisance by maximising the trinomial likelihood of lost, gained and neither."""

    def score(difference: float) -> float:
        def unlikely(share_lost: float) -> float:
            share_gained = share_lost + difference
            rest = max(1 - share_lost - share_gained, 0.0)
            return -float(xlogy(lost, share_lost) + xlogy(gained, share_gained) + xlogy(n - lost - gained, rest))

        bounds = max(-difference, 0.0) + 1e-14, (1 - difference) / 2
        share = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        variance = 2 * share + difference - difference**2
        return float((gained - lost - n * difference) / math.sqrt(n * max(variance, 1e-300)))

    value = (gained - lost) / n
    inner = 1e-9
    return [
        brentq(lambda d: score(d) - z, -1 + inner, value - inner),
        brentq(lambda d: score(d) + z, value + inner, 1 - inner),
    ]


@pytest.mark.parametrize(
    ("lost", "gained", "n", "expected"),
    [(7, 1, 21, (-0.517, -0.026)), (2, 12, 50, (0.0611, 0.3447))],
)
def test_tables_treated_in_the_literature(lost: int, gained: int, n: int, expected: tuple[float, float]) -> None:
    """Fagerland, Lydersen & Laake 2014, airway hyper-responsiveness (1, 1, 7, 12); Newcombe 1998 (36, 12, 2, 0)."""
    assert score_interval(lost, gained, n, 0.95) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("lost", "gained", "n"), [(7, 1, 21), (2, 12, 50), (5, 9, 100), (1, 3, 400), (30, 30, 1000)])
def test_it_inverts_the_score_test(lost: int, gained: int, n: int) -> None:
    assert score_interval(lost, gained, n, 0.95) == pytest.approx(by_likelihood(lost, gained, n, 1.959964), abs=1e-5)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 500), st.sampled_from([0.8, 0.95, 0.999]))
def test_it_holds_the_difference_and_turns_round_with_the_models(
    lost: int, gained: int, same: int, level: float
) -> None:
    n = lost + gained + same
    if n == 0:
        return
    low, high = score_interval(lost, gained, n, level)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert score_interval(gained, lost, n, level) == pytest.approx((-high, -low), abs=1e-12)


def test_where_nothing_differs_it_is_as_wide_as_the_units_allow() -> None:
    z = 1.959964
    for n in (1, 20, 381):
        reach = z**2 / (n + z**2)
        assert score_interval(0, 0, n, 0.95) == pytest.approx((-reach, reach), abs=1e-6)


def test_many_at_once() -> None:
    low, high = score_interval(np.array([0, 3]), np.array([1, 2]), 30, 0.95)
    for place, (lost, gained) in enumerate([(0, 1), (3, 2)]):
        assert score_interval(lost, gained, 30, 0.95) == (low[place], high[place])


@pytest.mark.parametrize("differing", [0.0, 0.02, 0.1])
def test_the_number_of_units_is_one_at_which_the_expected_counts_decide(differing: float) -> None:
    """Without power, of the counts that are expected: one image fewer and the interval reaches beyond the margin."""
    needed = units_for_margin(differing, 0.01, 1.959964, 0.0)
    lows = [float(score_interval(differing / 2 * n, differing / 2 * n, n, 0.95)[0]) for n in (needed - 1, needed + 1)]
    assert lows[0] < -0.01 <= lows[1]
