"""Evaluations that stop where it is decided: on small networks whose images have easy labels."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic.dataclasses import dataclass
from same_numbers import assert_same
from torch import nn

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.errors import OptionError
from sparsescope.evaluation import evaluate
from sparsescope.evaluation.order import fair_order
from sparsescope.measurements.base import Measured
from sparsescope.measurements.predictions import Predictions, predict
from sparsescope.metrics.accuracy import Accuracy
from sparsescope.metrics.base import OPTIONS
from sparsescope.proportions import score_interval
from sparsescope.results import Evaluation
from sparsescope.sequential import looks
from sparsescope.units import Units

METRICS = ["accuracy", "nll", "ood_auroc", "composition"]


@pytest.fixture
def easy(benchmark: Benchmark, dense: Classifier) -> Benchmark:
    """600 test images with the labels that dense gives them, but for one in ten."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (600, 16, 16, 3), dtype=np.uint8)
    images = ArrayImages(pixels, np.zeros(600, dtype=np.int64), "easy")
    with dense.prepared("cpu"):
        labels = predict(dense, images.read(np.arange(600)), 100).argmax(axis=1)
    labels = np.where(rng.random(600) < 0.1, rng.integers(0, 4, 600), labels)
    return replace(benchmark, test=ArrayImages(pixels, labels, "easy"))


@pytest.fixture
def broken(dense: Classifier) -> Classifier:
    """Dense with the sign of its last weights turned."""
    network = copy.deepcopy(dense.module)
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    last.weight.data *= -1
    return Classifier(network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), name="broken")


@pytest.fixture
def close(dense: Classifier) -> Classifier:
    """Dense with weights that are moved by a hair."""
    network = copy.deepcopy(dense.module)
    for parameter in network.parameters():
        parameter.data *= 1.0001
    return Classifier(network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), name="close")


def without_cost(evaluation: Evaluation) -> dict[str, Any]:
    return evaluation.model_dump(exclude={"cost", "created", "environment"})


def test_a_clear_failure_stops_and_its_numbers_are_those_of_the_first_units(
    dense: Classifier, broken: Classifier, easy: Benchmark
) -> None:
    evaluation = evaluate(dense, broken, easy, metrics=["accuracy"], until_decided="metrics", cache=False)
    found, cost = evaluation["accuracy"].differences["broken"], evaluation.cost
    look = found.look
    assert look is not None and look.of == 8 and look.planned == 600
    assert look.used == evaluation["accuracy"].difference("broken").n < 600
    assert look.level == looks(0.95)[look.number - 1].level
    assert evaluation.verdict("broken").metrics["accuracy"].reason == f"after {look.used} of 600 units"
    first = fair_order(easy.test.required_labels(), 0, "order/test")[: look.used]
    right = []
    for classifier in (dense, broken):
        with classifier.prepared("cpu"):
            answers = predict(classifier, easy.test.read(first), 100).argmax(axis=1)
        right.append(answers == easy.test.required_labels()[first])
    counts = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert (found.lost, found.gained) == counts
    assert found.interval == pytest.approx([float(end) for end in score_interval(*counts, look.used, look.level)])
    assert cost.until_decided == "metrics" and cost.planned_passes == 1200
    assert cost.used_passes == cost.forward_passes < cost.planned_passes


def test_numbers_are_the_same_cold_warm_and_in_other_batches_and_a_full_run_goes_on_from_there(
    dense: Classifier, sparse: Classifier, easy: Benchmark, settings: dict[str, Any], tmp_path: Path
) -> None:
    arguments: dict[str, Any] = settings | {"metrics": [*METRICS, "fidelity", "corruption_error", "generalization_gap"]}
    options = arguments["options"] | {"corruption_error": {"corruptions": ["contrast"], "images": 90}}
    arguments |= {"options": options, "until_decided": "metrics"}

    def run(**changes: Any) -> Evaluation:
        return evaluate(dense, sparse, easy, **(arguments | changes))

    cold = run(cache=tmp_path / "a")
    warm = run(cache=tmp_path / "a")
    assert warm.cost.forward_passes == 0 and without_cost(warm) == without_cost(cold)
    assert_same(run(cache=False, batch_size=7), cold)
    whole = run(cache=tmp_path / "b", until_decided=None)
    from_whole = run(cache=tmp_path / "b")
    assert from_whole.cost.forward_passes == 0 and without_cost(from_whole) == without_cost(cold)
    onward = run(cache=tmp_path / "a", until_decided=None)
    assert onward.cost.forward_passes <= whole.cost.forward_passes - cold.cost.forward_passes + 100
    assert_same(onward, whole)


