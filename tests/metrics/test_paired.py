import json

import numpy as np
import pytest
import reference_paired as reference
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from sparsescope.metrics.paired import LISTED, by_class, changed_sides, paired_interval
from sparsescope.results import plain

COUNTS = st.integers(0, 60)


def interval(both, lost, gained, neither, level=0.95):
    counts = [np.array([count]) for count in (both, lost, gained, both + lost + gained + neither)]
    lower, upper = paired_interval(*counts, level)
    return lower[0], upper[0]


def test_changed_sides_by_hand():
    dense = np.array([True, True, False, False, True])
    own = np.array([True, False, True, False, False])
    assert changed_sides(own, dense) == {"lost": {"n": 2, "images": [1, 4]}, "gained": {"n": 1, "images": [2]}}


def test_lists_are_capped_and_counts_are_not():
    sides = changed_sides(np.zeros(250, bool), np.ones(250, bool))
    assert sides["lost"] == {"n": 250, "images": list(range(LISTED))}
    assert sides["gained"] == {"n": 0, "images": []}


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.sampled_from([0.5, 0.95, 0.9995]))
def test_interval_agrees_with_the_literal_rewrite(both, lost, gained, neither, level):
    if both + lost + gained + neither == 0:
        return
    expected = reference.interval(both, gained, lost, neither, norm.ppf((1 + level) / 2))
    assert interval(both, lost, gained, neither, level) == pytest.approx(expected, abs=1e-9)


def test_interval_of_tables_treated_in_the_literature():
    """Newcombe 1998 (36, 12, 2, 0); Fagerland, Lydersen & Laake 2014, airway hyper-responsiveness (1, 1, 7, 12)."""
    assert interval(36, 2, 12, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert interval(1, 7, 1, 12) == pytest.approx((-0.507, -0.026), abs=5e-4)


@pytest.mark.parametrize(("n", "lost"), [(20, 3), (50, 1), (10, 10)])
def test_against_a_perfect_dense_model_it_is_the_wilson_interval_of_scipy(n, lost):
    """With p_dense = 1 a margin is empty: phi is 0, and the lower end is that of the candidate's accuracy, minus 1."""
    wilson = binomtest(n - lost, n).proportion_ci(0.95, method="wilson")
    assert interval(n - lost, lost, 0, 0)[0] == pytest.approx(wilson.low - 1)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_interval_holds_the_difference_stays_in_range_and_turns_with_the_models(both, lost, gained, neither):
    n = both + lost + gained + neither
    if n == 0:
        return
    lower, upper = interval(both, lost, gained, neither)
    assert -1 - 1e-9 <= lower <= (gained - lost) / n + 1e-9
    assert (gained - lost) / n - 1e-9 <= upper <= 1 + 1e-9
    assert interval(both, gained, lost, neither) == pytest.approx((-upper, -lower), abs=1e-9)


@pytest.mark.parametrize(
    ("n", "lost", "gained"), [(100, 0.02, 0.02), (100, 0.2, 0.03), (1000, 0.06, 0.02), (1000, 0.2, 0.03)]
)
@pytest.mark.parametrize("classes", [10, 100])
def test_intervals_of_all_classes_cover_together(n, lost, gained, classes):
    """Simulated: 2,000 test sets of K classes with n images each; all K intervals must hold in 95 % of them."""
    rng = np.random.default_rng(classes + n)
    counts = rng.multinomial(n, [0.75, lost, gained, 0.25 - lost - gained], size=(2000, classes))
    level = 1 - 0.05 / classes
    lower, upper = paired_interval(counts[..., 0], counts[..., 1], counts[..., 2], np.full((2000, classes), n), level)
    covered = ((lower <= gained - lost) & (gained - lost <= upper)).all(axis=1).mean()
    assert covered > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 2000)
    if n == 1000:
        assert covered < 0.985  # and they are not wider than they must be, where images abound


def test_by_class_by_hand():
    """Class 0: dense 2/2, own 1/2. Class 1: dense 1/3, own 2/3. Class 2 has no images."""
    labels = np.array([0, 0, 1, 1, 1])
    dense = np.array([True, True, True, False, False])
    own = np.array([True, False, True, True, False])
    table = plain(by_class(own, dense, labels, 3, 0.9))
    assert table["n"] == [2, 3, 0]
    assert table["lost"] == [1, 0, 0]
    assert table["gained"] == [0, 1, 0]
    assert table["dense"] == pytest.approx([1, 1 / 3, None])
    assert table["own"] == pytest.approx([1 / 2, 2 / 3, None])
    assert table["difference"] == pytest.approx([-1 / 2, 1 / 3, None])
    # two classes with images, so 95 % each for 90 % together
    first, second = reference.interval(1, 0, 1, 0, 1.959964), reference.interval(1, 1, 0, 1, 1.959964)
    assert table["lower"] == pytest.approx([first[0], second[0], None], abs=1e-6)
    assert table["upper"] == pytest.approx([first[1], second[1], None], abs=1e-6)
    assert (table["confidence"], table["method"]) == (0.9, "Newcombe 1998, method 10; Bonferroni over the classes")
    assert json.loads(json.dumps(table)) == table


def test_classes_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    labels, dense, own = rng.integers(0, 7, 500), rng.random(500) < 0.9, rng.random(500) < 0.8
    table, sides = by_class(own, dense, labels, 7, 0.95), changed_sides(own, dense)
    assert sum(table["lost"]) == sides["lost"]["n"]
    assert sum(table["gained"]) == sides["gained"]["n"]
    assert np.average(table["difference"], weights=table["n"]) == pytest.approx(own.mean() - dense.mean())
