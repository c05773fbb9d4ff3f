"""The weighted ridge regression and what is read off it: by hand, literally, and against lime, sklearn and captum."""

import numpy as np
import pytest
import reference_lime
import torch
from captum._utils.models.linear_model import SkLearnLinearModel
from captum.attr import LimeBase as CaptumLimeBase
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.lime_base import LimeBase
from sklearn.linear_model import Ridge

from sparsescope.lime.perturbations import distances, kernel
from sparsescope.lime.regression import (
    fidelity,
    fidelity_r2,
    is_constant,
    stability,
    stability_relative,
    weighted_ridge,
)

CORNERS = np.array([[1.0, 1], [1, 0], [0, 1], [0, 0]])
CORNER_Y = np.array([1.0, 0.6, 0.3, 0.1])


def neighbourhood(seed: int, n: int, d: int, rows: int, kind: str):
    """Random Z, y and the weights around `rows` rows."""
    rng = np.random.default_rng(seed)
    kept = rng.integers(0, 2, (n, d), dtype=bool)
    kept[0] = True
    y = rng.random(n)
    return kept.astype(float), y, kernel(distances(kept, np.arange(rows), kind), 0.25)


def test_two_superpixels_by_hand():
    """All weights 1, alpha 1: Z'Z + I = 2 I on centred columns of +-1/2, so b = (0.6, 0.3) / 2."""
    fits = weighted_ridge(CORNERS, CORNER_Y, np.ones((1, 4)), 1.0)
    np.testing.assert_allclose(fits.coefficients, [[0.3, 0.15]], rtol=1e-14)
    np.testing.assert_allclose(fits.intercepts, [0.275], rtol=1e-14)
    predicted = CORNERS @ fits.coefficients[0] + fits.intercepts[0]
    np.testing.assert_allclose(predicted, [0.725, 0.575, 0.425, 0.275], rtol=1e-14)
    assert fidelity(CORNER_Y, predicted) == pytest.approx(0.030625, rel=1e-12)
    assert fidelity_r2(CORNER_Y, predicted, np.ones(4)) == pytest.approx(1 - 0.030625 / 0.115, rel=1e-12)


def test_stability_by_hand():
    """Weights (1, 1, 0, 0) see superpixel 1 always kept, so its coefficient is 0, and b_2 = 0.2 / (0.5 + 1)."""
    fits = weighted_ridge(CORNERS, CORNER_Y, np.array([[1.0, 1, 1, 1], [1, 1, 0, 0]]), 1.0)
    np.testing.assert_allclose(fits.coefficients[1], [0, 2 / 15], atol=1e-15)
    expected = 0.3**2 + (0.15 - 2 / 15) ** 2
    assert stability(fits.coefficients[0], fits.coefficients[1:]) == pytest.approx(expected, rel=1e-12)
    relative = stability_relative(fits.coefficients[0], fits.coefficients[1:])
    assert relative == pytest.approx(expected / (0.3**2 + 0.15**2), rel=1e-12)
    twice = np.stack([fits.coefficients[1], fits.coefficients[0]])
    assert stability(fits.coefficients[0], twice) == pytest.approx(expected / 2, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(8, 60),
    d=st.integers(2, 20),
    kind=st.sampled_from(["hamming", "cosine"]),
    alpha=st.sampled_from([0.01, 1.0, 10.0]),
)
def test_equals_the_literal_rewrite(seed, n, d, kind, alpha):
    z, y, weights = neighbourhood(seed, n, d, 4, kind)
    fits = weighted_ridge(z, y, weights, alpha)
    for p in range(4):
        coefficients, intercept = reference_lime.ridge(z, y, reference_lime.weights_around(z, z[p], kind, 0.25), alpha)
        np.testing.assert_allclose(fits.coefficients[p], coefficients, atol=1e-10)
        assert fits.intercepts[p] == pytest.approx(intercept, abs=1e-10)
    predicted = z @ fits.coefficients[0] + fits.intercepts[0]
    assert fidelity(y, predicted) == pytest.approx(reference_lime.fidelity(z, y, kind, 0.25, alpha), abs=1e-10)
    r2 = reference_lime.fidelity_r2(z, y, kind, 0.25, alpha)
    assert fidelity_r2(y, predicted, weights[0]) == pytest.approx(r2, abs=1e-10)
    expected = reference_lime.stability(z, y, np.array([1, 2, 3]), kind, 0.25, alpha)
    assert stability(fits.coefficients[0], fits.coefficients[1:]) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kind", ["hamming", "cosine"])
@pytest.mark.parametrize("d", [2, 15, 60])
def test_equals_the_lime_package(kind, d):
    z, y, weights = neighbourhood(5, 1000, d, 1, kind)
    fits = weighted_ridge(z, y, weights, 1.0)
    base = LimeBase(lambda x: np.sqrt(np.exp(-(x**2) / 0.25**2)), random_state=0)
    intercept, pairs, score, _ = base.explain_instance_with_data(
        z, y[:, None], distances(z.astype(bool), np.array([0]), kind)[0], 0, d, feature_selection="none"
    )
    np.testing.assert_allclose(fits.coefficients[0], [value for _, value in sorted(pairs)], atol=1e-10)
    assert fits.intercepts[0] == pytest.approx(intercept, abs=1e-10)
    assert fidelity_r2(y, z @ fits.coefficients[0] + fits.intercepts[0], weights[0]) == pytest.approx(score, abs=1e-10)


