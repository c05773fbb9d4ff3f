import numpy as np
import pytest
import reference_curvature as reference
import torch
from torch import nn

from sparsescope.classifier import Classifier
from sparsescope.mask import Mask
from sparsescope.measurements.base import run
from sparsescope.measurements.weight_curvature import WeightCurvature, WeightSpectrum


@pytest.fixture
def smooth_classifier():
    torch.manual_seed(1)
    return Classifier(nn.Sequential(nn.Conv2d(3, 2, 5), nn.GELU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(2, 4)))


def test_micro_batches_partition_the_sample(small_benchmark):
    measurement = WeightCurvature("test", images=38, images_per_unit=5)
    ids = measurement.unit_ids(small_benchmark, 0)
    batches = measurement.prepare(small_benchmark, ids, 0)
    assert [len(batch.images) for batch in batches] == [5] * 7 + [3]
    shown = torch.cat([batch.images for batch in batches]).flatten(1)
    sample = measurement._clean.prepare(small_benchmark, measurement._clean.unit_ids(small_benchmark, 0), 0)[0]
    assert sorted(map(tuple, shown.tolist())) == sorted(map(tuple, sample.flatten(1).tolist()))
    (again,) = measurement.prepare(small_benchmark, ids[3:4], 0)
    assert torch.equal(again.images, batches[3].images)


def test_micro_batches_mix_sorted_classes(small_benchmark):
    small_benchmark.test.labels[:] = np.sort(small_benchmark.test.labels)
    batches = WeightCurvature("test", None, 10).prepare(small_benchmark, np.arange(4), 0)
    assert all(len(set(batch.labels.tolist())) > 1 for batch in batches)


@pytest.mark.parametrize("method", ["auto", "hutchinson"])
def test_mean_is_the_trace_of_the_full_hessian(method, small_benchmark):
    torch.manual_seed(2)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 4))
    with torch.no_grad():
        network[2].weight[torch.rand(4, 12) < 0.5] = 0
    classifier = Classifier(network, (0.5,), (0.1,))
    measurement = WeightCurvature("test", None, images_per_unit=10, probes=400, method=method)
    arrays = run(measurement, classifier, small_benchmark)
    full, kept = reference.weight_hessian(classifier, small_benchmark.test.read(range(40)), small_benchmark.test.labels)
    samples = arrays["quadratic"]
    error = np.sqrt(samples.var(axis=1, ddof=1).sum() / 400) / 4
    assert abs(samples.mean() - np.trace(full)) < 4 * error
    assert error < 0.1 * np.trace(full)
    assert set(arrays["parameters"]) == {len(kept)}
    assert arrays["gauss_newton"].all() == (method == "auto")
    shares = sum(array for name, array in arrays.items() if name.startswith("layer:"))
    np.testing.assert_allclose(shares, samples.mean(axis=1), rtol=1e-6)


def test_smooth_networks_use_the_full_hessian(smooth_classifier, small_benchmark):
    arrays = run(WeightCurvature("test", None, 20, probes=1), smooth_classifier, small_benchmark)
    assert not arrays["gauss_newton"].any()


@pytest.mark.parametrize("method", ["auto", "hutchinson"])
def test_does_not_depend_on_batch_or_shard(small_classifier, small_benchmark, method):
    measurement = WeightCurvature("test", None, 9, 2, method)
    whole = run(measurement, small_classifier, small_benchmark, batch_size=200)
    for size in (1, 7):
        other = run(measurement, small_classifier, small_benchmark, batch_size=size)
        np.testing.assert_allclose(other["quadratic"], whole["quadratic"], rtol=1e-4, atol=1e-6)
    with small_classifier.prepared():
        last = measurement.measure(
            small_classifier, measurement.prepare(small_benchmark, np.array([3, 4]), 0), {}, batch_size=4
        )
    np.testing.assert_allclose(last["quadratic"], whole["quadratic"][3:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["auto", "hutchinson"])
def test_models_share_their_probes(small_network, small_benchmark, method):
    # A mask that removes nothing, and a twin: the same numbers. One that removes everything but the head: fewer.
    measurement = WeightCurvature("test", None, 20, 2, method)
    parameters = dict(small_network.named_parameters())
    everything = {name: torch.ones_like(p, dtype=torch.bool) for name, p in parameters.items()}
    head = {name: torch.full_like(p, name.startswith("7"), dtype=torch.bool) for name, p in parameters.items()}
    results = [
        run(measurement, Classifier(small_network, mask=mask), small_benchmark)
        for mask in (None, Mask(everything), Mask(head))
    ]
    np.testing.assert_array_equal(results[0]["quadratic"], results[1]["quadratic"])
    assert set(results[2]["parameters"]) == {36}
    if method == "auto":  # shares of the layers do not mix, so the head's must be the same to the bit
        np.testing.assert_array_equal(results[2]["layer:7.weight"], results[0]["layer:7.weight"])
        assert not results[2]["layer:0.weight"].any()


def test_top_eigenvalue_of_each_group(small_benchmark, smooth_classifier):
    measurement = WeightSpectrum("test", None, images_per_unit=15, tolerance=1e-4)
    ids = measurement.unit_ids(small_benchmark, 0)
    assert len(ids) == 2  # the last 10 images are no whole group
    arrays = run(measurement, smooth_classifier, small_benchmark, batch_size=4)
    for unit, batch in enumerate(measurement.prepare(small_benchmark, ids, 0)):
        full, _ = reference.weight_hessian(smooth_classifier, batch.images, batch.labels)
        eigenvalues = np.linalg.eigvalsh(full)
        assert arrays["top_eigenvalue"][unit] == pytest.approx(eigenvalues[-1], rel=1e-3)
        assert arrays["magnitude"][unit] >= arrays["top_eigenvalue"][unit]
    assert len(WeightSpectrum("test", 8, images_per_unit=15).unit_ids(small_benchmark, 0)) == 1


def test_leaves_the_model_as_it_was(small_classifier, small_benchmark):
    small_classifier.module[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in small_classifier.module.state_dict().items()}
    for measurement in (WeightCurvature("test", 8, 4), WeightSpectrum("test", 8, 4)):
        run(measurement, small_classifier, small_benchmark)
    assert all(torch.equal(before[name], value) for name, value in small_classifier.module.state_dict().items())
    parameters = list(small_classifier.module.parameters())
    assert [parameter.requires_grad for parameter in parameters] == [False] + [True] * (len(parameters) - 1)
    assert all(parameter.grad is None for parameter in parameters)
    assert small_classifier.module.training
