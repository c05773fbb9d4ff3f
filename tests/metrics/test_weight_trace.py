import warnings

import numpy as np
import pytest
import reference_curvature as reference
import torch
from pydantic import ValidationError
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.curvature import hessian_forms, surviving_weights
from sparsescope.metrics.weight_trace import WeightTrace
from sparsescope.units import Units

OPTIONS = {"images_per_unit": 10, "probes": 3}


def units(quadratic, images):
    n = len(images)
    arrays = {
        "quadratic": np.array(quadratic, dtype=float),
        "images": np.array(images),
        "parameters": np.full(n, 10),
        "gauss_newton": np.ones(n, dtype=bool),
        "layer:weight": np.array(quadratic, dtype=float).mean(axis=1),
        "layer:unused": np.zeros(n),
    }
    return Units({"train/50/units of 20": n}, arrays)


def test_reduction_by_hand():
    metric, measured = WeightTrace(), units([[1, 3], [4, 4], [10, 0]], [20, 20, 10])
    assert metric.value(measured) == pytest.approx((20 * 2 + 20 * 4 + 10 * 5) / 50)
    weights = np.array([[1.0, 0, 1], [0, 2, 0]])
    np.testing.assert_allclose(metric.reduce(measured, weights), [(40 + 50) / 30, 4])
    assert metric.details(measured) == {
        "image_set": "train",
        "images": 50,
        "micro_batches": 3,
        "probes": 2,
        "method": "gauss-newton",
        "parameters": 10,
        "trace_per_parameter": pytest.approx(0.34),
        "trace_by_layer": {"weight": pytest.approx(3.4), "unused": 0.0},
        "without_effect": ["unused"],
    }


def test_softmax_regression_by_hand():
    # One unit, equal logits for K = 2: H = S ⊗ xxᵀ for each image, so its trace is |x|² / 2 + 1 / 2 with the bias.
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    pixels = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 1.0]], dtype=np.float32).reshape(3, 1, 1, 2)
    benchmark = Benchmark("three", ArrayImages(pixels, np.array([0, 1, 1])))
    metric = WeightTrace(images_per_unit=1, probes=2000)
    measured = metric.measure(Classifier(network), benchmark)
    # A u = (u_0 - u_1) / √8 (1, -1), so every sample is either 0 or twice the trace, with probability one half.
    assert metric.value(measured) == pytest.approx(((1 + 0.5 + 2) / 3 + 1) / 2, rel=4 / np.sqrt(6000))


@pytest.mark.parametrize("method", ["auto", "hutchinson"])
def test_agrees_with_the_full_hessian_of_the_training_images(small_benchmark, method):
    torch.manual_seed(3)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 4))
    classifier = Classifier(network, (0.5,), (0.1,))
    metric = WeightTrace(images_per_unit=12, probes=400, method=method)
    measured = metric.measure(classifier, small_benchmark)
    full, _ = reference.weight_hessian(classifier, small_benchmark.train.read(range(24)), small_benchmark.train.labels)
    error = np.sqrt(measured["quadratic"].var(axis=1, ddof=1).sum() / 400) / 2
    assert abs(metric.value(measured) - np.trace(full)) < 4 * error < 0.5 * np.trace(full)


def test_pyhessian_agrees_probe_by_probe(small_classifier, small_benchmark):
    from pyhessian import hessian

    images, labels = small_benchmark.train.read(range(24)), small_benchmark.train.labels
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (small_classifier.mean, small_classifier.std))
    data = ((images - mean) / std, torch.from_numpy(labels))
    module = small_classifier.module.eval()
    module.zero_grad()
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # backward(create_graph=True) leaks, as torch warns
        torch.manual_seed(0)
        theirs = hessian(module, nn.CrossEntropyLoss(), data=data, cuda=False).trace(20, tol=-np.inf)
        torch.manual_seed(0)
        draws = [torch.cat([torch.randint_like(p, 2).flatten() for p in module.parameters()]) for _ in range(20)]
    module.zero_grad()
    probes = [np.where(draw.detach().numpy() == 0, -1, 1).astype(np.float32) for draw in draws]
    with small_classifier.prepared(), surviving_weights(small_classifier) as support:
        ours = hessian_forms(small_classifier, support, images, labels, probes, batch_size=7).sum(axis=1)
    assert len(theirs) == 20
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_model_against_itself_has_the_same_units(small_classifier, small_benchmark):
    metric = WeightTrace(**OPTIONS)
    first, second = (metric.measure(small_classifier, small_benchmark, seed=4) for _ in range(2))
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second[name])


def test_test_images_stand_in_for_missing_training_images(small_classifier, small_benchmark):
    metric = WeightTrace(**OPTIONS)
    assert metric.details(metric.measure(small_classifier, small_benchmark))["image_set"] == "train"
    alone = Benchmark("test only", small_benchmark.test)
    details = metric.details(metric.measure(small_classifier, alone))
    assert (details["image_set"], details["images"], details["micro_batches"]) == ("test", 40, 4)


@pytest.mark.parametrize("options", [{"probes": 0}, {"images": 0}, {"images_per_unit": 0}, {"method": "exact"}])
def test_options_outside_their_range(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        WeightTrace(**options)
