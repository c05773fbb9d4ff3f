"""The metrics of iterated attacks: PGD and AutoAttack."""

import importlib.util

import numpy as np
import pytest
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError
from sparsescope.evaluation import evaluate
from sparsescope.metrics import create
from sparsescope.metrics.autoattack_accuracy import AutoattackAccuracy
from sparsescope.metrics.fgsm_accuracy import FgsmAccuracy
from sparsescope.metrics.pgd_accuracy import PgdAccuracy
from sparsescope.units import Units

METRICS = (PgdAccuracy(), AutoattackAccuracy())


def test_pgd_by_hand():
    # z = (x, 1 - x): class 0 above 1/2. A ball of 0.1 takes exactly the images within 0.1 of the boundary.
    linear = nn.Linear(1, 2)
    linear.weight.data.copy_(linear.weight.new_tensor([[1.0], [-1.0]]))
    linear.bias.data.copy_(linear.weight.new_tensor([0.0, 1.0]))
    pixels = np.array([0.3, 0.45, 0.55, 0.9], dtype=np.float32).reshape(4, 1, 1, 1)
    benchmark = Benchmark("line", ArrayImages(pixels, np.array([1, 1, 0, 1])))
    metric = PgdAccuracy(epsilon=0.1)
    units = metric.measure(Classifier(nn.Sequential(nn.Flatten(), linear)), benchmark)
    np.testing.assert_array_equal(units["correct"], [True, False, False, False])
    assert metric.value(units) == 0.25
    assert metric.details(units) == {
        "clean_accuracy": 0.75,
        "fooled": pytest.approx(2 / 3),
        "images": 4,
        "without_gradient": 0.0,
    }


def test_options_reach_the_attack(small_classifier, small_benchmark):
    def value(**options):
        metric = PgdAccuracy(epsilon=0.01, **options)
        return metric.value(metric.measure(small_classifier, small_benchmark))

    one_step = value(steps=1, random_start=False, step_size=0.01)
    fgsm = FgsmAccuracy(epsilon=0.01)
    assert one_step <= fgsm.value(fgsm.measure(small_classifier, small_benchmark))
    assert value(steps=20, restarts=3) <= value(steps=20) < value(step_size=0.0, random_start=False)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_reduction_is_weighted_and_nothing_right_can_be_fooled(metric):
    correct, gradient = np.array([True, False, True]), np.array([True, True, False])
    units = Units({"test": 3}, {"correct": correct, "clean": np.ones(3, bool), "gradient": gradient})
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 0.0], [1.0, 1.0, 2.0]])
    np.testing.assert_allclose(metric.reduce(units, weights), [2 / 3, 0, 3 / 4])
    third = pytest.approx(1 / 3)
    assert metric.details(units) == {"clean_accuracy": 1.0, "fooled": third, "images": 3, "without_gradient": third}
    none = Units({"test": 2}, dict.fromkeys(("correct", "clean", "gradient"), np.zeros(2, bool)))
    assert (metric.details(none)["fooled"], metric.details(none)["without_gradient"]) == (None, 0.0)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_is_reported_only_unless_the_verdict_names_it(metric):
    assert (metric.in_verdict, metric.margin, metric.higher_is_better) == (False, 0.01, True)


def test_restarts_without_a_random_start_are_refused():
    with pytest.raises(
        OptionError, match=r"Metric pgd_accuracy: Expected restarts = 1 without random_start, but got 2"
    ):
        create("pgd_accuracy", restarts=2, random_start=False)


def test_pgd_can_decide_a_verdict(small_classifier, small_benchmark):
    config = {"verdict": ["pgd_accuracy"], "metrics": {"pgd_accuracy": {"epsilon": 0.01}}}
    evaluation = evaluate(
        small_classifier, small_classifier, small_benchmark, metrics=["accuracy", "pgd_accuracy"], config=config,
        replicates=100, cache=False, device="cpu",
    )  # fmt: skip
    (verdict,) = evaluation.verdicts.values()
    assert {name: judged.outcome for name, judged in verdict.metrics.items()} == {"pgd_accuracy": "pass"}


def test_autoattack_without_its_package_is_not_evaluated(small_classifier, small_benchmark, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    evaluation = evaluate(
        small_classifier, small_classifier, small_benchmark, metrics=["accuracy", "autoattack_accuracy"],
        replicates=100, cache=False, device="cpu",
    )  # fmt: skip
    for value in evaluation["autoattack_accuracy"].values.values():
        assert value.status == "not evaluated"
        assert value.reason == "the package pyautoattack is not installed (pip install 'sparsescope[attacks]')"
