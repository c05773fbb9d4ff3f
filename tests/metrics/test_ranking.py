import numpy as np
import pytest
import reference_ood as reference
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from sparsescope.metrics import ranking as module
from sparsescope.metrics.ranking import auroc, average_precision, false_positive_rate

SCORES = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0]), min_size=1, max_size=8)


def scores(seed, n=60, m=40, *, ties):
    rng = np.random.default_rng(seed)
    positive, negative = rng.normal(0.7, 1, n), rng.normal(0, 1, m)
    return (positive.round(), negative.round()) if ties else (positive, negative)


def ones(values):
    return np.ones(len(values))


def test_auroc_by_hand():
    """Of the six pairs, 3 > 1, 3 > 2, 3 = 3 (half), 2 > 1, 2 = 2 (half), 2 < 3: 4 of 6."""
    positive, negative = np.array([3.0, 2.0]), np.array([1.0, 2.0, 3.0])
    assert auroc(positive, negative, ones(positive), ones(negative)) == pytest.approx(4 / 6)


def test_all_tied_is_a_half():
    assert auroc(np.zeros(3), np.zeros(5), np.ones(3), np.ones(5)) == 0.5


@given(SCORES, SCORES, st.integers(0, 2**32 - 1))
def test_auroc_agrees_with_all_pairs_under_weights(positive, negative, seed):
    rng = np.random.default_rng(seed)
    w, v = rng.integers(1, 4, (3, len(positive))) * 1.0, rng.integers(1, 4, (3, len(negative))) * 1.0
    expected = [reference.auroc(positive, negative, *rows) for rows in zip(w, v, strict=True)]
    np.testing.assert_allclose(auroc(np.array(positive), np.array(negative), w, v), expected)


@pytest.mark.parametrize("ties", [False, True])
def test_auroc_agrees_with_scikit_learn_under_weights(ties):
    positive, negative = scores(0, ties=ties)
    rng = np.random.default_rng(1)
    w, v = rng.poisson(1, 60).astype(float), rng.poisson(1, 40).astype(float)
    expected = roc_auc_score(np.r_[np.ones(60), np.zeros(40)], np.r_[positive, negative], sample_weight=np.r_[w, v])
    assert auroc(positive, negative, w, v) == pytest.approx(expected)


def test_swapping_the_classes_and_the_sign_changes_nothing():
    positive, negative = scores(2, ties=True)
    there = auroc(positive, negative, ones(positive), ones(negative))
    assert auroc(-negative, -positive, ones(negative), ones(positive)) == pytest.approx(float(there))
    assert auroc(negative, positive, ones(negative), ones(positive)) == pytest.approx(1 - float(there))


def test_blocks_of_weight_rows_change_nothing(monkeypatch):
    positive, negative = scores(3, ties=True)
    rng = np.random.default_rng(0)
    w, v = rng.random((7, 60)), rng.random((7, 40))
    whole = auroc(positive, negative, w, v)
    monkeypatch.setattr(module, "_BLOCK", 200)
    np.testing.assert_allclose(auroc(positive, negative, w, v), whole, rtol=1e-13)


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (0, 0)])
def test_a_class_without_images_is_nan(n, m):
    assert np.isnan(auroc(np.zeros(n), np.zeros(m), np.ones(n), np.ones(m)))


def test_a_class_without_weight_is_nan_in_that_row_only():
    weights = np.array([[1.0, 1.0], [0.0, 0.0]])
    areas = auroc(np.array([1.0, 2.0]), np.array([0.0, 0.5]), weights, np.ones((2, 2)))
    assert areas[0] == 1
    assert np.isnan(areas[1])


def test_average_precision_by_hand():
    """Ranks + - + -: half the recall at precision 1, half at 2/3."""
    assert average_precision(np.array([4.0, 2.0]), np.array([3.0, 1.0])) == pytest.approx(0.5 + 0.5 * 2 / 3)


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_agrees_with_scikit_learn(ties):
    positive, negative = scores(4, ties=ties)
    expected = average_precision_score(np.r_[np.ones(60), np.zeros(40)], np.r_[positive, negative])
    assert average_precision(positive, negative) == pytest.approx(expected)


@given(SCORES, SCORES)
def test_average_precision_agrees_with_every_threshold(positive, negative):
    expected = reference.average_precision(positive, negative)
    assert average_precision(np.array(positive), np.array(negative)) == pytest.approx(expected)


def test_false_positive_rate_by_hand():
    """Twenty positives 1 … 20: 95 % are 19 of them, so the threshold is 2, and of -1, 2, 7 two are accepted."""
    positive = np.arange(1.0, 21)
    assert false_positive_rate(positive, np.array([-1.0, 2.0, 7.0]), 0.95) == pytest.approx(2 / 3)
    assert false_positive_rate(positive[:19], np.array([0.0, 1.0, 1.5]), 0.95) == pytest.approx(2 / 3)


@given(SCORES, SCORES, st.sampled_from([0.05, 0.5, 0.8, 0.95, 1.0]))
def test_false_positive_rate_agrees_with_every_threshold(positive, negative, rate):
    expected = reference.false_positive_rate(positive, negative, rate)
    assert false_positive_rate(np.array(positive), np.array(negative), rate) == expected


@pytest.mark.parametrize("ties", [False, True])
def test_false_positive_rate_agrees_with_scikit_learn(ties):
    positive, negative = scores(5, ties=ties)
    false_positive, true_positive, _ = roc_curve(
        np.r_[np.ones(60), np.zeros(40)], np.r_[positive, negative], drop_intermediate=False
    )
    expected = false_positive[np.argmax(true_positive >= 0.95)]
    assert false_positive_rate(positive, negative, 0.95) == pytest.approx(expected)
