"""What depends on a model alone is found out once, and what is planned and done is told in forward passes."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from same_numbers import numbers
from torch import nn

from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.curvature import facts, linearity
from sparsescope.evaluation import acquaintance, evaluate, plan
from sparsescope.measurements.adversarial import Adversarial
from sparsescope.measurements.base import Measurement, run
from sparsescope.measurements.input_curvature import InputCurvature
from sparsescope.measurements.weight_curvature import WeightCurvature
from sparsescope.metrics import create
from sparsescope.passes import Passes, Rates

GEOMETRY = ["weight_trace", "input_trace", "input_top_eigenvalue"]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The models whose linearity is looked at, once for each tensor and for the images."""
    found: list[str] = []
    look = linearity._is_constant

    def noted(classifier: Classifier, *arguments: Any) -> bool:
        found.append(classifier.name)
        return look(classifier, *arguments)

    monkeypatch.setattr(linearity, "_is_constant", noted)
    monkeypatch.setattr(plan, "SHARD_COST", 40)  # many shards
    yield found


def test_facts_are_found_out_once_for_a_model_and_kept_in_the_cache(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    settings: dict[str, Any],
    looked: list[str],
    tmp_path: Path,
) -> None:
    settings |= {"cache": tmp_path, "metrics": GEOMETRY}
    tensors = len(list(dense.module.parameters()))
    whole = evaluate(dense, sparse, benchmark, **settings)
    assert sorted(looked) == ["dense"] * (tensors + 1) + ["sparse"] * (tensors + 1)
    looked.clear()
    other = evaluate(dense, sparse, benchmark, **settings, seed=1)
    assert other.cost.cached == 0 and not looked
    assert dense.facts is None and sparse.facts is None
    moved = copy.deepcopy(sparse)
    moved.module[1].bias.data[0] += 0.01
    evaluate(dense, moved, benchmark, **settings)
    assert set(looked) == {"sparse"}, "its weights are others"
    settings["cache"] = False
    assert numbers(evaluate(dense, sparse, benchmark, **settings)) == numbers(whole)


def test_a_cached_evaluation_finds_out_nothing(
    dense: Classifier,
    sparse: Classifier,
    benchmark: Benchmark,
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings |= {"cache": tmp_path, "metrics": GEOMETRY}
    evaluate(dense, sparse, benchmark, **settings)
    monkeypatch.setattr(acquaintance, "measure_rates", None)
    monkeypatch.setattr(acquaintance, "FACTS", {})
    again = evaluate(dense, sparse, benchmark, **settings)
    assert again.cost.forward_passes == again.cost.forward_equivalents == 0


def test_the_cost_is_told_in_forward_passes_of_the_dense_model(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forward pass of the smaller network takes half the time, and its gradients as long as 30 of them."""
    small = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)), dense.mean, dense.std, name="small")

    def rates(classifier: Classifier, *_: Any) -> tuple[Rates, float]:
        return Rates(tracked=2, input_gradients=30), 0.5 if classifier.name == "small" else 1.0

    monkeypatch.setattr(acquaintance, "measure_rates", rates)
    told: list[tuple[float, float, str]] = []
    settings |= {"metrics": ["fgsm_accuracy"], "progress": lambda *step: told.append(step)}
    cost = evaluate(dense, small, benchmark, **settings).cost
    (measurement,) = create("fgsm_accuracy").measurements(benchmark)
    counted = [_passes(measurement, copy.deepcopy(classifier), benchmark) for classifier in (dense, small)]
    each, looked = Rates(tracked=2, input_gradients=30), Passes(forward=2, tracked=2, input_gradients=2)
    assert cost.forward_equivalents == pytest.approx(each.cost(counted[0]) + each.cost(counted[1]) / 2)
    planned = each.cost(counted[0] - looked) + each.cost(counted[1] - looked) / 2
    assert told[-1][0] == told[-1][1] == pytest.approx(planned), "without the look for straight-through gradients"


def _passes(measurement: Measurement, classifier: Classifier, benchmark: Benchmark) -> Passes:
    classifier.passes = Passes()
    run(measurement, classifier, benchmark, batch_size=50)
    return classifier.passes


PLANNED = {
    "fgsm": Adversarial(epsilons=(0.01, 0.02)),
    "fgsm, random start": Adversarial(random_start=True, epsilons=(0.01,)),
    "input, exact": InputCurvature("test"),
    "weights, gauss-newton": WeightCurvature("test", images_per_unit=10),
    "weights, hutchinson": WeightCurvature("test", images_per_unit=10, probes=3, method="hutchinson"),
}


@pytest.mark.parametrize("name", PLANNED)
def test_what_is_planned_is_what_is_done(name: str, small_classifier: Classifier, small_benchmark: Benchmark) -> None:
    """But for what looks at the model, or for its gradient, on a few images of each shard."""
    measurement = PLANNED[name]
    with small_classifier.prepared():
        planned = measurement.planned_passes(small_benchmark, small_classifier, 50)
        small_classifier.passes = Passes()
        for known in measurement.facts:
            facts.FACTS[known](small_classifier, small_benchmark.test.shape)
        extra = small_classifier.passes
        if isinstance(measurement, WeightCurvature):
            extra += Passes(forward=4, tracked=4, weight_gradients=4)
        if isinstance(measurement, InputCurvature):
            extra += Passes(forward=1)  # which tells the number of classes
        units = len(measurement.unit_ids(small_benchmark, 0))
    assert _passes(measurement, small_classifier, small_benchmark) - extra == planned * units


def test_of_a_smooth_network_products_are_planned(small_benchmark: Benchmark) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.GELU(), nn.Linear(8, 4))
    with Classifier(network).prepared() as classifier, torch.enable_grad():
        planned = InputCurvature("test", probes=5).planned_passes(small_benchmark, classifier, 16)
    assert planned == Passes(forward=1, tracked=1, input_gradients=2, input_products=5)
