import tracemalloc

import numpy as np
import pytest
from scipy.sparse.linalg import eigsh

from sparsescope.curvature.lanczos import top_eigenvalue, top_eigenvalues


def symmetric(rng, eigenvalues):
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return basis * eigenvalues @ basis.T


def test_against_eigsh_with_a_negative_eigenvalue_of_larger_size():
    rng = np.random.default_rng(0)
    matrix = symmetric(rng, np.concatenate([[-9.0, 5.0], rng.uniform(-1, 1, 198)]))
    found = top_eigenvalue(lambda v: matrix @ v, 200, np.random.default_rng(1), tolerance=1e-6)
    assert found.value[0] == pytest.approx(eigsh(matrix, 1, which="LA", return_eigenvectors=False)[0], abs=5e-6)
    assert found.magnitude[0] == pytest.approx(9.0, rel=1e-3)
    assert found.products[0] < 40


def test_residual_bounds_the_error():
    rng = np.random.default_rng(2)
    eigenvalues = np.sort(rng.exponential(size=100))
    matrix = symmetric(rng, eigenvalues)
    for tolerance in (0.3, 1e-2, 1e-4):
        found = top_eigenvalue(lambda v: matrix @ v, 100, np.random.default_rng(3), tolerance=tolerance)
        assert found.residual[0] <= tolerance * found.value[0]
        assert np.abs(eigenvalues - found.value[0]).min() <= found.residual[0] + 1e-12


def test_each_matrix_stops_for_itself():
    rng = np.random.default_rng(4)
    matrices = np.stack([symmetric(rng, rng.exponential(size=30) ** power) for power in (1, 3, 9)])
    start = rng.standard_normal((3, 30))
    together = top_eigenvalues(lambda v: np.einsum("nij,nj->ni", matrices, v), start)
    for k in range(3):
        alone = top_eigenvalues(lambda v, m=matrices[k]: v @ m, start[k : k + 1])
        for name in ("value", "residual", "magnitude", "products"):
            assert getattr(together, name)[k] == pytest.approx(getattr(alone, name)[0], rel=1e-9, abs=1e-12)
    assert len(set(together.products)) > 1
    np.testing.assert_allclose(together.value, np.linalg.eigvalsh(matrices)[:, -1], rtol=1e-3)


def test_full_space_and_limit():
    rng = np.random.default_rng(5)
    matrix = symmetric(rng, np.linspace(1, 1.01, 6))
    found = top_eigenvalue(lambda v: matrix @ v, 6, rng, tolerance=1e-12)
    assert found.value[0] == pytest.approx(1.01, rel=1e-12)
    assert found.products[0] <= 6
    stopped = top_eigenvalue(lambda v: matrix @ v, 6, rng, tolerance=1e-12, max_products=2)
    assert stopped.products[0] == 2
    assert stopped.residual[0] > 1e-6


def test_zero_and_rank_one_matrices():
    start = np.random.default_rng(6).standard_normal((2, 5))
    vector = np.array([3.0, 4.0, 0.0, 0.0, 0.0])
    matrices = np.stack([np.zeros((5, 5)), np.outer(vector, vector)])
    found = top_eigenvalues(lambda v: np.einsum("nij,nj->ni", matrices, v), start)
    np.testing.assert_allclose(found.value, [0, 25], atol=1e-12)
    assert np.isfinite(found.residual).all()


def test_the_basis_is_held_once():
    """With 36 million weights 60 vectors are 17 GB, which no machine should need twice."""
    size = 50_000
    diagonal = 1 + np.linspace(0, 1e-3, size)
    tracemalloc.start()
    found = top_eigenvalue(lambda v: diagonal * v, size, np.random.default_rng(5), tolerance=1e-12, max_products=40)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.products[0] == 40
    assert peak < 1.3 * 40 * size * 8


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_matrix_with_products_that_are_not_finite_costs_no_other(at, value):
    rng = np.random.default_rng(4)
    matrices = np.stack([symmetric(rng, np.arange(1.0, 21.0)) for _ in range(3)])
    start, calls = rng.standard_normal((3, 20)), []

    def product(vectors, broken=True):
        found = np.einsum("nij,nj->ni", matrices, vectors)
        if broken and len(calls) >= at:
            found[1, 5] = value
        calls.append(None)
        return found

    found, whole = top_eigenvalues(product, start), top_eigenvalues(lambda vectors: product(vectors, False), start)
    assert np.isnan([found.value[1], found.residual[1], found.magnitude[1], found.products[1]]).all()
    for name in ("value", "residual", "magnitude", "products"):
        np.testing.assert_array_equal(getattr(found, name)[[0, 2]], getattr(whole, name)[[0, 2]])