def test_a_failure_ends_the_verdict_and_what_is_left_is_not_measured(
    dense: Classifier, broken: Classifier, easy: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, broken, easy, metrics=METRICS, until_decided="verdict", **settings)
    verdict = evaluation.verdict("broken")
    assert verdict.outcome == "fail"
    assert verdict.metrics["composition"].outcome == "not evaluated"
    assert verdict.metrics["composition"].reason == "not measured: the verdict is a FAIL without it"
    assert evaluation.cost.used_passes is not None and evaluation.cost.planned_passes is not None
    assert evaluation.cost.used_passes < evaluation.cost.planned_passes / 2
    assert Evaluation.model_validate_json(evaluation.to_json()) == evaluation


def test_every_candidate_has_its_own_decision(
    dense: Classifier, broken: Classifier, close: Classifier, easy: Benchmark
) -> None:
    evaluation = evaluate(dense, [broken, close], easy, metrics=["accuracy"], until_decided="verdict", cache=False)
    metric = evaluation["accuracy"]
    early, late = (metric.differences[name].look for name in ("broken", "close"))
    assert early is not None and late is not None and early.used < late.used
    assert metric.value("dense").n == metric.value("close").n == late.used
    assert metric.value("broken").n == early.used
    alone = evaluate(dense, broken, easy, metrics=["accuracy"], until_decided="verdict", cache=False)
    assert alone["accuracy"].differences["broken"] == metric.differences["broken"]


def test_the_dense_model_itself_passes_at_the_first_look_and_what_needs_all_units_has_them(
    dense: Classifier, easy: Benchmark, settings: dict[str, Any]
) -> None:
    evaluation = evaluate(dense, copy.deepcopy(dense), easy, metrics=METRICS, until_decided="metrics", **settings)
    assert {entry.outcome for entry in evaluation.verdict("dense-2").metrics.values()} == {"pass"}
    taken = {metric.name: metric.differences["dense-2"].look for metric in evaluation.metrics}
    assert taken.pop("composition") is None and evaluation["composition"].value("dense-2").n == 24
    assert {look.number for look in taken.values() if look} == {min(look.number for look in taken.values() if look)}


@dataclass(frozen=True, config=OPTIONS)
class ByIndex(Accuracy):
    """A metric that expects the predictions of all images."""

    name: ClassVar[str] = "by_index"
    share_of: ClassVar[str | None] = None

    def units(self, own: Measured, dense: Measured, benchmark: Benchmark) -> Units:
        predicted = own[Predictions("test")]["logits"].argmax(axis=1)
        right = predicted == benchmark.test.required_labels()
        return Units({"test": len(right)}, {"correct": right, "classes": np.full(len(right), 4)})

    def details(self, units: Units) -> dict[str, Any]:
        return {}


def test_a_metric_that_cannot_take_a_part_of_the_units_is_judged_on_all(
    dense: Classifier, broken: Classifier, easy: Benchmark
) -> None:
    evaluation = evaluate(dense, broken, easy, metrics=[ByIndex()], until_decided="metrics", cache=False)
    look = evaluation["by_index"].differences["broken"].look
    assert look is not None and look.number == look.of and look.used == 600
    assert evaluation.verdict("broken").outcome == "fail"


def test_what_does_not_count_is_reported_as_far_as_the_others_went(
    dense: Classifier, broken: Classifier, easy: Benchmark
) -> None:
    config: Mapping[str, Any] = {"verdict": ["accuracy"]}
    metrics = ["accuracy", "nll", "generalization_gap"]
    evaluation = evaluate(dense, broken, easy, metrics=metrics, config=config, until_decided="metrics", cache=False)
    taken = {metric.name: metric.differences["broken"].look for metric in evaluation.metrics}
    numbers = {name: look.number for name, look in taken.items() if look is not None}
    assert numbers["accuracy"] <= numbers["nll"] == numbers["generalization_gap"] < 8


def test_only_the_two_words_are_taken(dense: Classifier, broken: Classifier, easy: Benchmark) -> None:
    with pytest.raises(OptionError, match="until_decided to be 'metrics', 'verdict' or None, but got True"):
        evaluate(dense, broken, easy, until_decided=True, cache=False)  # type: ignore[arg-type]
