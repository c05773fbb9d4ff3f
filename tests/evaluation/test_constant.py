"""A network that looks at nothing: flat, calibrated at chance, explained without error; and no match for any other."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from sparsescope.benchmark import ArrayImages, Benchmark
from sparsescope.classifier import Classifier
from sparsescope.cli.table import print_summary
from sparsescope.evaluation import evaluate
from sparsescope.evaluation.checks import check_models, images_to_show
from sparsescope.reporting.notes import headline, warnings


def collapsed(classifier: Classifier, bias: float = 0.0) -> Classifier:
    module = copy.deepcopy(classifier.module)
    head = module[7]  # type: ignore[index]
    with torch.no_grad():
        head.weight.zero_()
        head.bias += bias
    return Classifier(module, classifier.mean, classifier.std, name="collapsed")


@pytest.mark.parametrize("metrics", [["fidelity", "stability", "weight_trace", "input_trace"], ["accuracy"]])
@pytest.mark.parametrize("bias", [0.0, 50.0])
def test_a_constant_candidate_fails_whatever_its_metrics_say(
    bias: float, metrics: list[str], dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    options = {name: values for name, values in settings["options"].items() if name in metrics}
    evaluation = evaluate(dense, collapsed(dense, bias), benchmark, metrics=metrics, **settings | {"options": options})
    verdict = evaluation.verdict("collapsed")
    assert (verdict.outcome, verdict.constant) == ("fail", True)
    assert "FAIL (partial verdict: not every metric was asked for) — it gives every image the same answer" in (
        verdict.statement
    )
    passes = [found for found in verdict.metrics.values() if found.outcome == "pass"]
    assert passes or metrics == ["accuracy"]
    assert all(found.reason == "it gives every image the same answer" for found in passes)
    assert headline(evaluation, "collapsed").startswith(
        "collapsed does not match dense: it gives every image the same answer."
    )
    assert any(text.startswith("collapsed: gives every image the same answer. ") for text in warnings(evaluation))
    with (console := Console(width=200, force_terminal=True, color_system=None)).capture() as shown:
        print_summary(evaluation, console)
    assert shown.get().count("it gives every image the same answer") == 1 + len(passes)


def test_two_constant_networks_are_no_pass_either(
    dense: Classifier, benchmark: Benchmark, settings: dict[str, Any]
) -> None:
    flat = collapsed(dense)
    evaluation = evaluate(
        flat, copy.deepcopy(flat), benchmark, metrics=["accuracy", "ece"], **settings | {"options": {}}
    )
    assert evaluation.verdict("collapsed-2").outcome == "fail"


def test_what_is_not_constant(dense: Classifier, benchmark: Benchmark) -> None:
    black = ArrayImages(np.zeros((3, 16, 16, 3), np.uint8), np.array([0, 1, 2]))
    shifted = collapsed(dense)
    with torch.no_grad():
        shifted.module[7].weight += 1  # type: ignore[index]  # every logit moves alike, and softmax stays
    for classifier, images, constant in (
        (dense, benchmark.test, False),
        (dense, black, False),
        (shifted, benchmark.test, True),
    ):
        noticed = check_models([classifier], images_to_show(images), None, ["probabilities"])
        assert noticed[classifier.name].constant == constant