def test_equals_captum_with_the_same_regression():
    """captum draws, weighs and fits by itself: the model is y = f(z) and the rows are handed to it one by one."""
    z, y, weights = neighbourhood(6, 200, 8, 1, "hamming")
    table = {tuple(row): value for row, value in zip(z.astype(int).tolist(), y, strict=True)}
    y = np.array([table[tuple(row)] for row in z.astype(int).tolist()])  # repeated rows agree, as a model's would
    rows = iter(torch.from_numpy(z)[:, None, :])
    captum = CaptumLimeBase(
        lambda x: torch.tensor([table[tuple(row)] for row in x.int().tolist()], dtype=torch.float64),
        SkLearnLinearModel("linear_model.Ridge", alpha=1.0),
        similarity_func=lambda _original, _perturbed, row, **_: torch.exp(-((row != 1).double().mean() ** 2) / 0.125),
        perturb_func=lambda _original, **_: next(rows),
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda row, _original, **_: row,
        to_interp_rep_transform=None,
    )
    theirs = captum.attribute(torch.ones(1, 8, dtype=torch.float64), n_samples=200)
    ours = weighted_ridge(z, y, weights, 1.0).coefficients[0]
    np.testing.assert_allclose(ours, theirs.double().numpy().ravel(), atol=1e-6)  # captum fits in float32


def test_equals_scikit_learn_on_any_columns():
    rng = np.random.default_rng(1)
    z, y, weights = rng.normal(size=(50, 7)), rng.normal(size=50), rng.random((3, 50))
    fits = weighted_ridge(z, y, weights, 0.3)
    for p in range(3):
        ridge = Ridge(alpha=0.3).fit(z, y, sample_weight=weights[p])
        np.testing.assert_allclose(fits.coefficients[p], ridge.coef_, atol=1e-12)


def test_small_alpha_recovers_a_linear_model_exactly():
    z, _, weights = neighbourhood(2, 300, 10, 3, "hamming")
    truth = np.linspace(-0.1, 0.2, 10)
    fits = weighted_ridge(z, z @ truth + 0.3, weights, 1e-8)
    np.testing.assert_allclose(fits.coefficients, np.tile(truth, (3, 1)), atol=1e-7)
    np.testing.assert_allclose(fits.intercepts, 0.3, atol=1e-7)
    assert not fits.singular.any()


def test_alpha_0_on_superpixels_that_always_come_together_shares_the_effect():
    z = np.repeat(CORNERS[:, :1], 3, axis=1)
    fits = weighted_ridge(z, np.array([0.9, 0.9, 0.3, 0.3]), np.ones((1, 4)), 0.0)
    np.testing.assert_allclose(fits.coefficients, [[0.2, 0.2, 0.2]], atol=1e-12)
    assert fits.singular.all()
    limit = weighted_ridge(z, np.array([0.9, 0.9, 0.3, 0.3]), np.ones((1, 4)), 1e-7)
    np.testing.assert_allclose(limit.coefficients, fits.coefficients, atol=1e-6)


def test_alpha_0_with_fewer_rows_than_superpixels_interpolates_with_the_least_norm():
    z, y, weights = neighbourhood(3, 6, 20, 2, "hamming")
    fits = weighted_ridge(z, y, weights, 0.0)
    assert fits.singular.all()
    np.testing.assert_allclose(z @ fits.coefficients[0] + fits.intercepts[0], y, atol=1e-9)
    by_lstsq = np.linalg.lstsq(z - z.mean(axis=0), y - y.mean(), rcond=None)[0]
    assert np.linalg.norm(fits.coefficients[0]) <= np.linalg.norm(by_lstsq) * (1 + 1e-9)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_weights_that_vanish_give_zeros_and_no_nan(alpha):
    z, y, weights = neighbourhood(4, 30, 5, 2, "hamming")
    weights[0] = 0
    weights[1] = np.eye(30)[3]
    fits = weighted_ridge(z, y, weights, alpha)
    np.testing.assert_allclose(fits.coefficients, 0, atol=1e-12)
    assert np.isfinite(fits.intercepts).all()
    assert fits.singular.all() == (alpha == 0)


def test_constant_up_to_float32_noise():
    weights = np.ones(1000)
    noise = np.random.default_rng(0).normal(0, 1e-8, 1000)
    assert is_constant(np.full(1000, 0.1), weights)
    assert is_constant(0.1 + noise, weights)
    assert is_constant(np.zeros(1000), weights)
    assert not is_constant(0.1 + 1e4 * noise, weights)
    assert not is_constant(1e-6 * (1 + 1e6 * noise), weights)  # small, but it moves


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100), shift=st.floats(-1, 1))
def test_twins_are_free_of_scale_and_raw_values_are_not(seed, scale, shift):
    z, y, weights = neighbourhood(seed, 40, 6, 3, "hamming")
    order = np.random.default_rng(seed).permutation(40)

    def read(z, y, weights):
        fits = weighted_ridge(z, y, weights, 1.0)
        predicted = z @ fits.coefficients[0] + fits.intercepts[0]
        pair = fits.coefficients[0], fits.coefficients[1:]
        return np.array(
            [
                fidelity(y, predicted),
                stability(*pair),
                fidelity_r2(y, predicted, weights[0]),
                stability_relative(*pair),
            ]
        )

    base = read(z, y, weights)
    np.testing.assert_allclose(
        read(z[order], y[order], weights[:, order]), base, rtol=1e-8, atol=1e-12
    )  # rows have no order
    np.testing.assert_allclose(
        read(z, scale * y + shift, weights), base * [scale**2, scale**2, 1, 1], rtol=1e-6, atol=1e-10
    )
