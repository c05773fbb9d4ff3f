import numpy as np
import pytest
import reference_curvature as reference
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import NotEvaluated
from sparsescope.measurements.base import run
from sparsescope.measurements.input_curvature import InputCurvature
from sparsescope.measurements.predictions import Predictions


def test_each_image_has_its_own_hessian(small_classifier, small_benchmark):
    measurement = InputCurvature("train", images=5)
    ids = measurement.unit_ids(small_benchmark, 2)
    arrays = run(measurement, small_classifier, small_benchmark, seed=2)
    images, labels = small_benchmark.train.read(ids), small_benchmark.train.labels[ids]
    full = [reference.input_hessian(small_classifier, x, y) for x, y in zip(images, labels, strict=True)]
    np.testing.assert_allclose(arrays["trace"], np.trace(full, axis1=1, axis2=2), rtol=1e-5)
    np.testing.assert_allclose(arrays["top_eigenvalue"], np.linalg.eigvalsh(full)[:, -1], rtol=1e-5)
    assert arrays["exact"].all()


@pytest.mark.parametrize("method", ["auto", "hutchinson"])
def test_does_not_depend_on_batch_or_shard(small_classifier, small_benchmark, method):
    measurement = InputCurvature("test", images=9, method=method, probes=3)
    ids = measurement.unit_ids(small_benchmark, 0)
    whole = run(measurement, small_classifier, small_benchmark, batch_size=200)
    for size in (1, 7):
        other = run(measurement, small_classifier, small_benchmark, batch_size=size)
        np.testing.assert_allclose(other["trace"], whole["trace"], rtol=1e-4, atol=1e-7)
    with small_classifier.prepared():
        shards = [
            measurement.measure(small_classifier, measurement.prepare(small_benchmark, part, 0), {}, 4)
            for part in (ids[:2], ids[2:])
        ]
    for name in whole:
        together = np.concatenate([shard[name] for shard in shards])
        np.testing.assert_allclose(together, whole[name], rtol=1e-3 if name == "residual" else 1e-4, atol=1e-6)


def test_population_is_that_of_the_predictions(small_benchmark):
    measurement, clean = InputCurvature("train", images=9), Predictions("train", 9)
    assert measurement.population == clean.population
    np.testing.assert_array_equal(measurement.unit_ids(small_benchmark, 1), clean.unit_ids(small_benchmark, 1))


def test_a_missing_set_is_not_evaluated(small_benchmark):
    with pytest.raises(NotEvaluated, match="no train images"):
        InputCurvature("train").unit_ids(Benchmark("test only", small_benchmark.test), 0)


def test_stays_near_the_floor_of_passes(small_network, small_benchmark):
    classifier = Classifier(nn.Sequential(small_network))
    run(InputCurvature("test", images=None), classifier, small_benchmark, batch_size=8)
    assert classifier.passes.forward <= 40 + 5  # and twice two images of noise and one to count the classes
    assert classifier.passes.backward == 40 * 3 + 2 + 2 * 3  # gradients and a product of the same images of noise
