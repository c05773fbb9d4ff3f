from decimal import Decimal, getcontext

import numpy as np
import pytest
import reference_calibration as reference
from scipy.special import log_softmax, logsumexp

from sparsescope import softmax as module
from sparsescope.softmax import brier_score, log_max_softmax, log_normaliser, negative_log_likelihood

RNG = np.random.default_rng(0)
LOGITS = (RNG.normal(size=(50, 7)) * 5).astype(np.float32)
LABELS = RNG.integers(0, 7, 50)


def test_agree_with_scipy():
    expected = log_softmax(LOGITS.astype(np.float64), axis=1)
    np.testing.assert_allclose(log_max_softmax(LOGITS), expected.max(axis=1), rtol=1e-9)
    np.testing.assert_allclose(negative_log_likelihood(LOGITS, LABELS), -expected[np.arange(50), LABELS], rtol=1e-9)
    np.testing.assert_allclose(log_normaliser(LOGITS), logsumexp(LOGITS.astype(np.float64), axis=1))


def test_brier_score_agrees_with_the_literal_sum():
    assert brier_score(LOGITS, LABELS).mean() == pytest.approx(reference.brier(LOGITS.tolist(), LABELS.tolist()))


def test_brier_score_by_hand():
    """Uniform over two classes: (1/2)^2 + (1/2)^2; certain and wrong: 1 + 1; certain and right: 0."""
    logits = np.array([[0, 0], [1000, 0], [1000, 0]], np.float32)
    assert brier_score(logits, np.array([0, 1, 0])).tolist() == [0.5, 2.0, 0.0]


def test_uniform_logits_by_hand():
    logits = np.full((1, 4), 3, np.float32)
    assert log_max_softmax(logits) == pytest.approx(np.log(1 / 4))
    assert log_normaliser(logits) == pytest.approx(3 + np.log(4))


@pytest.mark.parametrize("margin", [20.0, 50.0, 700.0])
def test_confident_images_do_not_tie(margin):
    """A float64 log-softmax is exactly 0 from a margin of 37 on, a float32 softmax exactly 1 from 17 on."""
    scores = log_max_softmax(np.array([[margin, 0], [margin + 1, 0]], np.float32))
    assert scores[0] < scores[1] < 0


def test_exact_in_the_tail():
    getcontext().prec = 50
    expected = -(1 + 2 * (Decimal(-60)).exp()).ln()
    score = log_max_softmax(np.array([[0, -60, -60]], np.float32))
    assert float(score[0]) == pytest.approx(float(expected), rel=1e-12)


def test_finite_for_extreme_logits():
    huge = np.float32(3e38)
    logits = np.array([[huge, -huge, 0], [-huge, -huge, -huge], [1e4, -1e4, 0]], np.float32)
    labels = np.array([1, 0, 1])
    for values in (log_max_softmax(logits), log_normaliser(logits), negative_log_likelihood(logits, labels)):
        assert np.isfinite(values).all()
    assert negative_log_likelihood(logits, labels)[2] == 2e4
    assert np.isfinite(brier_score(logits, labels)).all()


def test_blocks_change_nothing(monkeypatch):
    whole = log_max_softmax(LOGITS), brier_score(LOGITS, LABELS)
    monkeypatch.setattr(module, "_BLOCK", 3 * 7)
    np.testing.assert_array_equal(log_max_softmax(LOGITS), whole[0])
    np.testing.assert_array_equal(brier_score(LOGITS, LABELS), whole[1])
