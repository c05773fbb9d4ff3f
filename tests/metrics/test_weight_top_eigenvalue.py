import numpy as np
import pytest
import reference_curvature as reference
import torch

from sparsescope.metrics.weight_top_eigenvalue import WeightTopEigenvalue
from sparsescope.units import Units


def test_reduction_by_hand():
    arrays = {
        "top_eigenvalue": np.array([1.0, 4.0]),
        "residual": np.array([1e-3, 2e-3]),
        "magnitude": np.array([2.0, 4.0]),
        "products": np.array([7.0, 8.0]),
        "images": np.array([5.0, 5.0]),
    }
    metric, units = WeightTopEigenvalue(), Units({"test/10/units of 5, whole": 2}, arrays)
    np.testing.assert_allclose(metric.reduce(units, np.array([[1.0, 1.0], [0.0, 2.0]])), [2.5, 4.0])
    assert metric.details(units) == {
        "image_set": "test",
        "images": 10,
        "images_per_group": 5,
        "products": 15,
        "largest_residual": 2e-3,
        "mean_magnitude": 3.0,
    }


def test_agrees_with_the_full_hessian(small_classifier, small_benchmark):
    torch.manual_seed(0)
    metric = WeightTopEigenvalue(images=None, images_per_unit=24)
    units = metric.measure(small_classifier, small_benchmark)
    images, labels = small_benchmark.train.read(range(24)), small_benchmark.train.labels
    full, _ = reference.weight_hessian(small_classifier, images, labels)
    assert metric.value(units) == pytest.approx(np.linalg.eigvalsh(full)[-1], rel=2e-3)
