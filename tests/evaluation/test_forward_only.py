"""Forward-only metrics of a prepacked network are those of the network itself; the result and the cache say which."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsescope.architectures.cifar_resnet import resnet20s
from sparsescope.benchmark import Benchmark
from sparsescope.classifier import Classifier
from sparsescope.evaluation import evaluate, run
from sparsescope.pruning import prune
from sparsescope.results import Evaluation

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN")

FORWARD_ONLY = ("accuracy", "ece", "nll", "ood_auroc", "corruption_error", "fidelity", "stability")


@pytest.fixture
def pair() -> tuple[Classifier, Classifier]:
    torch.manual_seed(0)
    network = resnet20s(num_classes=4).eval()
    pruned = copy.deepcopy(network)
    mask = prune("omp", pruned, sparsity=0.5)
    mask.apply(pruned)
    means = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    return Classifier(network, **means, name="dense"), Classifier(pruned, **means, mask=mask, name="sparse")


def numbers(evaluation: Evaluation) -> dict[tuple[str, str], float | None]:
    return {(each.name, name): value.value for each in evaluation.metrics for name, value in each.values.items()}


def test_numbers_are_the_networks_own(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    benchmark: Benchmark,
    pair: tuple[Classifier, Classifier],
    settings: dict[str, Any],
) -> None:
    settings |= {"metrics": [*FORWARD_ONLY, "fgsm_accuracy"], "device": "cpu", "cache": tmp_path}
    packed = evaluate(*pair, benchmark, **settings)
    again = evaluate(*pair, benchmark, **settings, batch_size=3, workers=2)
    monkeypatch.setattr(run, "prepacked_networks", lambda *_: {})
    own = evaluate(*pair, benchmark, **settings)
    assert [model.forward_only for model in packed.models] == ["prepacked", "prepacked"]
    assert [model.forward_only for model in own.models] == ["network", "network"]
    assert numbers(packed) == pytest.approx(numbers(own), rel=1e-5, abs=1e-5)
    assert numbers(packed) != numbers(own)
    assert again.cost.forward_passes == 0  # all parts are there
    assert numbers(again) == numbers(packed)
    assert own.cost.backward_passes == 0  # gradients are the network's own, and in the cache
    assert own.cost.forward_passes > 0


def test_batches_and_workers_change_no_number_beyond_rounding(
    benchmark: Benchmark, pair: tuple[Classifier, Classifier], settings: dict[str, Any]
) -> None:
    settings |= {"metrics": ["nll", "fidelity"], "device": "cpu"}
    first = evaluate(*pair, benchmark, **settings)
    same = evaluate(*pair, benchmark, **settings)
    other = evaluate(*pair, benchmark, **settings, batch_size=5, workers=2)
    assert numbers(same) == numbers(first)
    assert numbers(other) == pytest.approx(numbers(first), rel=1e-5, abs=1e-5)


def test_the_gradient_metrics_alone_build_none(
    benchmark: Benchmark, pair: tuple[Classifier, Classifier], settings: dict[str, Any]
) -> None:
    settings |= {"metrics": ["weight_trace"], "device": "cpu"}
    evaluation = evaluate(replace(pair[0]), pair[1], benchmark, **settings)
    assert {model.forward_only for model in evaluation.models} == {"network"}
