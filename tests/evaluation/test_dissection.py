"""Composition on the whole road: paired, cached, in worker processes, and for layers of different widths."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from array_probe import ArrayProbe
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import evaluate
from sparsescope.metrics.composition import Composition
from sparsescope.results import Evaluation


@pytest.fixture
def probed(benchmark: Benchmark) -> Benchmark:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 5, (24, 8, 8)).repeat(2, axis=1).repeat(2, axis=2)
    images = coarse[:, None] / 5 + 0.2 * rng.random((24, 3, 16, 16))
    return dataclasses.replace(benchmark, probe=ArrayProbe(images, coarse == np.arange(5)[:, None, None, None]))


@pytest.fixture
def only(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, "options": {"composition": {"fraction": 0.02}}, "metrics": ["accuracy", "composition"]}


def test_every_metric_is_measured_with_a_probe_set(
    dense: Classifier, sparse: Classifier, probed: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, sparse, probed, **settings)
    assert all(value.status == "measured" for metric in evaluation.metrics for value in metric.values.values())
    found = evaluation["composition"]
    assert found.value("sparse").n == 24
    assert found.in_verdict and not evaluation.verdict("sparse").partial
    low, high = found.difference("sparse").interval or (0, 0)
    assert low < found.difference("sparse").value < high
    assert 0 < found.value("dense").value < 1
    twin = evaluate(dense, copy.deepcopy(dense), probed, **settings)
    assert twin["composition"].difference("dense-2").interval == (0, 0)
    assert twin.verdict("dense-2").outcome == "pass"


def test_the_value_is_that_of_the_metric_alone(
    dense: Classifier, sparse: Classifier, probed: Benchmark, only: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, sparse, probed, **only)
    metric = Composition(fraction=0.02)
    for classifier in (dense, sparse):
        alone = metric.measure(classifier, probed)
        assert evaluation["composition"].value(classifier.name).value == pytest.approx(metric.value(alone))
        details = evaluation["composition"].details[classifier.name]
        assert [row["formula"] for row in details["units"]] == [str(text) for text in alone.common["formula"]]


@pytest.mark.slow
def test_cached_and_in_workers(
    dense: Classifier, sparse: Classifier, probed: Benchmark, only: dict[str, Any], tmp_path: Path
) -> None:
    def everything(evaluation: Evaluation) -> tuple[Any, Any, Any]:
        found = evaluation["composition"]
        return found.values, found.differences, found.details

    plain = evaluate(dense, sparse, probed, **only)
    cached = [evaluate(dense, sparse, probed, **{**only, "cache": tmp_path}) for _ in range(2)]
    assert cached[1].cost.forward_passes == 0
    assert everything(plain) == everything(cached[0]) == everything(cached[1])
    assert everything(evaluate(dense, sparse, probed, workers=2, **only)) == everything(plain)


def test_layers_of_different_widths(dense: Classifier, probed: Benchmark, only: dict[str, Any]) -> None:
    """A structurally pruned model has fewer units; the value is a mean over its own."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        narrow = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    evaluation = evaluate(dense, Classifier(narrow, name="narrow"), probed, **only)
    details = evaluation["composition"].details
    assert (details["dense"]["layer"], details["dense"]["layer_units"]) == ("4", 8)
    assert (details["narrow"]["layer"], details["narrow"]["layer_units"]) == ("1", 4)
    assert evaluation["composition"].difference("narrow").interval is not None


def test_all_units_dead_is_not_evaluated(
    dense: Classifier, sparse: Classifier, probed: Benchmark, only: dict[str, Any]
) -> None:
    with torch.no_grad():
        sparse.module[3].weight.zero_()  # type: ignore[index, operator, union-attr]
    found = evaluate(dense, sparse, probed, **only)["composition"]
    assert found.values["sparse"].reason == "nothing was left to measure"
    assert found.values["dense"].status == "measured"


def test_a_network_without_maps_is_not_evaluated_unless_its_layer_is_named(
    benchmark: Benchmark, probed: Benchmark, only: dict[str, Any]
) -> None:
    channels, height, width = benchmark.test.shape
    plain = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 6), nn.ReLU(), nn.Linear(6, 4))
    rng = np.random.default_rng(0)
    images, labels = rng.random((20, channels, height, width)), np.arange(20) % 2
    probe = ArrayProbe(images, np.broadcast_to((labels == np.arange(2)[:, None])[:, :, None, None], (2, 20, 4, 4)))
    own = dataclasses.replace(probed, probe=probe)
    found = evaluate(plain, copy.deepcopy(plain), own, **only)
    (value, _) = found["composition"].values.values()
    assert value.status == "not evaluated" and "no layer of dense gives a map" in value.reason
    assert all(entry.status == "measured" for entry in found["accuracy"].values.values())
    named = evaluate(plain, copy.deepcopy(plain), own, **only | {"options": {"composition": {"layer": "2"}}})
    assert named["composition"].details["dense"]["layer_units"] == 6
